"""The date of a receipt: labelled before unlabelled, in the order of day and month that the page shows elsewhere."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..common.wordlists import entries
from .dates import PrintedDate, compact_dates, dates_in, day_first_compact, find_time
from .evidence import lines_at
from .labels import kind_of
from .page import Line, Row
from .words import fold, has_words, starts_with

# A date behind one of these says when something else is: goods expire, people are born, an offer begins.
_OTHERS = entries("""
    hsd | han su dung | han dung | nsx | ngay san xuat | ngay sinh | sinh nhat | birth | birthday | dob | exp | expiry
    expires | expiry date | exp date | best before | valid until | valid till | valid to | het han | ngay het han | mfg
    mfd | co gia tri den | gia tri den | su dung den | ngay cap | hieu luc | ngay hieu luc | ap dung | ap dung tu
    chuong trinh | khuyen mai | den het ngay | han thanh toan | due date | han doi tra | doi tra truoc | tich luy
    nam sinh | bao hanh den | hen tra | ngay hen | since | khai truong | thanh lap | ngay mo cua | mo cua ngay
    mo cua tu ngay | founded | established | est | grand opening
""")
_STAYS = ("check in", "check out", "checkin", "checkout", "arrival", "departure", "ngay den", "ngay di", "tu ngay")
_LABELS = entries("""
    ngay | date | luc | thoi gian | gio vao | gio ra | time | in luc | printed | ngay gio | invoice date | gio
""")
_TIME_LABELS = ("gio", "time", "luc", "vao luc", "thoi gian")
_UNPADDED = re.compile(r"(?<!\d)[1-9][/-]|[/-][1-9][/-]")
_COMMA_GROUPS, _POINT_GROUPS = re.compile(r"\d,\s?\d{3}(?!\d)"), re.compile(r"\d\.\s?\d{3}(?!\d)")
# A slip may be printed again, long after the sale.
_PRINTED = ("ngay in", "in luc", "in ngay", "printed", "print date", "date printed", "printed on", "print")
_OPENING = entries("""
    mo cua | gio mo cua | dong cua | open | opening hours | opening | hours | business hours | hoat dong | phuc vu
""")
THIS_YEAR = max(datetime.date.today().year, 2026)  # clocks may be behind
MAX_YEARS_AGO = 10  # a two-digit year further back may be the day of a date that begins with the year: 24-03-12
MAX_TIME_WORDS = 3  # of a row that may be a time without a label
MAX_TIME_ROWS = 2  # rows below the date's own in which its time may stand


@dataclass(frozen=True)
class ReceiptDate:
    """The date of a receipt.

    Attributes:
        value: ISO 8601, with the time where it is printed.
        lines: that hold it.
        is_sure: whether the page leaves no doubt which number is the month.
    """

    value: str
    lines: list[Line]
    is_sure: bool


@dataclass(frozen=True)
class _Dated:
    index: int
    row: Row
    date: PrintedDate
    rank: int  # 3 labelled, 2 of printing, 1 unlabelled, 0 of a stay


def date_of(rows: Sequence[Row]) -> ReceiptDate | None:
    """Find the date of a receipt and its time, on that row or beside it.

    Args:
        rows: of the page, in reading order.

    Returns:
        The date; None without one. Dates of expiry, of birth and of offers are none.
    """
    found = [
        _Dated(index, row, date, rank)
        for index, row in enumerate(rows)
        for date, before in _with_labels(rows, index)
        if (rank := _rank(before, row)) is not None
    ]
    if not found:
        return _compact(rows)
    chosen = max(found, key=lambda one: (one.rank, -one.index, -one.date.start))
    row, start, end = chosen.row, chosen.date.start, chosen.date.end
    month_first, is_sure = _order(rows, row.text[start:end], _begins_cleanly(row.text, start))
    time, lines = _time_of(rows, chosen, lines_at(row, start, end))
    day = chosen.date.value(month_first)
    is_sure = (is_sure or not chosen.date.is_ambiguous) and _is_likely(day, row.text[start:end])
    value = day.isoformat()
    return ReceiptDate(f"{value}T{time}" if time else value, lines, is_sure)


def _is_likely(day: datetime.date, printed: str) -> bool:
    """Whether a date is not years ahead, and no misread one that begins with two digits of the year: 24-03-12."""
    parts = re.findall(r"\d+", printed)
    is_short = len(parts) == 3 and all(len(part) <= 2 for part in parts)
    year_first = 2000 + int(parts[0]) if is_short else 0
    is_reversed = day.year < THIS_YEAR - MAX_YEARS_AGO < year_first <= THIS_YEAR + 1
    return day.year <= THIS_YEAR + 1 and not is_reversed


def _compact(rows: Sequence[Row]) -> ReceiptDate | None:
    """Find a date in eight digits behind a label for dates: `Ngày: 20200305`, `Ngày: 05032020`."""
    for row in rows:
        dates = compact_dates(row.text) or day_first_compact(row.text)
        folded = fold(row.text)
        is_other = any(has_words(folded, label) for label in _OTHERS)
        if dates and not is_other and any(starts_with(folded, label) for label in _LABELS):
            return ReceiptDate(dates[0].isoformat(), list(row.lines), True)
    return None


def _with_labels(rows: Sequence[Row], index: int) -> list[tuple[PrintedDate, str]]:
    """Return the dates of a row, each with the text before it; for a date alone that is the row above."""
    text, end, labelled = rows[index].text, 0, []
    for date in dates_in(text):
        before = text[end : date.start]
        if not end and not any(map(str.isalpha, text)) and index and not dates_in(rows[index - 1].text):
            before = rows[index - 1].text
        labelled.append((date, before))
        end = date.end
    return labelled


def _rank(before: str, row: Row) -> int | None:
    """Return how well a date is labelled; None for the date of something else."""
    folded = fold(before)
    if any(starts_with(folded, label) or has_words(folded, label) for label in _OTHERS):
        return None
    if any(has_words(folded, label) for label in _STAYS):
        return 0
    is_labelled = any(has_words(folded, label) for label in _LABELS) or kind_of(row.text) == "about"
    if any(has_words(folded, label) for label in _PRINTED):
        return 2
    return 3 if is_labelled else 1


def _time_of(rows: Sequence[Row], chosen: _Dated, lines: list[Line]) -> tuple[str | None, list[Line]]:
    """Return the time that belongs to a date, and the lines of both."""
    row, start, end = chosen.row, chosen.date.start, chosen.date.end
    dates = dates_in(row.text)
    following = min((date.start for date in dates if date.start >= end), default=len(row.text))
    behind, before = row.text[end:following], row.text[: start if chosen.date == dates[0] else 0]
    time = find_time(behind) or find_time(before)
    if time:
        return time, [line for line in row.lines if line in lines or find_time(line.text) == time]
    for other in [*rows[chosen.index + 1 : chosen.index + 1 + MAX_TIME_ROWS], *rows[chosen.index - 1 : chosen.index]]:
        folded = fold(other.text)
        if any(has_words(folded, label) for label in _OPENING):
            continue
        is_labelled = any(starts_with(folded, label) for label in _TIME_LABELS)
        if (is_labelled or len(folded.split()) <= MAX_TIME_WORDS) and (time := find_time(other.text)):
            return time, [*lines, *other.lines] if other is not rows[chosen.index - 1] else [*other.lines, *lines]
    return None, lines


def _order(rows: Sequence[Row], printed: str, is_whole: bool) -> tuple[bool, bool]:
    """Say whether months come first on this page, and whether that is sure.

    Other dates of the page tell it: those that are possible in one order alone, and those without doubt that equal this
    one. Else days come first, but for a date without leading zeros on a page with commas between thousands: that is how
    programs set to American English write both.

    Args:
        rows: of the page.
        printed: the date as it is printed.
        is_whole: whether it begins cleanly; else a digit of it may be lost.
    """
    dates = [(row.text[date.start : date.end], date) for row in rows for date in dates_in(row.text)]
    month_only = any(date.day_first is None for _, date in dates)
    day_only = any(date.month_first is None and _is_ordered(text) for text, date in dates)
    if month_only != day_only:
        return month_only, True
    mine = next(date for text, date in dates if text == printed)
    exact = _exact_dates(rows, dates)
    if mine.is_ambiguous and (mine.month_first in exact) != (mine.day_first in exact):
        return mine.month_first in exact, True
    commas, points = (sum(len(form.findall(row.text)) for row in rows) for form in (_COMMA_GROUPS, _POINT_GROUPS))
    is_unpadded = _UNPADDED.search(printed) is not None and "." not in printed
    is_american = is_whole and is_unpadded and commas > points
    return is_american, is_whole and not is_american


def _begins_cleanly(text: str, start: int) -> bool:
    """Whether white space, a bracket or a label's colon stands before a date, and no mark that may be half a digit."""
    return re.search(r"(?:^|[\s(\[]|\w[:;.,])$", text[:start]) is not None


def _is_ordered(text: str) -> bool:
    """Whether a date is written in numbers with the year last."""
    return re.fullmatch(r"\D?\d{1,2}\D+\d{1,2}\D+\d{2,4}", text) is not None


def _exact_dates(rows: Sequence[Row], dates: Sequence[tuple[str, PrintedDate]]) -> set[datetime.date]:
    """Return the dates of a page that have one reading: ISO, with the month's name, or in the number of a bill."""
    exact = {date.day_first for _, date in dates if date.day_first and not date.is_ambiguous}
    return exact | {date for row in rows for date in compact_dates(row.text)}
