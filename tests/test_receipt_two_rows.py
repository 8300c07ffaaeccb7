"""Boxes that hold two rows are parted, and no others."""

from __future__ import annotations

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from quantvietocr.pictures.boxes import Box
from quantvietocr.receipt.two_rows import single_rows

SIZE = 40
FONT = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", SIZE)
TEXTS = ("Ổi phát giảm giá", "Quầy hàng gạo nếp", "Ngày ghi phiếu", "Ấp Gò Dầu Hạ", "Tổng cộng ngay")


def page(pitch: int, texts=TEXTS, ink="black", paper="white") -> tuple[Image.Image, list[tuple[int, int, int, int]]]:
    """Rows of text, and the ink of each: left, top, right, bottom."""
    picture = Image.new("RGB", (600, 40 + pitch * len(texts)), paper)
    pen = ImageDraw.Draw(picture)
    bounds = []
    for number, text in enumerate(texts):
        where = 30, 20 + number * pitch
        pen.text(where, text, ink, FONT)
        bounds.append(pen.textbbox(where, text, FONT))
    return picture, bounds


def box_of(ink: tuple[float, float, float, float], above: float = 4, below: float = 4) -> Box:
    left, top, right, bottom = ink
    return Box.of(left - 5, top - above, right + 5, bottom + below)


def test_boxes_that_fit_stay_as_they_are():
    picture, rows = page(75)
    boxes = [box_of(ink) for ink in rows]
    assert single_rows(picture, boxes) == boxes


def test_two_rows_in_a_box_are_parted():
    picture, rows = page(75)
    both = Box.around([box_of(rows[1]), box_of(rows[2])])
    others = [box_of(rows[index]) for index in (0, 3, 4)]
    parted = single_rows(picture, [others[0], both, *others[1:]])
    assert len(parted) == 5 and [parted[0], *parted[3:]] == others
    for ink, box in zip(rows[1:3], parted[1:3]):
        assert box.bounds[1] <= ink[1] + 1 and box.bounds[3] >= ink[3] - 1
        assert box.bounds[3] - box.bounds[1] < 75


def test_large_letters_with_marks_are_one_row():
    picture, rows = page(75)
    large = ImageFont.truetype(FONT.path, 2 * SIZE)
    tall = Image.new("RGB", (900, picture.height + 130), "white")
    tall.paste(picture)
    pen = ImageDraw.Draw(tall)
    where = 20, picture.height + 5
    pen.text(where, "Ổ BÁNH MÌ SỮA", "black", large)
    title = box_of(pen.textbbox(where, "Ổ BÁNH MÌ SỮA", large))
    boxes = [*(box_of(ink) for ink in rows), title]
    assert single_rows(tall, boxes) == boxes


def test_standing_and_tiny_boxes_are_left_alone():
    picture, _ = page(75)
    boxes = [Box.of(10, 10, 30, 200), Box.of(30, 30, 36, 35)]
    assert single_rows(picture, boxes) == boxes
