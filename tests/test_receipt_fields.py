"""Rows, paragraphs, money, dates, fields and items: on lines whose texts and places are given."""

from __future__ import annotations

import dataclasses
import math

import pytest
from drawn_receipts import ADDRESS, ITEMS, ROWS, SHOP, TOTAL

from quantvietocr.pictures.boxes import Box
from quantvietocr.receipt.amounts import amounts
from quantvietocr.receipt.dates import dates_in, find_time
from quantvietocr.receipt.evidence import entries_of
from quantvietocr.receipt.fields import fields_from
from quantvietocr.receipt.items import bought_in
from quantvietocr.receipt.labels import kind_of
from quantvietocr.receipt.layout import paragraphs_of, slope_of
from quantvietocr.receipt.page import Field, Item, Line, Row

WIDTH = 460  # of the printed rows


def rows_of(
    texts: list[tuple[str, ...]] | tuple[tuple[str, ...], ...], sure: float = 0.9, high: float = 20
) -> list[Row]:
    """Rows 30 px apart: a text alone from the left, others with the last at the right end; a letter is half as
    wide as high."""
    rows = []
    for number, row in enumerate(texts):
        lines, left = [], 0.0
        for place, text in enumerate(row):
            wide = len(text) * high / 2
            if place and place == len(row) - 1:
                left = max(left, WIDTH - wide)
            lines.append(Line(Box.of(left, 30 * number, left + wide, 30 * number + high), text, sure))
            left += wide + 15
        rows.append(Row(tuple(lines)))
    return rows


def items_of(rows: list[Row]) -> tuple[Item, ...]:
    return tuple(item for item, _ in bought_in(rows))


def fields_of(rows: list[Row]) -> tuple[Field, ...]:
    """Fields, whatever the kind of the page."""
    item_rows = [row for _, its_rows in bought_in(rows) for row in its_rows]
    return fields_from(rows, entries_of(rows, item_rows), items_of(rows))


def values(texts, **how) -> dict[str, object]:
    return {field.name: field.value for field in fields_of(rows_of(texts, **how))}


def bought(texts) -> list[tuple]:
    return [(item.name, item.quantity, item.unit_price, item.price) for item in items_of(rows_of(texts))]


# --- money and dates -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("1.250.000đ", [1_250_000]),
        ("45,000", [45_000]),
        ("1 250 000 VND", [1_250_000]),
        ("1.250.000 VNĐ", [1_250_000]),
        ("Tổng: 250000", [250_000]),
        ("45,000.00", [45_000]),
        ("35k", [35_000]),
        ("2 x 32.500 65.000", [32_500, 65_000]),
        ("-9,300", [-9_300]),
        ("65.0O0", [65_000]),
        ("1. 250.000 đ", [1_250_000]),
        ("12/03/2024 18:05", []),
        ("0909 123 456", []),
        ("Số 000123", []),
        ("2", []),
        ("", []),
        ("Phường 12", []),
        ("999.999.999", [999_999_999]),
    ],
)
def test_amounts_of_money(text, expected):
    assert [amount.value for amount in amounts(text)] == expected


def test_an_amount_knows_its_place():
    (amount,) = amounts("Tổng cộng: 250.000đ.")
    assert "Tổng cộng: 250.000đ."[amount.start : amount.end] == "250.000đ" and amount.marked
    assert not amounts("Tổng 250000")[0].marked


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Ngày: 12/03/2024 18:05", "2024-03-12"),
        ("12-03-24", "2024-03-12"),
        ("2024-03-12", "2024-03-12"),
        ("12.3.2024", "2024-03-12"),
        ("Ngày 12 tháng 03 năm 2024", "2024-03-12"),
        ("ngay 5 thang 1 nam 2025", "2025-01-05"),
        ("31/02/2024", None),
        ("1.250.000", None),
        ("12/13/2024", "2024-12-13"),
        ("13/13/2024", None),
        ("028 3835 1234", None),
        ("01/01/1889", None),
    ],
)
def test_dates(text, expected):
    found = dates_in(text)
    assert (found[0].value().isoformat() if found else None) == expected


@pytest.mark.parametrize(
    "text, expected",
    [
        ("18:05", "18:05"),
        ("Giờ: 8h30", "08:30"),
        ("18:05:59", "18:05:59"),
        ("08:37 PM", "20:37"),
        ("12:10 SA", "00:10"),
        ("25:10", None),
        ("1.250", None),
        ("", None),
    ],
)
def test_times(text, expected):
    assert find_time(text) == expected


# --- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, kind",
    [
        ("Tổng cộng: 5", "total"),
        ("TỔNG TIỀN THANH TOÁN", "payable"),
        ("Tỗng cộnq", "total"),
        ("Tổngcộng", "total"),
        ("T.Tiền", "total"),
        ("Tổng tiền hàng", "subtotal"),
        ("Tiền thừa", "other"),
        ("Tiền khách đưa", "other"),
        ("Thành tiền", "total"),
        ("Công ty TNHH", ""),
        ("Bàn chải lông mềm", ""),
        ("Bàn: 5", "about"),
        ("Máy tính cầm tay", ""),
        ("Thẻ cào", ""),
        ("Phi 1.100", "other"),
        ("Phi 27 (cây 4m)", ""),
        ("Thẻ VISA 100.000", "other"),
        ("Quầy Thuốc An Khang", ""),
        ("Số 12 Trần Phú", ""),
        ("Số: 00012", "about"),
        ("Giảm 10%", "other"),
        ("", ""),
        ("Cà phê", ""),
    ],
)
def test_what_a_label_announces(text, kind):
    assert kind_of(text) == kind


# --- layout ----------------------------------------------------------------------------------------------------------


def leaning(lines: list[Line], degrees: float) -> list[Line]:
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return [
        Line(
            Box(tuple((x * cosine - y * sine, x * sine + y * cosine) for x, y in line.box.points)),
            line.text,
            line.confidence,
        )
        for line in lines
    ]


@pytest.mark.parametrize("degrees", [-8, 0, 5])
def test_lines_side_by_side_become_rows_even_on_a_slope(degrees):
    lines = [line for row in rows_of(ROWS) for line in row.lines]
    placed = leaning(lines, degrees)
    found = [row.text for paragraph in paragraphs_of(placed[::2] + placed[1::2]) for row in paragraph]
    assert found == [" ".join(row) for row in ROWS]
    assert math.degrees(math.atan(slope_of(placed))) == pytest.approx(degrees, abs=0.1)


def test_what_stands_above_is_another_row_and_wide_white_another_paragraph():
    high = Line(Box.of(0, 0, 60, 60), "LOGO", 0.9)
    beside = [Line(Box.of(80, top, 200, top + 24), text, 0.9) for top, text in ((2, "trên"), (32, "dưới"))]
    far = Line(Box.of(0, 120, 90, 144), "xa", 0.9)
    paragraphs = paragraphs_of([far, beside[1], high, beside[0]])
    assert sorted(row.text for row in paragraphs[0]) == sorted(["LOGO trên", "dưới"])
    assert [row.text for row in paragraphs[1]] == ["xa"] and paragraphs_of([]) == ()


# --- fields ----------------------------------------------------------------------------------------------------------


def test_fields_of_a_receipt_with_columns():
    found = {field.name: field for field in fields_of(rows_of(ROWS))}
    assert {name: field.value for name, field in found.items()} == {
        "shop": SHOP,
        "address": ADDRESS,
        "date": "2024-03-12T18:05",
        "total": TOTAL,
    }
    rows = rows_of(ROWS)
    assert found["total"].box == rows[11].lines[1].box and found["total"].text == "Tổng cộng: 250.000đ"
    assert found["date"].box == rows[5].lines[0].box
    assert found["address"].box == Box.around([rows[1].box, rows[2].box])


def test_a_field_is_as_sure_as_its_least_sure_line():
    rows = rows_of(ROWS)
    label, amount = rows[11].lines
    rows[11] = Row((Line(label.box, label.text, 0.4), amount))
    assert {field.name: field.confidence for field in fields_of(rows)} == {
        "shop": 0.9,
        "address": 0.9,
        "date": 0.9,
        "total": 0.4,
    }


def test_what_is_not_there_is_absent():
    assert fields_of([]) == () and items_of([]) == ()
    assert values([("Xin chào",), ("các bạn của chúng tôi ở khắp mọi nơi",)]) == {"shop": "Xin chào"}


@pytest.mark.parametrize(
    "rows, total",
    [
        (
            [
                ("Tạm tính", "93,000"),
                ("Giảm giá", "-9,300"),
                ("Thành tiền", "83,700"),
                ("Tiền mặt", "100,000"),
                ("Tiền thối lại", "16,300"),
            ],
            83_700,
        ),
        ([("Tổng cộng", "120.000"), ("Tổng tiền thanh toán", "100.000"), ("Tổng cộng điểm", "12")], 100_000),
        ([("Tổng tiền thanh toán",), ("281.000",), ("Khách đưa", "300.000")], 281_000),
        ([("Tổng SL: 5", "Tổng cộng: 250.000")], 250_000),
        ([("TỎNG CÔNG", "1 250 000 VND")], 1_250_000),
        ([("Tổng cộng: 250.000đ",)], 250_000),
        ([("Tiền khách đưa", "500.000"), ("Tiền thừa", "250.000"), ("Tổng số lượng", "500")], None),
        ([("Tổng cộng", "0")], None),
    ],
)
def test_the_total_is_what_is_to_be_paid(rows, total):
    assert values([("Quán Ăn Hoa Mai",), *rows]).get("total") == total


def test_the_time_may_stand_beside_the_date():
    assert values([("Ngày: 12/03/2024", "Giờ: 18:05")])["date"] == "2024-03-12T18:05"
    assert values([("Ngày: 12/03/2024",), ("Giờ vào: 18:05",)])["date"] == "2024-03-12T18:05"
    assert values([("HSD: 01/01/2030",), ("12/03/2024",)])["date"] == "2024-03-12"


def test_a_long_name_and_address_go_on_below():
    rows = [
        ("CỬA HÀNG ĐIỆN NƯỚC VÀ KIM KHÍ HƯNG THỊNH TRĂNG",),
        ("KHUYẾT",),
        ("Đ/c: 671 Hai Bà Trưng, P. Thạch Thất, Hưng",),
        ("Yên",),
        ("MST: 0368693193",),
    ]
    assert values(rows) == {
        "shop": "CỬA HÀNG ĐIỆN NƯỚC VÀ KIM KHÍ HƯNG THỊNH TRĂNG KHUYẾT",
        "address": "671 Hai Bà Trưng, P. Thạch Thất, Hưng Yên",
    }


@pytest.mark.parametrize("word", ["KHUYẾT", "LÁ", "***"])
def test_a_name_goes_on_in_any_word(word):
    rows = [("CỬA HÀNG ĐIỆN NƯỚC VÀ KIM KHÍ HƯNG THỊNH TRĂNG",), (word,), ("HÓA ĐƠN",)]
    found = values(rows)["shop"]
    assert found == rows[0][0] + (f" {word}" if word.isalpha() else "")


def test_words_without_marks_are_as_large_as_those_with_them():
    rows = rows_of(
        [("Nhà sách Thanh Xuân",), ("Đ/c: 651 Hùng Vương, Phường Phước Long, Bắc",), ("Ninh",), ("HÓA ĐƠN",)]
    )
    low = [dataclasses.replace(line, box=Box.of(0, 62, 40, 75)) for line in rows[2].lines]  # 13 of 20 pixels high
    found = {field.name: field.value for field in fields_of([*rows[:2], Row(tuple(low)), rows[3]])}
    assert found["address"] == "651 Hùng Vương, Phường Phước Long, Bắc Ninh"


@pytest.mark.parametrize("shop", ["PHỞ NGÕ NHỎ", "SHOP QUẦN ÁO ÁNH DƯƠNG"])  # as phố, ngõ, quận, đường without marks
def test_a_shop_named_as_places_are_is_no_address(shop):
    rows = [(shop,), ("Số 399 Tôn Đức Thắng, Phường Xuân Hòa,",), ("Quận 11, TP. Đà Nẵng, Việt Nam",), ("HÓA ĐƠN",)]
    assert values(rows) == {
        "shop": shop,
        "address": "Số 399 Tôn Đức Thắng, Phường Xuân Hòa, Quận 11, TP. Đà Nẵng, Việt Nam",
    }


def test_a_street_with_a_number_in_its_name():
    rows = [("Nhà sách Thanh Xuân",), ("24 đường 30 Tháng 4, Bình Thạnh",), ("HÓA ĐƠN",)]
    assert values(rows)["address"] == "24 đường 30 Tháng 4, Bình Thạnh"


# --- items -----------------------------------------------------------------------------------------------------------


def test_items_in_columns():
    items = items_of(rows_of(ROWS))
    assert tuple((item.name, item.quantity, item.unit_price, item.price) for item in items) == ITEMS
    assert items[0].box == rows_of(ROWS)[7].box and items[0].confidence == 0.9


@pytest.mark.parametrize(
    "numbers", [("2 x 29,000", "58,000"), ("2x29,000", "58,000"), ("2", "29,000", "58,000"), ("29,000", "2", "58,000")]
)
def test_numbers_below_the_name(numbers):
    rows = [
        ("Ngày 12/03/2024",),
        ("Phin sữa đá số 1",),
        numbers,
        ("Bánh flan",),
        ("1 x 12,000", "12,000"),
        ("Tổng cộng", "70,000"),
    ]
    assert bought(rows) == [("Phin sữa đá số 1", 2, 29_000, 58_000), ("Bánh flan", 1, 12_000, 12_000)]


def test_a_name_goes_on_below_its_price_in_columns():
    rows = [
        ("Tên hàng", "SL", "T.Tiền"),
        ("1. Đường trắng", "4", "108.000"),
        ("tinh luyện 1kg",),
        ("2. Muối", "1", "5.000"),
        ("Tổng", "113.000"),
    ]
    assert bought(rows) == [("Đường trắng tinh luyện 1kg", 4, None, 108_000), ("Muối", 1, None, 5_000)]


def test_a_form_with_numbers_and_units():
    rows = [
        ("STT", "Tên hàng", "ĐVT", "SL", "Đơn giá", "Thành tiền"),
        ("1", "Gạo ST25 5kg", "túi", "2", "185.000", "370.000"),
        ("2", "Thịt ba chỉ", "kg", "0,345", "150.000", "51.750"),
        ("Cộng tiền hàng:", "421.750"),
    ]
    assert bought(rows) == [("Gạo ST25 5kg", 2, 185_000, 370_000), ("Thịt ba chỉ", 0.345, 150_000, 51_750)]


def test_a_name_may_end_in_a_word_for_a_unit():
    rows = [
        ("STT", "Tên hàng", "ĐVT", "SL", "Thành tiền"),
        ("1", "Cá lóc kho tộ", "tô", "1", "141.000"),
        ("2", "Combo lẩu, gỏi,", "đĩa", "3", "563.000"),
        ("nước ngọt",),
        ("3", "Trà đá ly", "2", "8.000"),
    ]
    assert [name for name, *_ in bought(rows)] == ["Cá lóc kho tộ", "Combo lẩu, gỏi, nước ngọt", "Trà đá"]


@pytest.mark.parametrize("heading", [("Tên hàng", "ĐWT", "SL", "Thành tiền"), ("Hàng hoá", "SL", "Thành tiền")])
def test_a_column_of_units_under_a_heading_that_does_not_say_so(heading):
    rows = [
        heading,
        ("Mì gói", "thùng", "2", "185.000"),
        ("Thịt hộp", "hộp", "1", "51.750"),
        ("Kẹo dẻo túi", "3", "9.000"),
    ]
    assert bought(rows) == [
        ("Mì gói", 2, None, 185_000),
        ("Thịt hộp", 1, None, 51_750),
        ("Kẹo dẻo túi", 3, None, 9_000),
    ]


def test_two_amounts_read_without_a_space():
    rows = [("Tên hàng SL Đơn giá T.Tiền",), ("Áo thun nam", "2 165,000330,000"), ("Giày", "1 1.250.0001.250.000")]
    assert bought(rows) == [("Áo thun nam", 2, 165_000, 330_000), ("Giày", 1, 1_250_000, 1_250_000)]


def test_a_row_read_as_one_line():
    assert bought([("Tên hàng SL Đơn giá T.Tiền",), ("Sữa tươi 1L 2 32.500 65.000",)]) == [
        ("Sữa tươi 1L", 2, 32_500, 65_000)
    ]


def test_discounts_codes_and_telephones_are_no_items():
    rows = [
        ("Mặt hàng", "SL", "Tiền"),
        ("Trà đá", "2", "6.000"),
        ("Giảm giá 10%", "-600"),
        ("0804 999 872",),
        ("8931234567890",),
    ]
    assert bought(rows) == [("Trà đá", 2, None, 6_000)]


@pytest.mark.parametrize(
    "row", [("Trà vải", "2", "35.000", "70.000"), ("Trà vải", "2 x 35.000", "70.000"), ("Trà vải 2 35.000 70.000",)]
)
def test_an_item_named_almost_like_a_label(row):
    """`Trà vải` is one letter from `Trả lại`. A label that was misread counts nothing, and stays one."""
    rows = [("Bún bò", "1", "50.000", "50.000"), row, ("Tổng cộng", "120.000"), ("Trả lạl", "30.000")]
    assert bought(rows) == [("Bún bò", 1, 50_000, 50_000), ("Trà vải", 2, 35_000, 70_000)]
    assert bought([rows[0], ("Trả lạl", "30.000")]) == [("Bún bò", 1, 50_000, 50_000)]


@pytest.mark.parametrize("rule", ["++++++++++++", "- - - - - -", "=-=-=-=-=-=", "########", "8888888888"])
def test_a_rule_of_marks_is_no_part_of_a_name(rule):
    rows = [
        ("Cà phê đá", "2", "25.000", "50.000"),
        (rule,),
        ("Trà sữa", "1", "30.000", "30.000"),
        (rule,),
        ("Tổng cộng", "80.000"),
    ]
    assert bought(rows) == [("Cà phê đá", 2, 25000, 50000), ("Trà sữa", 1, 30000, 30000)]
