"""What Vietnamese receipts print: amounts of money, dates and labels, with the errors of a recogniser in mind."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from functools import cache

from ..metrics.edits import edit_distance, fold_diacritics

# Letters that a digit is taken for, inside numbers only.
_DIGITS = str.maketrans("OoQDIl|SsBZ", "00001115582")
_LOOK = r"[\dOoQDIl|SsBZ]"
_GROUPED = rf"\d{_LOOK}{{0,2}}(?:\s?[.,'’]\s?{_LOOK}{{3}})+(?!{_LOOK})"
_SPACED = r"(?<!\d )\d{1,3}(?: \d{3})+(?!\d)"
_PLAIN = r"(?:\d{4,9}|(?<!\d )\d{3})(?!\d)"
_UNIT = r"(?:(?:VND|VNĐ|vnd|vnđ|Vnd|Vnđ|đồng|dong|₫|đ|Đ|d)(?!\w))"
# A number, decimals of nothing (45,000.00), perhaps a unit. A k for thousands is taken with a short number only.
_MONEY = re.compile(
    rf"(?<![\w.,/:-])(?P<sign>-\s?)?(?:(?P<thousands>\d{{1,4}})\s?[kK](?!\w)|"
    rf"(?P<number>{_GROUPED}|{_SPACED}|{_PLAIN})(?:[.,]00?(?!\d))?)"
    rf"(?![/:-]?\d)\s*(?P<unit>{_UNIT})?"
)

_DATE = re.compile(
    r"(?<!\d)(?P<day>\d{1,2})\s?(?P<mark>[/.-])\s?(?P<month>\d{1,2})\s?(?P=mark)\s?"
    r"(?P<year>\d{4}|\d{2})(?!\d)"
)
_ISO_DATE = re.compile(
    r"(?<!\d)(?P<year>\d{4})\s?(?P<mark>[/.-])\s?(?P<month>\d{1,2})\s?(?P=mark)\s?(?P<day>\d{1,2})(?!\d)"
)
_WORDED = re.compile(
    r"\bng\w{1,2}\s*(?P<day>\d{1,2})\s*th\w{2,3}\s*(?P<month>\d{1,2})\s*n\w{1,2}\s*(?P<year>\d{4})", re.I
)
_TIME = re.compile(
    r"(?<![\d.,])(?P<hour>[01]?\d|2[0-3])\s?[:hH]\s?(?P<minute>[0-5]\d)(?:\s?[:mp]\s?(?P<second>[0-5]\d))?"
    r"\s*(?P<half>[AaPp][Mm]|SA|CH)?(?!\d)"
)
MIN_YEAR = 1990  # a date before is misread


@dataclass(frozen=True)
class Amount:
    """An amount of money in a text.

    Attributes:
        value: in đồng.
        start: index of its first character.
        end: index behind its last character.
        marked: whether a unit or groups of three digits mark it as money.
    """

    value: int
    start: int
    end: int
    marked: bool


def amounts(text: str) -> list[Amount]:
    """Find the amounts of money in a text.

    Groups of three digits may be parted by a point, a comma, an apostrophe or a space. A bare number counts from three
    digits.

    Args:
        text: of a row, a line or a word.

    Returns:
        The amounts, left to right.
    """
    values = []
    for match in _MONEY.finditer(text):
        if match["thousands"]:
            value, marked = int(match["thousands"]) * 1000, True
        else:
            digits = re.sub(r"\D", "", match["number"].translate(_DIGITS))
            value, marked = int(digits), bool(match["unit"]) or len(digits) < len(match["number"])
            if digits[0] == "0" and len(digits) > 1:  # a code or a telephone number
                continue
        values.append(Amount(-value if match["sign"] else value, match.start(), match.end(), marked))
    return values


def find_date(text: str) -> tuple[str, int, int] | None:
    """Find the first date of a text that the calendar has. Days come before months.

    Args:
        text: of a row.

    Returns:
        The date as ISO 8601, and where it starts and ends in the text; None where there is none.
    """
    for pattern in (_WORDED, _ISO_DATE, _DATE):
        for match in pattern.finditer(text):
            year = int(match["year"])
            year += 2000 if year < 100 else 0
            try:
                date = datetime.date(year, int(match["month"]), int(match["day"]))
            except ValueError:
                continue
            if date.year >= MIN_YEAR:
                return date.isoformat(), match.start(), match.end()
    return None


def find_time(text: str) -> str | None:
    """Find the first time of day of a text: "18:05", with seconds where they are printed; None where there is none."""
    match = _TIME.search(text)
    if match is None:
        return None
    hour = int(match["hour"])
    if match["half"] and hour <= 12:
        hour = hour % 12 + (12 if match["half"].upper() in ("PM", "CH") else 0)
    return f"{hour:02d}:{match['minute']}" + (f":{match['second']}" if match["second"] else "")


@cache
def fold(text: str) -> str:
    """Keep letters and digits alone, small, without marks, words a space apart: `Tổng  CỘNG:` gives `tong cong`."""
    return " ".join(re.findall(r"[a-z0-9]+", fold_diacritics(text).lower()))


def starts_with(text: str, label: str) -> bool:
    """Whether a folded text begins with a folded label, give or take one error in six letters."""
    return any(_alike(head, label) for head in _heads(text, label))


def holds(text: str, label: str) -> bool:
    """Whether a folded label stands anywhere in a folded text, from a word on, with the same tolerance."""
    words = text.split()
    return any(starts_with(" ".join(words[index:]), label) for index in range(len(words)))


def _heads(text: str, label: str) -> set[str]:
    """Return beginnings of a text to compare with a label: as many words, or one more or less for a misread space."""
    words, count = text.split(), len(label.split())
    return {" ".join(words[:size]) for size in (count - 1, count, count + 1) if 0 < size <= len(words)}


def _alike(head: str, label: str) -> bool:
    head, label = head.replace(" ", ""), label.replace(" ", "")
    allowed = len(label) // 6
    return abs(len(head) - len(label)) <= allowed and (head == label or edit_distance(head, label) <= allowed)
