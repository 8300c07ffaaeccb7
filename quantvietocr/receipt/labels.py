"""The labels of receipts, without marks, and what kind of row begins with each."""

from __future__ import annotations

import re
from typing import Literal

from ..common.wordlists import entries
from .words import fold, holds, starts_with

Kind = Literal["payable", "total", "subtotal", "other", "about", ""]

# `payable` is what is to be paid, `other` are amounts that are no total, `about` says something about the receipt.
_LABELS: dict[Kind, tuple[str, ...]] = {
    "payable": entries("""
        tong tien thanh toan | tong thanh toan | tong cong thanh toan | tong so tien thanh toan | so tien thanh toan
        tong gia tri thanh toan | tien thanh toan | can thanh toan | phai thanh toan | thanh toan | tong tt
        tong tien phai tra | tong phai tra | khach phai tra | khach can tra | phai tra | con phai thu | phai thu
        tong phai thu | grand total | total due | amount due
    """),
    "total": entries("""
        tong cong | tong tien | tong so tien | tong cong tien | cong tien | thanh tien | t tien | t cong | tong
        tong hoa don | tong don hang | cong | total | total amount
    """),
    "subtotal": entries("""
        tong tien hang | tien hang | cong tien hang | tong cong tien hang | tam tinh | tong tam tinh | subtotal
        sub total | tong chua thue | tong truoc thue | tong chua vat | tien truoc thue
    """),
    "other": entries("""
        tien thua | tien thoi | tien thoi lai | thoi lai | tien tra lai | tra lai | tra lai khach | tien tra khach
        tien khach dua | khach dua | khach tra | khach thanh toan | tien khach tra | tien nhan | tien mat | nhan
        khach hang dua | thanh toan tien mat | thanh toan the | the | the atm | chuyen khoan | the tin dung
        the visa | the ngan hang | vi momo | vi dien tu | quet ma qr | ma qr | cash | change | giam gia | giam
        chiet khau | khuyen mai | tong giam gia | tong chiet khau | tong khuyen mai | voucher | thue | trong do thue
        da gom thue | thue gtgt | thue vat | vat | tong thue | tien thue | phi dich vu | phi phuc vu
        phi giao hang | phi ship | phu thu | ma giam gia | tong so luong | tong sl | so luong | sl | so mon
        tong so mon | tong mon | tong so mat hang | tong mat hang | tong so san pham | diem | tong diem
        diem tich luy | du no | con no | tien tip | lam tron
    """),
    "about": entries("""
        ngay | ngay ban | ngay in | ngay lap | gio | gio vao | gio ra | thoi gian | date | time | so hd | so hoa don
        so phieu | so ct | ma hd | ma hoa don | ma don | hd so | so | so bill | bill no | hoa don so | ban
        ban so | khu vuc | thu ngan | nhan vien | nv | tn | ca | quay | may | khach hang | khach | kh
        ten khach hang | ho ten | ho ten khach hang | hinh thuc thanh toan | bang chu | so tien bang chu
        so tien viet bang chu | mst | ma so thue | dt | dien thoai | sdt | tel | phone | hotline | fax | email
        website | web | www | wifi | pass wifi | facebook | fb | zalo | mau so | ky hieu | so serial | serial | pos
        cashier | nguoi ban | nguoi mua | nguoi mua hang | nguoi ban hang | nguoi lap | nguoi lap phieu
        mat khau wifi | in luc | so the | stk | hsd
    """),
}
_TITLES = entries("""
    hoa don | phieu tinh tien | phieu thanh toan | phieu ban le | phieu thu | phieu xuat kho | phieu giao hang
    phieu | bien lai | bien nhan | don hang | bill | receipt | invoice | tax invoice
""")
_THANKS = entries("""
    cam on | xin cam on | chan thanh cam on | hen gap lai | thank you | thanks | tran trong | kinh chao | kinh chuc
    quy khach
""")
_COLUMNS = (
    entries("""
        ten hang | mat hang | san pham | dien giai | ten mon | hang hoa | ten sp | ten san pham | mon | ten
        noi dung | item
    """),
    ("sl", "so luong", "s luong", "qty"),
    ("don gia", "d gia", "dgia", "gia", "gia ban", "price"),
    ("thanh tien", "t tien", "tien", "t gia", "amount"),
)
# A single word may also begin a name (Bàn chải, Máy tính, Công ty). It is a label before a sign, a number or nothing;
# these words are labels before a sign or nothing alone.
_BEFORE_A_SIGN = {"so", "the", "ca", "may", "khach", "nhan", "sl", "cong"}
_TELEPHONE = re.compile(r"\D{0,12}(?:\+84|0\d|\(0\d|1[89]00)[\d .()-]{5,14}\D{0,3}")
_ONE_WORD = re.compile(r"\W*\w+(?:\.\w+)?\s*(?P<sign>[:.(#]|$)?(?P<number>[-–]?\s?\d)?")
_BY_LENGTH = sorted(
    ((label, kind) for kind, labels in _LABELS.items() for label in labels), key=lambda pair: -len(pair[0])
)


def kind_of(text: str, exact: bool = False) -> Kind:
    """Say what the label that a text begins with announces. The longest label wins.

    Args:
        text: of a row.
        exact: whether to compare letter by letter; otherwise as `starts_with` does, with the errors of a recogniser.

    Returns:
        The kind of the label; "" where the text begins with none.
    """
    folded = fold(text)
    for label, kind in _BY_LENGTH:
        if f"{folded} ".startswith(f"{label} ") if exact else starts_with(folded, label):
            if " " in label:
                return kind
            behind = _ONE_WORD.match(text)
            if behind and (behind["sign"] is not None or (behind["number"] and label not in _BEFORE_A_SIGN)):
                return kind
    return ""


def is_title(text: str) -> bool:
    """Whether a text says what kind of paper this is, or thanks: then it is no name and no item."""
    folded = fold(text)
    return any(starts_with(folded, label) for label in _TITLES) or any(holds(folded, label) for label in _THANKS)


def is_heading(text: str) -> bool:
    """Whether a text names two columns or more, as the row above the items does."""
    folded = fold(text)
    return sum(any(holds(folded, label) for label in column) for column in _COLUMNS) >= 2


def is_telephone(text: str) -> bool:
    """Whether a text is a telephone number and hardly more."""
    return _TELEPHONE.fullmatch(text.strip()) is not None
