"""What the numbers of an item say: which is the quantity, which the unit price, which the price."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from .amounts import amounts

MIN_PRICE = 500  # đồng; an amount below is a quantity or a size
MAX_QUANTITY = 1000  # pieces; a number from here on is a quantity only where the product is right
MAX_NUMBERS = 5  # numbers of a row, from the right, that are tried as quantity, unit price and discount
_COUNT = re.compile(r"^(?:[xX×*]\s?)?(\d{1,3}(?:[.,]\d{1,3})?)(?:\s?(?:[xX×*]|kg|Kg|KG))?$")
_ZERO = re.compile(r"^(?:[0Oo]|0[.,]0+)\s?(?:₫|[đĐ]|VN[DĐ])?$")
_PERCENT = re.compile(r"^\(?-?(\d{1,2}(?:[.,]\d{1,2})?)\s?%\)?$")
Costs = tuple[int | float, int | None, int]  # quantity; unit price (đồng) where one is printed; price (đồng)


@dataclass(frozen=True)
class Number:
    """A word of a row that is a number.

    Attributes:
        money: its value in đồng, 0 where it cannot be money.
        count: its value as a quantity, 0 where it cannot be one.
        marked: whether its form marks it as money (`amounts.Amount.marked`).
        percent: its value as a share, None where it is none.
        zero: whether it is a printed zero.
    """

    money: int
    count: float
    marked: bool
    percent: float | None = None
    zero: bool = False


def number_of(word: str) -> Number | None:
    """Return a word as a number, None where it is none.

    Args:
        word: a word, or a line that is one amount.

    Returns:
        The number.
    """
    if share := _PERCENT.match(word):
        return Number(0, 0.0, False, percent=float(share[1].replace(",", ".")) / 100)
    if _ZERO.match(word):
        return Number(0, 0.0, False, zero=True)
    values = amounts(word)
    money = values[0] if len(values) == 1 and values[0].start == 0 and values[0].end == len(word) else None
    count = _COUNT.match(word)
    if money is None and count is None:
        return None
    quantity = float(count[1].replace(",", ".")) if count else 0.0
    return Number(money.value if money else 0, quantity, bool(money and money.marked))


def costs_of(numbers: Sequence[Number]) -> Costs | None:
    """Say what the numbers of a row mean. A product that is right settles which number is which.

    Args:
        numbers: left to right; shares of tax or discount may stand among them.

    Returns:
        Quantity, unit price and price; None where the last number is no price.
    """
    shares = [number.percent for number in numbers if number.percent is not None]
    plain = [number for number in numbers if number.percent is None]
    if not plain:
        return None
    *before, last = plain[-MAX_NUMBERS:]
    if last.zero:
        return _gift(before)
    price = last.money
    if abs(price) < MIN_PRICE:
        return None
    return _product(before, shares, price) or _unproven(before, last)


def _gift(before: Sequence[Number]) -> Costs | None:
    """Return the costs of what costs nothing: a number must stand before the zero, or a single 0 may be a quantity."""
    counts = [number.count for number in before if number.count and not number.marked]
    units = [number.money for number in before if number.marked and number.money >= MIN_PRICE]
    if not before:
        return None
    return (_whole(counts[0]) if counts else 1), (units[-1] if units else 0), 0


def _product(before: Sequence[Number], shares: Sequence[float], price: int) -> Costs | None:
    """Return the costs whose quantity × unit price gives the price: as it is, less a discount, or with a tax."""
    pairs = [
        (count, unit.money)
        for first, unit in permutations(before, 2)
        for count in _counts(first)
        if count and abs(unit.money) >= MIN_PRICE
    ]
    for count, unit in pairs:
        if abs(count * unit - price) <= 1:  # a weight's price is rounded
            return _whole(count), unit, price
    discounts = [number.money for number in before if number.marked]
    for count, unit in pairs:
        whole = count * unit
        cuts = [share * whole for share in shares] + [cut for cut in discounts if cut not in (unit, whole)]
        added = [share * whole for share in shares]
        if any(abs(whole - abs(cut) - price) <= 1 for cut in cuts) or any(
            abs(whole + tax - price) <= 1 for tax in added
        ):
            return _whole(count), unit, price
    return None


def _counts(number: Number) -> tuple[float, ...]:
    """Return what a number may be as a quantity: 1.200 is 1.2 kg or 1,200 pieces."""
    return number.count, float(number.money) if MAX_QUANTITY <= number.money < 100 * MAX_QUANTITY else 0.0


def _unproven(before: Sequence[Number], last: Number) -> Costs | None:
    """Return the likeliest costs where no product is right."""
    price = last.money
    if len(before) >= 2 and 0 < before[-2].count < MAX_QUANTITY and before[-1].marked:
        return _whole(before[-2].count), before[-1].money, price
    if before:
        other = before[-1]
        if other.money >= MIN_PRICE and other.marked:
            pieces = price / other.money
            is_whole = pieces == int(pieces) and 1 <= pieces < MAX_QUANTITY
            return (int(pieces) if is_whole else 1), other.money, price
        if 0 < other.count < MAX_QUANTITY:
            return _whole(other.count), None, price
    return (1, None, price) if last.marked else None


def _whole(count: float) -> int | float:
    return int(count) if count == int(count) else count
