"""From the picture of a page to a `Page`: finding lines, setting them upright, reading, putting in order."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from PIL import Image

from ..pictures.boxes import TURNS, Box, crop
from ..pictures.image import Source, open_line, source_name
from .detect import Detector, open_detector
from .extract import extract
from .layout import paragraphs_of
from .page import Line, Page
from .tilt import straightened, surroundings, tilt_of
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
    given = open_line(image)
    finder = open_detector(detector) if isinstance(detector, str) else detector
    timings: dict[str, float] = {}
    picture, tilt, boxes, area = _level(given, finder, timings)
    picture, turned, lines = _read_lines(picture, boxes, area, finder, predictor, timings)
    with _timed(timings, "layout"):
        paragraphs = paragraphs_of(lines)
        found = extract([row for paragraph in paragraphs for row in paragraph])
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
        tilt,
        given.size if tilt else (0, 0),
    )


def _level(
    picture: Image.Image, finder: Detector, timings: dict[str, float]
) -> tuple[Image.Image, float, list[Box], Box | None]:
    """Find the lines of a picture, and set it straight where they are tilted.

    Returns:
        The picture, degrees clockwise by which it was turned, its lines, and the part of it that holds them; None for
        the part where the picture was not turned.
    """
    with _timed(timings, "detect"):
        boxes = _found_in(picture, None, finder)
        tilt = tilt_of(boxes)
        if not tilt:
            return picture, tilt, boxes, None
        straight = straightened(picture, tilt)
        area = surroundings([box.rotated(tilt, picture.size, straight.size) for box in boxes], *straight.size)
        return straight, tilt, _found_in(straight, area, finder), area


def _found_in(picture: Image.Image, area: Box | None, finder: Detector) -> list[Box]:
    """Return the lines in a part of a picture, or in all of it."""
    if area is None:
        return single_rows(picture, finder.find(picture))
    left, top, right, bottom = (round(side) for side in area.bounds)
    found = finder.find(picture.crop((left, top, right, bottom)))
    return single_rows(picture, [box.moved(left, top) for box in found])


def _read_lines(
    picture: Image.Image,
    boxes: Sequence[Box],
    area: Box | None,
    finder: Detector,
    predictor: Any,
    timings: dict[str, float],
) -> tuple[Image.Image, int, list[Line]]:
    """Set a page upright and read it.

    Args:
        picture: of the page, on which lines are level or stand.
        boxes: its lines.
        area: where they are looked for, if not everywhere.
        finder: finds lines.
        predictor: reads lines, as in `read_page`.
        timings: milliseconds by stage; what is spent is added.

    Returns:
        The picture upright, the degrees clockwise it was turned by, and its lines that are not empty.
    """
    with _timed(timings, "read"):
        turned, readings = turn_of(picture, boxes, predictor)
    if turned:  # lines that stand are found less surely
        with _timed(timings, "detect"):
            area = area and area.turned(turned, *picture.size)
            picture = picture.transpose(TURNS[turned])
            boxes = _found_in(picture, area, finder)
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
