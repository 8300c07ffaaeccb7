"""Lines into rows, rows into paragraphs, in reading order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..pictures.boxes import size_of
from .columns import blocks_of
from .page import Line, Row

MIN_SAME_ROW = 0.5  # × the lower line's height: lines of one row overlap vertically by more
MAX_OVERLAP = 0.5  # × the narrower line's width: lines that overlap across by more stand one above the other
PARAGRAPH_GAP = 0.7  # × the usual line height: more white between rows parts paragraphs
MIN_SAME_LETTERS = 0.6  # × the higher row: rows in the same letters, with and without marks and descenders, are so high
# × the widest row: a row is a wrapped line if the next word would have made it wider than this. It is below 1 because a
# photograph narrows rows.
WRAP_WIDTH = 0.85
RECENT_ROWS = 12  # a line joins one of the last rows, so many, above it
MIN_SLOPES = 6  # wide lines from which on the slope may change down the page

Heights = Callable[[float, float], float]  # (x, y) in pixels → the height of that row at x = 0, in pixels


def paragraphs_of(lines: Sequence[Line]) -> tuple[tuple[Row, ...], ...]:
    """Put the lines of a page into rows, and the rows into paragraphs.

    Lines side by side make a row, whatever white is between them: on a receipt that is an item and its price. Only
    columns of prose (see `columns`) are read one after the other. Rows may slope, by an angle that changes down the
    page, as on a photograph.

    Args:
        lines: of the page, in any order.

    Returns:
        The paragraphs in reading order, each with its rows.
    """
    if not lines:
        return ()
    level = levels(lines)
    spans = {id(line): _span(line, level) for line in lines}
    usual = float(np.median([bottom - top for top, bottom in spans.values()]))
    paragraphs: list[list[Row]] = []
    for block in blocks_of(lines, slope_of(lines)):
        last = -np.inf
        for row in _rows(block, spans):
            top = min(spans[id(line)][0] for line in row.lines)
            if top - last > PARAGRAPH_GAP * usual:
                paragraphs.append([])
            paragraphs[-1].append(row)
            last = max(last, max(spans[id(line)][1] for line in row.lines))
    return tuple(map(tuple, paragraphs))


def slope_of(lines: Sequence[Line]) -> float:
    """Return how far rows fall, in pixels, for a pixel to the right: the median of wide lines, weighted by width."""
    wide_lines = _slopes(lines)
    return _weighted_median(wide_lines[1], wide_lines[2]) if len(wide_lines) else 0.0


def levels(lines: Sequence[Line]) -> Heights:
    """Fit the rows of a page.

    Wide lines tell the slope of the rows, fitted as a linear function of y; few lines tell one slope for all.

    Args:
        lines: of the page.

    Returns:
        A function of a point that gives the height at which its row crosses x = 0: it is equal along a row.
    """
    wide_lines, middle = _slopes(lines), slope_of(lines)
    if len(wide_lines):
        ys, slopes, weights = wide_lines
        near = np.abs(slopes - middle) < 0.1  # a stamp across the page says nothing of its rows
        if near.sum() >= MIN_SLOPES and np.ptp(ys[near]) >= 1:
            change, start = np.polyfit(ys[near], slopes[near], 1, w=np.sqrt(weights[near]))
            return lambda x, y: y - (start + change * y) * x
    return lambda x, y: y - middle * x


def _slopes(lines: Sequence[Line]) -> np.ndarray:
    """Return height on the page, slope and width of the lines that are wide enough to tell, as three rows, or empty."""
    wide_lines = []
    for line in lines:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = line.box.points
        wide, high = size_of(line.box)
        if wide > 2 * high:
            slope = ((y1 - y0) + (y2 - y3)) / max(abs(x1 - x0) + abs(x2 - x3), 1e-6)
            wide_lines.append(((y0 + y1 + y2 + y3) / 4, slope, wide))
    return np.array(wide_lines).T


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    index = int(np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2))
    return float(values[order][min(index, len(values) - 1)])


def _span(line: Line, level: Heights) -> tuple[float, float]:
    """Return top and bottom of a line, both taken to x = 0 along its row."""
    upper_left, upper_right, lower_right, lower_left = line.box.points
    top = (level(*upper_left) + level(*upper_right)) / 2
    return top, max((level(*lower_left) + level(*lower_right)) / 2, top + 1)


def _rows(lines: Sequence[Line], spans: dict[int, tuple[float, float]]) -> list[Row]:
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: sum(spans[id(line)])):
        fits = [(fit, row) for row in rows[-RECENT_ROWS:] if (fit := _fit(line, row, spans)) > MIN_SAME_ROW]
        if fits:
            max(fits, key=lambda pair: pair[0])[1].append(line)
        else:
            rows.append([line])
    rows.sort(key=lambda row: float(np.mean([sum(spans[id(line)]) for line in row])))
    return [Row(tuple(sorted(row, key=lambda line: line.box.bounds[0]))) for row in rows]


def _fit(line: Line, row: list[Line], spans: dict[int, tuple[float, float]]) -> float:
    """Return the vertical overlap with the row's nearest line, as a share of the lower one's height.

    It is 0 where the line stands above or below one of the row.
    """
    left, _, right, _ = line.box.bounds
    for other in row:
        first, _, last, _ = other.box.bounds
        if min(right, last) - max(left, first) > MAX_OVERLAP * min(right - left, last - first):
            return 0.0
    nearest = min(row, key=lambda other: max(other.box.bounds[0] - right, left - other.box.bounds[2]))
    (top, bottom), (other_top, other_bottom) = spans[id(line)], spans[id(nearest)]
    return (min(bottom, other_bottom) - max(top, other_top)) / min(bottom - top, other_bottom - other_top)


def goes_on(row: Row, after: Row, widest: float) -> bool:
    """Whether one text was broken between two rows: the letters are as large, and the next word had no room left.

    Args:
        row: the upper row.
        after: the row below it.
        widest: width of the widest row, in pixels.

    Returns:
        Whether `after` goes on with the text of `row`.
    """
    heights = sorted(float(np.median([size_of(line.box)[1] for line in one.lines])) for one in (row, after))
    (left, _, right, _), (first, _, last, _) = row.box.bounds, after.box.bounds
    word = (len(after.text.split()[0]) + 1) / len(after.text) * (last - first)
    return heights[0] >= MIN_SAME_LETTERS * heights[1] and right - left + word > WRAP_WIDTH * widest


def widest_of(rows: Sequence[Row]) -> float:
    """Return the width of the widest row in pixels, 0 where there is none."""
    return max((row.box.bounds[2] - row.box.bounds[0] for row in rows), default=0.0)
