"""Enumerations and repeated digits.

Their members look so alike that a reader which attends by what it just wrote can skip one, or lose its position.
"""

from __future__ import annotations

from collections.abc import Callable

from ...common.wordlists import entries
from . import words as w
from .dice import Dice, Weighted

HEADS = entries("""
    số | các số | Điều | các Điều | khoản | các khoản | điểm | mục | các mục | lô số | thửa số | tổ | các tổ
    Phường | phường | Quận | kỳ | đợt | tờ số | Phụ lục | trang | hàng ghế | bàn số | mã số
""")
REPEATED = ("xã", "phường", "thôn", "ấp", "đường", "ông", "bà", "huyện", "tỉnh", "Trường", "món")
JOINTS = Weighted(
    [(", ", 0.66), (",", 0.08), ("; ", 0.08), (" ", 0.08), ("/", 0.03), (" - ", 0.03), ("-", 0.02), (". ", 0.02)]
)
ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV")
LETTERS = "abcdđeghik"


def make_list(dice: Dice) -> str:
    """Make up an enumeration of three to twelve members.

    Most often the members are numbers, in a row or with gaps; they may be letters, codes or names too. One text in four
    is a number of repeated digits instead, which look alike in the same way: `0009998888`, `1000000000`.

    Args:
        dice: source of everything random.

    Returns:
        The text, perhaps with a word before it that says what is counted.
    """
    if dice.chance(0.25):
        return _repeated_digits(dice)
    members = dice.pick(MEMBERS)(dice, min(dice.integer(3, 12), dice.integer(3, 12)))
    joint = dice.pick(JOINTS)
    last = dice.pick((" và ", " và ", " đến ", " hoặc ")) if joint[0] in ",;" and dice.chance(0.3) else joint
    text = joint.join(members[:-1]) + last + members[-1]
    return f"{dice.pick(HEADS)} {text}" if dice.chance(0.5) else text


def _repeated_digits(dice: Dice) -> str:
    kind = dice.pick(("runs", "runs", "zeros", "amount"))
    if kind == "amount":
        head = str(dice.integer(1, 999))
        amount = dice.pick((".", ".", ",", "")).join([head, *["000"] * dice.integer(1, 4)])
        return amount + dice.pick((" đồng", "đ", " VND", ""))
    digits = "0001" if kind == "zeros" else "0123456789"
    longest = 1 if kind == "zeros" else 5
    length = dice.integer(6, 16)
    text = ""
    while len(text) < length:
        text += dice.pick(digits) * dice.integer(1, longest)
    return dice.pick(("", "", "ĐT: ", "STK ", "Mã số ", "Số ", "MST: ", "CCCD ")) + text[:length]


def _row(dice: Dice, count: int) -> list[int]:
    first = dice.pick((1, 1, dice.integer(1, 9), dice.integer(10, 40), dice.integer(1, 990), dice.integer(1990, 2030)))
    return [first + index for index in range(count)]


def _gaps(dice: Dice, count: int) -> list[int]:
    widest = dice.pick((2, 3, 12))
    numbers = [dice.integer(1, 20)]
    while len(numbers) < count:
        numbers.append(numbers[-1] + dice.integer(1, widest))
    return numbers


def _numbers(dice: Dice, count: int) -> list[str]:
    numbers = dice.pick((_row, _gaps))(dice, count)
    width = 2 if dice.chance(0.25) else 0
    return [str(number).zfill(width) for number in numbers]


def _unordered(dice: Dice, count: int) -> list[str]:
    digits = dice.integer(1, 3)
    return [str(dice.integer(0, 10**digits - 1)) for _ in range(count)]


def _same(dice: Dice, count: int) -> list[str]:
    """Repeat one or two values, as in the columns of a table."""
    values = [dice.pick(("0", "1", "00", "x", "X", "0,0", "100%", str(dice.integer(1, 500)))) for _ in range(2)]
    return [values[dice.chance(0.25)] for _ in range(count)]


def _marked(dice: Dice, count: int) -> list[str]:
    """Give the numbers of one heading, or numbers with one letter before or after each."""
    numbers = _numbers(dice, count)
    before, after = dice.pick(
        (
            (f"{dice.integer(1, 30)}.", ""),
            (dice.pick("ABCDEHKLMNPTQ"), ""),
            ("", dice.pick("aAbBmg%")),
            (f"{dice.integer(1, 30)}/", ""),
            ("", f"/{dice.integer(1, 12)}"),
            ("", ")"),
        )
    )
    return [before + number + after for number in numbers]


def _letters(dice: Dice, count: int) -> list[str]:
    pool = dice.pick((ROMAN, LETTERS, LETTERS.upper()))
    start = dice.integer(0, max(0, len(pool) - count))
    after = dice.pick(("", "", ")"))
    return [member + after for member in pool[start : start + count]]


def _names(dice: Dice, count: int) -> list[str]:
    head, pool = dice.pick(REPEATED), dice.pick((w.AREAS, w.STREETS, w.GIVEN))
    return [f"{head} {dice.pick(pool)}" for _ in range(min(count, 6))]


MEMBERS: Weighted[Callable[[Dice, int], list[str]]] = Weighted(
    [(_numbers, 0.5), (_unordered, 0.08), (_same, 0.08), (_marked, 0.16), (_letters, 0.08), (_names, 0.1)]
)
