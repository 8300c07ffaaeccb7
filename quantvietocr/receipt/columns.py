"""Prose in columns side by side, as in newspapers and bilingual contracts: each is read to its end before the next.

A receipt has columns too, and there a row is what belongs together: an item and its price. What tells the two apart is
what stands in them: several rows of words that fill their column, on both sides of a gutter which no line crosses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..pictures.boxes import size_of
from .page import Line

FEWEST = 4  # lines of prose on each side
SHARE = 0.6  # of a column's lines: at least so many are prose
FILLED = 0.6  # of a column's width: a line of prose is at least so wide
WORDS = 3  # of a line of prose
LETTERS = 0.75  # of the characters of a line of prose, at least
NARROWEST = 8.0  # of the usual line height: a column's width
GUTTER = 0.5  # of the usual line height: white between two columns
SIDE_BY_SIDE = 0.5  # of the shorter column: how much of it stands beside the other


@dataclass(frozen=True)
class _Place:
    """A line on the page turned so that rows run level."""

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
    """The lines of a page in parts to be read one after another: a single one where there are no columns of prose.

    slope: how far rows fall, in pixels, for a pixel to the right.
    """
    usual = float(np.median([size_of(line.box)[1] for line in lines]))
    places = sorted((_place(line, slope) for line in lines), key=lambda place: place.middle)
    return [[place.line for place in block] for block in _split(places, usual)]


def _split(places: list[_Place], usual: float) -> list[list[_Place]]:
    found: list[list[_Place]] = max(
        (columns for gutter in _gutters(places, usual) if (columns := _columns(places, gutter, usual))),
        key=lambda columns: sum(map(len, columns)),
        default=[],
    )
    if not found:
        return [places] if places else []
    taken = {id(place) for column in found for place in column}
    start = min(place.middle for column in found for place in column)
    rest = [place for place in places if id(place) not in taken]
    above, below = [one for one in rest if one.middle < start], [one for one in rest if one.middle >= start]
    return [block for part in (above, *found, below) for block in _split(part, usual)]


def _gutters(places: Sequence[_Place], usual: float) -> list[float]:
    """Middles of the white between lines of prose that stand side by side, each once."""
    prose = [place for place in places if _is_prose(place.line.text)]
    found = {}
    for left in prose:
        for right in prose:
            if right.left - left.right >= GUTTER * usual and min(left.bottom, right.bottom) > max(left.top, right.top):
                middle = (left.right + right.left) / 2
                found.setdefault(round(2 * middle / usual), middle)
    return list(found.values())


def _columns(places: Sequence[_Place], gutter: float, usual: float) -> list[list[_Place]]:
    """The longest stretch of the page in which two columns of prose stand left and right of `gutter`; empty without any."""
    best: list[list[_Place]] = []
    stretch: list[_Place] = []
    for place in [*places, None]:
        if place is not None and not place.left < gutter < place.right:
            stretch.append(place)
            continue
        sides = [one for one in stretch if one.right <= gutter], [one for one in stretch if one.left >= gutter]
        if len(stretch) > sum(map(len, best)) and all(_is_column(side, usual) for side in sides) and _beside(*sides):
            best = list(sides)
        stretch = []
    return best


def _is_column(places: Sequence[_Place], usual: float) -> bool:
    if len(places) < FEWEST:
        return False
    width = float(np.percentile([place.wide for place in places], 90))
    prose = sum(_is_prose(place.line.text) and place.wide >= FILLED * width for place in places)
    return width >= NARROWEST * usual and prose >= max(FEWEST, SHARE * len(places))


def _beside(left: Sequence[_Place], right: Sequence[_Place]) -> bool:
    spans = [(side[0].top, max(place.bottom for place in side)) for side in (left, right)]
    shared = min(end for _, end in spans) - max(start for start, _ in spans)
    return shared >= SIDE_BY_SIDE * min(end - start for start, end in spans)


def _is_prose(text: str) -> bool:
    characters = [char for char in text if not char.isspace()]
    return len(text.split()) >= WORDS and sum(map(str.isalpha, characters)) >= LETTERS * len(characters)


def _place(line: Line, slope: float) -> _Place:
    upper_left, upper_right, lower_right, lower_left = ((x + slope * y, y - slope * x) for x, y in line.box.points)
    return _Place(
        line,
        (upper_left[0] + lower_left[0]) / 2,
        (upper_right[0] + lower_right[0]) / 2,
        (upper_left[1] + upper_right[1]) / 2,
        (lower_left[1] + lower_right[1]) / 2,
    )
