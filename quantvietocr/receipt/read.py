"""From the picture of a page to a `Page`: finding lines, setting them upright, reading, putting in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from ..pictures.boxes import TURNS, crop
from ..pictures.image import Source, open_line, source_name
from .detect import Detector, open_detector
from .extract import extract
from .layout import paragraphs_of
from .page import Line, Page
from .two_rows import single_rows
from .upright import turn_of


def read_page(
    image: Source,
    predictor: Any,
    detector: Detector | str = "auto",
    *,
    source: str | None = None,
    number: int = 1,
    count: int = 1,
    dpi: float = 200.0,
    source_sha256: str = "",
    reader: str = "",
) -> Page:
    """Read a page: find its lines, set it upright, read them, put them in order, take out a receipt's fields.

    A page without text has no lines. A box in which the recogniser reads nothing makes no line.

    Args:
        image: a path, encoded bytes, a Pillow image or a uint8 array, as `Predictor.predict` takes.
        predictor: anything with `predict_batch(pictures, return_prob=True)` that returns (texts, confidences).
        detector: one that `open_detector` gave, or its name. To open one takes a moment: keep it for the next page.
        source: what the page calls its file; by default the image's path.
        number: of the page in its file, from 1; written into the page as it is.
        count: of pages in the file; likewise.
        dpi: pixels per inch of the picture; likewise.
        source_sha256: hash of the file's bytes; likewise.
        reader: what reads, for people; likewise.

    Returns:
        The page.

    Raises:
        ImageError: the picture cannot be read.
        DetectorError: the detector is not there.
    """
    picture = open_line(image)
    finder = open_detector(detector) if isinstance(detector, str) else detector
    timings: dict[str, float] = {}
    picture, turned, lines = _read_lines(picture, finder, predictor, timings)
    with _timed(timings, "layout"):
        paragraphs = paragraphs_of(lines)
        rows = [row for paragraph in paragraphs for row in paragraph]
        found = extract(rows)
    return Page(
        source_name(image) if source is None else source,
        number,
        *picture.size,
        turned,
        finder.name,
        paragraphs,
        found.fields,
        found.items,
        timings,
        dpi,
        count,
        reader,
        source_sha256,
        found.kind,
    )


def _read_lines(
    picture: Image.Image, finder: Detector, predictor: Any, timings: dict[str, float]
) -> tuple[Image.Image, int, list[Line]]:
    """Return the picture upright, the degrees clockwise it was turned by, and its lines that are not empty."""
    with _timed(timings, "detect"):
        boxes = single_rows(picture, finder.find(picture))
    with _timed(timings, "read"):
        turned, readings = turn_of(picture, boxes, predictor)
    if turned:  # lines that stand are found less surely
        with _timed(timings, "detect"):
            picture = picture.transpose(TURNS[turned])
            boxes = single_rows(picture, finder.find(picture))
    with _timed(timings, "crop"):
        unread = [box for box in boxes if box not in readings]
        crops = [crop(picture, box) for box in unread]
    with _timed(timings, "read"):
        readings |= zip(unread, zip(*predictor.predict_batch(crops, return_prob=True)))
    lines = [Line(box, text, float(confidence)) for box, (text, confidence) in readings.items() if text.strip()]
    return picture, turned, lines


@contextmanager
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    """Add the milliseconds that the block takes to those of its stage."""
    started = time.perf_counter()
    yield
    timings[stage] = timings.get(stage, 0.0) + (time.perf_counter() - started) * 1000
