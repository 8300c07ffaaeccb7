"""Where a line's picture holds a rule or a leader: a long stretch in which nothing stands but one row of marks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Lengths are in heights of the picture (× the height). All numbers were chosen on generated forms and receipts of
# another seed than the benchmark's.
MIN_LENGTH = 1.5  # × the height; a shorter stretch is not looked for
BAND = 0.17  # × the height; the rows that the marks of a stretch take
MAX_GAP = 0.6  # × the height; the widest blank between two marks
END_REACH = 0.8  # × the height; how far from its ends a stretch may run into what stands beside it
MAX_FOOT = 0.2  # × the height; what of a letter beside a stretch may look like a mark, as the foot of an A does
TAIL = 0.1  # × the height; how far below the marks the tail of a comma reaches
ABOVE, BELOW = 0.12, 0.94  # × the height; rows above and below are a neighbouring line's, or a frame's
PAPER_REACH = 8  # px to each side, of which the mean is the paper
MIN_INKED = 0.22  # share of a stretch's columns that are inked, at least
MIN_NOISE = 12.0  # grey levels; what differs less from the paper is no ink


@dataclass(frozen=True)
class Stretch:
    """Columns of a picture in which one band of rows alone is inked.

    Attributes:
        first: The first column.
        end: The column after the last.
        top: The first row of the band.
        bottom: The row after its last.
        profile: The ink of the band in each column, in grey levels, float32 (end - first,).
        centre: The row about which each column's ink lies, that of a comma's tail too, float32 (end - first,).
        beside: The share of the other columns in which a line goes on in the band, with paper above and below, as a
            frame's does under the text.
    """

    first: int
    end: int
    top: int
    bottom: int
    profile: np.ndarray
    centre: np.ndarray
    beside: float

    @property
    def solid(self) -> float:
        """The share of the columns that are inked: about a third in a dotted leader, all in a rule."""
        return float((self.profile > 0.5 * np.percentile(self.profile, 90)).mean())


def ink(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part a picture into ink and paper.

    Args:
        pixels: A line, uint8 (H,W,3).

    Returns:
        How far each pixel stands out from the paper around it, in grey levels, float32 (H,W); where that is ink,
        bool (H,W).
    """
    grey = pixels.astype(np.float32).mean(axis=2)
    off = grey - _box_mean(grey)
    if (off * off * off).sum() < 0:  # the few pixels that are far off are darker: dark ink on lighter paper
        off = -off
    high = percentile(off, 99)
    # Noise differs from one pixel to the next; paper and most of the ink do not. The factors are those of a normal
    # distribution.
    noise = 1.48 * np.median(np.abs(grey[:, 1:-1] - (grey[:, :-2] + grey[:, 2:]) / 2)) / math.sqrt(1.5)
    return off, off > max(0.3 * high, 2.5 * noise, MIN_NOISE)


def percentile(values: np.ndarray, percent: float) -> float:
    """What `np.percentile` gives of numbers of any shape, without the import of numpy.ma that its first call makes.

    Every line is looked at with it, and that import takes half as long as the network does for a line.
    """
    at = percent / 100 * (values.size - 1)
    low = int(at)
    high = min(low + 1, values.size - 1)
    ordered = np.partition(values, (low, high), axis=None)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (at - low))


def stretches(pixels: np.ndarray) -> list[Stretch]:
    """The rules and leaders in a line's pixels, uint8 (H,W,3), from left to right; none is shorter than MIN_LENGTH."""
    off, inked = ink(pixels)
    height = len(inked)
    above, below = int(ABOVE * height), int(BELOW * height)
    inked[_frame(inked, above, below)] = False
    thick = max(2, round(BAND * height))
    ink_above = np.pad(inked.cumsum(axis=0, dtype=np.int16), ((1, 0), (0, 0)))  # row r: how many pixels above it
    stretches_of_bands = [
        (end - first, first, end, top, float(np.maximum(off[top : top + thick, first:end], 0).sum()))
        for top in range(int(0.15 * height), height - thick + 1)
        for first, end in _clear(ink_above, top, thick, above, below)
    ]
    kept: list[Stretch] = []
    for length, first, end, *_ in sorted(stretches_of_bands, reverse=True):
        if any(first < other.end and end > other.first for other in kept):
            continue
        # The same marks lie in several rows' bands: of those about as long, the band that holds most of their ink.
        alike = [one for one in stretches_of_bands if one[1] < end and one[2] > first and one[0] >= 0.9 * length]
        _, first, end, top, _ = max(alike, key=lambda one: one[4])
        trimmed = _trimmed(inked, ink_above, first, end, top, thick, above, below)
        if trimmed is not None:
            first, end = trimmed
            profile = np.maximum(off[top : top + thick, first:end], 0).sum(axis=0)
            centre = _centre(off[max(top - 1, 0) : top + thick + round(TAIL * height), first:end], max(top - 1, 0))
            kept.append(Stretch(first, end, top, top + thick, profile, centre, _beside(off, first, end, top, thick)))
    return sorted(kept, key=lambda stretch: stretch.first)


def _box_mean(grey: np.ndarray) -> np.ndarray:
    side = 2 * PAPER_REACH + 1
    sums = np.pad(
        np.pad(grey, PAPER_REACH, mode="edge").astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0))
    )
    return ((sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) / side**2).astype(
        np.float32
    )


def _frame(inked: np.ndarray, above: int, below: int) -> np.ndarray:
    """Rows of a frame's line, bool (H,): inked under the text too, all along the picture."""
    height = len(inked)
    text = inked[above:below].sum(axis=0) >= 0.22 * height
    if text.sum() < height:  # too little text to tell
        return np.zeros(height, dtype=bool)
    along = inked.mean(axis=1)
    frame = (inked[:, text].mean(axis=1) > 0.85) & (along > 0.75)
    return frame | (np.append(frame[1:], False) & (along > 0.5))  # and its blurred upper edge


def _other(ink_above: np.ndarray, top: int, thick: int, above: int, below: int) -> np.ndarray:
    """How many pixels of each column are inked outside the band of rows and its blurred edges."""
    over = ink_above[max(top - 1, above)] - ink_above[above]
    return over + ink_above[below] - ink_above[min(top + thick + 1, below)]


def _clear(ink_above: np.ndarray, top: int, thick: int, above: int, below: int) -> Iterator[tuple[int, int]]:
    """Each long stretch with ink in this band of rows and next to none elsewhere: first column, one after the last."""
    height = len(ink_above) - 1
    band = ink_above[top + thick] > ink_above[top]
    free = (_other(ink_above, top, thick, above, below) <= 1).astype(np.float32)
    clear = np.convolve(free, np.full(5, 0.2, dtype=np.float32), mode="same") >= 0.75  # one noisy column in five may be
    columns = np.flatnonzero(clear & band)
    if len(columns) < 2:
        return
    blocked = np.cumsum(~clear)[columns]
    apart = (np.diff(columns) > MAX_GAP * height) | (np.diff(blocked) > 0)
    for first, end in zip(columns[np.append(True, apart)], columns[np.append(apart, True)] + 1):
        if end - first >= MIN_LENGTH * height and band[first:end].mean() >= MIN_INKED:
            yield int(first), int(end)


def _trimmed(
    inked: np.ndarray, ink_above: np.ndarray, first: int, end: int, top: int, thick: int, above: int, below: int
) -> tuple[int, int] | None:
    """The stretch without letters or signs at its ends; None where too little is left."""
    height = len(inked)
    from_, to = max(first - 2, 0), end + 2  # what stands right beside it too
    blocked = np.flatnonzero(_other(ink_above, top, thick, above, below)[from_:to] >= 2) + from_
    reach = int(END_REACH * height)
    begun, ended = blocked[blocked < first + reach], blocked[blocked >= end - reach]
    band: np.ndarray = np.any(inked[top : top + thick], axis=0)
    if len(begun):
        first = max(first, int(begun[-1]) + 1 + _foot(band[begun[-1] + 1 :], height))
    if len(ended):
        end = min(end, int(ended[0]) - _foot(band[: ended[0]][::-1], height))
    columns = np.flatnonzero(band[first:end]) + first
    if len(columns) < 2 or columns[-1] + 1 - columns[0] < 0.8 * MIN_LENGTH * height:
        return None
    return int(columns[0]), int(columns[-1]) + 1


def _centre(off: np.ndarray, top: int) -> np.ndarray:
    ink_of = np.maximum(off, 0)
    rows = np.arange(top, top + len(off), dtype=np.float32)[:, None]
    return (ink_of * rows).sum(axis=0) / np.maximum(ink_of.sum(axis=0), 1e-6)


def _beside(off: np.ndarray, first: int, end: int, top: int, thick: int) -> float:
    row = top + int(np.argmax(off[top : top + thick, first:end].mean(axis=1)))
    others = np.delete(off, np.s_[first:end], axis=1)
    if not others.size:
        return 0.0
    line = others[max(row - 1, 0) : row + 2].max(axis=0)
    around = others[max(row - 3, 0)]
    if row + 3 < len(off):
        around = np.maximum(around, others[row + 3])
    return float((line - around > 0.25 * off[row, first:end].mean()).mean())


def _foot(band: np.ndarray, height: int) -> int:
    """How many columns beside a letter are the letter's: inked ones, where they are few."""
    blank = np.flatnonzero(~band[: int(MAX_FOOT * height) + 1])
    return int(blank[0]) if len(blank) else 0
