"""Rules and leaders, as `_____` and `.....` in forms: what stands behind them, and of how many marks they are made.

Attention finds its way along a line by what it sees, and in a long row of equal marks every place looks like the next: a
decoder stops there, or leaves the row at any point. So the text on both sides is read by itself, and the marks are counted
in the picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...pictures.image import WIDTH_STEP
from ..confidence import NOTHING, LineText
from .count import SURE, count, dotted, size_of_letters, without_signs
from .find import ABOVE, BELOW, Stretch, ink, stretches

MARKS = "_.-=*~·"
ROW = re.compile(rf"([{re.escape(MARKS)}])\1\1+")  # that a reader takes for a row of marks
NO_TEXT = re.compile(rf"[{re.escape(MARKS)} ]")
HIGH = 0.16  # heights: how far a full stop or a comma may rise above the baseline,
LOWER = 0.04  # and how far below it a comma ends
CLOSING = ".,;:"  # signs that follow without a blank
UNSEEN = 2.5  # heights: the shortest rule that is looked for where none was read
BESIDE = (
    0.4  # of a rule that was not read: the share of the other columns from which on it is a frame's, or an underline
)
SPACE = 0.2  # of the letters' size: the narrowest blank that is a space
NEWS = 3  # characters more than in the first reading, from which on the text was not all read
ALONE = 0.9  # of the picture's height: the size of the letters that would stand beside a rule, where none do
OFF = 1.5  # times more or fewer than what was read, from which on a count of marks with a period is not believed


@dataclass
class Leaders:
    """A line's picture, uint8 (H,W,3), with the stretches of marks in it; readable: the characters that may be read.

    pieces: the pictures of the text between the stretches.
    """

    pixels: np.ndarray
    rows: list[tuple[Stretch, str]]
    readable: str
    pieces: list[np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        _, self._inked = ink(self.pixels)
        height, width = self._inked.shape
        ends = [0, *(edge for stretch, _ in self.rows for edge in (stretch.first - 1, stretch.end + 1)), width]
        self._between = [(min(max(first, 0), width), max(first, end)) for first, end in zip(ends[::2], ends[1::2])]
        self._empty = [end - first < 0.2 * height or len(self._columns(first, end)) < 2 for first, end in self._between]
        self.pieces = [self._piece(*span) for span, empty in zip(self._between, self._empty) if not empty]

    def reading(self, first: LineText, pieces: list[LineText]) -> LineText:
        """The line as its first reading and those of its pieces tell it."""
        unread = iter(pieces)
        parts = [NOTHING if empty else next(unread) for empty in self._empty]
        texts = [part.text.strip() for part in parts]
        longer = self._longer(texts) if len(self.rows) == 1 else 1.0
        size = size_of_letters(self._inked, [(text, *span) for text, span in zip(texts, self._between)])
        if not any(texts) and self.rows[0][1] == "_":
            size = ALONE * len(self.pixels)
        counts = [count(stretch, mark, size, len(self.pixels)) for stretch, mark in self.rows]
        if longer > 1 and counts[0] is not None:
            counts = [(round(longer * counts[0][0]), counts[0][1])]
        read = list(ROW.finditer(first.text))
        before, after = len(NO_TEXT.sub("", first.text)), len(NO_TEXT.sub("", "".join(texts)))
        ruled = all(mark == "_" for _, mark in self.rows)
        if None not in counts and (len(read) != len(counts) or after >= before + (-2 if ruled else NEWS)):
            chance = float(np.prod([SURE[how] for _, how in counts]))
            return LineText.of_parts(self._joined(texts, [number for number, _ in counts], size), parts, chance)
        if len(read) != len(counts):
            return first
        # Marks in the text beside a stretch are the same row's, of which a part alone was found then.
        whole = [not any(ROW.search(text) for text in texts[place : place + 2]) for place in range(len(counts))]
        return replace(first, text=_recounted(first.text, read, self.rows, counts, whole, texts))

    def _longer(self, texts: list[str]) -> float:
        """How much longer the row is than the part of it that was found, told by texts of marks alone, which are emptied."""
        stretch, mark = self.rows[0]
        ends = [stretch.first, stretch.end]
        for side, (text, span) in enumerate(zip(texts, self._between)):
            if len(text) > 1 and not text.strip(mark):
                ends[side] = int(self._columns(*span)[-side]) + side
                texts[side] = ""
        return (ends[1] - ends[0]) / (stretch.end - stretch.first)

    def _joined(self, texts: list[str], counts: list[int], size: float | None) -> str:
        space = SPACE * (0.7 * len(self.pixels) if size is None else size)
        said = ""
        for number, (text, (first, end)) in enumerate(zip(texts, self._between)):
            columns = self._columns(first, end)
            if text:
                sign = self._sign_before(first, end) if number > 0 and text[0].isalnum() else ""
                said += f"{sign} " if sign else " " if number > 0 and columns[0] - first > space else ""
                said += text
                said += " " if number < len(counts) and end - columns[-1] > space else ""
            if number < len(counts):
                said += self.rows[number][1] * counts[number]
        return said

    def _sign_before(self, first: int, end: int) -> str:
        """The full stop or comma that a text between two columns begins with, which a network overlooks there; or ""."""
        height, columns = len(self._inked), self._columns(first, end)
        breaks = np.flatnonzero(np.diff(columns) > 1)
        if not len(breaks):
            return ""
        left, right, beyond = columns[0], columns[breaks[0]] + 1, columns[breaks[0] + 1]
        inked = self._inked[int(ABOVE * height) : int(BELOW * height)]
        rows = np.flatnonzero(inked[:, left:right].any(axis=1))
        # The letters behind it stand on the baseline; a comma goes on below.
        along = inked[:, beyond : beyond + 3 * height].sum(axis=1)
        baseline = int(np.flatnonzero(along >= 0.4 * along.max())[-1])
        if rows[0] < baseline - HIGH * height:
            return ""
        sign = "," if rows[-1] > baseline + LOWER * height else "."
        return sign if sign in self.readable else ""

    def _columns(self, first: int, end: int) -> np.ndarray:
        height = len(self._inked)
        return np.flatnonzero(self._inked[int(ABOVE * height) : int(BELOW * height), first:end].any(axis=0)) + first

    def _piece(self, first: int, end: int) -> np.ndarray:
        """At a width that the network takes, paper to its right."""
        width = max(len(self.pixels), -(-(end - first) // WIDTH_STEP) * WIDTH_STEP)
        return np.pad(self.pixels[:, first:end], ((0, 0), (0, width - (end - first)), (0, 0)), mode="edge")


def joined(parts: Sequence[str]) -> str:
    """The text of a line from those of its parts: a blank between them, but none within a row of marks that was cut."""
    text = ""
    for part in parts:
        within = len(text) > 2 and text[-1] in MARKS and text[-3:] == 3 * text[-1] and part[:3] == text[-3:]
        text += part if within or not text else f" {part}"
    return text


def _sign_between(piece: str, read: str) -> str:
    """What a piece says stands between a row and the text behind it, where the first reading has that text alone."""
    read = read.strip()
    if not read or not piece.endswith(read):
        return ""
    sign = piece[: len(piece) - len(read)].strip()
    if len(sign) != 1 or sign not in CLOSING + "-":
        return ""
    return sign if sign in CLOSING else f" {sign}"


def leaders_in(pixels: np.ndarray, read: str, readable: str) -> Leaders | None:
    """The rules and leaders in uint8 pixels (H,W,3) of a line of which `read` was read; None where that shows none, or
    none is found. readable: the characters that may be read."""
    marks = [row.group(1) for row in ROW.finditer(read)]
    if not marks and "_" not in readable:
        return None
    height, found = len(pixels), stretches(pixels)
    if not marks:
        rows = [
            (one, "_")
            for one in found
            if one.end - one.first >= UNSEEN * height and one.solid > 0.9 and one.beside < BESIDE
        ]
    else:
        longest = sorted(sorted(found, key=lambda one: one.first - one.end)[: len(marks)], key=lambda one: one.first)
        named = marks if len(marks) == len(longest) else marks[:1] * len(longest)
        seen = [(one, _seen(one, mark, height, readable)) for one, mark in zip(longest, named)]
        rows = [(without_signs(one, mark, height), mark) for one, mark in seen]
    return Leaders(pixels, rows, readable) if rows else None


def _seen(stretch: Stretch, mark: str, height: int, readable: str) -> str:
    """The mark that was read, or a dot where underscores were read and the ink shows dots."""
    return "." if mark == "_" and "." in readable and dotted(stretch, height) else mark


def _recounted(
    text: str,
    read: list[re.Match],
    rows: list[tuple[Stretch, str]],
    counts: list[tuple[int, str] | None],
    whole: list[bool],
    texts: list[str],
) -> str:
    said, place = "", 0
    ends = [row.start() for row in read[1:]] + [len(text)]
    for row, end, (_, mark), told, all_found, behind in zip(read, ends, rows, counts, whole, texts[1:]):
        was = len(row.group())
        believed = told is not None and (mark == "_" or (all_found and mark in ".-") or 1 / OFF < told[0] / was < OFF)
        said += (
            text[place : row.start()]
            + mark * (told[0] if believed else was)
            + _sign_between(behind, text[row.end() : end])
        )
        place = row.end()
    return said + text[place:]
