"""The look of a sales form on A5 paper: head, labels with values, a table with rules, sums, signatures."""

from __future__ import annotations

from itertools import accumulate

from ..lines.dice import Dice
from ..lines.fonts import FontPool
from .content import Content, Style, in_words
from .layout import Mark, Sheet, Typesetter

FONTS = (("times", 2.0), ("arial", 2.0), ("sans", 1.0), ("serif", 0.6), ("mono", 0.1), ("script", 0.0))
WIDTH, HEIGHT = 148, 210  # mm, A5


def set_form(content: Content, style: Style, per_mm: float, pool: FontPool, dice: Dice) -> Sheet:
    """Set a sales form on A5 paper; it is longer than that where the table is.

    Args:
        content: what is printed.
        style: how numbers and dates are written.
        per_mm: pixels per millimetre.
        pool: fonts to draw from.
        dice: source of everything random.

    Returns:
        The sheet.
    """
    face = pool.pick(dice, FONTS)
    size = round(dice.uniform(3.3, 4.1) * per_mm)  # 9.5 to 11.5 points
    margin, leading = dice.uniform(9, 14) * per_mm, dice.uniform(1.35, 1.6)
    setter = Typesetter(pool, face, round(WIDTH * per_mm), margin, per_mm, size, leading)
    setter.y = dice.uniform(7, 13) * per_mm
    side = dice.pick("lc")
    setter.lines(content.shop, side, round(size * dice.uniform(1.0, 1.3)), True, role="shop")
    setter.lines(dice.pick(("Địa chỉ: ", "Địa chỉ: ", "ĐC: ", "")) + content.address, side, role="address")
    if content.phone:
        setter.lines(f"Điện thoại: {content.phone}", side)
    if content.tax_code:
        setter.lines(f"Mã số thuế: {content.tax_code}", side)
    setter.skip(0.4)
    setter.lines(content.title.upper(), "c", round(size * dice.uniform(1.4, 1.9)), True)
    in_full = dice.chance(0.7)
    setter.lines(
        content.when.strftime("Ngày %d tháng %m năm %Y" if in_full else f"Ngày: {style.day}"), "c", role="date"
    )
    setter.lines(f"Số: {content.number}", dice.pick("cr"))
    setter.skip(0.3)
    dotted = dice.chance(0.6)
    for label, value in (
        ("Họ tên khách hàng", content.customer or "Khách lẻ"),
        ("Hình thức thanh toán", _payment(content)),
        ("Người lập phiếu", content.cashier),
    ):
        if value:
            _labelled(setter, f"{label}:", value, dotted)
    setter.skip(0.3)
    _table(setter, content, style, dice)
    setter.skip(0.2)
    setter.lines(f"{dice.pick(('Số tiền viết bằng chữ', 'Bằng chữ'))}: {in_words(content.total)}", "l")
    setter.skip(0.5)
    quarter = (setter.right - setter.left) / 4
    middles = setter.left + quarter, setter.right - quarter
    setter.row([("Người mua hàng", middles[0], "c"), ("Người bán hàng", middles[1], "c")], bold=True)
    setter.row([("(Ký, ghi rõ họ tên)", middle, "c") for middle in middles], round(size * 0.9))
    setter.y += dice.uniform(12, 22) * per_mm
    if dice.chance(0.4):
        setter.lines(content.thanks)
    sheet = setter.done(dice.uniform(5, 9) * per_mm)
    sheet.height = max(sheet.height, round(HEIGHT * per_mm))
    return sheet


def _payment(content: Content) -> str:
    return content.payments[0][0] if content.payments else "Tiền mặt"


def _labelled(setter: Typesetter, label: str, value: str, dotted: bool) -> None:
    """Set label and value on one line; dots run from the value to the margin where they are asked for."""
    text = f"{label} {value}"
    setter.row([(text, setter.left, "l")])
    start = setter.left + setter.width(text) + 0.8 * setter.size
    count = int((setter.right - start) / setter.width("."))
    if dotted and count > 3:
        box = (start, setter.y - 0.3 * setter.size, start + count * setter.width("."), setter.y + 0.15 * setter.size)
        setter.sheet.marks.append(Mark("rule", box, "." * count, setter.size))


def _table(setter: Typesetter, content: Content, style: Style, dice: Dice) -> None:
    """Set the table and its sums, ruled."""
    heads = ["STT", dice.pick(("Tên hàng", "Tên hàng hóa, dịch vụ", "Diễn giải")), "ĐVT", "SL", "Đơn giá", "Thành tiền"]
    cells = [
        [
            str(number),
            item.name,
            item.unit,
            style.count(item.quantity),
            style.amount(item.unit_price),
            style.amount(item.price),
        ]
        for number, item in enumerate(content.items, 1)
    ]
    sums = _sums(content, style, dice)
    pad = 0.45 * setter.size
    widths = _column_widths(setter, heads, cells, [amount for _, amount, _ in sums], pad)
    edges = list(accumulate(widths, initial=setter.left))
    sides = "clccrr"

    def cell(column: int, text: str) -> tuple[str, float, str]:
        left, right = edges[column], edges[column + 1]
        return text, {"l": left + pad, "c": (left + right) / 2, "r": right - pad}[sides[column]], sides[column]

    gap, top = 0.42 * setter.size, setter.y + 0.2 * setter.size
    levels = [top]
    setter.y = top
    setter.row([(text, (edges[index] + edges[index + 1]) / 2, "c") for index, text in enumerate(heads)], bold=True)
    setter.y += gap
    levels.append(setter.y)
    for index, row in enumerate(cells):
        first, *rest = setter.wrap(row[1], widths[1] - 2 * pad)
        setter.row(
            [cell(0, row[0]), cell(1, first), *(cell(column, row[column]) for column in range(2, 6))],
            roles=[f"item-{index}"] * 6,
        )
        for line in rest:
            setter.row([cell(1, line)], roles=[f"item-{index}"])
        setter.y += gap
        levels.append(setter.y)
    bottom = setter.y
    for label, amount, role in sums:
        setter.row(
            [(f"{label}:", edges[5] - pad, "r"), (amount, edges[6] - pad, "r")],
            bold=role == "total",
            roles=[role, role],
        )
        setter.y += gap
        levels.append(setter.y)
    thick = max(1.0, 0.22 * setter.per_mm)
    marks = [Mark("frame", (setter.left, y, setter.right, y + thick)) for y in levels]
    # Between columns down to the last item; around everything to the end.
    ends = [setter.y, *[bottom] * 4, setter.y, setter.y]
    marks += [Mark("frame", (x, top, x + thick, end + thick)) for x, end in zip(edges, ends)]
    setter.sheet.marks += marks


def _sums(content: Content, style: Style, dice: Dice) -> list[tuple[str, str, str]]:
    """Return (label, amount, role) of each row below the items."""
    sums = []
    if content.adjustments:
        sums.append((dice.pick(("Cộng tiền hàng", "Tạm tính")), style.amount(content.items_total), ""))
    sums += [(label, style.amount(value), "") for label, value in content.adjustments]
    label = dice.pick(("Tổng cộng", "TỔNG CỘNG", "Tổng tiền thanh toán"))
    return [*sums, (label, style.amount(content.total, unit=True), "total")]


def _column_widths(
    setter: Typesetter, heads: list[str], cells: list[list[str]], amounts: list[str], pad: float
) -> list[float]:
    """Return the widths of the columns in pixels; the second takes the room that is left."""
    wide = [
        max(setter.width(text, bold=number == 0) for number, text in enumerate(column)) + 2 * pad
        for column in zip(heads, *cells)
    ]
    wide[5] = max(wide[5], max(setter.width(amount, bold=True) for amount in amounts) + 2 * pad)
    wide[1] = setter.right - setter.left - sum(wide[:1] + wide[2:])
    return wide
