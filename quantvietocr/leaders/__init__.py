"""Rules and leaders, as `_____` and `.....` in forms: what stands behind them, and of how many marks they are made.

Attention finds its way along a line by what it sees, and in a long row of equal marks every place looks like the next: a
decoder stops there, or leaves the row at any point. So the text on both sides is read by itself, and the marks are counted
in the picture.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from ..image import WIDTH_STEP
from .count import SURE, count, dotted, size_of_letters
from .find import ABOVE, BELOW, Stretch, ink, stretches

MARKS = "_.-=*~·"
ROW = re.compile(rf"([{re.escape(MARKS)}])\1\1+")  # that a reader takes for a row of marks
NO_TEXT = re.compile(rf"[{re.escape(MARKS)} ]")
UNSEEN = 2.5     # heights: the shortest rule that is looked for where none was read
BESIDE = 0.4     # of a rule that was not read: the share of the other columns from which on it is a frame's, or an underline
SPACE = 0.2      # of the letters' size: the narrowest blank that is a space
NEWS = 3         # characters more than in the first reading, from which on the text was not all read
OFF = 1.5        # times more or fewer than what was read, from which on a count of marks with a period is not believed


@dataclass
class Leaders:
    """A line's picture, uint8 (H,W,3), with the stretches of marks in it; pieces: the pictures of the text between them."""

    pixels: np.ndarray
    rows: list[tuple[Stretch, str]]
    pieces: list[np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        _, self._inked = ink(self.pixels)
        height, width = self._inked.shape
        ends = [0, *(edge for stretch, _ in self.rows for edge in (stretch.first - 1, stretch.end + 1)), width]
        self._between = [(min(max(first, 0), width), max(first, end)) for first, end in zip(ends[::2], ends[1::2])]
        self._empty = [end - first < 0.2 * height or len(self._columns(first, end)) < 2 for first, end in self._between]
        self.pieces = [self._piece(*span) for span, empty in zip(self._between, self._empty) if not empty]

    def reading(self, first: tuple[str, float], pieces: list[tuple[str, float]]) -> tuple[str, float]:
        """The line's text and confidence, of those of its first reading and of its pieces."""
        found = iter(pieces)
        parts = [("", 1.0) if empty else next(found) for empty in self._empty]
        texts = [text.strip() for text, _ in parts]
        size = size_of_letters(self._inked, [(text, *span) for text, span in zip(texts, self._between)])
        counts = [count(stretch, mark, size, len(self.pixels)) for stretch, mark in self.rows]
        read = list(ROW.finditer(first[0]))
        before, after = len(NO_TEXT.sub("", first[0])), len(NO_TEXT.sub("", "".join(texts)))
        ruled = all(mark == "_" for _, mark in self.rows)
        if None not in counts and (len(read) != len(counts) or after >= before + (-2 if ruled else NEWS)):
            sure = np.prod([confidence for _, confidence in parts]) * np.prod([SURE[how] for _, how in counts])
            return self._joined(texts, [number for number, _ in counts], size), float(sure)
        return (_recounted(first[0], read, self.rows, counts) if len(read) == len(counts) else first[0]), first[1]

    def _joined(self, texts: list[str], counts: list[int], size: float | None) -> str:
        space = SPACE * (0.7 * len(self.pixels) if size is None else size)
        said = ""
        for number, (text, (first, end)) in enumerate(zip(texts, self._between)):
            columns = self._columns(first, end)
            if text:
                said += " " if number > 0 and columns[0] - first > space else ""
                said += text
                said += " " if number < len(counts) and end - columns[-1] > space else ""
            if number < len(counts):
                said += self.rows[number][1] * counts[number]
        return said

    def _columns(self, first: int, end: int) -> np.ndarray:
        height = len(self._inked)
        return np.flatnonzero(self._inked[int(ABOVE * height) : int(BELOW * height), first:end].any(axis=0)) + first

    def _piece(self, first: int, end: int) -> np.ndarray:
        """At a width that the network takes, paper to its right."""
        width = max(len(self.pixels), -(-(end - first) // WIDTH_STEP) * WIDTH_STEP)
        return np.pad(self.pixels[:, first:end], ((0, 0), (0, width - (end - first)), (0, 0)), mode="edge")


def leaders_in(pixels: np.ndarray, read: str, readable: str) -> Leaders | None:
    """The rules and leaders in uint8 pixels (H,W,3) of a line of which `read` was read; None where that shows none, or
    none is found. readable: the characters that may be read."""
    marks = [row.group(1) for row in ROW.finditer(read)]
    if not marks and "_" not in readable:
        return None
    height, found = len(pixels), stretches(pixels)
    if not marks:
        rows = [(one, "_") for one in found if one.end - one.first >= UNSEEN * height and one.solid > 0.9
                and one.beside < BESIDE]
    else:
        longest = sorted(sorted(found, key=lambda one: one.first - one.end)[: len(marks)], key=lambda one: one.first)
        named = marks if len(marks) == len(longest) else marks[:1] * len(longest)
        rows = [(one, _seen(one, mark, height, readable)) for one, mark in zip(longest, named)]
    return Leaders(pixels, rows) if rows else None


def _seen(stretch: Stretch, mark: str, height: int, readable: str) -> str:
    """The mark that was read, or a dot where underscores were read and the ink shows dots."""
    return "." if mark == "_" and "." in readable and dotted(stretch, height) else mark


def _recounted(
    text: str, read: list[re.Match], rows: list[tuple[Stretch, str]], counts: list[tuple[int, str] | None]
) -> str:
    said, place = "", 0
    for row, (_, mark), told in zip(read, rows, counts):
        was = len(row.group())
        believed = told is not None and (mark == "_" or 1 / OFF < told[0] / was < OFF)
        said += text[place : row.start()] + mark * (told[0] if believed else was)
        place = row.end()
    return said + text[place:]
