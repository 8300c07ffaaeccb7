"""The labels of receipts, without marks, and what kind of row begins with each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..common.wordlists import entries
from ..metrics.edits import edit_distance
from .vocabulary import COLUMNS, LABELS, THANKS, TITLE_WORDS, TITLES, Role
from .words import LETTERS_PER_ERROR, MAX_CACHED, fold, has_words, holds, letters_only, starts_with

Kind = Literal["payable", "total", "subtotal", "other", "about", ""]

# A single word may also begin a name (Bàn chải, Máy tính, Công ty). It is a label before a sign, a number or nothing;
# these words are labels before a sign or nothing alone.
_BEFORE_A_SIGN = frozenset(
    entries("""
    so | the | ca | may | khach | nhan | sl | cong | thua | phi | tien | service | card | order | table
    guest | room | id | charge | exp | sale | coupon | page | trang | luc | bill | ck | km | server | items | price
""")
)
_TELEPHONE = re.compile(r"\D{0,12}(?:\+84|0\d|\(0\d|1[89]00)[\d .()-]{5,14}\D{0,3}")
_FEE = re.compile(r"\W*ph[íi]\W*\d{1,3}[.,]\d{3}", re.I)  # Phí 1.100, and not Phi 27
_ONE_WORD = re.compile(r"\W*\w+(?:\.\w+)?\s*(?P<sign>[:.(#]|$)?(?P<number>[-–]?\s?\d)?")
_BY_LENGTH = sorted(
    ((label, role) for role, labels in LABELS.items() for label in labels),
    key=lambda pair: -len(pair[0].replace(" ", "")),
)
_BY_LETTERS: dict[int, list[tuple[str, str, Role]]] = {}  # letters → the labels of so many: without spaces, with, role
for _label, _role in _BY_LENGTH:
    _BY_LETTERS.setdefault(len(_label.replace(" ", "")), []).append((_label.replace(" ", ""), _label, _role))
# Behind these any word may stand that says what is paid for: Tiền mạng is no misread Tiền hàng.
_OPEN_WORDS = frozenset(entries("tien | thue | phi | gia | so | the | no | tra | khach | diem"))
# A syllable of Vietnamese without its marks.
_SYLLABLE = re.compile(
    r"(?:b|ch?|d|gh?|gi|h|kh?|l|m|ngh?|nh?|ph?|qu|r|s|th?|tr|v|x)?"
    r"(?:a[iouy]?|eo?|i[aeu]?|ieu|o[aeio]?|oa[iy]|oeo|u[aeioy]?|u[oy][aeiu]|uy|ye|y|yeu|uye)(?:ch?|m|ng?|nh|p|t)?"
)
# Goods whose names are labels but for their marks: Nhận, Giảm, Điểm, Cọc, Cộng.
_GOODS = frozenset(entries("nhãn | giấm | dấm | diêm | cóc | cốc | còng | cồng"))
MAX_LABEL_WORDS = 9  # words at the beginning of a text that are compared with labels
MAX_TITLE_WORDS = 4  # words of a row that is a title by a word within it
MAX_ERRORS = 4  # letters that may be wrong in the longest label
_KINDS: dict[Role, Kind] = {"payable": "payable", "total": "total", "subtotal": "subtotal", "about": "about", "": ""}
MAX_SHORT = 9  # letters of a label in which an error may make another word of one of its words
MIN_ABBREVIATED = 8  # letters of a label with an abbreviation from which on one of them may be wrong
MIN_FUZZY = 5  # letters of a label from which on one of them may be wrong before an amount
LETTERS_LOST = 2.5  # letters by which an error makes a label's match weaker than that of a shorter label
TRUST_LOST = 0.12  # of a label's trust for each error
BARE_WORD_TRUST = 0.5  # × the trust in a word that may as well begin a name
OTHER_WORD_TRUST = 0.6  # × the trust in a short label of which a word is read as another word: Tổng xong
INSIDE_TRUST = 0.7  # trust in a label that other words stand before
MIN_FUZZY_COUNT = 12  # characters of a label of points or pieces from which on a letter of it may be wrong
MIN_TRUST = 0.8  # of a label nearer to the amount that hides one further away


@dataclass(frozen=True)
class Label:
    """What an amount's label says.

    Attributes:
        role: what the amount is; "" without a label.
        trust: how surely the label says so, from 0 to 1.
    """

    role: Role
    trust: float


def kind_of(text: str, exact: bool = False) -> Kind:
    """Say what the label that a text begins with announces. The longest label wins.

    Args:
        text: of a row.
        exact: whether to compare letter by letter; otherwise as `starts_with` does, with the errors of a recogniser.

    Returns:
        The kind of the label; "" where the text begins with none.
    """
    folded = fold(text)
    for label, role, errors in () if _is_company(folded) or _is_goods(text) else _matches(folded, 0):
        if (exact and errors) or not _announces(text, label):
            continue
        if role == "unclear" and not _ends_behind(folded, label):
            continue
        return _KINDS.get(_qualified(role, folded), "other")
    return ""


@lru_cache(maxsize=MAX_CACHED)
def label_before(text: str) -> Label:
    """Say what the amount is that stands behind a text.

    A letter may be wrong, and digits stand for the letters they look like. A label of two words may stand anywhere in
    the text, with less trust.

    Args:
        text: from the last amount, or the beginning of the row, up to the amount; a line end between two lines.

    Returns:
        The label; its role is "" where the text has none.
    """
    parts = [part for part in _PART.split(text) if any(map(str.isalpha, part))]
    labels = [_label_of(part) for part in parts]
    if len(parts) > 1:
        labels.insert(0, _label_of(text.replace("\n", " ")))
    best = max(labels, key=lambda label: label.trust, default=NO_LABEL)
    return next((label for label in reversed(labels) if label.trust >= MIN_TRUST and label.role != "about"), best)


NO_LABEL = Label("", 0.0)
_PART = re.compile(r"(?<=[:\s(])\d{1,3}(?=\s+[^\W\d])(?!\s*%)|\n")  # a count between two labels: Tổng SL: 5 Tổng tiền


def _label_of(text: str) -> Label:
    folded = letters_only(fold(text))
    if _is_company(folded) or _is_goods(text):
        return NO_LABEL
    for label, role, errors in _matches(folded, 1):
        if errors and role in ("points", "count") and len(label) < MIN_FUZZY_COUNT:
            continue
        trust = (1 - TRUST_LOST * errors) * (OTHER_WORD_TRUST if errors and _reads_otherwise(folded, label) else 1)
        if not _announces(text, label):
            if role != "total":
                continue
            is_sum = label != "cong" and text.rstrip().endswith(":")  # Tổng chi phí:, and not Cộng nhóm vải:
            trust *= MIN_TRUST if is_sum else BARE_WORD_TRUST
        if role == "unclear" and not _ends_behind(folded, label):
            trust *= BARE_WORD_TRUST
        return Label(_qualified(role, folded), trust)
    if any(has_words(folded, word) for word in _TAXES):
        return Label("tax", INSIDE_TRUST)
    for label, role in _BY_LENGTH:
        if " " in label and role not in ("about", "unclear") and has_words(folded, label):
            return Label(_qualified(role, folded), INSIDE_TRUST)
    return NO_LABEL


@lru_cache(maxsize=MAX_CACHED)
def _matches(folded: str, least_errors: int) -> tuple[tuple[str, Role, int], ...]:
    """Return the labels that a folded text may begin with, each with its role and errors, the best match first.

    Labels of MIN_FUZZY letters may have `least_errors`, longer ones as many as `starts_with` allows if that is more.
    """
    words = folded.split()[:MAX_LABEL_WORDS]
    found: dict[str, tuple[float, str, Role, int]] = {}
    for head in {"".join(words[:count]) for count in range(1, len(words) + 1)}:
        for letters in range(max(1, len(head) - MAX_ERRORS), len(head) + MAX_ERRORS + 1):
            allowed = max(least_errors if letters >= MIN_FUZZY else 0, letters // LETTERS_PER_ERROR)
            if abs(letters - len(head)) > allowed:
                continue
            for bare, label, role in _BY_LETTERS.get(letters, ()):
                errors = 0 if bare == head else edit_distance(head, bare) if allowed else 1
                if errors and _is_other_label(folded, label):
                    continue
                if errors <= allowed and (label not in found or errors < found[label][3]):
                    found[label] = (LETTERS_LOST * errors - letters, label, role, errors)
    return tuple((label, role, errors) for _, label, role, errors in sorted(found.values()))


def _is_other_label(folded: str, label: str) -> bool:
    """Whether a text that resembles a short label says something else: `Tiền nhà` (Tiền nhận), `Tương` (T. cộng)."""
    if len(label.replace(" ", "")) < MIN_ABBREVIATED and any(len(word) == 1 for word in label.split()):
        return True
    first = label.split()[0]
    return first in _OPEN_WORDS and folded.split()[0] == first and _reads_otherwise(folded, label)


def _reads_otherwise(folded: str, label: str) -> bool:
    """Whether every word of a text that differs from its word of a short label is another syllable of Vietnamese."""
    if len(label.replace(" ", "")) > MAX_SHORT:
        return False
    pairs = list(zip(folded.split(), label.split()))
    return all(_SYLLABLE.fullmatch(word) for word, expected in pairs if word != expected)


def _is_goods(text: str) -> bool:
    """Whether a text begins with goods that only their marks tell from a label, and no sign of one stands behind."""
    word = re.match(r"\W*(\w+)\s*(?!\s*[:])", text)
    return word is not None and word[1].lower() in _GOODS


def _is_company(folded: str) -> bool:
    """Whether a text names a corporation, `Tổng công ty …`, which begins as `Tổng cộng` does."""
    return starts_with(folded, "tong cong ty")


def _announces(text: str, label: str) -> bool:
    """Whether what stands behind a label of one word shows that it is one and begins no name."""
    if " " in label:
        return True
    behind = _ONE_WORD.match(text)
    number = behind and behind["number"] and label not in _BEFORE_A_SIGN
    return bool(behind and (behind["sign"] is not None or number or _FEE.match(text)))


def _ends_behind(folded: str, label: str) -> bool:
    """Whether nothing but a number stands behind a label: `Tiền phòng: 500.000`, not `Gia vị lẩu 15.000`."""
    words = folded.split()[len(label.split()) :]
    return not words or words[0].isdigit()


def _qualified(role: Role, folded: str) -> Role:
    """Return the role of a label by the words behind it: `Tổng tiền thuế` is a tax, `Tổng sau thuế` a total."""
    if role not in ("total", "payable", "unclear"):
        return role
    if any(has_words(folded, word) for word in _BEFORE_WORDS):
        return "subtotal"
    if role == "payable" or any(has_words(folded, word) for word in _AFTER_WORDS):
        return role
    return next((other for names, other in _QUALIFIERS if any(has_words(folded, name) for name in names)), role)


_TAXES = ("vat", "gtgt")
_BEFORE_WORDS = ("truoc", "chua", "before", "excl", "excluding")
_AFTER_WORDS = ("sau", "gom", "incl", "including", "inc", "after", "co thue")
_QUALIFIERS: tuple[tuple[tuple[str, ...], Role], ...] = (
    (("no", "cong no"), "debt"),
    (("diem", "points"), "points"),
    (("giam", "tiet kiem", "chiet khau", "khuyen mai", "ck", "km", "discount", "saving", "savings"), "discount"),
    (("thue", "vat", "gtgt", "tax"), "tax"),
    (("sl", "so luong", "mon", "mat hang", "san pham", "sp", "qty", "items"), "count"),
    (("khach dua", "khach tra", "tien mat", "cash"), "cash"),
    (("nhom", "group"), "unclear"),
)


@lru_cache(maxsize=MAX_CACHED)
def is_title(text: str) -> bool:
    """Whether a text says what kind of paper this is, or thanks: then it is no name and no item."""
    folded = fold(text)
    if len(folded.split()) <= MAX_TITLE_WORDS and any(has_words(folded, words) for words in TITLE_WORDS):
        return True
    return any(starts_with(folded, label) for label in TITLES) or any(holds(folded, label) for label in THANKS)


@lru_cache(maxsize=MAX_CACHED)
def is_heading(text: str) -> bool:
    """Whether a text names two columns or more, as the row above the items does."""
    folded = fold(text)
    return sum(any(holds(folded, label) for label in column) for column in COLUMNS) >= 2


def is_telephone(text: str) -> bool:
    """Whether a text is a telephone number and hardly more."""
    return _TELEPHONE.fullmatch(text.strip()) is not None
