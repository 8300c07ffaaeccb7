"""Lines into rows, rows into paragraphs, in reading order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..pictures.boxes import size_of
from .columns import blocks_of
from .page import Line, Row

SAME_ROW = 0.5  # of the lower line's height: vertical overlap of lines side by side
SIDE_BY_SIDE = 0.5  # of the narrower line's width: more overlap than this across is one above the other
PARAGRAPH_GAP = 0.7  # of the usual line height: white between rows that parts paragraphs

SAME_LETTERS = 0.6  # of the higher one: height of rows in the same letters, with and without marks and descenders
FULL = 0.85  # of the widest row: a row that the next word would have made wider was broken there (a photograph narrows rows)

Heights = Callable[[float, float], float]


def paragraphs_of(lines: Sequence[Line]) -> tuple[tuple[Row, ...], ...]:
    """Rows of a page in reading order, in paragraphs.

    Lines side by side make a row, whatever white is between them: on a receipt that is an item and its price. Columns of
    prose alone (see `columns`) are read one after the other. Rows may slope, by an angle that changes down the page, as
    on a photograph.
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
    """How far rows fall, in pixels, for a pixel to the right: the median of wide lines, each weighing as its width."""
    about = _slopes(lines)
    return _weighted_median(about[1], about[2]) if len(about) else 0.0


def levels(lines: Sequence[Line]) -> Heights:
    """The height (x, y) → pixels at which a row through that point crosses x = 0: equal along a row.

    Wide lines tell the slope of the rows, fitted as a linear function of y; few lines tell one slope for all.
    """
    about, middle = _slopes(lines), slope_of(lines)
    if len(about):
        ys, slopes, weights = about
        near = np.abs(slopes - middle) < 0.1  # a stamp across the page says nothing of its rows
        if near.sum() >= 6 and np.ptp(ys[near]) >= 1:
            change, start = np.polyfit(ys[near], slopes[near], 1, w=np.sqrt(weights[near]))
            return lambda x, y: y - (start + change * y) * x
    return lambda x, y: y - middle * x


def _slopes(lines: Sequence[Line]) -> np.ndarray:
    """Height on the page, slope and width of every line that is wide enough to tell, as three rows; empty without any."""
    about = []
    for line in lines:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = line.box.points
        wide, high = size_of(line.box)
        if wide > 2 * high:
            slope = ((y1 - y0) + (y2 - y3)) / max(abs(x1 - x0) + abs(x2 - x3), 1e-6)
            about.append(((y0 + y1 + y2 + y3) / 4, slope, wide))
    return np.array(about).T


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    place = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)
    return float(values[order][min(place, len(values) - 1)])


def _span(line: Line, level: Heights) -> tuple[float, float]:
    """Top and bottom of a line, both taken to x = 0 along its row."""
    upper_left, upper_right, lower_right, lower_left = line.box.points
    top = (level(*upper_left) + level(*upper_right)) / 2
    return top, max((level(*lower_left) + level(*lower_right)) / 2, top + 1)


def _rows(lines: Sequence[Line], spans: dict[int, tuple[float, float]]) -> list[Row]:
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: sum(spans[id(line)])):
        fits = [(fit, row) for row in rows[-12:] if (fit := _fit(line, row, spans)) > SAME_ROW]
        if fits:
            max(fits, key=lambda pair: pair[0])[1].append(line)
        else:
            rows.append([line])
    rows.sort(key=lambda row: float(np.mean([sum(spans[id(line)]) for line in row])))
    return [Row(tuple(sorted(row, key=lambda line: line.box.bounds[0]))) for row in rows]


def _fit(line: Line, row: list[Line], spans: dict[int, tuple[float, float]]) -> float:
    """Vertical overlap with the row's nearest line, as a part of the lower one; 0 where it stands above one of the row."""
    left, _, right, _ = line.box.bounds
    for other in row:
        first, _, last, _ = other.box.bounds
        if min(right, last) - max(left, first) > SIDE_BY_SIDE * min(right - left, last - first):
            return 0.0
    nearest = min(row, key=lambda other: max(other.box.bounds[0] - right, left - other.box.bounds[2]))
    (top, bottom), (other_top, other_bottom) = spans[id(line)], spans[id(nearest)]
    return (min(bottom, other_bottom) - max(top, other_top)) / min(bottom - top, other_bottom - other_top)


def goes_on(row: Row, after: Row, widest: float) -> bool:
    """Whether a text was broken between two rows: in letters as large, and its next word would not have fitted."""
    heights = sorted(float(np.median([size_of(line.box)[1] for line in one.lines])) for one in (row, after))
    (left, _, right, _), (first, _, last, _) = row.box.bounds, after.box.bounds
    word = (len(after.text.split()[0]) + 1) / len(after.text) * (last - first)
    return heights[0] >= SAME_LETTERS * heights[1] and right - left + word > FULL * widest


def widest_of(rows: Sequence[Row]) -> float:
    """Width in pixels of the widest row, 0 where there is none."""
    return max((row.box.bounds[2] - row.box.bounds[0] for row in rows), default=0.0)
