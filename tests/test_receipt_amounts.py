"""Amounts, dates and times in a text, in every form that receipts have."""

from __future__ import annotations

import pytest
from receipts_as_text import rows_of_text

from quantvietocr.receipt.amounts import amounts, has_foreign_money
from quantvietocr.receipt.dates import dates_in, find_time
from quantvietocr.receipt.number_words import amount_in_words


@pytest.mark.parametrize(
    "text, expected",
    [
        ("17,5k", [17_500]),
        ("17.5K", [17_500]),
        ("2tr750", [2_750_000]),
        ("2tr5", [2_500_000]),
        ("1,25 triệu", [1_250_000]),
        ("45 nghìn", [45_000]),
        ("đ72.000", [72_000]),
        ("₫ 72.000", [72_000]),
        ("VND 72,000", [72_000]),
        ("63 700", [63_700]),
        ("63,700.00", [63_700]),
        ("63,700,00", []),
        ("31.000-", [-31_000]),
        ("(31.000)", [-31_000]),
        ("-31.000", [-31_000]),
        ("− 31.000", [-31_000]),
        ("0đ", [0]),
        ("0 VND", [0]),
        ("Ođ", [0]),
        ("0,535", []),
        ("$45.00", []),
        ("45.00 USD", []),
        ("USD 1,200.50", []),
        ("€15", []),
        ("1 USD = 24.100", [24_100]),
        ("Tổng:72.000", [72_000]),
        ("Tổng....72.000", [72_000]),
        ("l,900", [1_900]),
        ("7225,000", [7_225_000]),
        ("20.000-30.000", []),
        ("1.250k", [1_250_000]),
        ("1tr250k", [1_250_000]),
        ("1,234.5", []),
    ],
)
def test_forms_of_amounts(text, expected):
    assert [amount.value for amount in amounts(text)] == expected


def test_money_of_other_countries_is_known_as_such():
    assert has_foreign_money("Total US$ 35.50") and has_foreign_money("35 EUR") and not has_foreign_money("35.000đ")


@pytest.mark.parametrize(
    "text, expected",
    [
        ("7-Mar-2021", "2021-03-07"),
        ("07 March 2021", "2021-03-07"),
        ("Mar 7, 2021", "2021-03-07"),
        ("Ngày (Date) 07 tháng (month) 03 năm (year) 2021", "2021-03-07"),
        ("7 thg 3, 2021", "2021-03-07"),
        ("2021/3/7", "2021-03-07"),
        ("03/25/2021", "2021-03-25"),
        ("l7/O3/2021", "2021-03-17"),
        ("01/02-03/04/2021", None),
        ("1/2/3/2021", None),
        ("25/25/2021", None),
    ],
)
def test_forms_of_dates(text, expected):
    dates = dates_in(text)
    assert (dates[0].value().isoformat() if dates else None) == expected


def test_two_dates_in_a_row_are_two():
    dates = dates_in("05/03/2021 - 06/04/2021")
    assert [date.value().isoformat() for date in dates] == ["2021-03-05", "2021-04-06"]
    assert [date.value(month_first=True).isoformat() for date in dates] == ["2021-05-03", "2021-06-04"]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("19g45", "19:45"),
        ("19 giờ 45", "19:45"),
        ("19 gio 45 phut", "19:45"),
        ("07:25 Chiều", "19:25"),
        ("7:25 p.m.", "19:25"),
        ("07:25 AM", "07:25"),
        ("12:05 sáng", "00:05"),
        ("12:30 trưa", "12:30"),
        ("8:30 tối", "20:30"),
        ("7h sáng", "07:00"),
        ("6.05 PM", "18:05"),
        ("11 giờ 5 phút", "11:05"),
        ("5h", None),
        ("2021-03-07 10:50P0S:0001", "10:50"),
    ],
)
def test_forms_of_times(text, expected):
    assert find_time(text) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Bằng chữ: Hai triệu tám trăm mười nghìn năm trăm đồng chẵn", 2_810_500),
        ("So tien bang chu: Mot tram linh nam nghin dong", 105_000),
        ("Bằng chữ: Mười lăm triệu không trăm hai mươi mốt nghìn đồng", 15_021_000),
        ("Bằng chữ: Ba mươi nghìn xyz đồng", None),
        ("Hai triệu đồng", None),
    ],
)
def test_amounts_in_words(text, expected):
    assert amount_in_words(rows_of_text(text)) == expected
