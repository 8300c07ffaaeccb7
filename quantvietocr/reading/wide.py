"""Lines too wide for the network, cut between words into parts that it reads one by one.

VietOCR squeezes a line into the network's greatest width, however long it is: past one and a half times that width the
letters are too narrow to be told apart. Parts of their natural width are read as any line is, and their texts joined. A
line that is less too wide is squeezed too, and looked at again in parts where that left doubt.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from ..pictures.image import ImageSpec

SQUEEZE = 1.5  # how far past the greatest width a line is still squeezed first, as in VietOCR: the networks are trained on that
NEAR = 0.3  # of a part's width: how far from an even cut the gap between two words may lie
GAP = 0.15  # of the height: the narrowest blank taken for a gap between words
INK = 0.35  # of the greatest contrast: what differs so much from the rest of its column is ink


def excess(width: int, height: int, spec: ImageSpec = ImageSpec()) -> float:
    """How many times too wide for the network a line of this size, in pixels, is; 1 or less where it fits."""
    return width * spec.height / (spec.max_width * height)


def candidates_of(img: Image.Image, spec: ImageSpec = ImageSpec()) -> list[list[Image.Image]]:
    """How an RGB picture of a line is to be read: whole, or in parts; where there is a second way, it is for the doubtful."""
    too_wide = excess(img.width, img.height, spec)
    if too_wide <= 1:
        return [[img]]
    parts = cut(img, spec)
    return [parts] if too_wide > SQUEEZE or len(parts) == 1 else [[img], parts]


def cut(img: Image.Image, spec: ImageSpec = ImageSpec()) -> list[Image.Image]:
    """Parts of an RGB picture of a line that fit the network, from left to right; the picture itself where it does.

    Where no blank lies near an even cut, the picture stays whole, to be squeezed.
    """
    count = math.ceil(excess(img.width, img.height, spec))
    gaps = _gaps(img)
    places = [0]
    for part in range(1, count):
        place = _nearest(gaps, img.width * part / count, img.width / count, img.height)
        if place is None or place <= places[-1]:
            return [img]
        places.append(place)
    return [img.crop((left, 0, right, img.height)) for left, right in zip(places, [*places[1:], img.width])]


def _gaps(img: Image.Image) -> list[tuple[int, int]]:
    """Blanks between two inked columns, wide enough to part words: first column and the one after the last."""
    grey = np.asarray(img.convert("L"), dtype=np.float32)
    # Against its own column's median: paper that is darker at one end, or light ink on dark paper, makes no difference.
    contrast = np.abs(grey - np.median(grey, axis=0))
    inked = np.flatnonzero((contrast > INK * max(contrast.max(), 60.0)).any(axis=0))
    before, after = inked[:-1], inked[1:]
    wide = after - before - 1 >= GAP * img.height
    return list(zip((before[wide] + 1).tolist(), after[wide].tolist()))


def _nearest(gaps: list[tuple[int, int]], even: float, part: float, height: int) -> int | None:
    """The middle of the gap that is nearest to `even`, where a wider one may lie a little farther off."""
    best, place = math.inf, None
    for first, end in gaps:
        middle = (first + end) / 2
        off = abs(middle - even) / part
        cost = off - 0.5 * min((end - first) / height, 0.6)
        if off < NEAR and cost < best:
            best, place = cost, int(middle)
    return place
