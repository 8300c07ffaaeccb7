"""What a page of rows says as a receipt: its kind, and the fields and items of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .amounts import amounts, has_foreign_money
from .evidence import entries_of
from .fields import fields_from
from .items import bought_in
from .page import Field, Item, Row
from .page_kind import PageKind, kind_of_page

MIN_VND = 5_000  # đồng; a page in another currency alone has no amount from here on


@dataclass(frozen=True)
class Extracted:
    """What was taken out of the rows of a page.

    Attributes:
        kind: "receipt", "invoice" or "page".
        fields: those found; none on a page that is no receipt.
        items: what was bought; likewise.
    """

    kind: PageKind
    fields: tuple[Field, ...] = ()
    items: tuple[Item, ...] = ()


def extract(rows: Sequence[Row]) -> Extracted:
    """Say what kind of page it is, and find the fields and items of a receipt or an invoice.

    Args:
        rows: of the page, in reading order.

    Returns:
        Its kind, fields and items. A bill in another currency than đồng has no items: their prices would not be đồng.
    """
    bought = bought_in(rows)
    items = [item for item, _ in bought]
    entries = entries_of(rows, [row for _, item_rows in bought for row in item_rows])
    kind = kind_of_page(rows, entries, items)
    if kind == "page":
        return Extracted(kind)
    if _is_foreign(rows):
        items = []
    return Extracted(kind, fields_from(rows, entries, items), tuple(items))


def _is_foreign(rows: Sequence[Row]) -> bool:
    """Whether a page names amounts of another currency and none that must be đồng."""
    texts = [row.text for row in rows]
    in_vnd = any(abs(value.value) >= MIN_VND for text in texts for value in amounts(text))
    return any(map(has_foreign_money, texts)) and not in_vnd
