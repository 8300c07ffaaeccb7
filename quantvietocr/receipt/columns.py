"""Prose in columns side by side, as in newspapers and bilingual contracts: each is read to its end before the next.

A receipt has columns too, but there a row belongs together: an item and its price. Columns of prose are told by what
stands in them: several rows of words that fill their column, on both sides of a gutter which no line crosses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..pictures.boxes import size_of
from .page import Line

MIN_LINES = 4  # lines of prose in a column
MIN_PROSE = 0.6  # share of a column's lines that are prose
MIN_FILLED = 0.6  # × the column's width: how wide a line of prose is
MIN_WORDS = 3  # words in a line of prose
MIN_LETTERS = 0.75  # share of letters among the characters of a line of prose
MIN_WIDTH = 8.0  # × the usual line height: how wide a column is
MIN_GUTTER = 0.5  # × the usual line height: white between two columns
MIN_BESIDE = 0.5  # × the shorter column's height: how much of it stands beside the other


@dataclass(frozen=True)
class _LevelLine:
    """A line on the page turned so that rows run level; its sides are in pixels of that page."""

    line: Line
    left: float
    right: float
    top: float
    bottom: float

    @property
    def wide(self) -> float:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def blocks_of(lines: Sequence[Line], slope: float) -> list[list[Line]]:
    """Divide the lines of a page into blocks that are read one after another.

    Args:
        lines: of the page; at least one.
        slope: how far rows fall, in pixels, for a pixel to the right.

    Returns:
        The blocks; a single one where there are no columns of prose.
    """
    usual = float(np.median([size_of(line.box)[1] for line in lines]))
    level = sorted((_leveled(line, slope) for line in lines), key=lambda line: line.middle)
    return [[line.line for line in block] for block in _split(level, usual)]


def _split(lines: list[_LevelLine], usual: float) -> list[list[_LevelLine]]:
    """Divide lines at their largest columns of prose, and what stands above and below them likewise."""
    candidates = [_columns(lines, gutter, usual) for gutter in _gutters(lines, usual)]
    columns = max(candidates, key=lambda sides: sum(map(len, sides)), default=[])
    if not columns:
        return [lines] if lines else []
    taken = {id(line) for column in columns for line in column}
    start = min(line.middle for column in columns for line in column)
    rest = [line for line in lines if id(line) not in taken]
    above, below = [line for line in rest if line.middle < start], [line for line in rest if line.middle >= start]
    return [block for part in (above, *columns, below) for block in _split(part, usual)]


def _gutters(lines: Sequence[_LevelLine], usual: float) -> list[float]:
    """Return the middles of the white between lines of prose that stand side by side, each once."""
    prose = [line for line in lines if _is_prose(line.line.text)]
    middles: dict[int, float] = {}  # by half line heights, so that nearly equal ones count once
    for left in prose:
        for right in prose:
            beside = min(left.bottom, right.bottom) > max(left.top, right.top)
            if right.left - left.right >= MIN_GUTTER * usual and beside:
                middle = (left.right + right.left) / 2
                middles.setdefault(round(2 * middle / usual), middle)
    return list(middles.values())


def _columns(lines: Sequence[_LevelLine], gutter: float, usual: float) -> list[list[_LevelLine]]:
    """Return the two longest columns of prose left and right of `gutter` that no line crosses; empty without any."""
    best: list[list[_LevelLine]] = []
    stretch: list[_LevelLine] = []
    for line in [*lines, None]:
        if line is not None and not line.left < gutter < line.right:
            stretch.append(line)
            continue
        sides = [one for one in stretch if one.right <= gutter], [one for one in stretch if one.left >= gutter]
        if len(stretch) > sum(map(len, best)) and all(_is_column(side, usual) for side in sides) and _beside(*sides):
            best = list(sides)
        stretch = []
    return best


def _is_column(lines: Sequence[_LevelLine], usual: float) -> bool:
    if len(lines) < MIN_LINES:
        return False
    width = float(np.percentile([line.wide for line in lines], 90))
    prose = sum(_is_prose(line.line.text) and line.wide >= MIN_FILLED * width for line in lines)
    return width >= MIN_WIDTH * usual and prose >= max(MIN_LINES, MIN_PROSE * len(lines))


def _beside(left: Sequence[_LevelLine], right: Sequence[_LevelLine]) -> bool:
    """Whether two columns stand beside each other for long enough."""
    spans = [(side[0].top, max(line.bottom for line in side)) for side in (left, right)]
    shared = min(end for _, end in spans) - max(start for start, _ in spans)
    return shared >= MIN_BESIDE * min(end - start for start, end in spans)


def _is_prose(text: str) -> bool:
    characters = [char for char in text if not char.isspace()]
    return len(text.split()) >= MIN_WORDS and sum(map(str.isalpha, characters)) >= MIN_LETTERS * len(characters)


def _leveled(line: Line, slope: float) -> _LevelLine:
    upper_left, upper_right, lower_right, lower_left = ((x + slope * y, y - slope * x) for x, y in line.box.points)
    return _LevelLine(
        line,
        (upper_left[0] + lower_left[0]) / 2,
        (upper_right[0] + lower_right[0]) / 2,
        (upper_left[1] + upper_right[1]) / 2,
        (lower_left[1] + lower_right[1]) / 2,
    )
