"""The amounts that may be the total, and the points that labels, place and arithmetic give them.

The points are of the size of a logarithm of odds: a label `Tổng cộng` or a sum that adds up is worth 3 to 4, what is
only usual is worth a half.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from .evidence import Entry
from .labels import MIN_TRUST
from .page import Item
from .vocabulary import Role

LABEL_POINTS: dict[Role, float] = {
    "payable": 5.0,
    "total": 4.0,
    "unclear": 2.0,
    "subtotal": 2.0,
    "card": 1.5,
    "cash": 1.0,
    "": 0.0,
}
OTHER_LABEL = -3.0  # an amount that is labelled as something else alone: tax, change, points, …
SUM_OF_ITEMS = 3.0  # of two items or more
PRICE_OF_ITEM = 1.5  # of the only item
ADDS_UP = 3.0  # subtotal + tax + fees − discount − deposit
ROUNDS_UP, MIN_SUM = 1.5, 3.0  # it is rounded; points of a label before such an amount
PAID_LESS_CHANGE = 3.0
NET_AND_TAX = 3.0
IN_WORDS = 4.0
EXPLAINED = -1.5  # the amount that another one follows from by a discount or a tax
HANDED_OVER = -4.0  # the amount from which change was given
PAID_BY_CARD = 1.5  # paid exactly
REPEATED = 0.5  # printed on several rows outside the items
LARGE_PRINT, MIN_LARGE = 0.7, 1.3  # points; × the usual height
BELOW_AN_ITEM = -1.5  # smaller than an item's price, without arithmetic
LOWEST_ROW = 0.2  # points of the lowest amount of all; in proportion above
MAX_PARTS = 7  # discounts, taxes and fees that are added up in every combination
MAX_STEPS = 2  # sums that follow one from the other
ROUNDED = 500  # đồng
TAX_RATES = (0.05, 0.08, 0.1)
MIN_TOTAL = 500  # đồng, but for 0


@dataclass
class Candidate:
    """A value that may be the total.

    Attributes:
        value: in đồng.
        entries: the amounts of that value.
        label: points of its labels.
        arithmetic: points of sums that it fits.
        other: points of the rest.
        witnesses: which sums it fits: "items", "tax", "sums", "change", "words", "card".
        is_explained: whether the total follows from it, or change was given on it.
    """

    value: int
    entries: list[Entry] = field(default_factory=list)
    label: float = 0.0
    arithmetic: float = 0.0
    other: float = 0.0
    witnesses: set[str] = field(default_factory=set)
    is_explained: bool = False

    @property
    def points(self) -> float:
        """All points."""
        return self.label + self.arithmetic + self.other

    def speaks(self, witness: str, points: float) -> None:
        """Add points for a sum that it fits."""
        self.witnesses.add(witness)
        self.arithmetic += points

    def explain(self, points: float) -> None:
        """Take points: another amount follows from it."""
        self.is_explained = True
        self.other += points


def weighed(entries: Sequence[Entry], items: Sequence[Item], in_words: int | None) -> dict[int, Candidate]:
    """Weigh what may be the total.

    Args:
        entries: the amounts of the page.
        items: what was bought.
        in_words: the amount that the page writes out in words, None without one.

    Returns:
        Value in đồng → the candidate.
    """
    candidates = _candidates(entries)
    _add_misread(candidates, entries, items, in_words)
    _weigh_items(candidates, entries, items)
    _weigh_tax(candidates, entries)
    _weigh_sums(candidates, entries, items)
    _weigh_change(candidates, entries)
    _weigh_place(candidates, entries, items)
    if in_words is not None and in_words in candidates:
        candidates[in_words].speaks("words", IN_WORDS)
    return candidates


def _candidates(entries: Sequence[Entry]) -> dict[int, Candidate]:
    candidates: dict[int, Candidate] = {}
    for entry in entries:
        if entry.value >= MIN_TOTAL or (entry.value == 0 and entry.role in ("payable", "total")):
            candidates.setdefault(entry.value, Candidate(entry.value)).entries.append(entry)
    for candidate in candidates.values():
        points = [label_points(entry) for entry in candidate.entries]
        roles = {entry.role for entry, worth in zip(candidate.entries, points) if worth > 0}
        candidate.label = max(points) if max(points) > 0 else min(points)
        candidate.other += REPEATED * bool(len(roles) > 1)
    return candidates


def _add_misread(
    candidates: dict[int, Candidate], entries: Sequence[Entry], items: Sequence[Item], in_words: int | None
) -> None:
    """Add what two sums of the page agree on where the amount behind the label of the total was misread."""
    labelled = [entry for entry in entries if entry.role in ("payable", "total") and entry.trust >= MIN_TRUST]
    paid = {cash.value - change.value for cash, change in payments(entries) if cash.role == "cash" and change.value}
    by_items: set[int] = set(item_sums(entries, items)) if items else set()
    witnesses = [paid, by_items, set() if in_words is None else {in_words}]
    for value in {value for some in witnesses for value in some if value}:
        if labelled and value not in candidates and sum(value in some for some in witnesses) > 1:
            entry = replace(labelled[-1], value=value)
            candidates[value] = Candidate(value, [entry], label=label_points(entry))


def label_points(entry: Entry) -> float:
    """Return the points of an amount's label."""
    return entry.trust * LABEL_POINTS.get(entry.role, OTHER_LABEL) if not entry.in_item else 0.0


def _weigh_items(candidates: dict[int, Candidate], entries: Sequence[Entry], items: Sequence[Item]) -> None:
    """Give points to what the items add up to, with and without the discounts between them."""
    if not items:
        return
    for value in set(item_sums(entries, items)):
        if value in candidates and any(not entry.in_item for entry in candidates[value].entries):
            candidates[value].speaks("items", SUM_OF_ITEMS if len(items) > 1 else PRICE_OF_ITEM)


def item_sums(entries: Sequence[Entry], items: Sequence[Item]) -> tuple[int, int]:
    """Add up the items.

    Args:
        entries: the amounts of the page.
        items: what was bought.

    Returns:
        The sum of the items, and that plus the negative amounts above the first sum; the last of each row counts.
    """
    whole = sum(item.price for item in items)
    sums = [entry.row for entry in entries if entry.role in ("payable", "total", "subtotal") and not entry.in_item]
    end = min(sums, default=0)
    cuts = {entry.row: entry.value for entry in entries if entry.value < 0 and entry.row < end}  # the last of a row
    return whole, whole + sum(cuts.values())


def _weigh_tax(candidates: dict[int, Candidate], entries: Sequence[Entry]) -> None:
    """Give points to a net amount and its tax together, where all three are printed."""
    free = [entry for entry in entries if not entry.in_item and entry.value > 0]
    seen: set[int] = set()
    for tax in free:
        for net in free:
            gross = net.value + tax.value
            if gross not in candidates or gross in seen or not _is_tax(net.value, tax.value):
                continue
            labelled = tax.role == "tax" or net.role == "subtotal"
            is_sum = any(entry.role in ("payable", "total") for entry in candidates[gross].entries)
            if not labelled and (tax.role or (net.role and not is_sum)):
                continue
            seen.add(gross)
            candidates[gross].speaks("tax", NET_AND_TAX if labelled else NET_AND_TAX / 2)
            candidates[net.value].explain(EXPLAINED)


def _is_tax(net: int, tax: int) -> bool:
    return any(abs(tax - rate * net) <= max(2, 0.01 * tax) for rate in TAX_RATES)


def _weigh_sums(candidates: dict[int, Candidate], entries: Sequence[Entry], items: Sequence[Item]) -> None:
    """Give points to what follows from a sum by the discounts, deposits, fees and taxes that are printed."""
    bases: dict[int, tuple[float, int]] = {}  # sum → points of its own arithmetic, its row
    for entry in entries:
        if entry.role in ("total", "subtotal", "unclear", "payable") and entry.value > 0:
            bases[entry.value] = candidates[entry.value].arithmetic if entry.value in candidates else 0.0, entry.row
    if items:
        bases.setdefault(sum(item.price for item in items), (SUM_OF_ITEMS / 2 if len(items) > 1 else 0.0, -1))
    changes = _changes(entries)
    follows = [
        (base, base + change, True)
        for base in bases
        for change in changes
        if change and base + change in candidates and candidates[base + change].label >= 0
    ]
    for base, (_, row) in bases.items():  # rounded sums stand below what is rounded
        for value in {value for change in changes | {0} for value in _rounded(base + change)} & set(candidates) - {
            base
        }:
            candidate = candidates[value]
            if candidate.label >= MIN_SUM and max(entry.row for entry in candidate.entries) > row:
                follows.append((base, value, False))
    gained: dict[int, float] = defaultdict(float)
    for _ in range(MAX_STEPS):  # a discount, then a rounding: what follows from a sum that follows from another
        for base, value, is_exact in follows:
            own = max(bases[base][0], gained[base])
            gained[value] = max(gained[value], own + (ADDS_UP if is_exact else ROUNDS_UP))
    for value, points in gained.items():
        if value in candidates:
            candidates[value].speaks("sums", points)
    for base in {base for base, _, _ in follows} & set(candidates):
        candidates[base].explain(EXPLAINED)


def _changes(entries: Sequence[Entry]) -> set[int]:
    """Return what the printed discounts, deposits, fees and taxes may come to together."""
    parts: list[int] = []
    for entry in entries:
        if entry.role in ("discount", "deposit"):
            parts.append(-abs(entry.value))
        elif entry.role == "points" and entry.value < 0:  # points that were spent
            parts.append(entry.value)
        elif entry.role in ("fee", "tax"):
            parts.append(abs(entry.value))
        elif entry.role == "rounding":
            parts.append(entry.value)
    parts = [part for part in dict.fromkeys(parts) if part][:MAX_PARTS]
    return {sum(some) for count in range(1, len(parts) + 1) for some in combinations(parts, count)}


def _rounded(value: int) -> set[int]:
    """Return what a sum may be rounded to."""
    down = value - value % ROUNDED
    return {down, down + ROUNDED, value - value % 1000, value - value % 1000 + 1000} - {value}


def _weigh_change(candidates: dict[int, Candidate], entries: Sequence[Entry]) -> None:
    """Give points to what was paid less the change."""
    seen: set[int] = set()
    for paid, change in payments(entries):
        value = paid.value - change.value
        if value in seen or value not in candidates or (change.value == 0 and paid.role != "cash"):
            continue
        seen.add(value)
        candidates[value].speaks("change", PAID_LESS_CHANGE if change.value and paid.role else PAID_LESS_CHANGE / 2)
        if change.value and paid.value in candidates:
            candidates[paid.value].explain(HANDED_OVER)


def payments(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Pair what may have been paid with what may be its change, as the labels say.

    Args:
        entries: the amounts of the page.

    Yields:
        What was paid, and the change.
    """
    for change in entries:
        if change.role == "change" and change.value >= 0 and not change.in_item:
            for paid in entries:
                if paid.row <= change.row and paid is not change and not paid.in_item and paid.role in _PAID:
                    yield paid, change


_PAID: tuple[Role, ...] = ("cash", "card", "payable", "total", "unclear", "")


def _weigh_place(candidates: dict[int, Candidate], entries: Sequence[Entry], items: Sequence[Item]) -> None:
    """Give points for large print, for a low place and for rows that repeat an amount; take some from small ones."""
    last = max((entry.row for entry in entries), default=0) or 1
    dearest = max((item.price for item in items if len(items) > 1 or item.unit_price), default=0)
    for candidate in candidates.values():
        free = [entry for entry in candidate.entries if not entry.in_item]
        if not free:
            continue
        candidate.other += LARGE_PRINT * (max(entry.size for entry in free) >= MIN_LARGE)
        candidate.other += LOWEST_ROW * max(entry.row for entry in free) / last
        candidate.other += REPEATED * (len({entry.row for entry in free}) > 1)
        roles = {entry.role for entry in free if entry.trust >= MIN_TRUST}
        if "card" in roles and roles & {"payable", "total"}:
            candidate.speaks("card", PAID_BY_CARD)
        if candidate.value < dearest and not candidate.arithmetic:
            candidate.other += BELOW_AN_ITEM
