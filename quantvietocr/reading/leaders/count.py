"""How many marks a rule or a leader is made of, by the period of its ink or the size of the letters beside it."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import numpy as np

from .find import ABOVE, BELOW, Stretch

# Advance widths of Helvetica, in thousandths of its size (Adobe's Core 14 font metrics, Helvetica.afm). Proportions
# between characters are much the same in other text faces; marks of letters add nothing.
_HELVETICA = {
    191: "'|",
    222: "ijl",
    278: " .,:;/\\!ftI[]·",
    333: "()-r`",
    389: "*",
    355: '"',
    500: "ckstvxyzJ",
    556: "abdđeghnopquL0123456789_$?#",
    584: "+=<>~",
    611: "FTZ",
    667: "ABEKPSVXY&",
    722: "CDĐHNRUw",
    778: "GOQ",
    833: "mM",
    889: "%",
    944: "W",
    1000: "…–—",
    1015: "@",
}
ADVANCE = {char: width / 1000 for width, chars in _HELVETICA.items() for char in chars}
DEFAULT_ADVANCE = 0.556  # × the size of the letters, of a character that is not in the table
MAX_LETTER_GAP = 0.35  # × the height; a wider blank is one between words, or a tab
UNDERSCORE_WIDTH = 0.85  # × its advance in the table, as in faces with Vietnamese letters, beside their letters
MAX_PERIOD = 0.9  # × the height; the greatest period of marks
MAX_PERIODS = dict.fromkeys("-=", 1.6)  # × the height; greater, as a line of these alone is cut out closely
MIN_PERIOD = 0.07  # × the height; the least period of marks
WIDE_GAP = 0.5  # × the period; how much wider than between two marks the blank before a sign is
MAX_SIGN_WIDTH = 0.2  # × the height; of a full stop or a comma
COMMA_DROP = 0.025  # × the height; how much lower than a dot's the middle of a comma is
OVERSAMPLING = 16  # × the picture's columns; how finely a period is told

#: The chance that a count is right, by what tells it; measured on generated forms and receipts.
COUNT_CHANCES = {"period": 0.8, "joints": 0.6, "letters": 0.3}


def size_of_letters(inked: np.ndarray, texts: list[tuple[str, int, int]]) -> float | None:
    """The size of a line's letters.

    Args:
        inked: Where the line has ink, bool (H,W).
        texts: (text, first column, the one after the last) of each piece of the line.

    Returns:
        Pixels per em of the font; None where there is too little text.
    """
    height = len(inked)
    wide = advances = 0.0
    for text, first, end in texts:
        chars = [char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char) and char != " "]
        columns = np.flatnonzero(inked[int(ABOVE * height) : int(BELOW * height), first:end].any(axis=0))
        if len(chars) < 3 or len(columns) < 2:
            continue
        steps = np.diff(columns)
        wide += float(steps[steps <= MAX_LETTER_GAP * height].sum()) + 1
        advances += sum(ADVANCE.get(char, DEFAULT_ADVANCE) for char in chars)
    return wide / advances if advances > 1.2 else None


def count(stretch: Stretch, mark: str, size: float | None, height: int) -> tuple[int, str] | None:
    """Count the marks of a stretch.

    Args:
        stretch: The stretch.
        mark: What it is made of.
        size: Pixels per em of the letters beside it; None where that is not known.
        height: The picture's, in pixels.

    Returns:
        How many marks there are, at least 1, and what told it (`COUNT_CHANCES`); None where nothing tells it.
    """
    profile, solid = stretch.profile, stretch.solid
    advance = (
        None if size is None else size * ADVANCE.get(mark, DEFAULT_ADVANCE) * (UNDERSCORE_WIDTH if mark == "_" else 1.0)
    )
    period, strength, _ = _period(profile, MIN_PERIOD * height, MAX_PERIODS.get(mark, MAX_PERIOD) * height, height)
    if mark != "_":
        if advance is not None and strength < 0.5:
            nearer, its_strength, _ = _period(profile, 0.5 * advance, 1.9 * advance, height)
            if its_strength > 0.7 * strength:
                period, strength = nearer, its_strength
        return (_fitting(len(profile), period, solid), "period") if strength > 0.4 else None
    if strength > 0.5 and solid < 0.93 and (advance is None or 0.5 < period / advance < 1.8):
        return _fitting(len(profile), period, solid), "period"
    if advance is None:
        return None
    # A solid rule is still a little lighter or darker where two underscores meet.
    period, _, height_of_peak = _period(profile, 0.72 * advance, 1.38 * advance, height)
    if height_of_peak > 6:
        return _fitting(len(profile), period, solid), "joints"
    return max(1, round(len(profile) / advance)), "letters"


def without_signs(stretch: Stretch, mark: str, height: int) -> Stretch:
    """The stretch less a single sign beside its row: a dash behind a space, a comma behind dots."""
    profile = stretch.profile
    columns = np.flatnonzero(profile > 0.4 * np.percentile(profile, 90))
    breaks = np.flatnonzero(np.diff(columns) > 1)
    if mark == "_":
        if stretch.solid > 0.9 and len(breaks) and len(columns) - 1 - breaks[-1] < MAX_SIGN_WIDTH * height:
            return _cut(stretch, 0, int(columns[breaks[-1]]) + 1)
        return stretch
    period, strength, _ = _period(profile, MIN_PERIOD * height, MAX_PERIODS.get(mark, MAX_PERIOD) * height, height)
    if strength < 0.4 or len(breaks) < 4:
        return stretch
    firsts, ends = columns[np.append(0, breaks + 1)], columns[np.append(breaks, len(columns) - 1)] + 1
    blanks = firsts[1:] - ends[:-1]
    wide = np.median(blanks) + WIDE_GAP * period
    begin, stop = int(blanks[0] > wide), len(firsts)
    if blanks[-1] > wide:
        stop -= 1
    elif mark == ".":
        low = [np.average(stretch.centre[a:b], weights=profile[a:b]) for a, b in zip(firsts[-5:], ends[-5:])]
        if low[-1] - np.median(low[:-1]) > COMMA_DROP * height:
            stop -= 1
    return _cut(stretch, int(firsts[begin]), int(ends[stop - 1]))


def _cut(stretch: Stretch, first: int, end: int) -> Stretch:
    return replace(
        stretch,
        first=stretch.first + first,
        end=stretch.first + end,
        profile=stretch.profile[first:end],
        centre=stretch.centre[first:end],
    )


def dotted(stretch: Stretch, height: int) -> bool:
    """Whether it is surely of dots or dashes, not a rule."""
    return stretch.solid < 0.6 and _period(stretch.profile, MIN_PERIOD * height, MAX_PERIOD * height, height)[1] > 0.65


def _fitting(length: float, period: float, inked: float) -> int:
    """Marks of this period in a length that begins with the first one's ink and ends with the last one's."""
    return max(1, round(length / period + 1 - inked))


def _period(profile: np.ndarray, shortest: float, longest: float, height: int) -> tuple[float, float, float]:
    """The strongest period of a profile between two bounds.

    Args:
        profile: The ink of each column, in grey levels, float32 (W).
        shortest: The least period, in columns.
        longest: The greatest, in columns.
        height: The picture's, in pixels.

    Returns:
        The period in columns; its share of the spectrum's power; its peak's height above the median between the
        bounds, 0 where it is at a bound. (1, 0, 0) where the profile is too short to tell.
    """
    length, side = len(profile), 2 * (int(max(height, 1.25 * longest)) // 2) + 1
    drift = np.convolve(np.pad(profile, side // 2, mode="edge"), np.ones(side) / side, mode="valid")
    power = np.abs(np.fft.rfft((profile - drift) * np.hanning(length), OVERSAMPLING * length)) ** 2
    frequency = np.arange(len(power)) / (OVERSAMPLING * length)
    within = np.flatnonzero((frequency > 1 / longest) & (frequency < min(1 / shortest, 0.49)))
    if len(within) < 3 or not power.sum():
        return 1.0, 0.0, 0.0
    peak = int(within[np.argmax(power[within])])
    reach = int(1.6 * OVERSAMPLING)  # the width of a peak under Hann's window
    share = float(power[max(0, peak - reach) : peak + reach + 1].sum() / power.sum())
    at_a_bound = max(power[within[0]], power[within[-1]]) > 0.7 * power[peak]
    return float(1 / frequency[peak]), share, 0.0 if at_a_bound else float(power[peak] / np.median(power[within]))
