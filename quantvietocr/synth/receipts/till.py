"""The slips of tills that print in dots: bitmap letters, often without marks, Vietnamese and English labels mixed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..lines import words
from ..lines.dice import Dice, Weighted
from . import slip_words as said
from .bitmap import DotFace, DotPool, spell
from .content import Bought, Content, Style
from .heads import Head, choose_head
from .layout import Sheet, Typesetter
from .thermal import COLUMNS, PAPERS, fill_receipt

MARKLESS = 0.65  # share of dot printers' slips without Vietnamese marks
ENGLISH = 0.3  # share of the labels of a mixed slip that are English


@dataclass(frozen=True)
class Till:
    """A till.

    Attributes:
        face: what it prints with.
        head: what puts the dots on paper.
        marks: whether it prints Vietnamese marks.
        capitals: whether it prints capitals alone.
        english: share of its labels that are English.
    """

    face: DotFace
    head: Head
    marks: bool
    capitals: bool
    english: float

    def spell(self, text: str) -> str:
        """Write a text as the till prints it."""
        return spell(text, self.marks, self.capitals)


def choose_till(dice: Dice, pool: DotPool) -> Till:
    """Draw a till."""
    marks = not dice.chance(MARKLESS)
    face = pool.choose(dice, marks)
    english = dice.pick((0.0, ENGLISH, ENGLISH, 0.9))
    return Till(face, choose_head(dice, face.strike), marks, dice.chance(0.3), english)


def set_till(
    content: Content, style: Style, paper: int, till: Till, pool: DotPool, dice: Dice
) -> tuple[Sheet, Content]:
    """Set a slip, a pixel a dot.

    Args:
        content: what is printed.
        style: how numbers and dates are written.
        paper: width of the paper in mm, a key of PAPERS.
        till: what prints it.
        pool: opens fonts.
        dice: source of everything random.

    Returns:
        The sheet, and the content as the till has printed it.
    """
    cell = pool.open(till.face, till.face.strike).getlength("n0aM") / 4
    per_mm = dice.uniform(*COLUMNS[paper]) * cell / PAPERS[paper]
    width, printed = round(paper * per_mm), PAPERS[paper] * per_mm
    setter = Typesetter(
        pool, till.face, width, (width - printed) / 2, per_mm, till.face.strike, dice.uniform(1.0, 1.35), till.spell
    )
    setter.y = dice.uniform(2, 9) * per_mm
    if dice.chance(0.35):
        fill_receipt(setter, content, style, paper, dice)
    else:
        content = _printed_names(content, setter, dice)
        _Slip(setter, content, style, till, dice).fill()
    names = [replace(item, name=till.spell(item.name)) for item in content.items]
    shop, address = till.spell(content.shop), till.spell(content.address)
    printed_content = replace(content, shop=shop, address=address, items=tuple(names))
    return setter.done(dice.uniform(3, 14) * per_mm), printed_content


def _printed_names(content: Content, setter: Typesetter, dice: Dice) -> Content:
    """Choose the shop's name, and write the names of goods as tills do: with a size, cut off where the row ends."""
    room, items = setter.right - setter.left - 5 * setter.width("0"), []
    for item in content.items:
        name = item.name + dice.pick(("", "", "", f" {said.size(dice)}"))
        items.append(replace(item, name=_cut(name, room, setter)))
    return replace(content, shop=content.shop if dice.chance(0.6) else dice.pick(said.SHOPS), items=tuple(items))


def _cut(text: str, room: float, setter: Typesetter) -> str:
    while len(text) > 4 and setter.width(text) > room:
        text = text[:-1]
    return text.rstrip()


class _Slip:
    """Sets the parts of a slip one below the other."""

    def __init__(self, setter: Typesetter, content: Content, style: Style, till: Till, dice: Dice) -> None:
        self.setter, self.content, self.style, self.till, self.dice = setter, content, style, till, dice
        self.dashes = dice.pick(("-", "-", "=", "*", ".", ""))
        self.colon = dice.pick((":", ": ", " : "))
        self.doubled = dice.chance(0.4)

    def label(self, key: str) -> str:
        """Draw a label in the slip's languages."""
        vietnamese, english = said.LABELS[key]
        return self.dice.pick(english if self.dice.chance(self.till.english) else vietnamese)

    def fill(self) -> None:
        """Set the slip."""
        self._head()
        self._about()
        self.setter.rule(self.dashes)
        self._items()
        self.setter.rule(self.dashes)
        self._sums()
        self._foot()

    def _head(self) -> None:
        setter, content, dice = self.setter, self.content, self.dice
        side = dice.pick("ccl")
        if dice.chance(0.15):
            setter.block("logo", 14 * setter.per_mm, 11 * setter.per_mm)
        large = dice.chance(0.2) and setter.width(content.shop) < 0.5 * (setter.right - setter.left)
        size = setter.size * (2 if large else 1)
        setter.lines(content.shop, side, size, tall=dice.pick((1, 1, 2)), role="shop")
        setter.lines(dice.pick(("", "", "DC: ", "ĐC: ", "Địa chỉ: ", "Add: ")) + content.address, side, role="address")
        opens, closes = dice.integer(6, 9), dice.integer(20, 23)
        lines = [
            f"{self.label('tax code')}{self.colon}0{dice.digits(9)}",
            f"{self.label('phone')}{self.colon}{content.phone or '0' + dice.digits(9)}",
            f"Email: {said.mail(dice)}",
            f"{dice.pick(('Website: ', 'Web site: ', ''))}{said.site(dice)}",
            f"{self.label('hours')}{self.colon}0{opens}:00 - {closes}:{dice.pick(('00', '30'))}",
        ]
        for line in lines:
            if dice.chance(0.4):
                setter.lines(line, side)
        if dice.chance(0.85):
            setter.skip(dice.pick((0, 0.5)))
            setter.lines(self.label("title"), "c", tall=dice.pick((1, 1, 2)), wide=dice.pick((1, 1, 1, 2)))

    def _about(self) -> None:
        """Set number, date, till, cashier and customer, alone or two on a row."""
        setter, content, dice = self.setter, self.content, self.dice
        day, clock = content.when.strftime(self.style.day), content.when.strftime(self.style.clock or "%H:%M")
        when = dice.pick(
            (
                f"{self.label('date')}{self.colon}{day} {clock}",
                f"{self.label('date')}{self.colon}{day} {self.label('time')}{self.colon}{clock}",
                f"{day} {clock} {self.label('till')} {dice.digits(2)}/{dice.digits(5)}",
            )
        )
        pairs = [
            (f"{self.label('number')}{self.colon}{dice.pick((content.number, dice.digits(16), dice.digits(6)))}", ""),
            (when, "date"),
            (f"{self.label('till')}{self.colon}{dice.digits(dice.integer(1, 7))}", ""),
            (f"{self.label('cashier')}{self.colon}{said.cashier(dice, content.cashier)}", ""),
            (f"{self.label('table')}{self.colon}{dice.integer(1, 40)}", ""),
            (f"{self.label('customer')}{self.colon}{content.customer}", ""),
        ]
        kept = [pair for pair in pairs if pair[1] or dice.chance(0.6)]
        while kept:
            text, role = kept.pop(0)
            other = kept[0] if kept else ("", "")
            fits = setter.width(text) + setter.width(other[0]) + 2 * setter.size < setter.right - setter.left
            if other[0] and fits and dice.chance(0.4):
                kept.pop(0)
                cells = [(text, setter.left, "l"), (other[0], setter.right, "r")]
                setter.row(cells, roles=[role, other[1]])
            else:
                setter.lines(text, "l", role=role)

    def _items(self) -> None:
        setter, content, style, dice = self.setter, self.content, self.style, self.dice
        wide = setter.right - setter.left
        if dice.chance(0.7):
            head = [self.label(key) for key in ("quantity", "price", "amount")]
            cells = [
                (head[0], setter.left, "l"),
                (head[1], setter.left + 0.62 * wide, "r"),
                (head[2], setter.right, "r"),
            ]
            setter.row(cells)
            setter.rule(self.dashes)
        form = dice.pick(("code", "tax", "weight", "one row"))
        for number, item in enumerate(content.items, 1):
            role = f"item-{number - 1}"
            name = dice.pick(("", "", f"{number:03d} ", f"{number}.")) + item.name
            if form == "one row" and setter.width(name) < 0.55 * wide:
                left = setter.left + 0.68 * wide
                cells = [
                    (name, setter.left, "l"),
                    (style.count(item.quantity), left, "r"),
                    (style.amount(item.price), setter.right, "r"),
                ]
                setter.row(cells, roles=[role] * 3)
            else:
                setter.row([(name, setter.left, "l")], roles=[role])
                setter.row(self._numbers(item, "tax" if form == "one row" else form), roles=[role] * 4)
            if dice.chance(0.12):
                off = style.amount(-dice.integer(1, 30) * 500)
                setter.row([(self.label("less"), setter.left + setter.size, "l"), (off, setter.right, "r")])

    def _numbers(self, item: Bought, form: str) -> list[tuple[str, float, str]]:
        """Return the cells of the row below an item's name."""
        setter, style, dice = self.setter, self.style, self.dice
        wide = setter.right - setter.left
        count, price, cost = (style.count(item.quantity), style.amount(item.unit_price), style.amount(item.price))
        if form == "code":
            code = dice.pick(("*", "", "")) + f"89{dice.digits(11)}"
            return [
                (code, setter.left, "l"),
                (price, setter.left + 0.66 * wide, "r"),
                (count, setter.left + 0.76 * wide, "r"),
                (cost, setter.right, "r"),
            ]
        if form == "tax":
            return [
                (dice.pick(("10 %VAT", "8 %VAT", "5 %VAT", "VAT 10%", "VAT08")), setter.left + 0.5 * setter.size, "l"),
                (count, setter.left + 0.45 * wide, "r"),
                (price, setter.left + 0.7 * wide, "r"),
                (cost, setter.right, "r"),
            ]
        return [
            (f"{price}/{dice.pick(('KG', 'kg', 'EA', 'cái'))} x {count}", setter.left, "l"),
            (cost, setter.right, "r"),
        ]

    def _sums(self) -> None:
        setter, content, style, dice = self.setter, self.content, self.style, self.dice
        tall, wide = (2.0, dice.pick((1.0, 1.0, 2.0))) if self.doubled else (1.0, 1.0)
        if content.adjustments or dice.chance(0.3):
            setter.pair(self.label("subtotal") + self.colon, style.amount(content.items_total))
        for label, value in content.adjustments:
            name = label if dice.chance(1 - self.till.english) else dice.pick(said.OTHER_ADJUSTMENTS)
            setter.pair(name + self.colon, style.amount(value))
        total = style.amount(content.total, unit=dice.chance(0.2))
        setter.pair(self.label("total") + self.colon, total, tall=tall, role="total", wide=wide)
        if content.included_tax:
            before = style.amount(content.total - content.included_tax)
            cells = [
                (f"{content.tax_rate}(%VAT)", setter.left, "l"),
                (before, setter.left + 0.62 * (setter.right - setter.left), "r"),
                (style.amount(content.included_tax), setter.right, "r"),
            ]
            setter.row(cells)
        for number, (label, value) in enumerate(content.payments):
            key = "change" if number else "cash"
            setter.pair((label if dice.chance(0.3) else self.label(key)) + self.colon, style.amount(value))
        if dice.chance(0.4):
            count = len(content.items)
            setter.pair(f"{self.label('count')} {count}{self.colon}".strip(), str(sum(1 for _ in content.items)))

    def _foot(self) -> None:
        setter, content, dice = self.setter, self.content, self.dice
        if dice.chance(0.5):
            setter.rule(self.dashes)
        for _ in range(dice.integer(0, 5)):
            setter.lines(dice.pick(FOOT)(dice), dice.pick("ccl"))
        setter.lines(dice.pick((content.thanks, dice.pick(said.THANKS))), wide=dice.pick((1, 1, 1, 2)))
        if dice.chance(0.3):
            width = dice.uniform(0.5, 0.9) * (setter.right - setter.left)
            setter.skip(0.5)
            setter.block("barcode", width, dice.uniform(8, 12) * setter.per_mm)
            if dice.chance(0.6):
                setter.row([(dice.digits(dice.pick((8, 13, 18))), setter.middle, "c")])


FOOT = Weighted(
    [
        (lambda dice: dice.pick(said.NOTES), 3.0),
        (lambda dice: dice.pick(words.RECEIPT_NOTES), 1.0),
        (lambda dice: said.phrase(dice), 3.0),
        (lambda dice: said.member(dice), 1.5),
        (lambda dice: said.site(dice), 0.7),
        (lambda dice: said.card(dice), 1.5),
    ]
)
