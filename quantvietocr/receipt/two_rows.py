"""Boxes of a detector that hold two rows of text, parted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..pictures.boxes import Box, Point, size_of

ROWS = 32  # rows at which a box is looked at
MAX_COLUMNS = 800  # columns at which it is looked at, at most
MIN_SIZE = 8  # pixels: nothing is told of lower or narrower boxes
INK_CONTRAST = 0.45  # × the greatest difference from the paper: what differs more is ink
MIN_CONTRAST = 30.0  # grey levels: the greatest difference is taken to be at least this
STRONGEST = 0.99  # share of the pixels: that of their differences from the paper which is taken for the greatest
CLEAR = 0.004  # × the width: so much of a row may be inked where nothing crosses it
MIN_ROW = 0.55  # × the page's usual height: an inked band so high is a row of its own, and no row's marks
MIN_TWO_ROWS = 1.5  # × the page's usual height: lower boxes hold one row
MIN_BOXES = 4  # boxes of which the middle height is a page's usual one
MIN_ROW_WIDTH = 0.4  # × the box's width: ink of each of two rows covers so much of it


def single_rows(page: Image.Image, boxes: Sequence[Box]) -> list[Box]:
    """Part the boxes that hold two rows.

    Args:
        page: the picture, in RGB.
        boxes: what a detector found on it.

    Returns:
        The boxes, in the same order; the two of a parted box one after the other.
    """
    grey = page.convert("L")
    heights = [size_of(box)[1] for box in boxes]
    usual = float(np.median(heights)) if len(boxes) >= MIN_BOXES else math.inf
    return [part for box in boxes for part in _parted(grey, box, usual)]


def _parted(grey: Image.Image, box: Box, usual: float) -> list[Box]:
    wide, high = size_of(box)
    if min(wide, high) < MIN_SIZE or high > wide or high <= MIN_TWO_ROWS * usual:
        return [box]
    middle = _middle(_ink_of(_looked_at(grey, box, wide / high)), usual / high)
    if middle is None:
        return [box]
    return [_with_sides(box, 0.0, middle / ROWS), _with_sides(box, middle / ROWS, 1.0)]


def _looked_at(grey: Image.Image, box: Box, shape: float) -> Image.Image:
    """Return a box's picture, small: ROWS high, and `shape` times as wide."""
    upper_left, upper_right, lower_right, lower_left = box.points
    corners = (*upper_left, *lower_left, *lower_right, *upper_right)
    size = min(MAX_COLUMNS, max(1, round(ROWS * shape))), ROWS
    return grey.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)


def _ink_of(line: Image.Image) -> np.ndarray:
    """Return where a line's picture, in grey, has ink: bool (H,W)."""
    counts = np.array(line.histogram())
    paper = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    off = np.abs(np.arange(len(counts)) - paper)
    strongest = np.searchsorted(np.cumsum(np.bincount(off, counts)), STRONGEST * counts.sum())
    return (off > INK_CONTRAST * max(float(strongest), MIN_CONTRAST))[np.asarray(line)]


def _middle(inked: np.ndarray, usual: float) -> int | None:
    """Return the row between two rows of text; None where no clear row parts the ink into such.

    Args:
        inked: where a box has ink, bool (ROWS,W).
        usual: the page's usual height of a box, as a share of this one's.
    """
    bands = np.flatnonzero(inked.sum(axis=1) > CLEAR * inked.shape[1])
    for gap in np.flatnonzero(np.diff(bands) > 1):
        upper, lower = bands[: gap + 1], bands[gap + 1 :]
        high = upper[-1] - upper[0] + 1, lower[-1] - lower[0] + 1
        wide = [np.ptp(np.flatnonzero(inked[part[0] : part[-1] + 1].any(axis=0))) for part in (upper, lower)]
        if min(high) >= MIN_ROW * usual * ROWS and min(wide) >= MIN_ROW_WIDTH * inked.shape[1]:
            return (int(upper[-1]) + 1 + int(lower[0])) // 2
    return None


def _with_sides(box: Box, top: float, bottom: float) -> Box:
    """Return a box with other upper and lower sides, as shares of its height below its upper side."""
    upper_left, upper_right, lower_right, lower_left = box.points

    def down(upper: Point, lower: Point, share: float) -> Point:
        return upper[0] + share * (lower[0] - upper[0]), upper[1] + share * (lower[1] - upper[1])

    return Box(
        (
            down(upper_left, lower_left, top),
            down(upper_right, lower_right, top),
            down(upper_right, lower_right, bottom),
            down(upper_left, lower_left, bottom),
        )
    )
