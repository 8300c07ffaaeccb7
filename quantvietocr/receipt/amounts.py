"""Amounts of money in a text, with the errors of a recogniser in mind."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_AMOUNT = 100_000_000_000  # đồng; a larger number is a code

# Letters that a digit is taken for, inside numbers only.
_DIGITS = str.maketrans("OoQDIl|]SsBZ", "000011115582")
_LOOK = r"[\dOoQDIl|\]SsBZ]"
_GROUPED = rf"(?:\d{_LOOK}{{0,2}}|[Il|\]]\d{{0,2}})(?:\s?[.,'’]\s?{_LOOK}{{3}})+(?!{_LOOK})"
_LOST_SIGN = r"\d{4,6}[.,]\d{3}(?![\d.,])"  # 4523,750: a sign between thousands was not read
_SPACED = r"(?<!\d )\d{1,3}(?: \d{3})+(?!\d)(?![.,]\d{3})"
_PLAIN = r"(?:\d{4,9}(?![.,]\d{2})|(?<!\d )\d{3}|[0O](?=[.,]00|\s?(?:VN|vn|Vn|₫|[đĐ](?!\w))))(?!\d)"
_SIGN_BEFORE = r"(?:₫|(?<!\w)[đĐ]|(?<!\w)VN[DĐ]|(?<!\w)vn[dđ])\s?"
_UNIT = r"(?:(?:VND|VNĐ|vnd|vnđ|Vnd|Vnđ|đồng|dong|₫|đ|Đ|d)(?!\w))"
_SHORT = (
    r"(?P<millions>\d{1,3}(?:[.,]\d{1,3})?)\s?(?:tr|Tr|TR|triệu|trieu)\s?(?P<rest>\d{3}(?=[kK])|\d{1,3})?[kK]?(?!\w)|"
    r"(?P<thousands>\d{1,4}(?:[.,]\d{1,2})?|\d[.,]\d{3}(?=[kK]))\s?(?:[kK]|nghìn|ngàn|nghin|ngan)(?!\w)"
)
# A number, decimals of nothing (45,000.00), perhaps a unit before or behind it, and a sign on either side.
_MONEY = re.compile(
    rf"(?<![\w/-])(?<!\d[.,:])(?P<open>\((?=[^()]*\)))?(?P<minus>[-–−]\s?)?(?P<prefix>{_SIGN_BEFORE})?"
    rf"(?:{_SHORT}|(?P<number>{_GROUPED}|{_LOST_SIGN}|{_SPACED}|{_PLAIN})(?P<decimals>[.,]00?(?!\d))?)"
    rf"(?![/:.,]?\d)(?!-\d)\s*(?P<unit>{_UNIT})?(?P<behind>-(?![\w-]))?(?P<close>\))?"
)
_CURRENCY = r"USD|EUR|GBP|JPY|CNY|RMB|KRW|THB|SGD|AUD|CAD|HKD|TWD|CHF"
_FOREIGN = re.compile(
    rf"(?:(?:US|A|S|HK)?[$€£¥₩฿]|(?<!\w)(?:{_CURRENCY}))\s?\d[\d.,]*|"
    rf"(?<![\w.,])\d[\d.,]*\s?(?:(?:US)?[$€£¥₩฿]|(?:{_CURRENCY})(?!\w))",
    re.I,
)


@dataclass(frozen=True)
class Amount:
    """An amount of money in a text.

    Attributes:
        value: in đồng.
        start: index of its first character.
        end: index behind its last character.
        marked: whether a unit or groups of three digits mark it as money.
    """

    value: int
    start: int
    end: int
    marked: bool


def amounts(text: str) -> list[Amount]:
    """Find the amounts of money in a text, in đồng.

    Groups of three digits may be parted by a point, a comma, an apostrophe or a space. A bare number counts from three
    digits. `12,5k` is 12,500 and `1tr250` is 1,250,000. A minus stands before or behind its number, or brackets stand
    around it. Amounts of other currencies are left out.

    Args:
        text: of a row, a line or a word.

    Returns:
        The amounts, left to right.
    """
    foreign = [match.span() for match in _FOREIGN.finditer(text)]
    values = []
    for match in _MONEY.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in foreign):
            continue
        amount = _amount(match)
        if amount is not None and abs(amount.value) < MAX_AMOUNT:
            values.append(amount)
    return values


def has_foreign_money(text: str) -> bool:
    """Whether a text names an amount in another currency than đồng."""
    return _FOREIGN.search(text) is not None


def _amount(match: re.Match[str]) -> Amount | None:
    """Return what a match of _MONEY is worth; None for a code, a telephone number or half a number."""
    bracketed = bool(match["open"] and match["close"])
    start = match.start() if bracketed or not match["open"] else match.start() + 1
    end = match.end() if bracketed or not match["close"] else match.end() - 1
    if match["millions"]:
        value, marked = _millions(match["millions"], match["rest"]), True
    elif match["thousands"]:
        short = match["thousands"]
        whole = short.replace(".", "").replace(",", "") if len(short) == len("1.250") else short.replace(",", ".")
        value, marked = round(1000 * float(whole)), True
    else:
        digits = re.sub(r"\D", "", match["number"].translate(_DIGITS))
        is_cut = match["decimals"] and match["decimals"][0] in match["number"]  # 2,000,00 lost a digit
        if is_cut or (digits[0] == "0" and len(digits) > 1):
            return None
        units = bool(match["unit"] or match["prefix"])
        value, marked = int(digits), units or len(digits) < len(match["number"]) or digits == "0"
    negative = bool(match["minus"] or match["behind"] or (bracketed and marked))
    return Amount(-value if negative else value, start, end, marked)


def _millions(number: str, rest: str | None) -> int:
    """Return what `1tr250`, `1tr25`, `1tr2` or `1,25tr` is worth in đồng: the digits behind are decimals."""
    decimals = int((rest or "").ljust(3, "0")) * 1000
    return round(1_000_000 * float(number.replace(",", "."))) + decimals
