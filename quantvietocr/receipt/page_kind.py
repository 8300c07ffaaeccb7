"""What kind of page it is: a receipt, an invoice, or neither, which has no fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..common.wordlists import entries as words_of
from .amounts import amounts, has_foreign_money
from .dates import has_date
from .evidence import Entry
from .labels import INSIDE_TRUST, is_heading, is_telephone, is_title, kind_of, label_before
from .page import Item, Row
from .vocabulary import TITLE_WORDS, TITLES
from .words import fold, has_words, holds, starts_with

PageKind = Literal["receipt", "invoice", "page"]

MIN_POINTS = 2.0  # for a page to be a receipt or an invoice
TITLE = 2.0
MAX_TITLE_WORDS = 7  # words of a row that may be a title
TOP_ROWS = 6  # rows, from the first, among which the title of a page stands
LABELS_OF_SUMS = 2.0  # an amount labelled as a sum
LABELS_OF_PAYMENT = 1.5  # one labelled as paid or as change
OTHER_LABELS = 0.5  # one labelled as a tax, a discount, a subtotal
ITEMS = 1.0  # items; two whose product is right count as much again each
SUM_OF_ITEMS = 1.5  # an amount that the items add up to
HEADING = 1.0
CONTACT = 0.5  # a telephone number or a tax code
THANKS = 0.5
ABOUT, MAX_ABOUT = 0.25, 1.5  # each row about the date, the till, the table, …; all of them together
DATE = 0.5
UNREAD = 0.5  # a label of an amount that was not read
LETTER = -3.0  # words that letters, laws and contracts have
MIN_FUZZY_WORDS = 12  # characters of such words from which on a letter may be wrong
PROSE = -6.0  # × the share of rows that are prose
MIN_PROSE_WORDS = 8  # words of a row of prose
MIN_PROSE_LETTERS = 0.75  # share of letters and spaces in it
MIN_INVOICE_LABELS = 4  # kinds of label that invoices have, for a page without the title of one
_AMOUNT_ROLES = {"payable", "total", "subtotal", "cash", "change", "tax", "discount"}
_LETTERS = words_of("""
    kinh gui | cong hoa xa hoi chu nghia viet nam | doc lap tu do hanh phuc | can cu | quyet dinh | hop dong | dear
    dieu 1 | dieu khoan | nghi dinh | thong tu | cong van | sincerely | yours faithfully | ben a | ben b | bao cao
    noi nhan | giay moi | thong bao | thuc don | menu | bang gia | price list | muc luc | bien ban
""")
_INVOICES = words_of("""
    hoa don gia tri gia tang | hoa don gtgt | vat invoice | hoa don dien tu | tax invoice | invoice | sales invoice
    commercial invoice | proforma invoice | pro forma invoice | hoa don thue | e invoice | hoa don ban hang dien tu
""")
_OTHER_TITLES = words_of("""
    bao gia | bang bao gia | phieu bao gia | quotation | price quotation | bang diem | phieu diem | ket qua hoc tap
    sao ke | bang sao ke | bank statement | account statement | statement of account | bang luong | phieu luong
    bang thanh toan luong | payslip | bang thong ke | thong ke | phieu phat vi pham | quyet dinh xu phat
    bien ban vi pham | bang cham cong
""")
_INVOICE_LABELS = words_of("""
    mau so | ky hieu | don vi mua hang | ten don vi mua hang | ho ten nguoi mua hang | nguoi mua hang | don vi ban hang
    ten don vi ban hang | bill to | invoice no | invoice number | invoice date | ma so thue nguoi mua | ma cua cqt
    hinh thuc thanh toan | thue suat | ten nguoi mua | so tien viet bang chu | ma tra cuu hoa don | due date
""")


def kind_of_page(rows: Sequence[Row], entries: Sequence[Entry], items: Sequence[Item]) -> PageKind:
    """Say what kind of page it is.

    Titles, headings, labelled amounts and items speak for a receipt, prose and the words of letters against one.

    Args:
        rows: of the page, in reading order.
        entries: its amounts.
        items: what seems to have been bought.

    Returns:
        "receipt" for till slips, bills, tickets and slips of payment, "invoice" for VAT and other invoices, "page" for
        anything else.
    """
    if not rows:
        return "page"
    if _has_other_title(rows) or not _is_of_trade(rows, entries, items):
        return "page"
    if _points(rows, entries, items) < MIN_POINTS:
        return "page"
    texts = [fold(row.text) for row in rows]
    short = [text for text in texts if len(text.split()) <= MAX_TITLE_WORDS]
    labels = sum(any(starts_with(text, label) for text in texts) for label in _INVOICE_LABELS)
    is_titled = any(starts_with(text, title) for text in short for title in _INVOICES)
    return "invoice" if is_titled or labels >= MIN_INVOICE_LABELS else "receipt"


def _has_other_title(rows: Sequence[Row]) -> bool:
    """Whether the title of a page is that of a quotation, a statement, a mark sheet, …, and none is a receipt's."""
    texts = [row.text for row in rows[:TOP_ROWS]]
    short = [fold(text) for text in texts if len(text.split()) <= MAX_TITLE_WORDS and not amounts(text)]
    is_other = any(f"{text} ".startswith(f"{title} ") for text in short for title in _OTHER_TITLES)
    return is_other and not any(map(_is_receipt_title, texts))


def _is_of_trade(rows: Sequence[Row], entries: Sequence[Entry], items: Sequence[Item]) -> bool:
    """Whether anything besides names, numbers and their sum says that something was sold: a table has those too."""
    texts = [row.text for row in rows]
    is_paid = any(entry.role not in ("", "total", "unclear", "count") for entry in entries)
    return (
        is_paid
        or any(item.unit_price for item in items)
        or any(has_date(text) or is_telephone(text) or is_title(text) or is_heading(text) for text in texts)
        or any(kind_of(text) == "about" for text in texts)
    )


def _points(rows: Sequence[Row], entries: Sequence[Entry], items: Sequence[Item]) -> float:
    texts = [row.text for row in rows]
    folded = [fold(text) for text in texts]
    roles = {entry.role for entry in entries if entry.trust >= INSIDE_TRUST and not entry.in_item}
    points = TITLE * any(map(_is_receipt_title, texts))
    points += LABELS_OF_SUMS * bool(roles & {"payable", "total"})
    points += LABELS_OF_PAYMENT * bool(roles & {"cash", "card", "change"})
    points += OTHER_LABELS * len(roles & {"tax", "discount", "subtotal", "fee", "unclear"})
    proven = [item for item in items if item.unit_price and item.quantity * item.unit_price == item.price]
    points += ITEMS * bool(items) + ITEMS * min(2, len(proven))
    whole = sum(item.price for item in items)
    points += SUM_OF_ITEMS * (len(items) > 1 and any(entry.value == whole and not entry.in_item for entry in entries))
    points += HEADING * any(map(is_heading, texts)) * bool(items)
    points += CONTACT * any(is_telephone(text) or starts_with(fold(text), "ma so thue") for text in texts)
    points += THANKS * any(holds(text, word) for text in folded for word in ("cam on", "thank you", "hen gap lai"))
    points += min(MAX_ABOUT, ABOUT * sum(kind_of(text) == "about" for text in texts))
    unread = [text for text in texts if not amounts(text) and len(text.split()) <= MAX_TITLE_WORDS]
    labels = {label_before(text).role for text in unread}
    points += UNREAD * len((labels & _AMOUNT_ROLES) - roles)
    points += LABELS_OF_SUMS * bool(not roles & {"payable", "total"} and any(map(_is_numbered_sum, texts)))
    points += DATE * any(has_date(text) for text in texts)
    points += LABELS_OF_SUMS * any(_is_foreign_sum(text) for text in texts)
    points += LETTER * any(_begins_letter(text) for text in folded)
    return points + PROSE * sum(map(_is_prose, texts)) / len(texts)


def _begins_letter(folded: str) -> bool:
    """Whether a folded text begins with words of letters; short ones letter by letter: `Giấy gói` is no `Giấy mời`."""
    return any(
        starts_with(folded, words) if len(words) >= MIN_FUZZY_WORDS else f"{folded} ".startswith(f"{words} ")
        for words in _LETTERS
    )


def _is_receipt_title(text: str) -> bool:
    """Whether a short row is the title of a receipt or an invoice; `Phiếu …` alone may be that of any form."""
    folded = fold(text)
    titles = any(starts_with(folded, title) for title in TITLES if title != "phieu")
    return len(folded.split()) <= MAX_TITLE_WORDS and (titles or any(has_words(folded, name) for name in TITLE_WORDS))


def _is_numbered_sum(text: str) -> bool:
    """Whether a row is a label of a sum and a number that is no money: `Tổng 270` where prices are in thousands."""
    return kind_of(text) in ("payable", "total") and text.rstrip(" đĐ.").endswith(tuple("0123456789"))


def _is_foreign_sum(text: str) -> bool:
    """Whether a row says a sum in another currency than đồng."""
    start = next((index for index, char in enumerate(text) if char.isdigit()), 0)
    return has_foreign_money(text) and label_before(text[:start]).role in ("payable", "total")


def _is_prose(text: str) -> bool:
    letters = sum(char.isalpha() or char.isspace() for char in text)
    return len(text.split()) >= MIN_PROSE_WORDS and letters >= MIN_PROSE_LETTERS * len(text) and not amounts(text)
