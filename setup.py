"""Puts the shipped int8 weights, full and slim, and the configs, which lie beside the package, into the built one."""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PACKAGE = "quantvietocr"
#: Folder within the package → the files of the repository that go into it. The float weights stay out: reading does not
#: need them, and the wheel would be three times as large.
ADDED = {
    "weights": ("weights/vgg_seq2seq-qat-int8.safetensors", "weights/vgg_seq2seq-slim-qat-int8.safetensors"),
    "configs": ("configs/*.yml",),
}


class BuildWithShippedFiles(build_py):
    """`build_py` that adds them. An editable install finds them where they are."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for source, target in self._shipped():
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))

    def get_outputs(self, include_bytecode: int = 1) -> list[str]:
        added = [] if self.editable_mode else [str(target) for _, target in self._shipped()]
        return super().get_outputs(include_bytecode) + added

    def _shipped(self) -> list[tuple[Path, Path]]:
        """Each file and where it goes."""
        out = Path(self.build_lib, PACKAGE)
        files = [
            (source, out / folder / source.name)
            for folder, patterns in ADDED.items()
            for pattern in patterns
            for source in sorted(ROOT.glob(pattern))
        ]
        if not any(target.parent.name == "weights" for _, target in files):
            raise FileNotFoundError(f"{ROOT}/weights has no int8 weights: a clone without Git LFS files, perhaps")
        return files


def description() -> str:
    """README.md for package indexes: without its pictures and links into the repository, which lead nowhere there."""
    text = re.sub(r"!\[[^]]*\]\((?!https?:)[^)]*\)", "", (ROOT / "README.md").read_text(encoding="utf-8"))
    return re.sub(r"\[([^]]*)\]\((?!https?:|#)[^)]*\)", r"\1", text)


setup(
    cmdclass={"build_py": BuildWithShippedFiles},
    long_description=description(),
    long_description_content_type="text/markdown",
)
