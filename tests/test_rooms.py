"""The rules of the house: who may import whom, how long files and functions may be, who puts files in their place."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "quantvietocr"
GROUND = {"errors", "shipped", "common", "config"}
#: Room → the rooms that it may import beside itself and GROUND.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "shipped": {"errors"},
    "common": {"errors"},
    "config": {"common", "errors"},
    "pictures": set(),
    "metrics": set(),
    "checkpoint": {"pictures"},
    "engines": {"checkpoint", "pictures"},
    "dataset": {"checkpoint", "pictures"},
    "vietocr_bridge": {"checkpoint", "pictures"},
    "receipt": {"pictures", "metrics"},
    "reading": {"engines", "dataset", "checkpoint", "pictures", "metrics"},
    "synth": {"reading", "dataset", "receipt", "checkpoint", "pictures", "metrics"},
    "export": {"engines", "checkpoint", "reading", "pictures"},
    "slim": {"checkpoint"},
    "quantize": {"dataset", "reading", "engines", "checkpoint", "vietocr_bridge", "metrics", "pictures"},
    "train": {
        "quantize",
        "synth",
        "dataset",
        "reading",
        "vietocr_bridge",
        "engines",
        "checkpoint",
        "metrics",
        "pictures",
    },
    "serve": {"receipt", "reading", "pictures"},
    "bulk": {"receipt", "reading", "pictures"},
    "ocrmypdf": {"receipt", "reading", "pictures"},
    "measure": {
        "bulk",
        "serve",
        "train",
        "synth",
        "export",
        "quantize",
        "reading",
        "receipt",
        "vietocr_bridge",
        "dataset",
        "engines",
        "checkpoint",
        "metrics",
        "pictures",
    },
}
MAX_FILE, MAX_FUNCTION = 320, 60  # lines; what is longer is two rooms, or two functions
#: Files that may put a file in the place of another; all others write through `common.files`.
REPLACES_FILES = {"common/files.py", "vietocr_bridge/fetch.py"}
#: Packages that one place alone imports, so that the day one goes, those files change and no other.
KEPT_IN = {
    "vietocr": ("vietocr_bridge/",),
    "torchvision": ("vietocr_bridge/",),
    "torch.ao": ("quantize/", "engines/torch_engine.py"),
    "onnxruntime": (
        "engines/onnx_engine.py",
        "receipt/detect.py",
        "measure/peers.py",
    ),  # the reader; RapidOCR's detector; RapidOCR
    "openvino": ("engines/openvino_engine.py",),
    "pyarrow": ("bulk/",),
    "fsspec": ("bulk/places.py",),
    "ray": ("bulk/ray_engine.py",),
    "fastapi": ("serve/api.py",),
    "prometheus_client": ("serve/counts.py",),
    "ocrmypdf": ("ocrmypdf.py",),
}


def imports_of(path: Path) -> set[str]:
    """Full names of the modules that a file imports, at its top or within a function."""
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def room_of(module: str) -> str | None:
    """The room that a module of the package stands in; None for another package's, and for the package itself."""
    parts = module.split(".")
    if parts[0] != "quantvietocr" or len(parts) < 2 or parts[1] not in {*MAY_IMPORT, "cli"}:
        return None
    return parts[1]


def violations(package: Path = PACKAGE) -> list[str]:
    """Sentences that name each import which the rules forbid."""
    found = []
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        allowed = GROUND | MAY_IMPORT.get(room, set()) | {room}
        for module in sorted(imports_of(path)):
            target = room_of(module)
            if target is None or room in ("cli", "__main__"):
                continue
            if (room, target) == ("__init__", "reading"):  # the front door: `from quantvietocr import Predictor`
                continue
            if target not in allowed:
                found.append(f"{path.relative_to(package)} imports {module}: {room} may not import {target}")
    return found


def test_each_room_imports_only_what_stands_below_it() -> None:
    assert violations() == []


def rooms_of_the_page(page: str) -> dict[str, set[str]]:
    """Room → what it may import, as the table of docs/design.md says; `cli`, which imports everything, is left out."""
    table = page[page.index("| Room |") :].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()[2:]]
    assert all(len(row) == 3 for row in rows)
    return {
        room.strip("`"): set(re.findall("`(.+?)`", imports)) for room, _, imports in rows if imports != "everything"
    }


def test_the_page_says_what_each_room_may_import() -> None:
    page = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
    assert rooms_of_the_page(page) == MAY_IMPORT
    assert rooms_of_the_page(page.replace("| `pictures` |\n", "| nothing |\n")) != MAY_IMPORT


def test_an_upward_import_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MAY_IMPORT, "reading", MAY_IMPORT["reading"] - {"checkpoint"})
    assert any("reading may not import checkpoint" in sentence for sentence in violations())


def test_the_rooms_stand_in_an_order_without_a_circle() -> None:
    placed: set[str] = set()
    while len(placed) < len(MAY_IMPORT):
        free = {
            room
            for room, below in MAY_IMPORT.items()
            if room not in placed and below | (GROUND if room not in GROUND else set()) <= placed | {room}
        }
        assert free, f"a circle among {sorted(set(MAY_IMPORT) - placed)}"
        placed |= free


@pytest.mark.parametrize("package", KEPT_IN)
def test_a_package_is_imported_where_it_is_kept(package: str) -> None:
    strangers = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(name == package or name.startswith(package + ".") for name in imports_of(path))
        and not str(path.relative_to(PACKAGE)).startswith(KEPT_IN[package])
    ]
    assert strangers == []


def lengths(package: Path = PACKAGE) -> dict[str, tuple[int, int]]:
    """FILE or FILE:FUNCTION → its lines, and how many it may have. A function's docstring does not count."""
    measured = {}
    for path in sorted(package.rglob("*.py")):
        name, text = str(path.relative_to(package)), path.read_text(encoding="utf-8")
        measured[name] = (len(text.splitlines()), MAX_FILE)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                documented = node.body[0] if ast.get_docstring(node) is not None else None
                explained = (documented.end_lineno or 0) - documented.lineno + 1 if documented else 0
                lines = (node.end_lineno or node.lineno) - node.lineno + 1 - explained
                measured[f"{name}:{node.name}"] = (
                    max(lines, measured.get(f"{name}:{node.name}", (0, 0))[0]),
                    MAX_FUNCTION,
                )
    return measured


def test_no_file_and_no_function_is_too_long() -> None:
    longer = {name: lines for name, (lines, limit) in lengths().items() if lines > limit}
    assert longer == {}


def test_a_long_function_and_a_long_file_are_found(tmp_path: Path) -> None:
    body = "    pass\n" * MAX_FUNCTION
    (tmp_path / "a.py").write_text(f"class A:\n  def f():\n{body}def g():\n{body[9:]}", encoding="utf-8")
    (tmp_path / "b.py").write_text("x = 1\n" * (MAX_FILE + 1), encoding="utf-8")
    assert {name for name, (lines, limit) in lengths(tmp_path).items() if lines > limit} == {"a.py:f", "b.py"}


def replacing(package: Path = PACKAGE) -> set[str]:
    """Files that call `os.replace` or `os.rename`, or the methods of paths that do the same."""
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            of_os = isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
            # `str.replace` and `dataclasses.replace` take more than one argument; `Path.replace` takes one.
            of_path = node.func.attr in ("replace", "rename") and len(node.args) == 1 and not node.keywords
            if (of_os and node.func.attr in ("replace", "rename", "renames")) or of_path:
                found.add(str(path.relative_to(package)))
    return found


def test_one_file_puts_files_in_their_place() -> None:
    assert replacing() <= REPLACES_FILES


def test_a_file_that_is_put_in_place_elsewhere_is_found(tmp_path: Path) -> None:
    for name, code in (
        ("a", "import os\nos.replace(x, y)"),
        ("b", "x.rename(y)"),
        ("c", "x.replace(y)"),
        ("d", "'a'.replace('a', 'b')\ndataclasses.replace(x, y=1)"),
    ):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    assert replacing(tmp_path) == {"a.py", "b.py", "c.py"}
