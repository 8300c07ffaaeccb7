"""Lines cut out of a page, straight; and which way up the page is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..pictures.boxes import TURNS, Box, crop, size_of

PROBES = 5  # lines that are read to tell up from down
SURE = 0.5  # mean confidence at which they are not read upside down too
TALL = 1.5  # times higher than wide: a line that runs up or down the picture
PROBE_SHAPES = 3.0, 14.0  # widths over heights of lines that the recogniser reads best


def turn_of(page: Image.Image, boxes: Sequence[Box], predictor: Any) -> tuple[int, dict[Box, tuple[str, float]]]:
    """Degrees clockwise (0, 90, 180, 270) that set a page upright; and what was read on the way, where they are 0.

    The boxes' shapes tell lying lines from standing ones; which end is up is where the recogniser is surer of a few
    lines. It reads them the other way up only where it is not sure at once.
    """
    if not boxes:
        return 0, {}
    standing = sum(
        max(wide, high) * (1 if high > wide else -1)
        for wide, high in map(size_of, boxes)
        if max(wide, high) > TALL * min(wide, high)
    )
    turn = 90 if standing > 0 else 0
    corner = -turn // 90  # the upper left one of text that runs up
    probes = _probes([box.starting(corner) for box in boxes])
    crops = [crop(page, box) for box in probes]
    texts, confidences = predictor.predict_batch(crops, return_prob=True)
    if np.mean(confidences) < SURE:
        flipped = predictor.predict_batch([line.transpose(TURNS[180]) for line in crops], return_prob=True)[1]
        if np.mean(flipped) > np.mean(confidences):
            turn += 180
    return turn, {} if turn else dict(zip(probes, zip(texts, confidences)))


def _probes(boxes: Sequence[Box]) -> list[Box]:
    """The widest boxes among those of a shape that reads well; of all, where there is none."""
    shortest, longest = PROBE_SHAPES
    sizes = {box: size_of(box) for box in boxes}
    good = [box for box, (wide, high) in sizes.items() if shortest <= wide / max(high, 1) <= longest]
    return sorted(good or boxes, key=lambda box: -sizes[box][0])[:PROBES]
