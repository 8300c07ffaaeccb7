"""What a stranger gets: the wheel, installed in another folder, reads lines and finds its weights and configs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILT = ("quantvietocr", "configs", "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "infer.py")
BUILT += "train_qat.py", "requirements-light.txt", "requirements-nodeps.txt"
SHIPPED = "vgg_seq2seq-qat-int8.safetensors"


def python(*arguments: object, cwd: Path, path: Path | None = None, **how) -> subprocess.CompletedProcess:
    """Run this Python, with nothing but `path` before its own packages."""
    environment = os.environ | {"PYTHONPATH": "" if path is None else str(path), "QUANTVIETOCR_WEIGHTS": ""}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment, timeout=600, **how)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The source distribution of this tree, unpacked, so that what it lacks is missed."""
    pytest.importorskip("build", reason="builds the package: make setup")
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("sdist")
    for name in BUILT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    (tree / "weights").mkdir()
    shutil.copy(ROOT / "weights" / SHIPPED, tree / "weights")
    built = python("-m", "build", "--sdist", "--no-isolation", "--outdir", out, tree, cwd=tree)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    (archive,) = out.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(out, filter="data")
    return out / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    """The wheel that is built from it."""
    out = tmp_path_factory.mktemp("wheel")
    built = python("-m", "build", "--wheel", "--no-isolation", "--outdir", out, source, cwd=source)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder into which the wheel is installed, and nothing else."""
    target = tmp_path_factory.mktemp("installed")
    pip = "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel
    assert (done := python(*pip, cwd=target)).returncode == 0, done.stderr
    return target


def test_the_wheel_holds_what_reading_needs_and_no_more(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert f"quantvietocr/weights/{SHIPPED}" in names and "quantvietocr/configs/qat.yml" in names
    assert "quantvietocr/serve/static/sample.jpg" in names and "quantvietocr/reading/words/vi.npz" in names
    assert not [name for name in names if name.startswith("tests") or "float16" in name]
    assert wheel.stat().st_size < 30e6


def test_the_installed_package_reads_lines_from_anywhere(installed, tmp_path):
    picture = ROOT / "data" / "samples" / "form_01.png"
    read = python(
        "-m", "quantvietocr", "read", "--threads", "1", "--format", "tsv", picture, cwd=tmp_path, path=installed
    )
    assert read.returncode == 0, read.stderr
    path, text, confidence = read.stdout.rstrip("\n").split("\t")
    assert (path, text) == (str(picture), "Biển số xe PSA-149/25") and float(confidence) > 0.9
    code = (
        "import quantvietocr; from quantvietocr import Predictor\n"
        f"print(quantvietocr.__file__); print(Predictor(threads=1).predict({str(picture)!r}))"
    )
    module, text = python("-c", code, cwd=tmp_path, path=installed).stdout.splitlines()
    assert Path(module).is_relative_to(installed) and text == "Biển số xe PSA-149/25"


def test_what_is_not_in_the_wheel_is_one_sentence(installed, tmp_path):
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    code = (
        f"import os, sys; os.environ |= {cache}; from quantvietocr.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    for arguments in (["describe", "float"], ["bench", "--out", "b"], ["read", "--weights", "float", "x.png"]):
        (tmp_path / "x.png").write_bytes((ROOT / "data" / "samples" / "form_01.png").read_bytes())
        done = python("-c", code, *arguments, cwd=tmp_path, path=installed)
        assert done.returncode == 2 and "float weights" in done.stderr and "not in this install" in done.stderr
        assert len(done.stderr.splitlines()) == 1 and not (tmp_path / "b").exists()


def test_shipped_configs_are_found_by_name(installed, tmp_path):
    for name in ("qat", "qat.yml", "configs/qat.yml"):
        done = python("-m", "quantvietocr", "train", "--config", name, "train.stepz=1", cwd=tmp_path, path=installed)
        assert (
            done.returncode == 2
            and "the command line: unknown setting train.stepz; did you mean train.steps?" in done.stderr
        )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_names_the_extra(installed, tmp_path):
    code = (
        "import sys; sys.modules |= dict.fromkeys(['uvicorn', 'vietocr', 'rapidfuzz'])\n"
        "from quantvietocr.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    for arguments, command in (
        (["serve", "--port", "0"], "pip install 'quantvietocr[serve]'"),
        (["receipts", "page.png"], "pip install 'quantvietocr[receipt]'"),
    ):
        done = python("-c", code, *arguments, cwd=tmp_path, path=installed)
        assert done.returncode == 2 and command in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_scripts_without_the_packages_say_what_to_do(tmp_path):
    picture = str(ROOT / "data" / "samples" / "form_01.png")
    for script, argument in (("infer.py", picture), ("train_qat.py", "train.steps=1")):
        code = (
            "import sys; sys.modules |= dict.fromkeys(['PIL', 'numpy', 'torch', 'yaml'])\n"
            f"sys.argv = ['{script}', {argument!r}]\n"
            f"import runpy; runpy.run_path({str(ROOT / script)!r}, run_name='__main__')"
        )
        done = python("-c", code, cwd=tmp_path, path=ROOT)
        assert done.returncode == 2 and "make setup" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_bounds_stand_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for some in project["optional-dependencies"].values() for one in some]
    bounds = {re.split("[<>=]", one)[0]: one for one in project["dependencies"] + extras if not one.startswith("quant")}
    for file in ("requirements-light.txt", "requirements-service.txt", "requirements-bulk.txt"):
        lines = (line.partition("#")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
        for line in lines:
            assert not line or line.startswith("-r ") or bounds[re.split("[<>=]", line)[0]] == line
