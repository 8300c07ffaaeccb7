"""The embedded source: functions that make up what readers find hard, each with the dice of its line."""

from __future__ import annotations

from collections.abc import Callable

from . import words as w
from .dice import Dice
from .phrases import LATIN
from .syllables import syllables

CONFUSABLE = [
    "IlL1|iíìỉĩị!jJ",
    "oO0QDĐƠÔ",
    "5Ss$",
    "8B6&",
    "2Zz7?",
    "rnm",
    "vwVW",
    "cCeG",
    "uưnU",
    "tfrl",
    ".,;:'`\"",
    "-_~=",
    "([{}])",
    "/\\|",
    "dđbp",
    "aăâáà",
]
ASCII_SYMBOLS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def cased(dice: Dice, text: str) -> str:
    """Return `text` as it is, in capitals, or with first letters in capitals."""
    form = dice.random()
    return text if form < 0.4 else text.upper() if form < 0.7 else text.title() if form < 0.9 else text.capitalize()


def syllable_run(dice: Dice) -> str:
    """Draw syllables evenly: any combination of letters and marks, not only the frequent ones."""
    every = syllables()
    run = [dice.pick(every) for _ in range(dice.integer(1, 6))]
    if dice.chance(0.15):
        run.append(dice.pick(LATIN))
    return cased(dice, " ".join(run))


def tone_pairs(dice: Dice) -> str:
    """Draw one vowel with several tones, each in the same frame: what a reader confuses most."""
    base = dice.pick(
        (
            "aàảãáạ",
            "ăằẳẵắặ",
            "âầẩẫấậ",
            "eèẻẽéẹ",
            "êềểễếệ",
            "iìỉĩíị",
            "oòỏõóọ",
            "ôồổỗốộ",
            "ơờởỡớợ",
            "uùủũúụ",
            "ưừửữứự",
            "yỳỷỹýỵ",
            "aăâáắấ",
            "oôơọộợ",
            "uưủửúứ",
            "eêéếẹệ",
            "dđDĐ",
        )
    )
    head, tail = dice.pick(("", "t", "m", "ch", "ng", "tr", "b", "h", "kh", "đ")), dice.pick(("", "", "n", "i", "m"))
    return cased(dice, " ".join(head + dice.pick(base) + tail for _ in range(dice.integer(2, 7))))


def symbols(dice: Dice) -> str:
    """Make up numbers, brackets and punctuation as they stand in tables, formulas and file names."""
    a, b = dice.integer(0, 9999), dice.integer(1, 99)
    letter = dice.pick("abcdghkmnpqtvxyzABCDEFGHKLMNPQTXYZ")
    return dice.pick(
        (
            f"{a / 100:.2f}".replace(".", ",") + "%",
            f"{letter}^2 + {b}",
            f"({a})",
            f"[{b}]",
            f"{{{letter}}}",
            f"{letter}_{b}",
            f"<{a}>",
            f"~{a}",
            f"{a} < {a + b}",
            f"{letter} = {a}/{b}",
            f"C:\\{letter}{b}",
            f'"{dice.pick(w.PLACES)}"',
            f"{a} & {b}",
            f"${a}.{b:02d}",
            f"#{a}",
            f"{letter}|{b}",
            f"`{letter}{b}`",
            f"'{dice.pick(w.GIVEN)}'",
            f"*{b}*",
            f"{a}; {b}",
            f"{b}+{a}=?",
            f"{dice.pick(w.AREAS)}!",
            f"{letter}) {dice.pick(w.AREAS)}",
            f"{a}m2",
            f"{b}/{b + dice.integer(0, 50)}",
            f"{a}-{b}:{b}",
        )
    )


def make_scramble(vocab: str) -> Callable[[Dice], str]:
    """Return a maker of random strings over `vocab`, so that no character is rarer than its even share."""
    letters = vocab.replace(" ", "")
    ascii_part = "".join(c for c in letters if c.isascii() and c.isalnum()) or letters
    symbol_part = "".join(c for c in letters if c in ASCII_SYMBOLS) or letters

    def scramble(dice: Dice) -> str:
        pool = dice.pick((letters, letters, ascii_part, symbol_part, dice.pick(CONFUSABLE)))
        return " ".join("".join(dice.pick(pool) for _ in range(dice.integer(1, 9))) for _ in range(dice.integer(1, 3)))

    return scramble
