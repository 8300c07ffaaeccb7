"""Which way up a page is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..pictures.boxes import TURNS, Box, crop, size_of

PROBES = 5  # lines that are read to tell up from down
MIN_CONFIDENCE = 0.5  # mean confidence of the probes from which on they are not read upside down too
MIN_ELONGATION = 1.5  # × its shorter side: a box this long says which way its line runs
PROBE_SHAPES = 3.0, 14.0  # width over height of lines that the recogniser reads best, from and to


def turn_of(page: Image.Image, boxes: Sequence[Box], predictor: Any) -> tuple[int, dict[Box, tuple[str, float]]]:
    """Find which way up a page is.

    The boxes' shapes tell lying lines from standing ones. Which end is up is told by the recogniser: it reads a few
    lines, and reads them the other way up too where it is not sure at once.

    Args:
        page: the picture.
        boxes: its lines.
        predictor: reads lines, as in `read.read_page`.

    Returns:
        Degrees clockwise (0, 90, 180, 270) that set the page upright; and where they are 0, what was read on the way:
        box → (text, confidence).
    """
    if not boxes:
        return 0, {}
    standing = sum(
        max(wide, high) * (1 if high > wide else -1)
        for wide, high in map(size_of, boxes)
        if max(wide, high) > MIN_ELONGATION * min(wide, high)
    )
    turn = 90 if standing > 0 else 0
    corner = -turn // 90  # the upper left one of text that runs up
    probes = _probes([box.starting(corner) for box in boxes])
    crops = [crop(page, box) for box in probes]
    texts, confidences = predictor.predict_batch(crops, return_prob=True)
    if np.mean(confidences) < MIN_CONFIDENCE:
        flipped = predictor.predict_batch([line.transpose(TURNS[180]) for line in crops], return_prob=True)[1]
        if np.mean(flipped) > np.mean(confidences):
            turn += 180
    return turn, {} if turn else dict(zip(probes, zip(texts, confidences)))


def _probes(boxes: Sequence[Box]) -> list[Box]:
    """Return the widest boxes of those with a shape that reads well; of all boxes, where there is none."""
    shortest, longest = PROBE_SHAPES
    sizes = {box: size_of(box) for box in boxes}
    good = [box for box, (wide, high) in sizes.items() if shortest <= wide / max(high, 1) <= longest]
    return sorted(good or boxes, key=lambda box: -sizes[box][0])[:PROBES]
