"""The Dockerfile, without Docker: what it copies is there, and its commands run in an environment without PyTorch."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import venv
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

pytest.importorskip("fastapi", reason="the API: pip install 'quantvietocr[api]'")
pytest.importorskip("pyarrow", reason="bulk: pip install 'quantvietocr[bulk]'")
pytest.importorskip("httpx", reason="the client: pip install 'quantvietocr[api]'")

from drawn_receipts import ROWS, draw
from serving import encoded

from quantvietocr.cli import main as console
from quantvietocr.serve.client import Client

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
KEY = "a-key-of-the-tests"


def needed(text: str, found: dict[str, Distribution]) -> None:
    """Collect the distributions that a requirement asks for here, and what those ask for."""
    requirement = Requirement(text)
    if requirement.name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
        return
    found[requirement.name] = distribution(requirement.name)
    for other in found[requirement.name].requires or ():
        needed(other, found)


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """The Python of a new environment that holds what the requirements of the images name, linked from this one."""
    folder = tmp_path_factory.mktemp("image")
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    found: dict[str, Distribution] = {}
    for name in ("requirements-light.txt", "requirements-service.txt", "requirements-bulk.txt"):
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            if (requirement := line.partition("#")[0].strip()) and not requirement.startswith("-r"):
                needed(requirement, found)
    for one in found.values():
        for top in {Path(str(file)).parts[0] for file in one.files} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(one.locate_file(top)))
    return folder / "bin" / "python"


@pytest.fixture
def script(tmp_path) -> Path:
    """A file that runs `quantvietocr` from this tree: workers that are spawned come back to it."""
    path = tmp_path / "program.py"
    path.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom quantvietocr.cli.main import main\n"
        "if __name__ == '__main__':\n    sys.exit(main(sys.argv[1:]))\n"
    )
    return path


def test_what_the_dockerfile_copies_is_let_through():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in kept)
    asked = set(re.findall(r"/build/(requirements\S+)", DOCKERFILE))
    assert asked == {"requirements-service.txt", "requirements-bulk.txt"} and asked <= kept
    assert {"requirements-light.txt", "pyproject.toml", "setup.py", "quantvietocr", "configs"} <= kept


def test_its_commands_are_ones_that_the_program_takes():
    (export,) = re.findall(r"^RUN quantvietocr (.+?) &&", DOCKERFILE, re.MULTILINE)
    console._parser().parse_args(export.split())
    command = json.loads(re.findall(r"^CMD (\[\"quantvietocr.+\])$", DOCKERFILE, re.MULTILINE)[0])
    options = console._parser().parse_args(command[1:])
    assert options.api and options.keys == "/run/secrets/keys" and "USER reader" in DOCKERFILE
    compose = yaml.safe_load((ROOT / "compose.yml").read_text(encoding="utf-8"))
    (service,) = compose["services"].values()
    assert service["secrets"] == ["keys"] and service["read_only"] and "keys" in compose["secrets"]


def test_the_image_serves_and_fills_parquet_without_torch(image, script, tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    probe = "from importlib.util import find_spec as f; print(f('torch'), f('matplotlib'), f('vietocr'))"
    ran = subprocess.run([image, "-c", probe], capture_output=True, text=True, env=environment)
    assert ran.stdout.split() == ["None", "None", "None"]
    weights = tmp_path / "line.onnx"  # made as the first stage makes it
    export = [image, script, "export", "int8", "--format", "onnx", "--out", weights]
    assert subprocess.run(export, env=environment, cwd=tmp_path).returncode == 0
    (tmp_path / "keys").write_text(f"shop {KEY}")
    scan = encoded(draw(ROWS[:2]))
    (tmp_path / "scan.png").write_bytes(scan)
    serve = [
        "serve",
        "--api",
        "--port",
        "0",
        "--threads",
        "1",
        "--weights",
        str(weights),
        "--keys",
        str(tmp_path / "keys"),
    ]
    command = [image, script, *serve]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        try:
            said = process.stdout.readline()
            assert said.startswith("The API answers at "), process.stderr.read()
            with Client(said.split()[4].removesuffix("/v1/;"), KEY) as client:
                (page,) = client.pages(scan)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert ROWS[0][0].split()[0] in page["lines"][0]["text"] and "RapidOCR" in page["detector"]
    bulk = ["bulk", "scan.png", "--out", "out", "--weights", str(weights), "--workers", "1"]
    ran = subprocess.run(
        [image, script, *bulk], capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=300
    )
    assert ran.returncode == 0, ran.stderr
    assert list((tmp_path / "out").glob("part-*.parquet")) and "1 page read" in ran.stderr
