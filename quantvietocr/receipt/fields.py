"""Shop, address, date and total of a receipt, by rules over its rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..pictures.boxes import Box, size_of
from .amounts import amounts
from .dates import find_date, find_time
from .items import first_item_row
from .labels import is_heading, is_telephone, is_title, kind_of
from .layout import goes_on, widest_of
from .page import Field, Line, Row
from .words import fold, starts_with

TOP_ROWS = 8  # the shop and its address stand among the first rows, so many
MIN_LARGER = 1.25  # × the height of the first row that may be a name: a row this large is the shop's name instead
MIN_SAME_NAME = 0.85  # × the height of the name's first row: a row this large may go on with it
MAX_ADDRESS_ROWS = 4
_SHOP_LABELS = ("cua hang", "don vi", "don vi ban hang", "ten don vi")
_ADDRESS_LABELS = ("dia chi", "d c", "dc", "add", "address", "chi nhanh", "cn", "co so")
_PLACES = re.compile(
    r"\b(?:duong|quoc lo|tinh lo|pho|phuong|quan|tp|tphcm|hcm|thanh pho|huyen|tinh|xa|thi xa|"
    r"thi tran|ngo|hem|ngach|khu|ap|thon|kp|"
    r"kdc|kcn|so \d+|p ?\d{1,2}|q ?\d{1,2}|ha noi|da nang|ho chi minh|hai phong|"
    r"can tho|hue)\b"
)
_SHORT_PLACES = re.compile(r"(?:^|[\s,])(?:P|Q|H|TP|TX|X|T)\.")
_HOUSE = re.compile(r"^(?:[Ss]ố\s)?\d+[A-Za-z]?(?:/\d+)*\s[^,]*[^\W\d_][^,]*,")
_LABELLED = re.compile(r"^[^:]{1,24}:\s*(?=\S)")


def fields_of(rows: Sequence[Row]) -> tuple[Field, ...]:
    """Find the fields of a receipt.

    Args:
        rows: of the page, in reading order.

    Returns:
        Those that are found, in the order of FIELD_NAMES; see `page` for their values.
    """
    top = rows[: min(TOP_ROWS, first_item_row(rows))]
    widest = widest_of(rows)
    address = _address(top, widest)
    taken = {id(line) for row in address for line in row.lines}
    shop = _shop([row for row in top if id(row.lines[0]) not in taken], widest)
    fields = [
        _named("shop", shop, _SHOP_LABELS),
        _named("address", address, _ADDRESS_LABELS),
        _date(rows),
        _total(rows),
    ]
    return tuple(field for field in fields if field is not None)


def _named(name: str, rows: Sequence[Row], labels: Sequence[str]) -> Field | None:
    lines = [line for row in rows for line in row.lines]
    return _field(name, _unlabelled(" ".join(line.text for line in lines), labels), lines) if lines else None


def _field(name: str, value: str | int, lines: Sequence[Line]) -> Field:
    text = " ".join(line.text for line in lines)
    return Field(name, value, text, Box.around(line.box for line in lines), min(line.confidence for line in lines))


def _unlabelled(text: str, labels: Sequence[str]) -> str:
    """Return a text without the label and colon that it begins with."""
    match = _LABELLED.match(text)
    return text[match.end() :] if match and any(starts_with(fold(match[0]), label) for label in labels) else text


def _shop(rows: Sequence[Row], widest: float) -> list[Row]:
    """Return the rows of the shop's name: of rows that say nothing else, the clearly largest, else the first."""
    candidates = [index for index, row in enumerate(rows) if _may_be_name(row.text)]
    if not candidates:
        return []
    heights = [max(size_of(line.box)[1] for line in row.lines) for row in rows]
    start = max(candidates, key=lambda index: heights[index])
    if heights[start] < MIN_LARGER * heights[candidates[0]]:
        start = candidates[0]
    shop = [rows[start]]
    for row, height in zip(rows[start + 1 :], heights[start + 1 :]):
        as_large = height >= MIN_SAME_NAME * heights[start]
        if not (_may_be_name(row.text, 2) and as_large and goes_on(shop[-1], row, widest)):
            break
        shop.append(row)
    return shop


def _may_be_name(text: str, letters: int = 3) -> bool:
    """Whether a text has so many letters or more, and says nothing else that is known."""
    return (
        sum(letter.isalpha() for letter in text) >= letters
        and not kind_of(text)
        and not is_title(text)
        and not is_heading(text)
        and not find_date(text)
        and not is_telephone(text)
    )


def _address(rows: Sequence[Row], widest: float) -> list[Row]:
    """Return the rows of the address.

    It begins with the row that is labelled as one, or that names most kinds of place, at least two.
    """
    scores = [_labelled(row.text) or (0 if kind_of(row.text) else _count_places(row.text)) for row in rows]
    if max(scores, default=0) < 2:
        return []
    start = int(np.argmax(scores))
    while start and scores[start - 1] and rows[start - 1].text.rstrip().endswith(","):
        start -= 1
    address = [rows[start]]
    for after in rows[start + 1 : start + MAX_ADDRESS_ROWS]:
        open_end = address[-1].text.rstrip().endswith((",", "-")) or goes_on(address[-1], after, widest)
        if not (open_end or _count_places(after.text)) or not _may_be_name(after.text):
            break
        address.append(after)
    return address


def _labelled(text: str) -> int:
    """Return more than any number of places for a text that begins with a label of addresses, 0 for another."""
    folded = fold(text)
    return 100 * (len(folded) > 12 and any(starts_with(folded, label) for label in _ADDRESS_LABELS))


def _count_places(text: str) -> int:
    """Count the kinds of place that a text names; a house number before a street and a comma counts for two."""
    return len(_PLACES.findall(fold(text))) + len(_SHORT_PLACES.findall(text)) + 2 * bool(_HOUSE.match(text))


def _date(rows: Sequence[Row]) -> Field | None:
    """Find the first date on a row with a label for dates, else the first at all, and the time on that row or below."""
    dated = [
        (index, row, match)
        for index, row in enumerate(rows)
        if (match := find_date(row.text))
        and not any(starts_with(fold(row.text), label) for label in ("hsd", "han su dung", "nsx", "ngay sinh"))
    ]
    if not dated:
        return None
    labelled = [one for one in dated if kind_of(one[1].text) == "about"]
    index, row, (date, start, end) = (labelled or dated)[0]
    rest = row.text[:start] + " " * (end - start) + row.text[end:]
    time, lines = find_time(rest), _lines_at(row, start, end)
    if time:
        lines = [line for line in row.lines if line in lines or find_time(line.text)]
    else:
        for other in rows[index + 1 : index + 3]:
            if starts_with(fold(other.text), "gio") and (time := find_time(other.text)):
                lines += other.lines
                break
    return _field("date", f"{date}T{time}" if time else date, lines)


def _lines_at(row: Row, start: int, end: int) -> list[Line]:
    """Return the lines of a row that hold its text from start to end."""
    lines, position = [], 0
    for line in row.lines:
        if position < end and position + len(line.text) > start:
            lines.append(line)
        position += len(line.text) + 1
    return lines


def _total(rows: Sequence[Row]) -> Field | None:
    """Find the last amount behind a label of what is to be paid, else of a sum, else of a partial sum."""
    totals: dict[str, Field] = {}  # kind of label → the last amount behind one
    for index, row in enumerate(rows):
        for first, line in enumerate(row.lines):
            kind = kind_of(line.text)
            if kind not in ("payable", "total", "subtotal") or (first and kind_of(row.lines[0].text) == "about"):
                continue
            sources = [Row(row.lines[first:])]  # the amount stands behind the label, or alone on the row below
            if index + 1 < len(rows) and _only_money(rows[index + 1].text):
                sources.append(rows[index + 1])
            for source in sources:
                values = amounts(source.text)
                values = [one for one in values if one.marked] or values
                if values and values[-1].value > 0:
                    lines = [line, *_lines_at(source, values[-1].start, values[-1].end)]
                    lines = lines[1:] if lines[0] in lines[1:] else lines
                    totals[kind] = _money_field(values[-1].value, lines, line)
                    break
    return totals.get("payable") or totals.get("total") or totals.get("subtotal")


def _money_field(value: int, lines: list[Line], label: Line) -> Field:
    """Make the field of the total. The box is the amount's; where the label was read with it, both are in one line."""
    amount = [line for line in lines if line is not label] or lines
    return Field(
        "total",
        value,
        " ".join(line.text for line in lines),
        Box.around(line.box for line in amount),
        min(line.confidence for line in lines),
    )


def _only_money(text: str) -> bool:
    values = amounts(text)
    return len(values) == 1 and not any(letter.isalpha() for letter in text[: values[0].start] + text[values[0].end :])
