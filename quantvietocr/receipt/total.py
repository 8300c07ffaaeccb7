"""The total of a receipt: every amount on the page is a candidate, and labels, place and arithmetic speak for it.

Points are added up for each candidate. They are of the size of a logarithm of odds: a label `Tổng cộng` or a sum that
adds up is worth 3 to 4, what is only usual is worth a half. A total without MIN_POINTS is not given. One that has few
points, a close rival or evidence against it is marked as unsure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .candidates import MIN_TOTAL, Candidate, item_sums, label_points, payments, weighed
from .evidence import Entry
from .labels import MIN_TRUST
from .page import Item
from .vocabulary import Role

MIN_POINTS = 1.9  # for a total to be given
MIN_SURE = 3.4  # for it to be sure
MIN_LEAD = 1.0  # points before the next amount for it to be sure


@dataclass(frozen=True)
class Doubts:
    """What else the page says of its total.

    Attributes:
        in_words: the amount that it writes out in words, None without one.
        has_unread_sum: whether the amount behind a label of what is to be paid was not read.
    """

    in_words: int | None = None
    has_unread_sum: bool = False


@dataclass(frozen=True)
class Total:
    """The total as it was found.

    Attributes:
        entry: the amount.
        is_sure: whether the evidence is enough, and none speaks against it.
    """

    entry: Entry
    is_sure: bool


def total_of(entries: Sequence[Entry], items: Sequence[Item], page: Doubts) -> Total | None:
    """Choose the total.

    Args:
        entries: the amounts of the page.
        items: what was bought.
        page: what else it says.

    Returns:
        The total, None where no amount has enough evidence.
    """
    candidates = weighed(entries, items, page.in_words)
    if not candidates:
        return None
    ranked = sorted(candidates.values(), key=lambda one: one.points)
    best, lead = ranked[-1], ranked[-1].points - (ranked[-2].points if len(ranked) > 1 else 0.0)
    if best.points < MIN_POINTS or (best.value == 0 and not best.arithmetic and not best.entries[0].marked):
        return None
    is_sure = (
        best.points >= MIN_SURE and lead >= MIN_LEAD and not _is_contradicted(best, candidates, entries, items, page)
    )
    return Total(max(best.entries, key=lambda entry: (label_points(entry), entry.row)), is_sure)


def _is_contradicted(
    best: Candidate, candidates: dict[int, Candidate], entries: Sequence[Entry], items: Sequence[Item], page: Doubts
) -> bool:
    """Whether the page speaks against a total: another amount is labelled as it, or sums give another one."""
    if page.in_words is not None and page.in_words != best.value:
        return True
    roles = {entry.role for entry in best.entries if entry.trust >= MIN_TRUST}
    if not roles & {"payable", "total"}:
        enough = best.witnesses if roles & {"unclear", "cash", "card"} else best.witnesses - {"items"}
        if not enough:
            return True
    if not best.witnesses & {"change", "words", "card"}:
        lowest = max(entry.row for entry in best.entries)
        rivals = [entry for entry in entries if entry.role in ("payable", "total") and entry.trust >= MIN_TRUST]
        rivals = [one for one in rivals if one.value in candidates and not candidates[one.value].is_explained]
        is_rivalled = any(
            one.row > lowest or one.role == "payable" for one in rivals if one.value not in (0, best.value)
        )
        if is_rivalled or (page.has_unread_sum and "payable" not in roles):
            return True
    return not best.arithmetic and _has_other_sums(best, entries, items)


def _has_other_sums(best: Candidate, entries: Sequence[Entry], items: Sequence[Item]) -> bool:
    """Whether the payment or the items, all of them read, come to another amount."""
    if any(paid.role == "cash" and change.value > 0 for paid, change in payments(entries)):
        return True
    lowest = max(entry.row for entry in best.entries)
    others = sum(
        entry.value
        for entry in entries
        if entry.row < lowest and not entry.in_item and entry.role in _OTHER_PRICES and entry.value >= MIN_TOTAL
    )
    sums = item_sums(entries, items)
    is_explained = best.value in sums or sums[0] < best.value <= sums[0] + others
    return bool(items) and all(map(_is_read, items)) and not is_explained


def _is_read(item: Item) -> bool:
    """Whether quantity × unit price gives an item's price, or more where it has a discount."""
    return item.unit_price is not None and item.price <= item.quantity * item.unit_price + 1


_OTHER_PRICES: tuple[Role, ...] = ("", "unclear", "fee", "about")  # of what was bought and is no item
