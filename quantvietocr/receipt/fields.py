"""Shop, address, date and total of a receipt, by evidence over its rows."""

from __future__ import annotations

from collections.abc import Sequence

from ..pictures.boxes import Box
from .evidence import Entry, has_unread_sum
from .head import ADDRESS_LABELS, SHOP_LABELS, head_of, without_label
from .number_words import amount_in_words
from .page import Field, Item, Line, Row
from .total import Doubts, Total, total_of
from .when import date_of


def fields_from(rows: Sequence[Row], entries: Sequence[Entry], items: Sequence[Item]) -> tuple[Field, ...]:
    """Find the fields of a receipt whose amounts and items are known.

    Args:
        rows: of the page, in reading order. Whether the page is a receipt is `page_kind.kind_of_page`'s to say.
        entries: its amounts.
        items: what was bought.

    Returns:
        Those that are found, in the order of FIELD_NAMES; see `page` for their values.
    """
    head = head_of(rows)
    date = date_of(rows)
    total = total_of(entries, items, Doubts(amount_in_words(rows), has_unread_sum(rows)))
    fields = [
        _named("shop", head.shop, SHOP_LABELS),
        _named("address", head.address, ADDRESS_LABELS),
        _field("date", date.value, date.lines, date.is_sure) if date else None,
        _total(total) if total else None,
    ]
    return tuple(field for field in fields if field is not None)


def _named(name: str, rows: Sequence[Row], labels: Sequence[str]) -> Field | None:
    lines = [line for row in rows for line in row.lines]
    return _field(name, without_label(" ".join(line.text for line in lines), labels), lines) if lines else None


def _field(name: str, value: str | int, lines: Sequence[Line], is_sure: bool = True) -> Field:
    text = " ".join(line.text for line in lines)
    box = Box.around(line.box for line in lines)
    return Field(name, value, text, box, min(line.confidence for line in lines), is_sure)


def _total(total: Total) -> Field:
    """Make the field of the total. The box is the amount's; where the label was read with it, both are in one line."""
    entry = total.entry
    label = [entry.label] if entry.label and entry.label not in entry.lines else []
    lines = [*label, *entry.lines]
    return Field(
        "total",
        entry.value,
        " ".join(line.text for line in lines),
        Box.around(line.box for line in entry.lines),
        min(line.confidence for line in lines),
        total.is_sure,
    )
