"""What is killed: commands on small inputs, with the network of a few weights that other tests use too."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tiny
import tiny_network
import tiny_train
import torch
from drawn_receipts import ROWS, draw
from PIL import Image, ImageDraw

from quantvietocr.checkpoint import read, write
from quantvietocr.cli.main import main
from quantvietocr.vietocr_bridge.fetch import git_blob_id

LINES = 60  # pictures of lines that are read: several windows of the stream
PAGES = 2
TEMPORARY = ".part"  # what a killed process may leave: files under this suffix are no results
VARYING = ("timings_ms",)  # of a page's JSON: how long its stages took


@dataclass(frozen=True)
class Scene:
    """A command that is killed and repeated.

    Attributes:
        name: what its row in the table is called.
        run: runs the command into a folder, going on where an earlier run was stopped; returns its exit code.
        whole: raises AssertionError for a file that is neither whole nor marked as temporary.
        results: what the folder holds, in a form that an undisturbed run gives too, by file.
    """

    name: str
    run: Callable[[Path], int]
    whole: Callable[[Path], None]
    results: Callable[[Path], dict[str, object]]


def scenes(folder: Path, address: str) -> list[Scene]:
    """All of them.

    Args:
        folder: for their inputs; it must exist.
        address: of a file that `fetch` downloads.
    """
    _patch()
    inputs = _Inputs(folder)
    return [
        Scene("read a folder", inputs.read, _whole_rows(inputs), _files),
        Scene("read receipts", inputs.receipts, _whole_pages, _pages),
        Scene("train", inputs.train, _whole_training, _training),
        Scene("quantize", inputs.quantize, _whole_checkpoints, _files),
        Scene("fetch", partial(_fetch, address, git_blob_id(inputs.served)), _whole_fetch, _files),
        Scene("export", inputs.export, _whole_checkpoints, _files),
    ]


def _patch() -> None:
    """Put the tiny network in the place of VietOCR's."""
    from quantvietocr.quantize import static

    tiny_train.patch(setattr)
    static.float_network = tiny_network.network_of


class _Inputs:
    """The files that the commands read, and the commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.weights = write(tiny.int8_checkpoint(), folder / "int8.safetensors")
        self.float = write(tiny_network.float_checkpoint(), folder / "float.safetensors")
        self.lines = tiny_network.write_lines(folder / "labelled")
        self.training = tiny_train.write_lines(folder / "training", 5)
        (folder / "pictures").mkdir()
        for number in range(LINES):
            picture = Image.new("RGB", (60 + number % 7, 16), "white")
            ImageDraw.Draw(picture).text((3, 2), f"dong {number}", fill="black")
            picture.save(folder / "pictures" / f"{number}.png")
        self.served = folder / "served.pth"
        self.served.write_bytes(content_to_fetch())
        (folder / "pages").mkdir()
        for number in range(PAGES):
            draw(ROWS[10 + number :]).save(folder / "pages" / f"{number}.png")

    def read(self, out: Path) -> int:
        return main(["read", str(self.folder / "pictures"), *self._reader(), "--out", str(out / "rows.tsv")])

    def receipts(self, out: Path) -> int:
        pages = str(self.folder / "pages")
        return main(["receipts", pages, *self._reader(), "--detector", "profile", "--out", str(out)])

    def _reader(self) -> list[str]:
        return ["--weights", str(self.weights), "--threads", "1", "--words", "none", "--batch-size", "8"]

    def quantize(self, out: Path) -> int:
        command = ["quantize", str(self.float), "--method", "static", "--data", str(self.lines)]
        return main([*command, "--calibration-lines", "4", "--out", str(out / "made.safetensors")])

    def export(self, out: Path) -> int:
        return main(["export", str(self.weights), "--format", "onnx", "--out", str(out / "made.onnx")])

    def train(self, out: Path) -> int:
        how = []
        if (out / "state.pt").exists():
            how = ["--resume"]
        elif (out / "best.safetensors").exists():  # stopped before its first state
            how = ["--restart"]
        values = {
            "model.weights": "tiny",
            "data.train": f"[{{annotation: {self.training}, augment: 0.0}}]",
            "data.valid": self.training,
            "data.workers": 0,
            "data.chunk": 7,
            "train.method": "qat",
            "train.out": out,
            "train.steps": 4,
            "train.batch_size": 4,
            "train.threads": 1,
            "train.device": "cpu",
            "train.bf16": False,
            "train.validate_every": 4,
            "train.save_every": 1,
            "quant.calibration_lines": 8,
        }
        return main(["train", *how, *(f"{key}={value}" for key, value in values.items())])


# --- whether files are whole -----------------------------------------------------------------------------------------


def _results_in(out: Path) -> list[Path]:
    return sorted(
        path
        for path in out.rglob("*")
        if path.is_file() and not any(part.endswith(TEMPORARY) for part in path.relative_to(out).parts)
    )


def _whole_rows(inputs: _Inputs) -> Callable[[Path], None]:
    paths = {str(path) for path in (inputs.folder / "pictures").iterdir()}

    def whole(out: Path) -> None:
        """Every row that ends is a whole one. The last one may be cut off: the next run takes it out."""
        for path in _results_in(out):
            rows = path.read_text(encoding="utf-8").split("\n")[:-1]
            if path.suffix == ".reader":
                assert len(rows) == 1
                continue
            for row in rows:
                name, _, confidence = row.split("\t")
                assert name in paths and 0 <= float(confidence) <= 1
            assert len({row.split("\t")[0] for row in rows}) == len(rows)

    return whole


def _whole_pages(out: Path) -> None:
    for path in _results_in(out):
        content = path.read_bytes()
        match path.suffix:
            case ".json":
                assert json.loads(content)["schema_version"]
            case ".png":
                Image.open(io.BytesIO(content)).load()
            case ".pdf":
                assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF")
            case _:
                assert content.decode("utf-8").endswith("\n")


def _whole_checkpoints(out: Path) -> None:
    for path in _results_in(out):
        read(path)


def _whole_training(out: Path) -> None:
    for path in _results_in(out):
        match path.suffix:
            case ".safetensors":
                read(path)
            case ".pt":
                torch.load(path, weights_only=True)
            case ".png":
                Image.open(path).load()
            case _:
                assert path.read_text(encoding="utf-8").endswith("\n")


def _whole_fetch(out: Path) -> None:
    for path in _results_in(out):
        assert path.read_bytes() == content_to_fetch()


def _fetch(address: str, blob: str, out: Path) -> int:
    """With the content's name: a file that is there already is then known to be the right one."""
    return main(["fetch", "--out", str(out / "w.pth"), "--url", address, "--blob-id", blob])


def content_to_fetch() -> bytes:
    """What the server of `fetch` gives."""
    return np.random.default_rng(0).bytes(2_000_000)


# --- what is compared ------------------------------------------------------------------------------------------------


def _files(out: Path) -> dict[str, object]:
    """Every file, byte for byte; temporary ones too, since none may be left once a run is through."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def _pages(out: Path) -> dict[str, object]:
    """Every file, byte for byte, but for the times that stages took."""
    found = _files(out)
    for name in found:
        if name.endswith(".json"):
            page = json.loads((out / name).read_bytes())
            found[name] = {key: value for key, value in page.items() if key not in VARYING}
    return found


def _training(out: Path) -> dict[str, object]:
    """Every file, byte for byte, but for the command that made it, in which `--resume` stands after a kill."""
    found = _files(out)
    for name in found:
        if name.endswith(".safetensors"):
            checkpoint = read(out / name)
            about = dataclasses.replace(checkpoint.meta, made_with=None).to_json()
            found[name] = about, {key: tensor.tobytes() for key, tensor in checkpoint.tensors.items()}
    return found


def differences(found: dict[str, object], expected: dict[str, object]) -> list[str]:
    """Names of files that are missing, left over or other."""
    return sorted(
        [f"{name} is missing" for name in expected.keys() - found.keys()]
        + [f"{name} is left over" for name in found.keys() - expected.keys()]
        + [f"{name} differs" for name in expected.keys() & found.keys() if found[name] != expected[name]]
    )
