"""What was bought: rows between the heading and the first sum, each a name, a quantity and what it costs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..common.wordlists import entries
from ..pictures.boxes import Box
from .amounts import amounts
from .costs import MIN_PRICE, Costs, Number, costs_of, number_of
from .dates import has_date
from .evidence import amounts_of
from .labels import MIN_TRUST, is_heading, is_telephone, is_title, kind_of, label_before
from .layout import goes_on, widest_of
from .page import Item, Row
from .words import fold

_SIGN = re.compile(r"^(?:[xX×*=@~|]|đ|Đ|VND|VNĐ|₫|KCT|KKKNT)$")
_PLACE = re.compile(r"^(\d{1,2})\s?[.)/]\s?(?=\D)")
_TIMES = re.compile(r"(?<=\d)\s?([xX×*])\s?(?=\d{1,3}[.,]\d{3}(?!\d))")
_GLUED = re.compile(r"(?<=[.,]\d{3})(?=\d{1,3}(?:[.,]\d{3})+(?!\d))")  # two amounts whose columns stand close
_UNITS = frozenset(
    entries("""
    goi | hop | chai | cai | tui | vi | quyen | cuon | cay | bo | met | m | chiec | doi | ly | phan | dia | to | kg
    g | lit | l | lon | thung | bich | bao | cap | cuc | goc | qua | hu | lo | mieng | ong | suat | tam
    vien | xap
""")
)
_COLUMN_NAME = re.compile(  # before its number in an item's own row: 2 x 15.000 Thành tiền: 30.000
    r"(?:(?:Th[àa]nh|T\.?)\s?ti[ềe]n|[ĐD][ơo]n gi[áa]|S[ốo] l[ượuo]+ng|SL|Gi[áa]|Qty|Price|Amount)\s?:\s?(?=\d)", re.I
)
_WEIGHT = re.compile(r"\d+[.,]\d+$")
_WEIGHT_UNIT = re.compile(r"(?:kg|g|l[íi]t|m)$", re.I)
_SUM_KINDS = ("payable", "total", "subtotal")
_END_ROLES = (*_SUM_KINDS, "tax", "cash", "card", "change")
_SUMS = ("cong", "tong", "total", "subtotal")
_FRONT_COUNT = re.compile(r"^(\d{1,3})\s?[xX×]\s+")


@dataclass(frozen=True)
class _Piece:
    """A row among the items: the name in it, and its costs where it has them."""

    row: Row
    name: str
    costs: Costs | None


def first_item_row(rows: Sequence[Row]) -> int:
    """Find where the items begin.

    Args:
        rows: of the page, in reading order.

    Returns:
        Index of the heading above the items, or of the first row with a price; the number of rows where there is none.
    """
    heading = next((index for index, row in enumerate(rows) if is_heading(row.text) and not amounts(row.text)), None)
    if heading is not None:
        return heading
    start = next((index for index, row in enumerate(rows) if _may_be_item(row) and costs_of(_split(row)[1])), len(rows))
    if start == len(rows) or _split(rows[start])[0]:
        return start
    first, widest = start, widest_of(rows)  # numbers alone: the name stands above them, on as many rows as it needs
    while first and _may_be_item(rows[first - 1]) and any(letter.isalpha() for letter in rows[first - 1].text):
        if first < start and not goes_on(rows[first - 1], rows[first], widest):
            break
        first -= 1
    return first


def bought_in(rows: Sequence[Row]) -> list[tuple[Item, tuple[Row, ...]]]:
    """Find the items, top to bottom, each with its rows.

    An item is `name … quantity … unit price … price` on a row, or the numbers stand on the row below the name. A
    product that is right settles which number is which. A row without numbers goes on with the name above it; where the
    numbers stand below the names, it begins one.

    Args:
        rows: of the page, in reading order.

    Returns:
        The items and the rows that each stands on.
    """
    start = first_item_row(rows)
    heading = fold(rows[start].text).split() if start < len(rows) and is_heading(rows[start].text) else []
    items: list[tuple[Item, tuple[Row, ...]]] = []
    group_sum = 0
    for group in _groups(_pieces(rows[start + bool(heading) :], heading)):
        costs = next((piece.costs for piece in group if piece.costs), None)
        name = " ".join(piece.name for piece in group if piece.name)
        name, front = _bare_name(name, len(items) + 1, heading)
        if not costs or costs[2] < 0 or not name:
            continue
        if costs[2] == group_sum and fold(name).split()[:1] and fold(name).split()[0] in _SUMS:
            group_sum = 0
            continue
        quantity, unit_price, price = costs
        group_sum += price
        item = Item(
            name,
            front if front and quantity == 1 else quantity,
            price,
            Box.around(piece.row.box for piece in group),
            min(piece.row.confidence for piece in group),
            unit_price,
        )
        items.append((item, tuple(piece.row for piece in group)))
    return items


def _pieces(rows: Sequence[Row], heading: Sequence[str]) -> list[_Piece]:
    """Return the rows down to the first sum that may be part of an item."""
    pieces: list[_Piece] = []
    for row in rows:
        if is_sum(row):
            break
        if _may_be_item(row):
            name, numbers = _split(row)
            costs = costs_of(numbers)
            if costs or not _is_code(row.text):
                pieces.append(_Piece(row, _without_unit(name, row, heading) if costs else row.text, costs))
    return pieces


def is_sum(row: Row) -> bool:
    """Whether a row says a sum, a tax or a payment, and so ends the items.

    A label that was misread is one before a single amount alone, and then of a sum only: `Trà vải` is no `Trả lại`.
    """
    if kind_of(row.text) in _SUM_KINDS:
        return True
    values = amounts_of(row)
    if len(values) != 1 or values[0].value < MIN_PRICE:
        return False
    label = label_before(row.text[: values[0].start])
    return label.trust >= (MIN_TRUST if label.role in _SUM_KINDS else 1.0) and label.role in _END_ROLES


def _groups(pieces: Sequence[_Piece]) -> list[list[_Piece]]:
    """Put together the rows of each item, by whether the numbers stand below the names or beside them."""
    below = sum(1 if not piece.name else -1 for piece in pieces if piece.costs) >= 0
    groups: list[list[_Piece]] = []
    for piece in pieces:
        begins = (not groups or groups[-1][-1].costs) if below else piece.costs
        if begins:
            groups.append([piece])
        elif groups:
            groups[-1].append(piece)
    return groups


def _may_be_item(row: Row) -> bool:
    text = row.text
    return not (_is_rule(text) or _is_labelled(row) or is_title(text) or is_telephone(text) or has_date(text))


def _is_labelled(row: Row) -> bool:
    """Whether a row says something else than an item.

    A row that only resembles a label (`Trà vải`, `Trả lại`) is an item where it counts pieces or names their price.
    """
    if not kind_of(row.text):
        return False
    numbers = _split(row)[1]
    return len(numbers) < 2 or costs_of(numbers) is None or bool(kind_of(row.text, exact=True))


def _is_rule(text: str) -> bool:
    """Whether a row is of one mark, or of two in turn, and so parts the items from the rest."""
    marks = text.replace(" ", "")
    return len(marks) >= 4 and (len(set(marks)) == 1 or (len(set(marks)) == 2 and not any(map(str.isalnum, marks))))


def _is_code(text: str) -> bool:
    """Whether a text is a long number without a word, as of a bar code."""
    return sum(letter.isdigit() for letter in text) >= 6 and not any(letter.isalpha() for letter in text)


def _split(row: Row) -> tuple[str, list[Number]]:
    """Return a row's name and the numbers behind it. A line that is one amount is one number, spaces or not."""
    words = _words_of(row)
    numbers_of = {word: number_of(word) for word, _ in words}
    named = next((index for word, index in words if numbers_of[word] is None and not _SIGN.match(word)), -1)
    end = len(words)
    numbers: list[tuple[int, Number]] = []
    while end:
        word, index = words[end - 1]
        number = numbers_of[word]
        weighed = end > 1 and _WEIGHT_UNIT.match(word) and _WEIGHT.match(words[end - 2][0])
        if number is None and not _SIGN.match(word) and not weighed:
            break
        # A number in the name's own line is part of the name once the lines beside it have said the price.
        if index == named and index < len(row.lines) - 1 and numbers:
            break
        if number is not None:
            is_weight = end < len(words) and _WEIGHT_UNIT.match(words[end][0]) and _WEIGHT.match(word)
            numbers.insert(0, (end - 1, Number(0, number.count, False) if is_weight else number))
        end -= 1
    while numbers and numbers[0][1].percent is not None:  # a share before all numbers is part of the name
        end = numbers.pop(0)[0] + 1
    name = " ".join(word for word, _ in words[:end]).strip(" .:-")
    return ("" if _is_code(name) else name), [number for _, number in numbers]


def _words_of(row: Row) -> list[tuple[str, int]]:
    """Return the words of a row, each with the index of its line, without units and the names of columns."""
    words: list[tuple[str, int]] = []
    for index, line in enumerate(row.lines):
        text = _COLUMN_NAME.sub(" ", _GLUED.sub(" ", line.text.strip())).strip()
        if index and _is_unit(text):
            continue  # a column of units, whatever its heading was read as
        values = amounts(text)
        if len(values) == 1 and values[0].start == 0 and values[0].end == len(text):
            words.append((text, index))
        else:
            words += [(word, index) for word in _TIMES.sub(r" \1 ", text).split()]
    return words


def _is_unit(text: str) -> bool:
    return fold(text) in _UNITS


def _without_unit(name: str, row: Row, heading: Sequence[str]) -> str:
    """Return a name without the word of a column of units behind it, where that was read as one with the name."""
    words = name.split()
    apart = any(_is_unit(line.text.strip()) for line in row.lines[1:])
    return " ".join(words[:-1]) if "dvt" in heading and not apart and len(words) > 1 and _is_unit(words[-1]) else name


def _bare_name(name: str, expected: int, heading: Sequence[str]) -> tuple[str, int]:
    """Return a name without its number in the list (`3. `, or the 3 of a column), and the quantity before it (`2 x `).

    The quantity is 0 where there is none.
    """
    if match := _FRONT_COUNT.match(name):
        return name[match.end() :], int(match[1])
    if match := _PLACE.match(name):
        return name[match.end() :], 0
    first, _, rest = name.partition(" ")
    counted = first.isdigit() and len(first) <= 2 and ("stt" in heading or int(first) == expected)
    return (rest, 0) if counted and rest else (name, 0)
