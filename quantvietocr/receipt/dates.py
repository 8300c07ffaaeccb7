"""Dates and times of day in a text, with the errors of a recogniser in mind."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

MIN_YEAR, MAX_YEAR = 1990, 2079  # a date before or after is misread

_D = r"[\dOoIl|]"  # letters that a digit is taken for
_DIGITS = str.maketrans("OoIl|", "00111")
_ORDERED = re.compile(
    rf"(?<!\d)(?<!\d[/.-])(?P<first>{_D}{{1,2}})\s?(?P<mark>[/.-])\s?(?P<second>{_D}{{1,2}})\s?(?P=mark)\s?"
    rf"(?P<year>{_D}{{4}}|{_D}{{2}})(?!\d)(?!(?P=mark)\d)"
)
_ISO = re.compile(
    r"(?<!\d)(?<!\d[/.-])(?P<year>\d{4})\s?(?P<mark>[/.-])\s?(?P<month>\d{1,2})\s?(?P=mark)\s?(?P<day>\d{1,2})(?!\d)"
    r"(?!(?P=mark)\d)"
)
_NOTE = r"(?:\([^)]{1,8}\)\s*)?"  # a translation: Ngày (Date) 02 tháng (month) 03
_WORDED = re.compile(
    rf"\b(?:ng\w{{1,2}}\s*{_NOTE})?(?P<day>\d{{1,2}})\s*(?:th\w{{2,3}}|thg|th)\.?\s*{_NOTE}(?P<month>\d{{1,2}})[,\s]*"
    rf"(?:n\w{{1,2}}\s*{_NOTE})?(?P<year>\d{{4}})(?!\d)",
    re.I,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]{{0,6}}\.?"
_ENGLISH = re.compile(
    rf"(?<![\w])(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s/.-]*{_NAME}[\s,/.-]*(?P<year>\d{{4}}|\d{{2}})(?![\d:])", re.I
)
_AMERICAN = re.compile(
    rf"(?<![\w]){_NAME}[\s./-]*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[\s,/.-]+(?P<year>\d{{4}})(?!\d)", re.I
)
_COMPACT = re.compile(r"(?P<year>20\d{2})(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])")
_COMPACT_DAY_FIRST = re.compile(r"(?<!\d)(?P<day>0[1-9]|[12]\d|3[01])(?P<month>0[1-9]|1[0-2])(?P<year>20\d{2})(?!\d)")
_HALF = r"[AaPp]\.?\s?[Mm]\b\.?|SA\b|CH\b|sáng|trưa|chiều|tối|sang\b|trua\b|chieu|toi\b"
_TIME = re.compile(
    r"(?<![\d.,:/])(?P<hour>[01]?\d|2[0-3])\s?(?::|[hHgG](?![a-z])|gi[ờo]|giò)\s?(?P<minute>[0-5]\d)"
    r"(?:\s?(?:[:mp]|phút|phut)\s?(?P<second>[0-5]\d)(?!\d))?"
    rf"\s*(?P<half>{_HALF})?(?!\d)",
    re.I,
)
# Where a word says which half of the day it is, or that minutes are minutes: 7h sáng, 6.05 PM, 11 giờ 5 phút.
_LOOSE_TIME = re.compile(
    r"(?<![\d.,:/])(?P<hour>[01]?\d|2[0-3])(?:"
    rf"(?:\.(?P<minute>[0-5]\d)|\s?(?:h|g|gi[ờo]|giò))\s*(?P<half>{_HALF})|"
    r"\s?(?:h|g|gi[ờo]|giò)\s?(?P<spoken>[0-5]?\d)\s?(?:phút|phut|p)(?![a-z]))",
    re.I,
)
_AFTERNOON = ("pm", "ch", "trưa", "chiều", "tối", "trua", "chieu", "toi")


@dataclass(frozen=True)
class PrintedDate:
    """A date in a text.

    Attributes:
        start: index of its first character.
        end: index behind its last character.
        day_first: the date if the day comes first, or if there is no doubt; None where the calendar lacks it.
        month_first: the date if the month comes first; None where the calendar lacks it, or if there is no doubt.
    """

    start: int
    end: int
    day_first: datetime.date | None
    month_first: datetime.date | None

    @property
    def is_ambiguous(self) -> bool:
        """Whether the two orders give two dates."""
        return None not in (self.day_first, self.month_first) and self.day_first != self.month_first

    def value(self, month_first: bool = False) -> datetime.date:
        """Return the date in that order, in the other one where the calendar lacks it."""
        dates = (self.month_first, self.day_first) if month_first else (self.day_first, self.month_first)
        date = next((date for date in dates if date), None)
        if date is None:
            raise ValueError("a PrintedDate has a date in one order at least")
        return date


def dates_in(text: str) -> list[PrintedDate]:
    """Find the dates of a text that the calendar has.

    Args:
        text: of a row.

    Returns:
        The dates, left to right; none overlaps another.
    """
    found: list[PrintedDate] = []
    for pattern in (_WORDED, _ENGLISH, _AMERICAN, _ISO, _ORDERED):
        for match in pattern.finditer(text):
            if all(match.end() <= other.start or other.end <= match.start() for other in found):
                found += _orders(match, pattern is _ORDERED)
    return sorted(found, key=lambda date: date.start)


def compact_dates(text: str) -> list[datetime.date]:
    """Find the dates that stand as eight digits in longer numbers, as in that of a bill: 20200305 in 20200305017."""
    dates = (_date(match["year"], match["month"], match["day"]) for match in _COMPACT.finditer(text))
    return [date for date in dates if date]


def has_date(text: str) -> bool:
    """Whether a text has a date that the calendar has."""
    return bool(dates_in(text))


def day_first_compact(text: str) -> list[datetime.date]:
    """Find the dates that stand as eight digits alone, the year last: 05032020."""
    dates = (_date(match["year"], match["month"], match["day"]) for match in _COMPACT_DAY_FIRST.finditer(text))
    return [date for date in dates if date]


def find_time(text: str) -> str | None:
    """Find the first time of day of a text: "18:05", with seconds where they are printed; None where there is none."""
    match = _TIME.search(text)
    if match:
        minute, second = match["minute"], match["second"]
    elif match := _LOOSE_TIME.search(text):
        minute, second = (match["minute"] or match["spoken"] or "0").zfill(2), None
    else:
        return None
    hour, half = int(match["hour"]), re.sub(r"[.\s]", "", match["half"] or "").lower()
    if half and hour <= 12:
        is_noon = half in ("trưa", "trua") and hour >= 10
        hour = hour if is_noon else hour % 12 + (12 if half in _AFTERNOON else 0)
    return f"{hour:02d}:{minute}" + (f":{second}" if second else "")


def _orders(match: re.Match[str], ordered: bool) -> list[PrintedDate]:
    """Return the date of a match, as a list of one or none."""
    parts = match.groupdict()
    if ordered:
        first, second, year = (parts[name].translate(_DIGITS) for name in ("first", "second", "year"))
        if not any(map(str.isdigit, match[0])):
            return []
        dates = _date(year, second, first), _date(year, first, second)
    else:
        month = parts.get("month") or str(_MONTHS.index(parts["name"].lower()) + 1)
        dates = _date(parts["year"], month, parts["day"]), None
    return [PrintedDate(match.start(), match.end(), *dates)] if any(dates) else []


def _date(year: str, month: str, day: str) -> datetime.date | None:
    number = int(year) + (2000 if len(year) == 2 else 0)
    try:
        date = datetime.date(number, int(month), int(day))
    except ValueError:
        return None
    return date if MIN_YEAR <= date.year <= MAX_YEAR else None
