"""Rules and leaders, as `_____` and `.....` in forms: what stands behind them, and how many marks they are made of.

Attention finds its way along a line by what it sees, and in a long row of equal marks every position looks like the
next: a decoder stops there, or leaves the row at any point. So the text on both sides is read by itself, and the marks
are counted in the picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...pictures.image import WIDTH_STEP
from ..confidence import NOTHING, LineText
from .count import COUNT_CHANCES, count, dotted, size_of_letters, without_signs
from .find import ABOVE, BELOW, Stretch, ink, stretches

MARKS = "_.-=*~·"
ROW = re.compile(rf"([{re.escape(MARKS)}])\1\1+")  # what a reader takes for a row of marks
STUB = re.compile("(?<!_)_{1,2}(?!_)")  # what may be read of a rule where the reader loses it
NO_TEXT = re.compile(rf"[{re.escape(MARKS)} ]")
MAX_STOP_HEIGHT = 0.16  # × the height; how far a full stop or a comma may rise above the baseline
MIN_COMMA_DEPTH = 0.04  # × the height; how far below the baseline a comma ends
CLOSING = ".,;:"  # signs that follow without a blank
MIN_UNREAD_RULE = 2.5  # × the height; a shorter rule is not looked for where no mark was read
MIN_STUB_RULE = 1.2  # × the height; three marks are so long, and a rule of which a mark or two was read is no shorter
MAX_BESIDE = 0.4  # share of the other columns; a line that goes on in more of them is a frame's, or an underline
MIN_SPACE = 0.2  # × the letters' size; a narrower blank is no space
LETTER_HEIGHT = 0.7  # × the height; the letters' size where none tells it
MIN_MORE_TEXT = 3  # characters; by so many more than at first, text was left out in the first reading
MAX_LESS_TEXT = 2  # characters that the pieces may have fewer beside a rule, which reads as text more easily
DEFAULT_LETTER_SIZE = 0.9  # × the height; assumed where a rule stands alone on its line
MAX_COUNT_RATIO = 1.5  # a count by a period, this many times above or below the decoded one, is not believed
EMPTY_WIDTH = 0.2  # × the height; in a narrower piece nothing is read
BASELINE_SHARE = 0.4  # of the most inked row; the lowest row inked so much is the baseline


@dataclass
class Leaders:
    """A line's picture with the stretches of marks in it.

    Attributes:
        pixels: The line, uint8 (H,W,3).
        rows: Each stretch of marks with its mark, from left to right.
        readable: The characters that may be read.
        pieces: The pictures of the text between the stretches, uint8 (H,W,3), at widths that the network takes.
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
        self._empty = [
            end - first < EMPTY_WIDTH * height or len(self._columns(first, end)) < 2 for first, end in self._between
        ]
        self.pieces = [self._piece(*span) for span, empty in zip(self._between, self._empty) if not empty]

    def reading(self, first: LineText, pieces: list[LineText]) -> LineText:
        """Put the line together.

        Args:
            first: How it was read as a whole.
            pieces: How each of `pieces` was read.
        """
        unread = iter(pieces)
        parts = [NOTHING if empty else next(unread) for empty in self._empty]
        texts = [part.text.strip() for part in parts]
        longer = self._longer(texts) if len(self.rows) == 1 else 1.0
        size = size_of_letters(self._inked, [(text, *span) for text, span in zip(texts, self._between)])
        if not any(texts) and self.rows[0][1] == "_":
            size = DEFAULT_LETTER_SIZE * len(self.pixels)
        counts = [count(stretch, mark, size, len(self.pixels)) for stretch, mark in self.rows]
        if longer > 1 and counts[0] is not None:
            counts = [(round(longer * counts[0][0]), counts[0][1])]
        rows_read = list(ROW.finditer(first.text))
        known = [one for one in counts if one is not None]
        if len(known) == len(counts) and (len(rows_read) != len(counts) or self._more_text(first.text, texts)):
            chance = float(np.prod([COUNT_CHANCES[how] for _, how in known]))
            return LineText.of_parts(self._joined(texts, [number for number, _ in known], size), parts, chance)
        if len(rows_read) != len(counts):
            return first
        # Marks in the text beside a stretch are the same row's, of which a part alone was found then.
        whole = [not any(ROW.search(text) for text in texts[index : index + 2]) for index in range(len(counts))]
        return replace(first, text=_recounted(first.text, rows_read, self.rows, counts, whole, texts))

    def _more_text(self, first: str, texts: list[str]) -> bool:
        """Whether the pieces hold text that the first reading left out."""
        before, after = len(NO_TEXT.sub("", first)), len(NO_TEXT.sub("", "".join(texts)))
        ruled = all(mark == "_" for _, mark in self.rows)
        return after >= before + (-MAX_LESS_TEXT if ruled else MIN_MORE_TEXT)

    def _longer(self, texts: list[str]) -> float:
        """How many times longer the row is than the part of it that was found.

        Texts of marks alone tell it, which are emptied.
        """
        stretch, mark = self.rows[0]
        ends = [stretch.first, stretch.end]
        for side, (text, span) in enumerate(zip(texts, self._between)):
            if len(text) > 1 and not text.strip(mark):
                ends[side] = int(self._columns(*span)[-side]) + side
                texts[side] = ""
        return (ends[1] - ends[0]) / (stretch.end - stretch.first)

    def _joined(self, texts: list[str], counts: list[int], size: float | None) -> str:
        """The texts with the rows of marks between them, and spaces where there is a blank."""
        space = MIN_SPACE * (LETTER_HEIGHT * len(self.pixels) if size is None else size)
        line = ""
        for number, (text, (first, end)) in enumerate(zip(texts, self._between)):
            columns = self._columns(first, end)
            if text:
                sign = self._sign_before(first, end) if number > 0 and text[0].isalnum() else ""
                line += f"{sign} " if sign else " " if number > 0 and columns[0] - first > space else ""
                line += text
                line += " " if number < len(counts) and end - columns[-1] > space else ""
            if number < len(counts):
                line += self.rows[number][1] * counts[number]
        return line

    def _sign_before(self, first: int, end: int) -> str:
        """The full stop or comma that a text between two columns begins with, or "". A network overlooks it there."""
        height, columns = len(self._inked), self._columns(first, end)
        breaks = np.flatnonzero(np.diff(columns) > 1)
        if not len(breaks):
            return ""
        left, right, beyond = columns[0], columns[breaks[0]] + 1, columns[breaks[0] + 1]
        inked = self._inked[int(ABOVE * height) : int(BELOW * height)]
        rows = np.flatnonzero(inked[:, left:right].any(axis=1))
        # The letters behind it stand on the baseline; a comma goes on below.
        along = inked[:, beyond : beyond + 3 * height].sum(axis=1)
        baseline = int(np.flatnonzero(along >= BASELINE_SHARE * along.max())[-1])
        if rows[0] < baseline - MAX_STOP_HEIGHT * height:
            return ""
        sign = "," if rows[-1] > baseline + MIN_COMMA_DEPTH * height else "."
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
    """Find the rules and leaders in a line.

    Args:
        pixels: The line, uint8 (H,W,3).
        read: What was read in it.
        readable: The characters that may be read.

    Returns:
        The leaders; None where the reading shows none, or the picture holds none.
    """
    marks = [row.group(1) for row in ROW.finditer(read)]
    if not marks and "_" not in readable:
        return None
    height, in_picture = len(pixels), stretches(pixels)
    if not marks:
        rows = [
            (one, "_")
            for one in in_picture
            if one.end - one.first >= MIN_UNREAD_RULE * height and one.solid > 0.9 and one.beside < MAX_BESIDE
        ]
    else:
        expected = len(marks) + (_unread_rules(read, marks, in_picture, height) if set(marks) == {"_"} else 0)
        longest = sorted(sorted(in_picture, key=lambda one: one.first - one.end)[:expected], key=lambda one: one.first)
        named = marks if len(marks) == len(longest) else marks[:1] * len(longest)
        seen = [(one, _seen(one, mark, height, readable)) for one, mark in zip(longest, named)]
        rows = [(without_signs(one, mark, height), mark) for one, mark in seen]
    return Leaders(pixels, rows, readable) if rows else None


def _unread_rules(read: str, marks: list[str], in_picture: Sequence[Stretch], height: int) -> int:
    """How many rules the picture shows beside those read as rows, of which the reader read a mark or two."""
    rules = [one for one in in_picture if one.end - one.first >= MIN_STUB_RULE * height and one.solid > 0.9]
    return min(len(STUB.findall(read)), max(0, len(rules) - len(marks)))


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
    """The first reading with the counted marks, each count where it is to be believed."""
    line, done = "", 0
    ends = [row.start() for row in read[1:]] + [len(text)]
    for row, end, (_, mark), counted, all_found, behind in zip(read, ends, rows, counts, whole, texts[1:]):
        number = was = len(row.group())
        if counted is not None:
            near = 1 / MAX_COUNT_RATIO < counted[0] / was < MAX_COUNT_RATIO
            if mark == "_" or (all_found and mark in ".-") or near:
                number = counted[0]
        line += text[done : row.start()] + mark * number + _sign_between(behind, text[row.end() : end])
        done = row.end()
    return line + text[done:]
