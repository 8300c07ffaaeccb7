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

MAX_SQUEEZE = 1.5  # × too wide: up to here a line is squeezed first, as in VietOCR, since networks are trained on such
MAX_OFF_CENTRE = 0.3  # × a part's width: how far from an even cut the gap between two words may lie
MIN_GAP = 0.15  # × the height: a narrower blank is none between words
INK_CONTRAST = 0.35  # × the greatest contrast: a pixel that differs so much from its column is ink
MIN_CONTRAST = 60.0  # grey levels: the greatest contrast is taken to be at least this
GAP_BONUS = 0.5  # parts' widths off centre that a gap as wide as the height makes up for
MAX_GAP_BONUS = 0.6  # × the height: a wider gap makes up for no more


def excess(width: int, height: int, spec: ImageSpec = ImageSpec()) -> float:
    """How many times too wide for the network a line of this size, in pixels, is; 1 or less where it fits."""
    return width * spec.height / (spec.max_width * height)


def candidates_of(picture: Image.Image, spec: ImageSpec = ImageSpec()) -> list[list[Image.Image]]:
    """The ways to read an RGB picture of a line, each as the parts to read.

    Returns:
        One way, or two: the second is for where the first leaves doubt.
    """
    too_wide = excess(picture.width, picture.height, spec)
    if too_wide <= 1:
        return [[picture]]
    parts = cut(picture, spec)
    return [parts] if too_wide > MAX_SQUEEZE or len(parts) == 1 else [[picture], parts]


def cut(picture: Image.Image, spec: ImageSpec = ImageSpec()) -> list[Image.Image]:
    """Parts of an RGB picture of a line that fit the network, from left to right; the picture itself where it does.

    Where no blank lies near an even cut, the picture stays whole, to be squeezed.
    """
    count = math.ceil(excess(picture.width, picture.height, spec))
    gaps = _gaps(picture)
    cuts = [0]
    for part in range(1, count):
        column = _nearest(gaps, picture.width * part / count, picture.width / count, picture.height)
        if column is None or column <= cuts[-1]:
            return [picture]
        cuts.append(column)
    return [picture.crop((left, 0, right, picture.height)) for left, right in zip(cuts, [*cuts[1:], picture.width])]


def _gaps(picture: Image.Image) -> list[tuple[int, int]]:
    """Blanks between two inked columns, wide enough to part words: first column and the one after the last."""
    grey = np.asarray(picture.convert("L"), dtype=np.float32)
    # Against its own column's median: paper that is darker at one end, or light ink on dark paper, makes no difference.
    contrast = np.abs(grey - np.median(grey, axis=0))
    inked = np.flatnonzero((contrast > INK_CONTRAST * max(contrast.max(), MIN_CONTRAST)).any(axis=0))
    before, after = inked[:-1], inked[1:]
    wide = after - before - 1 >= MIN_GAP * picture.height
    return list(zip((before[wide] + 1).tolist(), after[wide].tolist()))


def _nearest(gaps: list[tuple[int, int]], even: float, part: float, height: int) -> int | None:
    """The middle of the gap that is nearest to `even`, where a wider one may lie a little farther off."""
    lowest, column = math.inf, None
    for first, end in gaps:
        middle = (first + end) / 2
        off = abs(middle - even) / part
        cost = off - GAP_BONUS * min((end - first) / height, MAX_GAP_BONUS)
        if off < MAX_OFF_CENTRE and cost < lowest:
            lowest, column = cost, int(middle)
    return column
