"""Generated receipts on disk: pictures, the truth beside each, and their lines cut out for training.

`NAME.json` stands beside `NAME.jpg` and has version 1. Coordinates are pixels of the picture as it lies, x to the
right, y down. A box is the upper left, upper right, lower right and lower left corner of its text, four [x, y]:

    version     1                   picture, sha256     the picture's file name and the hash of its bytes
    kind        receipt-80mm, receipt-57mm or form-a5   font    the family it is set in
    width, height   of the picture  turned              degrees clockwise that turn it upright: 0, 90, 180 or 270
    lines       {"box", "text"}, top to bottom, left to right: print without a gap in it; the cells of a row are lines
    rows        [[indices of lines, left to right], …]: what shares a baseline
    ignore      {"box", "what"}: rule (drawn, or a row of dashes or dots), frame, barcode, qr, logo: no text
    fields      shop, address, date (ISO 8601, with the time where it is printed), total (đồng): {"value", "lines"}
    items       {"name", "quantity", "unit_price", "price", "lines"}: price is what the row costs, before any discount
    made        {"settings", "index"}: what it was generated from

`receipts.json` names the pictures and the settings; it appears when all are there.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ...common.files import write_bytes, write_text
from ...common.parsing import json_of
from ...errors import UserError
from ...pictures.boxes import Box, crop
from .detected import labelled
from .generator import ReceiptGenerator, settings

LISTING = "receipts.json"


class ReceiptFilesError(UserError):
    """A folder holds other pictures, or none, or a truth that cannot be read."""


def write_receipts(
    generator: ReceiptGenerator,
    folder: str | Path,
    count: int,
    workers: int = 1,
    progress: bool = True,
    anew: bool = False,
) -> Path:
    """Write receipts 0 .. count-1.

    A picture is written before its truth, each whole or not at all.

    Args:
        generator: draws the receipts.
        folder: where to write; it is made where it is missing.
        count: number of receipts.
        workers: processes that draw; 1 draws in this one.
        progress: whether to show a progress bar on stderr.
        anew: whether to write also the receipts that are there already, whole.

    Returns:
        The path of `receipts.json`.

    Raises:
        ReceiptFilesError: the folder holds pictures of other settings.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made, listing = settings(generator.config, generator.seed), folder / LISTING
    _refuse_others(folder, made)
    listing.unlink(missing_ok=True)
    missing = [index for index in range(count) if anew or not _is_whole(folder, index, made)]
    with tqdm(total=count, initial=count - len(missing), unit="page", disable=not progress, file=sys.stderr) as bar:
        for _ in _written(generator, folder, missing, min(workers, len(missing))):
            bar.update(1)
    pages = [f"{name_of(index)}.json" for index in range(count)]
    write_text(listing, json.dumps({"version": 1, "settings": made, "pages": pages}, indent=1) + "\n")
    return listing


def name_of(index: int) -> str:
    """Return the name of a receipt's files, without their suffix."""
    return f"receipt_{index:06d}"


def read_truths(folder: str | Path) -> list[tuple[Path, dict[str, Any]]]:
    """Read the truths that `receipts.json` of a folder names.

    Args:
        folder: what `write_receipts` wrote into.

    Returns:
        (picture file, truth) of each receipt, in the order of `receipts.json`.

    Raises:
        ReceiptFilesError: `receipts.json` is not there, or a truth or picture is missing or broken.
    """
    listing = Path(folder) / LISTING
    try:
        pages = json_of(listing.read_text(encoding="utf-8"))["pages"]
        truths = [json_of((listing.parent / page).read_text(encoding="utf-8")) for page in pages]
        pictures = [listing.parent / truth["picture"] for truth in truths]
        whole = [_sha256(picture.read_bytes()) == truth["sha256"] for picture, truth in zip(pictures, truths)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReceiptFilesError(
            f"{folder} holds no whole set of generated receipts ({type(error).__name__}: {error}): "
            "make one with `quantvietocr synth --receipts`."
        ) from error
    if not all(whole):
        changed = pictures[whole.index(False)]
        raise ReceiptFilesError(f"{changed} is not the picture its truth was written for: make the receipts again.")
    return list(zip(pictures, truths))


def write_lines(
    folder: str | Path, progress: bool = True, find: Callable[[Image.Image], list[Box]] | None = None
) -> Path:
    """Cut the lines out of the receipts of a folder: `lines/img/NAME_000.png` and `lines/annotation.txt`.

    Args:
        folder: what `write_receipts` wrote into.
        progress: whether to show a progress bar on stderr.
        find: finds the lines of a picture, as a detector's `find` does. What it finds is cut out where it holds whole
            lines of the truth, so that a network learns from the crops it will read. None cuts out the truth's boxes.

    Returns:
        The path of the annotation, which is in VietOCR's format.

    Raises:
        ReceiptFilesError: as `read_truths`.
    """
    target = Path(folder) / "lines"
    (target / "img").mkdir(parents=True, exist_ok=True)
    annotation = target / "annotation.txt"
    annotation.unlink(missing_ok=True)
    rows = []
    for path, truth in tqdm(read_truths(folder), desc="lines", unit="page", disable=not progress, file=sys.stderr):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        printed = [(_box(line["box"]), line["text"]) for line in truth["lines"]]
        lines = printed if find is None else list(labelled(find(picture), printed))
        for number, (box, text) in enumerate(lines):
            name = f"img/{path.stem}_{number:03d}.png"
            # As the reader cuts them, so that one trained on them reads what it will see.
            crop(picture, box).save(target / name, compress_level=3)
            rows.append(f"{name}\t{text.strip()}\n")
    write_text(annotation, "".join(rows))
    return annotation


def _box(points: Sequence[Sequence[float]]) -> Box:
    upper_left, upper_right, lower_right, lower_left = ((x, y) for x, y in points)
    return Box((upper_left, upper_right, lower_right, lower_left))


def _refuse_others(folder: Path, made: dict[str, Any]) -> None:
    for file in sorted(folder.glob("receipt_*.json")):
        if _noted(file) != made:
            raise ReceiptFilesError(
                f"{folder} holds receipts of other settings ({file.name}): name another folder, or remove them."
            )


def _noted(file: Path) -> Any:
    """Return the settings that a truth notes, None where it cannot be read."""
    try:
        return json_of(file.read_text(encoding="utf-8"))["made"]["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_whole(folder: Path, index: int, made: dict[str, Any]) -> bool:
    truth = folder / f"{name_of(index)}.json"
    picture = truth.with_suffix(".jpg")
    if not truth.is_file() or not picture.is_file() or _noted(truth) != made:
        return False
    return json_of(truth.read_text(encoding="utf-8"))["sha256"] == _sha256(picture.read_bytes())


def _written(generator: ReceiptGenerator, folder: Path, indices: list[int], workers: int) -> Iterator[None]:
    """Write these receipts, and give control back after each."""
    if workers <= 1:
        for index in indices:
            _write(generator, folder, index)
            yield
        return
    with ProcessPoolExecutor(workers, initializer=_adopt, initargs=(generator,)) as executor:
        yield from executor.map(_write_in_worker, [folder] * len(indices), indices)


def _write(generator: ReceiptGenerator, folder: Path, index: int) -> None:
    page, path = generator.page(index), folder / f"{name_of(index)}.jpg"
    write_bytes(path, page.jpeg)
    truth = {
        "picture": path.name,
        "sha256": _sha256(page.jpeg),
        **page.truth,
        "made": {"settings": settings(generator.config, generator.seed), "index": index},
    }
    write_text(path.with_suffix(".json"), to_json(truth))


def to_json(truth: dict[str, Any]) -> str:
    """Write a truth as its file holds it: a line of text for each line and item, so that people can read it."""
    rows = []
    for key, value in truth.items():
        if key in ("lines", "items", "ignore") and value:
            value = "[\n  " + ",\n  ".join(json.dumps(part, ensure_ascii=False) for part in value) + "]"
        else:
            value = json.dumps(value, ensure_ascii=False)
        rows.append(f" {json.dumps(key)}: {value}")
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


_adopted: ReceiptGenerator | None = None


def _adopt(generator: ReceiptGenerator) -> None:
    """Keep the generator in a worker process, so that each page does not send it again."""
    global _adopted
    _adopted = generator


def _write_in_worker(folder: Path, index: int) -> None:
    assert _adopted is not None  # `_adopt` ran when the worker began
    _write(_adopted, folder, index)
