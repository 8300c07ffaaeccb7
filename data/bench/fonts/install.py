"""Bring the fonts of data/bench into ~/.local/share/fonts, by their Debian packages, without root: `make fonts`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

LIST = Path(__file__).with_name("debian12.yml")
TARGET = Path("~/.local/share/fonts/quantvietocr").expanduser()
SYSTEM = Path("/usr/share/fonts"), TARGET


def main() -> int:
    """Install what is missing; the exit code is 1 where a font is missing still."""
    fonts = yaml.safe_load(LIST.read_text(encoding="utf-8"))
    missing = [font for font in fonts if not _is_there(font)]
    if missing and not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        sys.exit(
            f"{len(missing)} of {len(fonts)} fonts are missing, and apt-get, which would bring them, is not here: put "
            f"the files that {LIST} lists into {TARGET}."
        )
    for package in sorted({font["package"] for font in missing}):
        print(f"{package} ...", file=sys.stderr)
        _unpack(package, [font for font in missing if font["package"] == package])
    still = [font for font in fonts if not _is_there(font)]
    for font in still:
        print(f"{font['file']}: not the file of {font['package']} {font['version']}, by its hash", file=sys.stderr)
    print(f"{len(fonts) - len(still)} of {len(fonts)} fonts are there, the same to the byte.")
    return int(bool(still))


def _is_there(font: dict[str, str]) -> bool:
    """Whether a file of this name and hash lies in a folder of fonts."""
    files = (file for folder in SYSTEM for file in folder.rglob(font["file"]))
    return any(hashlib.sha256(file.read_bytes()).hexdigest() == font["sha256"] for file in files)


def _unpack(package: str, fonts: list[dict[str, str]]) -> None:
    """Download a package and copy those of its files that have the right hash."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["apt-get", "-o", "APT::Sandbox::User=root", "download", f"{package}={fonts[0]['version']}"]
        exact = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if exact.returncode:  # another release of the system has another version; the hashes decide
            subprocess.run([*command[:-1], package], cwd=folder, capture_output=True, text=True)
        for archive in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
        TARGET.mkdir(parents=True, exist_ok=True)
        for font in fonts:
            for file in Path(folder).rglob(font["file"]):
                if hashlib.sha256(file.read_bytes()).hexdigest() == font["sha256"]:
                    shutil.copy(file, TARGET / font["file"])


if __name__ == "__main__":
    sys.exit(main())
