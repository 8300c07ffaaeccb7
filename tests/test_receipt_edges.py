"""Boxes made to fit their lines: descenders and marks stay, neighbours do not come in, two rows are parted."""

from __future__ import annotations

import math

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from quantvietocr.pictures.boxes import Box
from quantvietocr.receipt.edges import MAX_GROWTH, fitted

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


@pytest.mark.parametrize("colours", [("black", "white"), ("#555555", "#cccccc"), ("white", "black")])
@pytest.mark.parametrize("cut", [3, 5, 7])
def test_what_a_box_cut_off_is_taken_in_again(colours, cut):
    picture, rows = page(75, ink=colours[0], paper=colours[1])
    for ink, box in zip(rows, fitted(picture, [box_of(ink, below=-cut) for ink in rows])):
        _, top, _, bottom = box.bounds
        assert ink[3] - 1 <= bottom <= ink[3] + 4
        assert top == pytest.approx(ink[1] - 4, abs=1)


def test_boxes_that_fit_stay_as_they_are():
    picture, rows = page(75)
    boxes = [box_of(ink) for ink in rows]
    assert fitted(picture, boxes) == boxes


def test_the_rows_above_and_below_do_not_come_in():
    picture, rows = page(52)
    boxes = [box_of(ink, above=8, below=8) for ink in rows]
    for box, given in zip(fitted(picture, boxes), boxes):
        assert box.bounds[1] >= given.bounds[1] - 6 and box.bounds[3] <= given.bounds[3] + 6


def test_an_edge_moves_no_further_than_a_share_of_the_height():
    picture, rows = page(90)
    left, top, _, bottom = rows[0]
    ImageDraw.Draw(picture).rectangle((left + 20, top, left + 30, bottom + 60), fill="black")
    (box,) = fitted(picture, [box_of(rows[0])])
    height = bottom - top + 8
    assert box.bounds[3] <= bottom + 4 + MAX_GROWTH * height + 1


def test_two_rows_in_a_box_are_parted():
    picture, rows = page(75)
    both = Box.around([box_of(rows[1]), box_of(rows[2])])
    others = [box_of(rows[index]) for index in (0, 3, 4)]
    parted = fitted(picture, [others[0], both, *others[1:]])
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
    assert fitted(tall, boxes) == boxes


def test_slanted_boxes_keep_their_slope():
    picture, rows = page(75)
    angle = 4.0
    turned = picture.rotate(-angle, Image.Resampling.BICUBIC, expand=True, fillcolor="white")
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))

    def on_turned(x: float, y: float) -> tuple[float, float]:
        x, y = x - picture.width / 2, y - picture.height / 2
        return turned.width / 2 + x * cosine - y * sine, turned.height / 2 + x * sine + y * cosine

    (upper_left, upper_right, lower_right, lower_left) = box_of(rows[0], below=-5).points
    box = Box((on_turned(*upper_left), on_turned(*upper_right), on_turned(*lower_right), on_turned(*lower_left)))
    (grown,) = fitted(turned, [box])
    (x0, y0), (x1, y1) = grown.points[3], grown.points[2]
    assert math.degrees(math.atan2(y1 - y0, x1 - x0)) == pytest.approx(angle, abs=0.2)
    assert 3 < np.hypot(x0 - box.points[3][0], y0 - box.points[3][1]) < 10


def test_standing_and_tiny_boxes_are_left_alone():
    picture, _ = page(75)
    boxes = [Box.of(10, 10, 30, 200), Box.of(30, 30, 36, 35)]
    assert fitted(picture, boxes) == boxes
