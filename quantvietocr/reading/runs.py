"""Runs of one character, as `########` or `0000`: how many there are, counted in the picture.

Attention finds its way by what it sees, and within a run every character looks like the next: a decoder says one too
many or too few, and is as sure as ever. The picture tells: moved by one character, a run lies on itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from .confidence import LineText
from .leaders.find import ink

RUN = re.compile(r"([^\s_])\1{3,}")  # shorter runs are counted right
ALNUM_BEFORE, ALNUM_BEHIND = re.compile(r"[^\W_]*$"), re.compile(r"[^\W_]*")
MIN_UNVERIFIED = 5  # characters: a run so long that the picture does not confirm is in doubt
OVERSAMPLING = 4  # × the picture's columns, at which it is moved
MIN_PERIOD, MAX_PERIOD = 0.12, 1.3  # × the height: the advance of a character
MAX_DIFFERENCE = 0.45  # of the ink of both: what differs more, moved by one character, is no run
INKED = 0.45  # of the ink's level: a column with so much of it somewhere is inked
MAX_COUNT_RATIO = 1.6  # a count so many times above or below the one that was read is of something else
MAX_PARTS = 5  # characters: a move by more of them is not taken for one by a single one
MAX_OFF_PERIOD = 0.04  # × the move: how far from a half or a third of it a shorter move may lie
MIN_SHORTER_GAIN = 0.66  # × what the longer move lays on itself, for the shorter one to be taken
FINEST = 1.04  # × the period: what it is searched in again, by longer moves
UNVERIFIED_CHANCE = 0.6  # that a long run's count is right where the picture does not tell
CORRECTED_CHANCE = 0.8  # that a count is right where the picture tells another than was read


def recounted(pixels: np.ndarray, line: LineText) -> LineText:
    """Count the characters of a run in the picture.

    Args:
        pixels: The line, uint8 (H,W,3).
        line: How it was read.

    Returns:
        The line with the counted characters, and with less confidence where the picture and the reading differ, or
        where it does not tell.
    """
    runs = list(RUN.finditer(line.text))
    if not runs:
        return line
    longest = max(len(run.group()) for run in runs)
    run = runs[0]
    beside = _beside(line.text, run) if run.group(1).isalnum() else 0
    counted = count_in(pixels, longest, longest + beside) if len(runs) == 1 else None
    if counted is None:
        chance = UNVERIFIED_CHANCE if longest >= MIN_UNVERIFIED else 1.0
        return LineText.of_parts(line.text, [line], chance)
    if counted == longest:
        return line
    if beside:
        # Letters or digits that are as wide may look enough like those of the run to be counted with them.
        explained = longest < counted <= longest + beside
        return line if explained else LineText.of_parts(line.text, [line], UNVERIFIED_CHANCE)
    text = line.text[: run.start()] + run.group(1) * counted + line.text[run.end() :]
    return LineText.of_parts(text, [line], CORRECTED_CHANCE)


def _beside(text: str, run: re.Match) -> int:
    """How many letters and digits stand in one word with a run, before and behind it."""
    matches = ALNUM_BEFORE.search(text[: run.start()]), ALNUM_BEHIND.match(text[run.end() :])
    return sum(len(match.group()) for match in matches if match is not None)


def count_in(pixels: np.ndarray, fewest: int, most: int) -> int | None:
    """Count the characters of a line's run.

    Args:
        pixels: The line, uint8 (H,W,3).
        fewest: How many characters it seems to have.
        most: Likewise, with those beside it that may look like it.

    Returns:
        How many there are; None where no part of the picture repeats itself about so often.
    """
    height, width = pixels.shape[:2]
    off, inked = ink(pixels)
    level = np.percentile(off[inked], 80) if inked.any() else 0.0
    if not level:
        return None
    fine = np.arange(width * OVERSAMPLING) / OVERSAMPLING
    strokes = _columns(_softened(np.clip(off / level, 0, 1)), fine)
    shifts = range(round(MIN_PERIOD * height * OVERSAMPLING), round(MAX_PERIOD * height * OVERSAMPLING))
    repeated = {shift: _repeated(strokes, shift) for shift in shifts if shift < 0.5 * strokes.shape[1]}
    shift = _shortest(repeated)
    if shift is None:
        return None
    _, first, end = repeated[shift]
    part = strokes[:, first : end + shift]
    columns = np.flatnonzero(part.max(axis=0) > INKED)
    if not len(columns):
        return None
    part = part[:, columns[0] : columns[-1] + 1]
    inked_share = float((part.max(axis=0) > INKED).mean())
    count = round(part.shape[1] / _refined(part, shift) + 1 - inked_share)
    return count if fewest / MAX_COUNT_RATIO < count < most * MAX_COUNT_RATIO else None


def _softened(picture: np.ndarray) -> np.ndarray:
    """A picture (H,W) blurred along its rows, so that it matters less where in a column a stroke's edge lies."""
    wide = np.pad(picture, ((0, 0), (1, 1)), mode="edge")
    return (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4


def _columns(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A picture (H,W) at columns between its own, float32 (H, len(at))."""
    low = np.clip(at.astype(np.int64), 0, picture.shape[1] - 2)
    share = np.clip(at - low, 0, 1).astype(np.float32)
    return picture[:, low] * (1 - share) + picture[:, low + 1] * share


def _repeated(strokes: np.ndarray, shift: int) -> tuple[float, int, int]:
    """The part that lies best on itself when it is moved.

    Args:
        strokes: Ink from 0 to 1, float32 (H,W).
        shift: Columns by which it is moved.

    Returns:
        How much ink lies on itself, and the first column and the one after the last that do.
    """
    here, there = strokes[:, :-shift], strokes[:, shift:]
    gain = MAX_DIFFERENCE * np.maximum(here, there).sum(axis=0) - np.abs(here - there).sum(axis=0)
    sums = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(sums)
    end = int(np.argmax(sums - lowest))
    first = int(np.argmin(sums[: end + 1]))
    return float(sums[end] - sums[first]), first, end


def _shortest(repeated: dict[int, tuple[float, int, int]]) -> int | None:
    """The move by one character, of those by any number of columns; None where none lays a part on itself.

    A move by two or three characters may do it better by chance, where their period is no whole number of columns.
    """
    best = max(repeated, key=lambda shift: repeated[shift][0], default=0)
    if not best or repeated[best][0] <= 0:
        return None
    for parts in range(MAX_PARTS, 1, -1):
        near = [shift for shift in repeated if abs(parts * shift - best) <= MAX_OFF_PERIOD * best]
        shift = max(near, key=lambda shift: repeated[shift][0], default=best)
        if repeated[shift][0] > MIN_SHORTER_GAIN * repeated[best][0]:
            return shift
    return best


def _refined(part: np.ndarray, shift: int) -> float:
    """The period of a part that repeats itself about every `shift` columns: moves by several of them tell it better."""
    moves = max(1, part.shape[1] // shift // 2)
    candidates: Sequence[int] = range(round(moves * shift / FINEST), round(moves * shift * FINEST) + 1)
    differences = [np.abs(part[:, :-move] - part[:, move:]).mean() for move in candidates if move < part.shape[1]]
    return candidates[int(np.argmin(differences))] / moves if differences else float(shift)
