"""Amounts that are written out in words: `Hai triệu tám trăm nghìn đồng chẵn`."""

from __future__ import annotations

from collections.abc import Sequence

from .page import Row
from .words import fold, starts_with

_DIGITS = {
    "khong": 0,
    "mot": 1,
    "hai": 2,
    "ba": 3,
    "bon": 4,
    "tu": 4,
    "nam": 5,
    "lam": 5,
    "nham": 5,
    "sau": 6,
    "bay": 7,
    "tam": 8,
    "chin": 9,
}
_SCALES = {"nghin": 1_000, "ngan": 1_000, "trieu": 1_000_000, "ty": 1_000_000_000, "ti": 1_000_000_000}
_FILLERS = ("linh", "le", "va")
_ENDS = ("dong", "vnd", "chan")
_LABELS = ("bang chu", "so tien bang chu", "viet bang chu", "so tien viet bang chu", "in words", "thanh chu")
MIN_WORDS = 2  # number words of an amount


def amount_in_words(rows: Sequence[Row]) -> int | None:
    """Find the amount that a page writes out behind a label for it, on one row or two.

    Args:
        rows: of the page, in reading order.

    Returns:
        The amount in đồng; None without one, or where a word of it was misread.
    """
    for index, row in enumerate(rows):
        folded = fold(row.text)
        if any(starts_with(folded, label) for label in _LABELS):
            follows = fold(rows[index + 1].text) if index + 1 < len(rows) else ""
            for text in (folded, f"{folded} {follows}"):
                value = _value(text.split())
                if value is not None:
                    return value
    return None


def _value(words: Sequence[str]) -> int | None:
    """Return the number that words spell up to `đồng`; None where one of them is no number word."""
    start = next((index for index, word in enumerate(words) if _is_number(word) and word not in _FILLERS), None)
    if start is None:
        return None
    end = next((index for index, word in enumerate(words) if index > start and word in _ENDS), None)
    if end is None or end - start < MIN_WORDS or not all(map(_is_number, words[start:end])):
        return None
    whole = group = 0
    digit: int | None = None
    least = 10**12
    for word in words[start:end]:
        if word in _DIGITS:
            digit = _DIGITS[word]
        elif word == "tram":
            group, digit = group + 100 * (digit or 0), None
        elif word == "muoi":
            group, digit = group + 10 * (1 if digit is None else digit), None
        elif word in _SCALES:
            if _SCALES[word] >= least:
                return None
            least = _SCALES[word]
            whole, group, digit = whole + (group + (digit or 0)) * least, 0, None
    return whole + group + (digit or 0)


def _is_number(word: str) -> bool:
    return word in _DIGITS or word in _SCALES or word in _FILLERS or word in ("tram", "muoi")
