"""The light install: reading in an environment that holds what requirements-light.txt names, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
import tiny
import tiny_transformer
from PIL import Image
from tiny import int8_checkpoint

import infer
from quantvietocr.checkpoint import read, write
from quantvietocr.export.onnx import export_onnx

ROOT = Path(__file__).resolve().parents[1]
INT8 = ROOT / "weights" / "vgg_seq2seq-qat-int8.safetensors"


def needed(requirement: str, found: dict[str, object]) -> None:
    """Collect the distributions that a requirement asks for, and what those ask for, extras left away."""
    name = re.match(r"[\w.-]+", requirement)[0].lower()
    if name in found or "extra ==" in requirement:
        return
    found[name] = distribution(name)
    for other in found[name].requires or ():
        needed(other, found)


@pytest.fixture(scope="module")
def light_python(tmp_path_factory) -> Path:
    """The Python of a new environment into which the light requirements of this one are linked: no network is
    needed."""
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    found: dict[str, object] = {}
    for line in (ROOT / "requirements-light.txt").read_text().splitlines():
        if requirement := line.partition("#")[0].strip():
            needed(requirement, found)
    for one in found.values():
        for top in {Path(str(file)).parts[0] for file in one.files} - {"..", "__pycache__"}:
            link = packages / top
            if not link.exists():
                link.symlink_to(Path(one.locate_file(top)))
    return folder / "bin" / "python"


def run(python: Path, *arguments: object) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [python, *map(str, arguments)], capture_output=True, encoding="utf-8", env=environment, timeout=120
    )


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory) -> Path:
    return export_onnx(read(INT8), tmp_path_factory.mktemp("onnx") / "int8.onnx")


def test_it_is_light(light_python):
    packages = (
        "torch",
        "torchvision",
        "vietocr",
        "threadpoolctl",
        "tqdm",
        "onnx",
        "openvino",
        "matplotlib",
        "rapidfuzz",
        "shapely",
    )
    code = f"from importlib.util import find_spec; print([name for name in {packages} if find_spec(name)])"
    assert run(light_python, "-c", code).stdout.strip() == "[]"


@pytest.mark.parametrize("form", ["text", "tsv", "json"])
def test_it_prints_what_the_whole_install_prints(form, light_python, onnx_file, lines):
    (lines / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    command = [
        ROOT / "infer.py",
        "--weights",
        onnx_file,
        "--engine",
        "onnxruntime",
        "--threads",
        "1",
        "--format",
        form,
        lines,
    ]
    light, whole = run(light_python, *command), run(Path(sys.executable), *command)
    assert light.stdout == whole.stdout and light.stdout.count("\n") == 9
    assert light.stderr == whole.stderr and "engine: onnxruntime" in light.stderr
    assert light.returncode == whole.returncode == 1


def test_it_prints_what_torch_prints(light_python, onnx_file, lines, capsys):
    pictures = sorted(map(str, (lines / "img").iterdir()))
    light = run(light_python, ROOT / "infer.py", "--weights", onnx_file, "--threads", "1", *pictures)
    assert light.returncode == 0, light.stderr
    assert infer.main(["--weights", str(INT8), "--threads", "1", *pictures]) == 0
    assert light.stdout == capsys.readouterr().out


@pytest.mark.parametrize("name", ["int8", "slim"])
def test_it_reads_the_shipped_weights_and_exports_them(name, light_python, lines, tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from quantvietocr.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    read_lines = ["-c", code, "read", lines / "img", "--weights"]
    straight = run(light_python, *read_lines, name)
    made = run(light_python, "-c", code, "export", name, "--format", "onnx", "--out", tmp_path / "line.onnx")
    assert (straight.returncode, made.returncode) == (0, 0), straight.stderr + made.stderr
    assert straight.stdout == run(light_python, *read_lines, tmp_path / "line.onnx").stdout
    assert straight.stdout.count("\n") == 8 and "engine: onnxruntime" in straight.stderr


def test_a_transformer_reads_there_as_here(light_python, tmp_path):
    """Its decoder's steps run on ONNX Runtime, which needs no PyTorch."""
    path = export_onnx(tiny_transformer.int8_checkpoint(), tmp_path / "transformer.onnx")
    pictures = []
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        pictures.append(tmp_path / f"{number}.png")
    command = [ROOT / "infer.py", "--weights", path, "--engine", "onnxruntime", "--threads", "1", *pictures]
    light, whole = run(light_python, *command), run(Path(sys.executable), *command)
    assert light.returncode == 0 and light.stdout == whole.stdout, light.stderr
    assert light.stdout.count("\n") == 4


@pytest.mark.parametrize("network", [tiny, tiny_transformer])
def test_it_reads_either_network_with_some_matrices_float(network, light_python, lines, tmp_path):
    checkpoint = tiny.with_float_matrices(network.int8_checkpoint())
    files = [write(checkpoint, tmp_path / "a.safetensors"), export_onnx(checkpoint, tmp_path / "a.onnx")]
    pictures = sorted((lines / "img").iterdir())[:3]
    common = ["--engine", "onnxruntime", "--threads", "1", "--format", "tsv", *pictures]
    read_as = [run(light_python, ROOT / "infer.py", "--weights", file, *common) for file in files]
    assert [one.returncode for one in read_as] == [0, 0], read_as[0].stderr
    whole = run(Path(sys.executable), ROOT / "infer.py", "--weights", files[0], *common)
    assert read_as[0].stdout == read_as[1].stdout == whole.stdout and whole.stdout.count("\n") == 3


def test_beam_search_works_there(light_python, onnx_file, lines):
    picture = next((lines / "img").iterdir())
    beam = run(light_python, ROOT / "infer.py", "--weights", onnx_file, "--beam", "4", picture)
    assert beam.returncode == 0 and beam.stdout.strip(), beam.stderr


def test_what_needs_torch_says_so_in_one_sentence(light_python, tmp_path):
    picture = tmp_path / "line.png"
    Image.new("RGB", (40, 8)).save(picture)
    weights = write(int8_checkpoint(), tmp_path / "tiny.safetensors").rename(tmp_path / "tiny.pth")
    for arguments, said in (
        (["--weights", weights], "need PyTorch: run `make setup`"),
        (
            ["--weights", export_onnx(int8_checkpoint(), tmp_path / "tiny.onnx"), "--engine", "openvino"],
            "needs the package openvino: run `make setup`",
        ),
    ):
        found = run(light_python, ROOT / "infer.py", *arguments, picture)
        assert (found.returncode, found.stdout) == (2, "")
        assert len(found.stderr.splitlines()) == 1 and said in found.stderr


def test_only_what_reading_needs_is_imported(light_python, onnx_file, lines):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import infer\n"
        f"infer.main(['--weights', {str(onnx_file)!r}, {str(next((lines / 'img').iterdir()))!r}])\n"
        "heavy = 'yaml', 'numpy.testing', 'sympy', 'quantvietocr.reading.plot'\n"
        "print(*(name for name in heavy if name in sys.modules), file=sys.stderr)"
    )
    found = run(light_python, "-c", code)
    assert found.returncode == 0 and found.stderr.splitlines()[-1] == "", found.stderr
