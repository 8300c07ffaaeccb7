"""Pages with columns: prose is read column by column, a receipt or a form row by row."""

from __future__ import annotations

import math

import pytest
from drawn_receipts import font
from PIL import Image, ImageDraw

from quantvietocr.pictures.boxes import Box
from quantvietocr.receipt import open_detector
from quantvietocr.receipt.layout import paragraphs_of
from quantvietocr.receipt.page import Line

HIGH, PITCH = 20, 30
LEFT = [
    "Hai bên thống nhất ký kết",
    "hợp đồng mua bán hàng hóa",
    "với những điều khoản sau:",
    "Điều một nói về hàng hóa",
    "và nơi giao nhận hàng.",
]
RIGHT = [
    "Hàng được giao trong vòng",
    "ba mươi ngày kể từ ngày",
    "bên mua đặt cọc cho bên",
    "bán số tiền bằng một phần",
    "ba giá trị hợp đồng này.",
]


def column(texts, x: float, y: float = 0, wide: float = 300, degrees: float = 0) -> list[Line]:
    """Lines one below the other, the last three quarters as wide; turned about the page's corner."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    lines = []
    for number, text in enumerate(texts):
        right = x + wide * (0.75 if number == len(texts) - 1 else 1)
        box = Box.of(x, y + number * PITCH, right, y + number * PITCH + HIGH)
        lines.append(Line(Box(tuple((a * cosine - b * sine, a * sine + b * cosine) for a, b in box.points)), text, 0.9))
    return lines


def read(lines) -> list[str]:
    return [row.text for paragraph in paragraphs_of(lines) for row in paragraph]


@pytest.mark.parametrize("degrees", [0, 3, -3])
@pytest.mark.parametrize("lower", [0, 12])  # the right column's rows: level with the left one's, or between them
def test_columns_of_prose_are_read_one_after_the_other(degrees, lower):
    head = column(["Hợp đồng mua bán hàng hóa giữa hai bên"], 100, 0, 500, degrees)
    foot = column(["Hai bên đã đọc và đồng ý ký tên dưới đây."], 0, 300, 700, degrees)
    sides = column(LEFT, 0, 60, degrees=degrees), column(RIGHT, 340, 60 + lower, degrees=degrees)
    mixed = [line for pair in zip(*sides) for line in pair]
    assert read([*foot, *mixed, *head]) == [head[0].text, *LEFT, *RIGHT, foot[0].text]


def test_three_columns():
    third = [text.upper() for text in LEFT]
    lines = column(LEFT, 0) + column(RIGHT, 330) + column(third, 660)
    assert read(lines) == LEFT + RIGHT + third
    assert len(paragraphs_of(lines)) == 3


@pytest.mark.parametrize(
    "right",
    [
        ["12.000", "250.000đ", "3", "45.000", "310.000"],  # prices
        ["Cà phê", "Trà", "Bánh", "Sữa", "Nước"],  # a word each
        ["Mã số 0101234567-001", "Số 12 ngày 03/04/2024", "ĐT 028 3835 1234", "TK 0071000123456", "MST 0312345678"],
    ],
)
def test_what_is_no_prose_stays_in_its_row(right):
    assert read(column(LEFT, 0) + column(right, 340)) == [f"{one} {other}" for one, other in zip(LEFT, right)]


def test_a_few_rows_side_by_side_are_no_columns():
    assert read(column(LEFT[:3], 0) + column(RIGHT[:3], 340)) == [
        f"{one} {other}" for one, other in zip(LEFT[:3], RIGHT)
    ]


def test_a_line_across_ends_the_columns():
    across = column(["Một dòng chạy ngang qua cả hai cột của trang"], 0, 60, 640)
    lines = column(LEFT[:2], 0) + column(RIGHT[:2], 340) + across + column(LEFT[2:], 0, 90) + column(RIGHT[2:], 340, 90)
    assert read(lines)[:2] == [f"{LEFT[0]} {RIGHT[0]}", f"{LEFT[1]} {RIGHT[1]}"]


@pytest.mark.parametrize("name", ["profile", "rapidocr"])
def test_a_drawn_page_of_two_columns(name):
    if name == "rapidocr":
        pytest.importorskip("rapidocr", reason="rapidocr is not installed")
    page = Image.new("RGB", (1000, 420), "white")
    pen = ImageDraw.Draw(page)
    places = {
        (x, 70 + 60 * number): text for x, texts in ((40, LEFT), (540, RIGHT)) for number, text in enumerate(texts)
    }
    for (x, y), text in places.items():
        pen.text((x, y), text, "black", font(30), anchor="lm")

    def text_in(box: Box) -> str:
        left, top, right, bottom = box.bounds
        return next(text for (x, y), text in places.items() if left < x + 100 < right and top < y < bottom)

    boxes = open_detector(name, threads=1).find(page)
    assert read([Line(box, text_in(box), 0.9) for box in boxes]) == LEFT + RIGHT
