"""Whole pages by several readers: ours with any checkpoint, Tesseract, RapidOCR; each says what it read and where."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import tempfile
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ...checkpoint.files import sha256
from ...errors import UserError
from ...receipt import Box, Line, open_detector, read_page
from ...receipt.extract import extract
from ...receipt.layout import paragraphs_of
from ..lines.readers import contestants
from ..peers import ASTEROCR_MAX_WIDTH, OTHER_READERS, AsterOCR, RapidOCR, Tesseract
from .match import Piece, quad_of

STAGES = ("open", "detect", "crop", "recognise", "fields")  # of reading a page, in order
STAGE_KEYS = {"detect": "detect", "crop": "crop", "recognise": "read", "fields": "layout"}  # stage → in `Page.timings`

Extracted = tuple[
    dict[str, str | int], tuple[tuple[str, float, int], ...]
]  # fields by name; items: name, quantity, price


class ScoreError(UserError):
    """Reading pages cannot be scored; the message says why and what to do."""


@dataclass(frozen=True)
class Reading:
    """What one reader made of one page.

    Attributes:
        pieces: lines, or words where that is what it gives, on the picture as it lies.
        fields: name → value, as `receipt.Page` has them.
        items: (name, quantity, price), as `receipt.Page` has them.
        ms: from the decoded picture to all of this.
        recogniser_ms: the part of it that turns lines into text; None where the reader does not tell.
        stages: of STAGES, the milliseconds of each that the reader tells; `open` comes before `ms` begins.
        unsure: names of the fields that the reader gives but does not trust.
    """

    pieces: tuple[Piece, ...]
    fields: dict[str, str | int]
    items: tuple[tuple[str, float, int], ...]
    ms: float
    recogniser_ms: float | None = None
    stages: dict[str, float] = dataclasses.field(default_factory=dict)
    unsure: tuple[str, ...] = ()


class PageReader(Protocol):
    def read(self, picture: Image.Image) -> Reading:
        """Read a whole page."""

    def read_lines(self, pictures: Sequence[Image.Image]) -> list[str]:
        """Read crops of lines: a text (NFC) for each."""


@dataclass(frozen=True)
class PageContestant:
    """A reader of pages and what is known of it before it reads.

    Attributes:
        name: what it is called in the tables.
        file: path of its recogniser's weights or data.
        method: float, qat …, or peer for another project's reader.
        engine: what computes, and what finds the lines.
        bytes: size of the file.
        key: a text that changes with whatever changes what it reads.
        reader: what reads.
        versions: of the software that it adds.
    """

    name: str
    file: str
    method: str
    engine: str
    bytes: int
    key: str
    reader: PageReader
    versions: dict[str, str] = dataclasses.field(default_factory=dict)


def page_contestants(
    weights: Sequence[Path], other_readers: Sequence[str], detector: str, threads: int
) -> list[PageContestant]:
    """Open every reader of pages.

    Args:
        weights: checkpoints, a row each.
        other_readers: of `peers.OTHER_READERS`, rows after those.
        detector: what finds the lines (`open_detector`).
        threads: of each reader.

    Raises:
        ScoreError: another reader is not known or named twice.
        CheckpointError, DetectorError, PeerError: a reader cannot be opened.
    """
    finder = open_detector(detector, threads)
    rows, _, _ = contestants(weights, False, (), None, threads)
    made = [
        PageContestant(
            row.name,
            str(path),
            row.method,
            f"{row.engine}: {row.precision}; lines by {finder.name}",
            row.bytes,
            f"{sha256(path)} {finder.name} {threads}",
            OurReader(row.reader, finder),
        )
        for path, row in zip(weights, rows, strict=True)
    ]
    for name in other_readers:
        if name not in OTHER_READERS or other_readers.count(name) > 1:
            raise ScoreError(f"--peer {name}: name each of {', '.join(OTHER_READERS)} once.")
        if name == "tesseract":
            made.append(_tesseract(threads))
        elif name == "rapidocr":
            made.append(_rapidocr(threads))
        else:
            made.append(_asterocr(threads, finder))
    return made


class OurReader:
    """`receipt.read_page` with one checkpoint, or with another reader of lines."""

    def __init__(self, predictor: Any, detector: Any) -> None:
        self.predictor, self.detector = predictor, detector

    def read(self, picture: Image.Image) -> Reading:
        start = time.perf_counter()
        page = read_page(picture, self.predictor, self.detector, source="")
        spent = 1000 * (time.perf_counter() - start)
        pieces = tuple(Piece(page.on_picture(line.box).points, _composed(line.text)) for line in page.lines)
        stages = {stage: page.timings[key] for stage, key in STAGE_KEYS.items() if key in page.timings}
        recogniser = page.timings.get("read")
        return Reading(pieces, *_extracted(page.fields, page.items), spent, recogniser, stages, _unsure(page.fields))

    def read_lines(self, pictures: Sequence[Image.Image]) -> list[str]:
        return [_composed(text) for text in self.predictor.predict_batch(pictures)]


class TesseractPages(Tesseract):
    """Tesseract on a whole page taken for one block of text (psm 6), a process for each page; its pieces are words."""

    def read(self, picture: Image.Image) -> Reading:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            picture.save(Path(folder, "page.ppm"))
            table = self._run(["page.ppm", "stdout", "-l", "vie", "--psm", "6", "--oem", "1", "tsv"], folder)
        words: dict[tuple[str, ...], list[tuple[Box, str, float]]] = {}
        for row in table.splitlines()[1:]:
            cells = row.split("\t", 11)
            if cells[0] == "5" and cells[11].strip():
                left, top, width, height = map(float, cells[6:10])
                word = (
                    Box.of(left, top, left + width, top + height),
                    _composed(cells[11].strip()),
                    float(cells[10]) / 100,
                )
                words.setdefault(tuple(cells[1:5]), []).append(word)
        lines = [
            Line(
                Box.around(box for box, _, _ in line),
                " ".join(text for _, text, _ in line),
                max(0.0, min(confidence for _, _, confidence in line)),
            )
            for line in words.values()
        ]
        read = time.perf_counter()
        extracted, unsure = _ruled(lines)
        end = time.perf_counter()
        pieces = tuple(Piece(box.points, text) for line in words.values() for box, text, _ in line)
        stages = {"fields": 1000 * (end - read)}
        return Reading(pieces, *extracted, 1000 * (end - start), stages=stages, unsure=unsure)

    def read_lines(self, pictures: Sequence[Image.Image]) -> list[str]:
        return self.predict_batch(pictures)


class RapidOCRPages(RapidOCR):
    """RapidOCR as it comes: its detection, its recognition."""

    def read(self, picture: Image.Image) -> Reading:
        start = time.perf_counter()
        page: Any = self.engine(np.ascontiguousarray(np.asarray(picture)[:, :, ::-1]))  # BGR
        rows = zip(page.boxes, page.txts, page.scores) if page.boxes is not None else ()
        lines = [
            Line(Box(quad_of(box)), _composed(text).strip(), float(confidence))
            for box, text, confidence in rows
            if text.strip()
        ]
        read = time.perf_counter()
        extracted, unsure = _ruled(lines)
        end = time.perf_counter()
        detect, *_, recognise = page.elapse_list or (None, None)  # seconds of its detection, …, its recognition
        seconds_of = {"detect": detect, "recognise": recognise, "fields": end - read}
        stages = {stage: 1000 * seconds for stage, seconds in seconds_of.items() if seconds}
        return Reading(
            tuple(Piece(line.box.points, line.text) for line in lines),
            *extracted,
            1000 * (end - start),
            stages.get("recognise"),
            stages,
            unsure,
        )

    def read_lines(self, pictures: Sequence[Image.Image]) -> list[str]:
        return self.predict_batch(pictures)


def _tesseract(threads: int) -> PageContestant:
    reader = TesseractPages(threads)
    return PageContestant(
        f"Tesseract {reader.version} (vie)",
        str(reader.data),
        "peer",
        "psm 6, a process for each page, its start included",
        reader.data.stat().st_size,
        f"{reader.version} {threads}",
        reader,
        {"tesseract": reader.version},
    )


def _rapidocr(threads: int) -> PageContestant:
    reader = RapidOCRPages(threads)
    versions = {"rapidocr": reader.version, "onnxruntime": importlib.metadata.version("onnxruntime")}
    return PageContestant(
        f"RapidOCR {reader.version} ({reader.data.stem})",
        str(reader.data),
        "peer",
        "ONNX Runtime: float32, its own detection",
        reader.data.stat().st_size,
        f"{versions} {threads}",
        reader,
        versions,
    )


def _asterocr(threads: int, detector: Any) -> PageContestant:
    """AsterOCR's recogniser behind our detector: the package reads lines alone and finds none."""
    reader = AsterOCR(threads)
    versions = {"asterocr": reader.version, "onnxruntime": importlib.metadata.version("onnxruntime")}
    return PageContestant(
        f"AsterOCR {reader.version}",
        str(reader.data),
        "peer",
        f"ONNX Runtime: float32, squeezes lines past {ASTEROCR_MAX_WIDTH} px at height 32; lines by {detector.name}",
        reader.data.stat().st_size,
        f"{versions} {detector.name} {threads}",
        OurReader(reader, detector),
        versions,
    )


def _ruled(lines: Sequence[Line]) -> tuple[Extracted, tuple[str, ...]]:
    """Fields, items and names of unsure fields of a peer's lines by our rules: it has none of its own."""
    rows = [row for paragraph in paragraphs_of(lines) for row in paragraph]
    found = extract(rows)
    return _extracted(found.fields, found.items), _unsure(found.fields)


def _extracted(fields: Sequence[Any], items: Sequence[Any]) -> Extracted:
    return (
        {field.name: field.value for field in fields},
        tuple((item.name, item.quantity, item.price) for item in items),
    )


def _unsure(fields: Sequence[Any]) -> tuple[str, ...]:
    """Names of the fields that are marked as unsure; extraction that marks none is sure of all."""
    return tuple(field.name for field in fields if not getattr(field, "sure", True))


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)
