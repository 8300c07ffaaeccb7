"""What a receipt says: a shop, what was bought, and sums that add up. No person or shop in it is real."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from functools import cache

from ..lines import words
from ..lines.dice import Dice
from ..lines.phrases import person, phone
from . import goods

_GOODS = re.compile(r"(~?)(.+) (\d+)-(\d+)")


@dataclass(frozen=True)
class Bought:
    """One position of a receipt.

    Attributes:
        name: what was bought.
        quantity: pieces, or kilograms with decimals.
        unit: what the quantity counts.
        unit_price: price of one, in đồng.
        price: quantity × unit price, rounded to whole đồng.
    """

    name: str
    quantity: int | float
    unit: str
    unit_price: int
    price: int


@dataclass(frozen=True)
class Content:
    """Everything that may be printed. Amounts are in đồng; a text is empty where it is not printed.

    Attributes:
        kind: kind of shop, a key of `goods.GOODS`.
        items: what was bought.
        adjustments: (label, amount) each; they lead from the sum of the items to the total.
        total: what is to be paid.
        payments: (label, amount) each, printed after the total.
        included_tax: the tax inside the total, or 0 where none is named.
        tax_rate: its rate in percent.
    """

    kind: str
    shop: str
    slogan: str
    address: str
    phone: str
    tax_code: str
    title: str
    number: str
    when: datetime.datetime
    cashier: str
    table: str
    customer: str
    items: tuple[Bought, ...]
    adjustments: tuple[tuple[str, int], ...]
    total: int
    payments: tuple[tuple[str, int], ...]
    included_tax: int
    tax_rate: int
    notes: tuple[str, ...]
    thanks: str

    @property
    def items_total(self) -> int:
        """Sum of the positions, before discounts, service and tax."""
        return sum(item.price for item in self.items)


@dataclass(frozen=True)
class Style:
    """How one till writes numbers and dates.

    Attributes:
        separator: what stands between thousands.
        unit: what stands after an amount that carries a unit: "đ", " VNĐ", "".
        day: strftime pattern of the date.
        clock: strftime pattern of the time, "" where none is printed.
    """

    separator: str
    unit: str
    day: str
    clock: str

    def amount(self, value: int, unit: bool = False) -> str:
        """Write an amount in đồng, with the unit behind it where `unit` asks for it."""
        return f"{value:,}".replace(",", self.separator) + (self.unit if unit else "")

    def count(self, quantity: int | float) -> str:
        """Write a quantity: 1, 12, or a weight with the decimal sign that goes with the separator."""
        if isinstance(quantity, int):
            return str(quantity)
        return f"{quantity:.3f}".replace(".", "," if self.separator == "." else ".")


def make_style(dice: Dice) -> Style:
    """Draw how a till writes numbers and dates."""
    unit = dice.pick(("đ", "đ", " đ", " VNĐ", "VND", "", ""))
    day = dice.pick(("%d/%m/%Y", "%d/%m/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y-%m-%d", "%d/%m/%y"))
    return Style(
        dice.pick((".", ".", ",", ",")),
        unit,
        day,
        dice.pick(("%H:%M", "%H:%M", "%H:%M", "%H:%M:%S", "%H:%M:%S", "%I:%M %p", "")),
    )


def make_content(dice: Dice, most_items: int) -> Content:
    """Make up a receipt of 1 to `most_items` positions."""
    kind = dice.pick(tuple(goods.GOODS))
    items = _items(dice, kind, min(most_items, int(dice.log_uniform(1.5, most_items + 0.99))))
    adjustments, total, included, rate = _sums(dice, kind, sum(item.price for item in items))
    when = datetime.datetime(2018, 1, 1) + datetime.timedelta(
        days=dice.integer(0, 3000), minutes=dice.integer(390, 1350), seconds=dice.integer(0, 59)
    )
    eating = kind in ("cafe", "restaurant")
    return Content(
        kind,
        shop=_shop(dice, kind),
        slogan=dice.pick(goods.SLOGANS) if dice.chance(0.25) else "",
        address=_address(dice),
        phone=phone(dice) if dice.chance(0.8) else "",
        tax_code=f"03{dice.digits(8)}" if dice.chance(0.3) else "",
        title=dice.pick(goods.TITLES),
        number=_number(dice),
        when=when,
        cashier=dice.pick(words.GIVEN) if dice.chance(0.7) else "",
        table=str(dice.integer(1, 40)) if eating and dice.chance(0.7) else "",
        customer=person(dice) if dice.chance(0.3) else dice.pick(("Khách lẻ", "", "")),
        items=items,
        adjustments=adjustments,
        total=total,
        payments=_payments(dice, total),
        included_tax=included,
        tax_rate=rate,
        notes=tuple(dict.fromkeys(dice.pick(goods.NOTES) for _ in range(dice.integer(0, 2)))),
        thanks=dice.pick(goods.THANKS),
    )


@cache
def _catalogue(kind: str) -> tuple[tuple[str, bool, int, int], ...]:
    """Return what a kind of shop sells: name, whether by weight, lowest and highest price of one in 1,000 đồng."""
    rows = []
    for row in goods.GOODS[kind].split("|"):
        match = _GOODS.fullmatch(" ".join(row.split()))
        assert match is not None, row
        by_weight, name, low, high = match.groups()
        rows.append((name, bool(by_weight), int(low), int(high)))
    return tuple(rows)


def _items(dice: Dice, kind: str, count: int) -> tuple[Bought, ...]:
    left, upper = list(_catalogue(kind)), dice.chance(0.2)
    items: list[Bought] = []
    while len(items) < count and left:
        name, by_weight, low, high = left.pop(dice.integer(0, len(left) - 1))
        if low >= 10:
            price = dice.integer(low, high) * 1000 if dice.chance(0.75) else dice.integer(low * 2, high * 2) * 500
        else:
            price = dice.integer(low * 10, high * 10) * 100
        pieces = (1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 10)
        quantity: int | float = dice.integer(120, 2400) / 1000 if by_weight else dice.pick(pieces)
        units = "kg" if by_weight else dice.pick(goods.UNITS[kind].split())
        # In whole đồng, half up, by integers alone: the same everywhere.
        cost = (round(quantity * 1000) * price + 500) // 1000
        items.append(Bought(name.upper() if upper else name, quantity, units, price, cost))
    return tuple(items)


def _sums(dice: Dice, kind: str, subtotal: int) -> tuple[tuple[tuple[str, int], ...], int, int, int]:
    """Make up the adjustments, the total, the tax inside it and its rate in percent."""
    adjustments, total, rate = [], subtotal, dice.pick((8, 8, 10, 5 if kind == "pharmacy" else 10))
    if dice.chance(0.3):
        percent = dice.pick((5, 10, 10, 15, 20))
        form = dice.integer(0, 2)
        off = min(dice.pick((5, 10, 20, 50)) * 1000, total // 2) if form == 2 else total * percent // 100
        name = dice.pick(("Giảm giá", "Chiết khấu", "Khuyến mãi", "Giảm"))
        label = dice.pick(("Voucher", "Mã giảm giá", "Điểm tích lũy")) if form == 2 else f"{name} {percent}%"
        adjustments.append((label, -off))
        total -= off
    if kind == "restaurant" and dice.chance(0.2):
        adjustments.append(("Phí dịch vụ (5%)", total * 5 // 100))
        total += total * 5 // 100
    included, tax_form = 0, dice.random()
    if tax_form < 0.3:
        tax = (total * rate + 50) // 100
        labels = f"Thuế GTGT ({rate}%)", f"VAT {rate}%", f"Thuế GTGT {rate}%", f"Tiền thuế ({rate}%)"
        adjustments.append((dice.pick(labels), tax))
        total += tax
    elif tax_form < 0.5:
        included = (total * rate + (100 + rate) // 2) // (100 + rate)
    return tuple(adjustments), total, included, rate


def _payments(dice: Dice, total: int) -> tuple[tuple[str, int], ...]:
    form = dice.random()
    if form < 0.2:
        return ()
    if form < 0.45:
        return ((dice.pick(("Thẻ VISA", "Chuyển khoản", "Ví MoMo", "Thẻ ngân hàng", "Quét mã QR")), total),)
    step = dice.pick([note for note in (1000, 10_000, 50_000, 100_000, 500_000) if note <= max(1000, 2 * total)])
    cash = -(-total // step) * step
    change = ((dice.pick(("Tiền thừa", "Tiền thối lại", "Trả lại khách", "Thối lại")), cash - total),)
    given = dice.pick(("Tiền mặt", "Tiền khách đưa", "Khách đưa", "Khách trả")), cash
    return (given, *(change if cash > total or dice.chance(0.5) else ()))


def _shop(dice: Dice, kind: str) -> str:
    name = dice.pick(goods.NAMES) if dice.chance(0.6) else f"{dice.pick(goods.LUCKY)} {dice.pick(goods.LUCKY)}"
    full = f"{dice.pick(goods.SHOPS[kind].split('|'))} {name}"
    return full.upper() if dice.chance(0.6) else full


def _address(dice: Dice) -> str:
    number = f"{dice.pick(('', '', '', 'Số '))}{dice.integer(1, 699)}"
    number += dice.pick(("", "", "", f"/{dice.integer(1, 60)}", dice.pick("ABC")))
    ward = dice.pick(("P. ", "Phường ", "P.", "Phường "))
    ward += str(dice.integer(1, 15)) if dice.chance(0.3) else dice.pick(words.AREAS)
    if dice.chance(0.4):
        district = f"{dice.pick(('Q.', 'Quận '))}{dice.integer(1, 12)}"
    else:
        district = f"{dice.pick(('Q. ', 'TP. ', 'H. '))}{dice.pick(words.AREAS)}"
    street = dice.pick(words.STREETS)
    before = "đường " if dice.chance(0.3) and not street.startswith(("Đường", "Quốc lộ", "Tỉnh lộ")) else ""
    parts = [f"{number} {before}{street}", ward, district, dice.pick(words.PLACES)]
    kept = parts if dice.chance(0.6) else [part for part in parts[:3] if part != district] + parts[3:]
    return ", ".join(kept)


def _number(dice: Dice) -> str:
    return dice.pick(
        (
            f"HD{dice.digits(6)}",
            f"{dice.digits(7)}",
            f"#{dice.digits(4)}",
            f"{dice.digits(2)}-{dice.digits(5)}",
            f"BL{dice.digits(3)}/{dice.digits(2)}",
        )
    )


_DIGITS = ["không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín"]


def _below_thousand(value: int, leading: bool) -> list[str]:
    """Spell a number below 1000; with `leading`, name the hundreds even where there are none, as after a thousand."""
    hundreds, tens, ones = value // 100, value // 10 % 10, value % 10
    spelt = [_DIGITS[hundreds], "trăm"] if hundreds or leading else []
    if tens == 0:
        return spelt + (["lẻ"] if spelt else []) + [_DIGITS[ones]] if ones else spelt
    spelt += ["mười"] if tens == 1 else [_DIGITS[tens], "mươi"]
    if ones:
        spelt.append("mốt" if ones == 1 and tens > 1 else "lăm" if ones == 5 else _DIGITS[ones])
    return spelt


def in_words(value: int) -> str:
    """Spell an amount as forms do: 1250000 is "Một triệu hai trăm năm mươi nghìn đồng".

    Args:
        value: the amount in đồng, from 0 to 999,999,999.

    Returns:
        The words, the first with a capital.
    """
    spelt: list[str] = []
    powers: tuple[tuple[int, list[str]], ...] = ((1_000_000, ["triệu"]), (1000, ["nghìn"]), (1, []))
    for power, name in powers:
        part = value // power % 1000
        if part:
            spelt += _below_thousand(part, bool(spelt)) + name
    return " ".join(spelt or ["không"]).capitalize() + " đồng"
