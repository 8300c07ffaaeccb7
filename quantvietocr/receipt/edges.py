"""Boxes of a detector made to fit their lines: no letter cut off, and no two rows in one box.

A detector finds where text is, and guesses how far it reaches. Where a box's edge runs through ink, a descender or a
mark is cut off: `phát` reads as `Dhát`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..pictures.boxes import Box, Point, size_of

MAX_GROWTH = 0.25  # × a box's height: how far an edge moves out at most
ROWS = 32  # rows at which a box is looked at
AROUND = round(MAX_GROWTH * ROWS)  # further rows above, and as many below
MAX_COLUMNS = 800  # columns at which it is looked at, at most
MIN_SIZE = 8  # pixels: nothing is told of lower or narrower boxes
INK_CONTRAST = 0.45  # × the greatest difference from the paper: what differs more is ink
MIN_CONTRAST = 30.0  # grey levels: the greatest difference is taken to be at least this
STRONGEST = 0.99  # share of the pixels: that of their differences from the paper which is taken for the greatest
CLEAR = 0.004  # × the width: so much of a row may be inked where nothing crosses it
MIN_OWN = 0.5  # share of the ink on an edge that goes on further inside
MIN_ROW = 0.55  # × the page's usual height: an inked band so high is a row of its own, and no row's marks
MIN_TWO_ROWS = 1.5  # × the page's usual height: lower boxes hold one row
MIN_BOXES = 4  # boxes of which the middle height is a page's usual one
MIN_ROW_WIDTH = 0.4  # × the box's width: ink of each of two rows covers so much of it


def fitted(page: Image.Image, boxes: Sequence[Box]) -> list[Box]:
    """Move the edges that cut letters, and part the boxes that hold two rows.

    Args:
        page: the picture, in RGB.
        boxes: what a detector found on it.

    Returns:
        The boxes, in the same order; the two of a parted box one after the other.
    """
    grey = page.convert("L")
    heights = [size_of(box)[1] for box in boxes]
    usual = float(np.median(heights)) if len(boxes) >= MIN_BOXES else math.inf
    return [part for box in boxes for part in _fitted(grey, box, usual)]


def _fitted(grey: Image.Image, box: Box, usual: float) -> list[Box]:
    wide, high = size_of(box)
    if min(wide, high) < MIN_SIZE or high > wide:
        return [box]
    inked = _ink_of(_looked_at(grey, _with_sides(box, -MAX_GROWTH, 1 + MAX_GROWTH), wide / high))
    last = len(inked) - 1 - AROUND
    first, end = _edge(inked, AROUND, -1), _edge(inked, last, 1) + 1
    parts = _rows(inked, first, end, usual / high) if high > MIN_TWO_ROWS * usual else [(first, end)]
    if parts == [(AROUND, last + 1)]:
        return [box]
    return [_with_sides(box, (first - AROUND) / ROWS, (end - AROUND) / ROWS) for first, end in parts]


def _looked_at(grey: Image.Image, box: Box, shape: float) -> Image.Image:
    """Return a box's picture, small: ROWS rows and AROUND more on each side, `shape` times as wide as ROWS."""
    upper_left, upper_right, lower_right, lower_left = box.points
    corners = (*upper_left, *lower_left, *lower_right, *upper_right)
    size = min(MAX_COLUMNS, max(1, round(ROWS * shape))), ROWS + 2 * AROUND
    return grey.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)


def _ink_of(line: Image.Image) -> np.ndarray:
    """Return where a line's picture, in grey, has ink: bool (H,W)."""
    counts = np.array(line.histogram())
    paper = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    off = np.abs(np.arange(len(counts)) - paper)
    strongest = np.searchsorted(np.cumsum(np.bincount(off, counts)), STRONGEST * counts.sum())
    return (off > INK_CONTRAST * max(float(strongest), MIN_CONTRAST))[np.asarray(line)]


def _edge(inked: np.ndarray, row: int, step: int) -> int:
    """Return the row that a box's edge moves to, outwards alone.

    Ink on the edge is the box's own where it goes on further inside than outside; else another row reaches in.

    Args:
        inked: where there is ink, bool (H,W).
        row: of the edge, the outermost of the box.
        step: 1 where the outside is below, -1 where it is above.

    Returns:
        A row from `row` to AROUND rows outside.
    """
    columns = inked[:, inked[row]]
    if columns.shape[1] <= CLEAR * inked.shape[1]:
        return row
    outside = _unbroken(columns[row + step :: step] if step > 0 else columns[row - 1 :: -1])
    inside = _unbroken(columns[row::-step])
    own = inside >= outside
    if own.mean() < MIN_OWN:
        return row
    grown = int(outside[own].max()) + 1
    return row + step * min(grown, AROUND)


def _unbroken(columns: np.ndarray) -> np.ndarray:
    """Return how many rows ink goes on in each column, from the first row of bool (H,W) on; int (W,)."""
    return np.logical_and.accumulate(columns[:AROUND], axis=0).sum(axis=0)


def _rows(inked: np.ndarray, first: int, end: int, usual: float) -> list[tuple[int, int]]:
    """Return the rows from `first` to `end` as one band, or as two where a clear row parts it into rows of text.

    usual: the page's usual height of a box, as a share of this one's.
    """
    clear = inked.sum(axis=1) <= CLEAR * inked.shape[1]
    bands = np.flatnonzero(~clear[first:end]) + first
    if not len(bands):
        return [(first, end)]
    for gap in np.flatnonzero(np.diff(bands) > 1):
        upper, lower = bands[: gap + 1], bands[gap + 1 :]
        high = upper[-1] - bands[0] + 1, bands[-1] - lower[0] + 1
        wide = [np.ptp(np.flatnonzero(inked[part[0] : part[-1] + 1].any(axis=0))) for part in (upper, lower)]
        if min(high) >= MIN_ROW * usual * ROWS and min(wide) >= MIN_ROW_WIDTH * inked.shape[1]:
            middle = (int(upper[-1]) + 1 + int(lower[0])) // 2
            return [(first, middle), (middle, end)]
    return [(first, end)]


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
