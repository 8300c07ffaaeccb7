"""The look of till receipts: 80 mm and 57 mm paper, several ways to set items and sums."""

from __future__ import annotations

from ..lines.dice import Dice
from ..lines.fonts import FontPool
from .content import Bought, Content, Style
from .layout import Sheet, Typesetter

FONTS = (("mono", 2.5), ("arial", 2.0), ("sans", 1.5), ("times", 0.02), ("serif", 0.02), ("script", 0.0))
PAPERS = {80: 72.0, 57: 48.0}  # mm of paper → mm printed on
HEADS = (
    ("Tên hàng", "SL", "Đ.Giá", "T.Tiền"),
    ("Mặt hàng", "SL", "Giá", "Tiền"),
    ("Tên món", "SL", "ĐG", "TT"),
    ("TÊN HÀNG", "SL", "GIÁ", "T.TIỀN"),
)
COLUMNS = {80: (38, 48), 57: (28, 34)}  # mm of paper → characters of a monospaced line, fewest and most


def set_receipt(content: Content, style: Style, paper: int, per_mm: float, pool: FontPool, dice: Dice) -> Sheet:
    """Set a till receipt.

    Args:
        content: what is printed.
        style: how numbers and dates are written.
        paper: width of the paper in mm, a key of PAPERS.
        per_mm: pixels per millimetre.
        pool: fonts to draw from.
        dice: source of everything random.

    Returns:
        The sheet.
    """
    face = pool.pick(dice, FONTS)
    width, printed = round(paper * per_mm), PAPERS[paper] * per_mm
    # As many columns as such a printer has; letters of other fonts are narrower, so that they may be larger.
    em = pool.open(face, 100).getlength("n0a") / 300
    columns = dice.uniform(*COLUMNS[paper])
    size = round(min(printed / columns / em, 3.4 * per_mm))
    setter = Typesetter(pool, face, width, (width - printed) / 2, per_mm, max(size, 12), dice.uniform(1.2, 1.45))
    setter.y = dice.uniform(2, 9) * per_mm
    fill_receipt(setter, content, style, paper, dice)
    return setter.done(dice.uniform(3, 14) * per_mm)


def fill_receipt(setter: Typesetter, content: Content, style: Style, paper: int, dice: Dice) -> None:
    """Set everything a till receipt says, from where the setter stands; arguments as in `set_receipt`."""
    dashes = dice.pick(("-", "-", "-", "=", "*", ".", "", "", ""))
    _head(setter, content, style, dice)
    setter.rule(dashes)
    _items(setter, content, style, dice, paper)
    setter.rule(dashes)
    _sums(setter, content, style, dice)
    _foot(setter, content, style, dice, dashes)


def _head(setter: Typesetter, content: Content, style: Style, dice: Dice) -> None:
    side = "c" if dice.chance(0.85) else "l"
    if dice.chance(0.2):
        setter.block("logo", 14 * setter.per_mm, 11 * setter.per_mm)
        setter.skip(0.3)
    size, bold = round(setter.size * dice.uniform(1.0, 1.6)), dice.chance(0.7)
    setter.lines(content.shop, side, size, bold, dice.uniform(1.1, 1.7) if dice.chance(0.2) else 1.0, "shop")
    if content.slogan:
        setter.lines(content.slogan, side)
    setter.lines(dice.pick(("", "", "ĐC: ", "Địa chỉ: ", "Đ/c: ")) + content.address, side, role="address")
    if content.phone:
        setter.lines(dice.pick(("ĐT: ", "Tel: ", "Hotline: ", "SĐT: ", "")) + content.phone, side)
    if content.tax_code:
        setter.lines(f"MST: {content.tax_code}", side)
    setter.skip(dice.uniform(0.1, 0.8))
    setter.lines(content.title, "c", round(setter.size * dice.uniform(1.0, 1.35)), dice.chance(0.7))
    about = [
        (dice.pick(("Số HĐ", "Số", "HĐ số", "Mã HĐ", "Số phiếu")), content.number, ""),
        (dice.pick(("Ngày", "Ngày", "Thời gian", "Ngày bán", "Ngày in")), _moment(content, style), "date"),
    ]
    if content.cashier:
        about.append((dice.pick(("Thu ngân", "Nhân viên", "NV", "TN")), content.cashier, ""))
    if content.table:
        about.append((dice.pick(("Bàn", "Bàn số", "BÀN")), content.table, ""))
    if content.customer:
        about.append((dice.pick(("Khách hàng", "KH", "Khách")), content.customer, ""))
    if dice.chance(0.3):
        about[0], about[1] = about[1], about[0]
    if dice.chance(0.2) and style.clock:
        # Date and time apart, on one row.
        about = [(label, value, role) for label, value, role in about if role != "date"]
        setter.row(
            [
                (f"Ngày: {content.when.strftime(style.day)}", setter.left, "l"),
                (f"Giờ: {content.when.strftime(style.clock)}", setter.right, "r"),
            ],
            roles=["date", "date"],
        )
    justified, colon = dice.chance(0.25), dice.pick((": ", ": ", ":", " : "))
    for label, value, role in about:
        if justified:
            setter.pair(f"{label}:", value, role=role)
        else:
            setter.lines(f"{label}{colon}{value}", "l", role=role)


def _moment(content: Content, style: Style) -> str:
    return content.when.strftime(f"{style.day} {style.clock}".strip())


def _items(setter: Typesetter, content: Content, style: Style, dice: Dice, paper: int) -> None:
    form = dice.pick(
        ("columns", "columns", "columns", "below", "below", "count")
        if paper == 80
        else ("below", "below", "below", "count", "count")
    )
    numbered, bold_head = dice.chance(0.3), dice.chance(0.5)
    names = [f"{number}. {item.name}" if numbered else item.name for number, item in enumerate(content.items, 1)]
    if form == "columns":
        widest = max(setter.width(style.amount(item.price)) for item in content.items)
        unit = max(setter.width(style.amount(item.unit_price)) for item in content.items)
        head = dice.pick(HEADS)
        price = max(setter.right - max(widest, setter.width(head[3])) - setter.size, setter.left)
        count = price - max(unit, setter.width(head[2])) - setter.size
        room = count - max(
            [setter.width(head[1]), *(setter.width(style.count(item.quantity)) for item in content.items)]
        )
        room -= 0.8 * setter.size + setter.left
        setter.row(
            [(head[0], setter.left, "l"), (head[1], count, "r"), (head[2], price, "r"), (head[3], setter.right, "r")],
            bold=bold_head,
        )
        if dice.chance(0.5):
            setter.rule(dice.pick(("-", "")))
        for index, (name, item) in enumerate(zip(names, content.items)):
            first, *rest = setter.wrap(name, room)
            setter.row(
                [
                    (first, setter.left, "l"),
                    (style.count(item.quantity), count, "r"),
                    (style.amount(item.unit_price), price, "r"),
                    (style.amount(item.price), setter.right, "r"),
                ],
                roles=[f"item-{index}"] * 4,
            )
            for line in rest:
                setter.row([(line, setter.left, "l")], roles=[f"item-{index}"])
    elif form == "below":
        times, bold, gap = dice.pick((" x ", " x ", " X ", "x")), dice.chance(0.3), dice.chance(0.3)
        for index, (name, item) in enumerate(zip(names, content.items)):
            setter.lines(name, "l", bold=bold, role=f"item-{index}")
            setter.pair(
                f"{style.count(item.quantity)}{times}{style.amount(item.unit_price)}",
                style.amount(item.price),
                role=f"item-{index}",
                at=setter.left + setter.size * (1.2 if numbered or gap else 0.0),
            )
    else:
        _counted(setter, content.items, names, style, dice)


def _counted(setter: Typesetter, items: tuple[Bought, ...], names: list[str], style: Style, dice: Dice) -> None:
    """Set rows of name, count and what the row costs, without the price of one."""
    times = dice.pick(("", "x"))
    prices = [style.amount(item.price) for item in items]
    counts = [f"{times}{style.count(item.quantity)}" for item in items]
    column = setter.right - max(map(setter.width, [*prices, "T.Tiền"])) - setter.size
    room = column - max(map(setter.width, [*counts, "SL"])) - 0.8 * setter.size - setter.left
    if dice.chance(0.8):
        setter.row(
            [
                (dice.pick(("Tên món", "Mặt hàng", "Tên hàng")), setter.left, "l"),
                ("SL", column, "r"),
                (dice.pick(("T.Tiền", "Tiền")), setter.right, "r"),
            ],
            bold=dice.chance(0.5),
        )
    for index, (name, count, price) in enumerate(zip(names, counts, prices)):
        first, *rest = setter.wrap(name, room)
        setter.row(
            [(first, setter.left, "l"), (count, column, "r"), (price, setter.right, "r")], roles=[f"item-{index}"] * 3
        )
        for line in rest:
            setter.row([(line, setter.left, "l")], roles=[f"item-{index}"])


def _sums(setter: Typesetter, content: Content, style: Style, dice: Dice) -> None:
    colon = dice.pick((":", ":", ""))
    if dice.chance(0.3):
        pieces = sum(item.quantity if isinstance(item.quantity, int) else 1 for item in content.items)
        setter.pair(dice.pick(("Tổng SL", "Tổng số lượng", "Số món")) + colon, str(pieces))
    if content.adjustments:
        label = dice.pick(("Tạm tính", "Cộng tiền hàng", "Tổng tiền hàng", "Thành tiền"))
        setter.pair(label + colon, style.amount(content.items_total))
        for label, value in content.adjustments:
            setter.pair(label + colon, style.amount(value))
    label = dice.pick(
        ("Tổng cộng", "TỔNG CỘNG", "TỔNG CỘNG", "Tổng thanh toán", "THANH TOÁN", "Tổng tiền", "TỔNG TIỀN")
    )
    setter.pair(
        label + colon,
        style.amount(content.total, unit=True),
        round(setter.size * dice.pick((1.0, 1.0, 1.2, 1.4))),
        dice.chance(0.7),
        dice.uniform(1.2, 1.7) if dice.chance(0.15) else 1.0,
        "total",
    )
    if content.included_tax:
        setter.pair(f"Trong đó thuế GTGT {content.tax_rate}%{colon}", style.amount(content.included_tax))
    for label, value in content.payments:
        setter.pair(label + colon, style.amount(value))


def _foot(setter: Typesetter, content: Content, style: Style, dice: Dice, dashes: str) -> None:
    if dice.chance(0.6):
        setter.rule(dashes)
    for note in content.notes:
        setter.lines(note)
    setter.lines(content.thanks, bold=dice.chance(0.3))
    form = dice.random()
    if form < 0.25:
        setter.skip(0.4)
        setter.block(
            "barcode", dice.uniform(0.5, 0.8) * (setter.right - setter.left), dice.uniform(8, 12) * setter.per_mm
        )
        setter.row([("893" + dice.digits(10), setter.middle, "c")])
    elif form < 0.45:
        setter.skip(0.4)
        side = dice.uniform(18, 26) * setter.per_mm
        setter.block("qr", side, side)
    elif form < 0.55:
        setter.lines("Powered by " + dice.pick(("POS365", "EasyPOS", "SmartTill")))
