"""The embedded source: functions that make up what papers say, each with the dice of its line."""

from __future__ import annotations

from ...common.wordlists import entries
from . import words as w
from .dice import Dice
from .sentences import HEADINGS, SENTENCES

LATIN = entries("""
    google | facebook | email | iPhone | wifi | internet | server | marketing | Samsung | online | VinMart
    Coopmart | BigC | Zalo | TikTok | Shopee | Lazada | Jollibee | Pizza | Burger | combo | size | XL | kg | ml | km
    cm | Windows | Wave | Future | Honda | Toyota | Kawasaki | jazz | Washington | Jakarta | Fukuoka | Mexico
    Wolfgang | Jeff | Zidane | Kyiv | file | PDF | USB | video | chat | fax | taxi | website
""")
DOMAINS = entries("""
    gmail.com | yahoo.com.vn | outlook.com | hcmut.edu.vn | evn.com.vn | thanhnien.vn | baochinhphu.vn | zmail.net
""")


def person(dice: Dice) -> str:
    """Make up a person's name, sometimes with a title."""
    parts = [dice.pick(w.SURNAMES), dice.pick(w.MIDDLE), dice.pick(w.GIVEN)]
    if dice.chance(0.25):
        parts.insert(2, dice.pick(w.GIVEN))
    name = " ".join(parts)
    if dice.chance(0.1):
        name = dice.pick(("ThS. ", "TS. ", "BS. ", "Ông ", "Bà ", "Anh ", "Chị ", "PGS.TS ")) + name
    return name.upper() if dice.chance(0.4) else name


def address(dice: Dice) -> str:
    """Make up an address, or its last parts."""
    number = dice.pick(("Số ", "", "", "Ngõ ", "K", "Lô ")) + str(dice.integer(1, 999))
    number += dice.pick(("", "", "/" + str(dice.integer(1, 99)), dice.pick("ABC"), "-" + str(dice.integer(2, 99))))
    area = dice.pick(("P. ", "Phường ", "X. ", "Xã ", "P.", "phường ")) + dice.pick(w.AREAS)
    town = dice.pick(("Q. ", "Quận ", "H. ", "Huyện ", "TX. ", "Q."))
    town += dice.pick((str(dice.integer(1, 12)), dice.pick(w.AREAS)))
    parts = [f"{number} {dice.pick(('', '', 'đường ', 'phố '))}{dice.pick(w.STREETS)}", area, town, dice.pick(w.PLACES)]
    return dice.pick((", ", ", ", " - ")).join(parts[dice.integer(0, 2) :])


def date(dice: Dice) -> str:
    """Make up a date in one of six forms; the calendar may not have it."""
    day, month, year = dice.integer(1, 31), dice.integer(1, 12), dice.integer(1940, 2035)
    form = dice.integer(0, 7)
    if form <= 2:
        return f"{day:02d}/{month:02d}/{year}"
    if form == 3:
        return f"ngày {day:02d} tháng {month:02d} năm {year}"
    if form == 4:
        return f"{day}-{month}-{year}"
    if form == 5:
        return f"{day}.{month}.{year % 100:02d}"
    if form == 6:
        return f"{year}-{month:02d}-{day:02d}"
    return f"{dice.pick(w.PLACES)}, ngày {day} tháng {month} năm {year}"


def time_of_day(dice: Dice) -> str:
    """Make up a time of day, half the time behind a date."""
    hour, minute, second = dice.integer(0, 23), dice.integer(0, 59), dice.integer(0, 59)
    clock = dice.pick(
        (
            f"{hour:02d}:{minute:02d}",
            f"{hour:02d}:{minute:02d}:{second:02d}",
            f"{hour}h{minute:02d}",
            f"{hour} giờ {minute} phút",
            f"{hour % 12 + 1}:{minute:02d} {dice.pick(('AM', 'PM'))}",
        )
    )
    return clock if dice.chance(0.5) else f"{date(dice)} {clock}"


def amount(dice: Dice) -> str:
    """Make up a number as of money, without a unit."""
    value = int(dice.log_uniform(1, 90_000)) * dice.pick((1000, 1000, 500, 100, 1))
    value += dice.pick((0, 0, 0, dice.integer(0, 999)))
    separator = dice.pick((".", ".", ",", ",", "", " "))
    return f"{value:,}".replace(",", separator)


def money(dice: Dice) -> str:
    """Make up an amount of money, most often with a unit."""
    text = amount(dice) + dice.pick(w.UNITS)
    return "-" + text if dice.chance(0.06) else text


def phone(dice: Dice) -> str:
    """Make up a telephone number."""
    head = dice.pick(("09", "03", "07", "08", "05")) + dice.digits(1)
    form = dice.integer(0, 5)
    if form == 0:
        return head + dice.digits(7)
    if form == 1:
        return f"{head}{dice.digits(1)} {dice.digits(3)} {dice.digits(3)}"
    if form == 2:
        return f"{head}{dice.digits(1)}.{dice.digits(3)}.{dice.digits(3)}"
    if form == 3:
        return f"(0{dice.integer(20, 29)}{dice.digits(1)}) {dice.digits(4)} {dice.digits(3)}"
    if form == 4:
        return f"+84 {dice.digits(2, True)} {dice.digits(3)} {dice.digits(4)}"
    return dice.pick(("1900 ", "1800-", "1900.")) + dice.digits(4)


def web(dice: Dice) -> str:
    """Make up an e-mail or web address."""
    user = "".join(dice.pick("abcdefghijklmnopqrstuvwxyz") for _ in range(dice.integer(3, 9)))
    user += dice.pick(("", "", dice.digits(2), "_" + dice.pick(LATIN).lower(), "." + dice.pick(LATIN).lower()))
    if dice.chance(0.6):
        return f"{user}@{dice.pick(DOMAINS)}"
    page = f"/{dice.pick(LATIN).lower()}"
    tail = dice.pick(("", "/", f"{page}?id={dice.digits(3)}", f"{page}.html", f"/#{dice.digits(2)}"))
    return dice.pick(("www.", "https://", "http://", "https://www.", "")) + user + "." + dice.pick(DOMAINS) + tail


def code(dice: Dice) -> str:
    """Make up a number of a document, a vehicle, an account or the like."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    some = "".join(dice.pick(letters) for _ in range(dice.integer(1, 4)))
    form = dice.integer(0, 8)
    if form == 0:
        return dice.digits(12)
    if form == 1:
        return dice.pick((dice.digits(10), f"{dice.digits(10)}-{dice.digits(3)}", dice.digits(9)))
    if form == 2:
        return f"{dice.integer(1, 3000)}/{dice.integer(1995, 2030)}/{dice.pick(w.CODES)}"
    if form == 3:
        return f"{dice.integer(1, 3000):02d}/{dice.pick(w.CODES)}"
    if form == 4:
        return f"{dice.integer(11, 99)}{dice.pick(letters)}{dice.digits(1)}-{dice.digits(3)}.{dice.digits(2)}"
    if form == 5:
        return f"{some}{dice.digits(dice.integer(3, 10))}"
    if form == 6:
        return f"{some}-{dice.digits(dice.integer(2, 6))}/{dice.digits(2)}"
    if form == 7:
        return "#" + dice.digits(dice.integer(3, 6))
    return "".join(dice.pick(letters + "0123456789") for _ in range(dice.integer(4, 14)))


def item(dice: Dice) -> str:
    """Make up a row of what was bought."""
    name = dice.pick(w.GOODS)
    name = name.upper() if dice.chance(0.3) else name
    pieces = dice.integer(1, 20)
    count = dice.pick((str(pieces), f"{dice.uniform(0.1, 5):.3f}", f"x{pieces}", f"{pieces:02d}"))
    form = dice.integer(0, 6)
    if form == 0:
        return name
    if form == 1:
        return f"{name} {count} {amount(dice)} {amount(dice)}"
    if form == 2:
        return f"{count} {name} {money(dice)}"
    if form == 3:
        return f"{dice.integer(1, 30)}. {name}"
    if form == 4:
        return f"{count} x {money(dice)} = {money(dice)}"
    if form == 5:
        return f"{dice.pick(('893', '690', '880'))}{dice.digits(10)} {name}"
    return f"{name} ({dice.pick(('ít đường', 'nóng', 'size L', 'KM', '-10%', 'không đá', '50% đá', 'mua 1 tặng 1'))})"


def total(dice: Dice) -> str:
    """Make up a sum of a receipt with its label."""
    label = dice.pick(w.TOTALS)
    return label + dice.pick((": ", ":", " ", " : ", ": ")) + money(dice)


def receipt_note(dice: Dice) -> str:
    """Make up what else a receipt says."""
    form = dice.integer(0, 5)
    if form == 0:
        label = dice.pick(("Bàn", "BÀN", "Quầy", "HĐ số", "Ca", "Order", "Số HĐ"))
        return f"{label}: {code(dice) if dice.chance(0.5) else dice.integer(1, 60)}"
    if form == 1:
        return f"{dice.pick(w.PHONE_FIELDS)}: {phone(dice)}"
    if form == 2:
        return dice.pick(("*", "-", "=", "+", "_", "-")) * dice.integer(6, 32)
    return dice.pick(w.RECEIPT_NOTES)


def field(dice: Dice) -> str:
    """Make up a field of a form: its label and value, or dots to write on."""
    form = dice.integer(0, 5)
    label, value = (
        (dice.pick(w.FIELDS), person),
        (dice.pick(w.PLACE_FIELDS), address),
        (dice.pick(w.DATE_FIELDS), date),
        (dice.pick(w.CODE_FIELDS), code),
        (dice.pick(w.PHONE_FIELDS), phone),
        ("", None),
    )[form]
    if value is None:
        return dice.pick(w.OTHER_FIELDS)
    label = label.upper() if dice.chance(0.1) else label
    if dice.chance(0.1):
        return label + dice.pick((":", ": ", "")) + dice.pick("..._") * dice.integer(4, 40)
    return label + dice.pick((": ", ": ", ":", " : ", " ")) + value(dice)


def legal(dice: Dice) -> str:
    """Make up a line of an official paper."""
    form, body, act = dice.integer(0, 6), dice.pick(w.BODIES), dice.pick(w.ACTS)
    if form == 0:
        opening, paper = dice.pick(("Căn cứ", "Theo", "Thực hiện")), dice.pick(w.PAPERS)
        year, day, month = dice.integer(2001, 2030), dice.integer(1, 31), dice.integer(1, 12)
        number = f"{dice.integer(1, 300)}/{year}/{dice.pick(w.CODES)}"
        return f"{opening} {paper} số {number} ngày {day}/{month}/{year} của {body} {act};"
    if form == 1:
        return (
            f"Điều {dice.integer(1, 90)}. {body} chủ trì, phối hợp với {dice.pick(w.BODIES)} và các đơn vị "
            f"liên quan tổ chức thực hiện việc {act}."
        )
    if form == 2:
        bullet = dice.pick(("-", "+", dice.pick("abcdđeghi") + ")", f"{dice.integer(1, 20)}."))
        return f"{bullet} {body}{dice.pick(';.')}"
    if form == 3:
        return f"Xét đề nghị của {body} tại Tờ trình số {code(dice)} {date(dice)},"
    if form == 4:
        return dice.pick(HEADINGS)
    if form == 5:
        return f"Số: {dice.integer(1, 5000)}/{dice.pick(w.CODES)}"
    return f"khoản {dice.integer(1, 9)} Điều {dice.integer(1, 200)} {act}"


def sentence(dice: Dice) -> str:
    """Draw one of the written sentences."""
    return dice.pick(SENTENCES)
