"""Lines with much paper around them: the picture without it.

A network squeezes whatever it is given to its height. Where the letters are a small part of the picture, nothing of
them is left then.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

MAX_INK_HEIGHT = 0.4  # × the picture's height: a higher line of ink is read as well with its margin
MIN_INK_HEIGHT = 6  # px: of lower ink nothing can be read
MARGIN = 0.2  # × the ink's height: what is left around it, as around the lines that networks are trained on
MIN_CONTRAST = 40  # grey levels: ink differs from the paper by more than this, and by more than INK_CONTRAST
INK_CONTRAST = 0.35  # × the greatest difference from the paper
MAX_INKED = 0.3  # share of the picture: where more of it differs from the paper, it is a photograph
MIN_GROUPS = 2  # stretches of inked columns: fewer are a rule, a dash, or one letter
# × the ink's height: in text, some letters begin, end or are wider than others by more; marks in a row are alike
MIN_VARIETY = 0.15
GLANCE_HEIGHT = 40  # rows in which most pictures show that they have no margin
MAX_SIDE = 2000  # rows in which the ink is looked for


def without_margins(picture: Image.Image) -> Image.Image:
    """Cut the paper around a line away, where it is most of the picture.

    Args:
        picture: of a line, in RGB.

    Returns:
        The line with a little paper around it; the picture itself where the line fills it, and where what is in it
        looks like no line of text.
    """
    grey = picture.convert("L")
    if _ink_of(grey, GLANCE_HEIGHT)[2] > MAX_INK_HEIGHT:  # as nearly always: a glance is enough
        return picture
    inked, step, high = _ink_of(grey, MAX_SIDE)
    rows = np.flatnonzero(inked.any(axis=1))
    if not 0 < high <= MAX_INK_HEIGHT or inked.mean() > MAX_INKED:
        return picture
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    height = bottom - top
    if height * step < MIN_INK_HEIGHT:
        return picture
    columns: np.ndarray = np.any(inked, axis=0)
    if not _is_text(inked[top:bottom], columns):
        return picture
    along = np.flatnonzero(columns)
    left, right = int(along[0]), int(along[-1]) + 1
    margin = MARGIN * height + 1
    return picture.crop(
        (
            max(0, round((left - margin) * step)),
            max(0, round((top - margin) * step)),
            min(picture.width, round((right + margin) * step)),
            min(picture.height, round((bottom + margin) * step)),
        )
    )


def _ink_of(grey: Image.Image, side: int) -> tuple[np.ndarray, int, float]:
    """Return where a picture differs from its paper, looked at with about so many rows or fewer.

    Returns:
        bool (H,W); pixels of the picture for one of these; how high the ink is, as a share of the height.
    """
    step = max(1, -(-grey.height // side))
    small = grey.reduce(step) if step > 1 else grey
    levels = np.cumsum(small.histogram())
    paper = int(np.searchsorted(levels, levels[-1] / 2))
    off = np.abs(np.asarray(small).astype(np.int16) - paper)
    inked = off > max(MIN_CONTRAST, INK_CONTRAST * int(off.max()))
    rows = np.flatnonzero(inked.any(axis=1))
    return inked, step, (rows[-1] + 1 - rows[0]) / len(inked) if len(rows) else 0.0


def _is_text(inked: np.ndarray, columns: np.ndarray) -> bool:
    """Whether ink, bool (H,W), in these columns, bool (W,), has letters of several sizes side by side."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], columns, [False]]).astype(np.int8)))
    groups = list(zip(edges[::2], edges[1::2]))
    if len(groups) < MIN_GROUPS:
        return False
    rows = [np.flatnonzero(inked[:, first:end].any(axis=1)) for first, end in groups]
    sizes = np.array([(own[0], own[-1], end - first) for own, (first, end) in zip(rows, groups)])
    return bool(np.ptp(sizes, axis=0).max() > MIN_VARIETY * len(inked))
