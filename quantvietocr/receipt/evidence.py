"""The amounts of a page, each with what its label, its place and its size say of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..pictures.boxes import size_of
from .amounts import Amount, amounts
from .labels import MIN_TRUST, NO_LABEL, Label, label_before
from .page import Line, Row
from .vocabulary import Role
from .words import fold

MIN_MONEY = 500  # đồng; an unmarked number below is no amount
_BARE_ZERO = re.compile(r"(?<![\w.,:/-])0(?:[.,]0+)?\s?(?:đ|Đ|VND|VNĐ)?\s*$")
_DIGITS_BEHIND = re.compile(r"[\d.,\s]*\d\D*$")
_SUMS: tuple[Role, ...] = ("payable", "total", "subtotal", "unclear")
RUN_TRUST = 0.5  # trust in a label whose amount has others behind it: of net, tax and gross the last is the gross
NEXT_ROW_TRUST = 0.9  # × the trust in a label whose amount stands on the row below or above


@dataclass(frozen=True)
class Entry:
    """An amount on the page.

    Attributes:
        value: in đồng.
        role: what its label says that it is; "" without a label.
        trust: how surely, from 0 to 1.
        row: index of its row.
        lines: that hold the amount.
        label: the line that the label begins in, None without one.
        marked: whether its form marks it as money.
        size: height of its line, × the usual one.
        in_item: whether it stands in the row of an item.
    """

    value: int
    role: Role
    trust: float
    row: int
    lines: tuple[Line, ...]
    label: Line | None
    marked: bool
    size: float
    in_item: bool


def entries_of(rows: Sequence[Row], item_rows: Sequence[Row]) -> list[Entry]:
    """Find the amounts of a page and their labels.

    Args:
        rows: of the page, in reading order.
        item_rows: those of them on which items stand.

    Returns:
        The amounts in reading order.
    """
    usual = float(np.median([size_of(line.box)[1] for row in rows for line in row.lines])) if rows else 1.0
    items = {id(row) for row in item_rows}
    entries: list[Entry] = []
    for index, row in enumerate(rows):
        if id(row) in items:
            entries += _plain_entries(row, index, usual, in_item=True)
            continue
        labelled = _row_entries(row, index, usual)
        entries += labelled or _beside(rows, index, usual, items)
    return entries


def has_unread_sum(rows: Sequence[Row]) -> bool:
    """Whether a row with a label of what is to be paid has digits, and no amount that could be read.

    Args:
        rows: of the page.

    Returns:
        Whether there is such a row.
    """
    unread = (row.text for row in rows if not _money_in(row) and any(map(str.isdigit, row.text)))
    labels = (label_before(_DIGITS_BEHIND.sub("", text)) for text in unread)
    return any(label.role in ("payable", "total") and label.trust >= MIN_TRUST for label in labels)


def lines_at(row: Row, start: int, end: int) -> list[Line]:
    """Return the lines of a row that hold its text from start to end."""
    lines, position = [], 0
    for line in row.lines:
        if position < end and position + len(line.text) > start:
            lines.append(line)
        position += len(line.text) + 1
    return lines


def is_only_money(text: str) -> bool:
    """Whether a text is an amount and no word besides it."""
    values = amounts(text)
    return len(values) == 1 and not any(letter.isalpha() for letter in text[: values[0].start] + text[values[0].end :])


def _plain_entries(row: Row, index: int, usual: float, in_item: bool) -> list[Entry]:
    return [_entry(row, index, value, NO_LABEL, None, usual, in_item) for value in _money_in(row)]


def _row_entries(row: Row, index: int, usual: float) -> list[Entry]:
    """Return the amounts of a row, each with the label before it; of a run behind one label the last has it."""
    text, joined = row.text, "\n".join(line.text for line in row.lines)
    values = _money_in(row)
    entries: list[Entry] = []
    end, label, begins = 0, NO_LABEL, 0
    for number, value in enumerate(values):
        before = joined[end : value.start]
        if any(map(str.isalpha, before)):
            label, begins = _label(before), end
        following = text[value.end : values[number + 1].start] if number + 1 < len(values) else "."
        runs_on = not any(map(str.isalpha, following)) and number + 1 < len(values)
        here = Label("unclear", RUN_TRUST * label.trust) if runs_on and label.role in _SUMS else label
        entries.append(_entry(row, index, value, here, _first_line(row, begins, value), usual))
        end = value.end
    return entries


def _label(before: str) -> Label:
    words = fold(before).split()
    if "=" in before and len(words) <= 3 and "1" in words:  # 1 USD =
        return Label("rate", 1.0)
    return label_before(before)


def _first_line(row: Row, start: int, value: Amount) -> Line | None:
    """Return the first line with letters between `start` and an amount."""
    lines = lines_at(row, start, max(value.start, start + 1))
    return next((line for line in lines if any(map(str.isalpha, line.text))), None)


def amounts_of(row: Row) -> list[Amount]:
    """Find the amounts of a row, line by line: two numbers side by side are never one.

    Args:
        row: a row of the page.

    Returns:
        The amounts, with indices into the row's text.
    """
    found, position = [], 0
    for line in row.lines:
        found += [
            replace(value, start=value.start + position, end=value.end + position) for value in amounts(line.text)
        ]
        position += len(line.text) + 1
    return found


def _money_in(row: Row) -> list[Amount]:
    """Return the amounts of a row; bare numbers only where none is marked as money, or where they are large."""
    values, text = amounts_of(row), row.text
    marked = any(value.marked for value in values)
    kept = [value for value in values if value.marked or value.value < 0 or (value.value >= MIN_MONEY and not marked)]
    zero = _BARE_ZERO.search(text)
    if zero and not kept:
        kept.append(Amount(0, zero.start(), zero.end(), False))
    return kept


def _beside(rows: Sequence[Row], index: int, usual: float, items: set[int]) -> list[Entry]:
    """Return the amount of a label that stands alone: on the row below, else above; double size parts them."""
    row = rows[index]
    label = label_before("\n".join(line.text for line in row.lines))
    if label.role not in _SUMS[:3] or label.trust < MIN_TRUST:
        return []
    for other in (index + 1, index - 1):
        if 0 <= other < len(rows) and id(rows[other]) not in items and is_only_money(rows[other].text):
            value = amounts(rows[other].text)[0]
            weaker = Label(label.role, NEXT_ROW_TRUST * label.trust)
            return [_entry(rows[other], other, value, weaker, row.lines[0], usual)]
    return []


def _entry(
    row: Row, index: int, value: Amount, label: Label, line: Line | None, usual: float, in_item: bool = False
) -> Entry:
    lines = tuple(lines_at(row, value.start, value.end))
    size = max(size_of(one.box)[1] for one in lines) / usual
    first = line if label.role else None
    return Entry(value.value, label.role, label.trust, index, lines, first, value.marked, size, in_item)
