"""Who may import whom: each room of the package imports only from the rooms that stand below it."""

from __future__ import annotations

import ast
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
    "measure": {
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
