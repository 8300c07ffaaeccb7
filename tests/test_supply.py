"""What comes with the package and what it does while it reads: hashes, no network, nothing in a file is executed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements-lock.txt"
#: Calls by which a file's content could become code. `pickle` may be named for its errors.
EXECUTING = {"eval", "exec", "compile", "__import__"}
UNPICKLING = {("pickle", "load"), ("pickle", "loads"), ("pickle", "Unpickler"), ("marshal", "loads"), ("yaml", "load")}
UNPICKLING |= {("yaml", "unsafe_load"), ("yaml", "full_load"), ("joblib", "load"), ("shelve", "open"), ("dill", "load")}
#: Files that unpickle what processes of one job send each other on a Ray cluster; nothing of a file that is read.
MESSAGES = {"bulk/ray_engine.py"}
#: Files that load a program on purpose, which their documentation says: TorchScript, to time it or to compare with it.
LOADS_PROGRAMS = {"export/torchscript.py", "measure/speed/files.py"}


def calls() -> list[tuple[str, ast.Call]]:
    """Each call in the package, with its file."""
    package = ROOT / "quantvietocr"
    return [
        (str(path.relative_to(package)), node)
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    ]


def named(call: ast.Call) -> tuple[str, str]:
    """Module and name of what is called, as far as the call spells them."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return (function.value.id if isinstance(function.value, ast.Name) else "…"), function.attr
    return "", function.id if isinstance(function, ast.Name) else "…"


def test_nothing_that_is_loaded_is_executed():
    found = calls()
    assert len(found) > 5000  # it looks at the package
    bare = [(file, named(call)[1]) for file, call in found if named(call)[0] == "" and named(call)[1] in EXECUTING]
    assert bare == []
    unpickling = {file for file, call in found if named(call) in UNPICKLING}
    assert unpickling == MESSAGES
    loads = [(file, call) for file, call in found if named(call) == ("torch", "load")]
    assert loads and all(
        any(word.arg == "weights_only" and word.value.value is True for word in call.keywords) for _, call in loads
    )
    arrays = [call for _, call in found if named(call) == ("np", "load")]
    allowing = [word for call in arrays for word in call.keywords if word.arg == "allow_pickle" and word.value.value]
    assert arrays and allowing == []
    programs = {file for file, call in found if isinstance(call.func, ast.Attribute) and named(call) == ("…", "load")}
    assert programs <= LOADS_PROGRAMS


REFUSING = """
import socket, sys
def refuse(*arguments, **more):
    raise RuntimeError("a socket to the network was asked for")
usual = socket.socket.__init__
def only_local(self, family=-1, *arguments, **more):
    if family not in (socket.AF_UNIX,):
        refuse()
    usual(self, family, *arguments, **more)
socket.socket.__init__, socket.getaddrinfo, socket.create_connection = only_local, refuse, refuse
from quantvietocr.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def without_network(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", REFUSING, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_lines_are_read_without_the_network():
    done = without_network("read", "--threads", "1", "data/samples/form_01.png")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Biển số xe PSA-149/25\n"


def test_pages_are_read_without_the_network(tiny_weights, tmp_path):
    pytest.importorskip("rapidocr")
    page = "data/receipts/receipt_000000.jpg"
    done = without_network("receipts", "--weights", tiny_weights, "--threads", "1", page, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 5


def test_the_network_is_really_refused_there():
    done = without_network("fetch", "--url", "https://example.org/w.pth", "--out", "nowhere.pth")
    assert done.returncode != 0 and not (ROOT / "nowhere.pth").exists()
    assert "a socket to the network was asked for" in done.stderr


# --- the lock ---------------------------------------------------------------------------------------------------------


def locked() -> dict[str, tuple[str, int]]:
    """Version and number of hashes of each package in the lock."""
    found = {}
    for entry in re.split(r"\n(?=\S)", LOCK.read_text(encoding="utf-8")):
        if match := re.match(r"([a-z0-9-]+)==(\S+)", entry):
            found[match[1]] = match[2], len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))
    return found


def test_the_lock_holds_every_package_within_its_bounds_and_with_hashes():
    packaging = pytest.importorskip("packaging.requirements")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(one for some in project["optional-dependencies"].values() for one in some)]
    asked += (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    lock, missing = locked(), []
    assert all(hashes > 0 for _, hashes in lock.values()) and len(lock) > 90
    for text in (line.partition("#")[0].strip() for line in asked):
        if not text or text.startswith("quantvietocr"):
            continue
        requirement = packaging.Requirement(text)
        version = lock.get(re.sub(r"[-_.]+", "-", requirement.name).lower(), (None, 0))[0]
        if version is None or version not in requirement.specifier:
            missing.append(f"{text}, locked at {version}: run `make lock`")
    assert missing == []


def test_the_metadata_name_the_pythons_that_it_can_be_installed_on():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {one.rpartition(" ")[2] for one in project["classifiers"] if re.search(r":: 3\.\d+$", one)}
    assert named == {"3.11", "3.12", "3.13", "3.14"} and project["requires-python"] == ">=3.11"
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in named
