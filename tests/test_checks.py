"""Readings checked against the picture: nothing where there is nothing, margins cut away, runs counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from quantvietocr import Predictor
from quantvietocr.pictures.image import line_pixels
from quantvietocr.reading.checks import BLANK, NO_PAPER_CHANCE, checked
from quantvietocr.reading.confidence import DOUBT_THRESHOLD, LineText
from quantvietocr.reading.margins import MARGIN, without_margins
from quantvietocr.reading.runs import UNVERIFIED_CHANCE, count_in, recounted

WEIGHTS = Path(__file__).parents[1] / "weights/vgg_seq2seq-qat-int8.safetensors"
FONTS = [f"{get_data_path()}/fonts/ttf/{name}.ttf" for name in ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono")]


def drawn(text: str, font: str = FONTS[0], size: int = 44, around: tuple[int, int] = (8, 4)) -> Image.Image:
    """A line of text with so many pixels of paper beside, and above and below."""
    letters = ImageFont.truetype(font, size)
    picture = Image.new("RGB", (round(letters.getlength(text)) + 2 * around[0], 60 + 2 * around[1]), "white")
    ImageDraw.Draw(picture).text((around[0], around[1] + 2), text, "black", letters)
    return picture


def noise(level: float, blur: float = 0.0, size: tuple[int, int] = (400, 50)) -> Image.Image:
    values = np.random.default_rng(3).normal(215, level, size[::-1]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(values).filter(ImageFilter.GaussianBlur(blur)).convert("RGB")


@pytest.fixture(scope="module")
def reader() -> Predictor:
    return Predictor(WEIGHTS, threads=1)


BLANKS = {
    "white": Image.new("RGB", (400, 50), "white"),
    "black": Image.new("RGB", (260, 36), "black"),
    "one row": Image.new("RGB", (450, 1), "white"),
    "wide": Image.new("RGB", (2400, 50), "white"),
    "square": Image.new("RGB", (500, 500), (240, 238, 230)),
    "noise": noise(4),
    "strong noise": noise(25),
    "soft noise": noise(20, 1.2),
    "shade": Image.linear_gradient("L").rotate(90).resize((400, 50)).convert("RGB"),
}


@pytest.mark.parametrize("kind", BLANKS)
def test_a_blank_picture_has_no_text(reader, kind):
    assert reader.predict(BLANKS[kind], return_prob=True) == ("", 0.0)


def test_vietocrs_reading_of_a_blank_picture_is_kept_where_it_is_wanted():
    reader = Predictor(WEIGHTS, threads=1, leaders="keep", words=None)
    ((text, _),) = reader.recognizer.recognize([line_pixels(BLANKS["white"], reader.spec)])
    assert reader.predict(BLANKS["white"]) == text != ""


@pytest.mark.parametrize(
    "text", ["Họ và tên: ____________", "________________", "__________ năm ______", "Mục lục ........ 12", "........"]
)
def test_rules_and_leaders_are_read_still(reader, text):
    read = reader.predict(drawn(text))
    marks = "_" if "_" in text else "."
    assert read.replace(marks, "").split() == text.replace(marks, "").split()
    assert abs(read.count(marks) - text.count(marks)) <= 0.4 * text.count(marks)


@pytest.mark.parametrize(("thick", "high"), [(1, 8), (2, 8), (1, 14), (2, 14), (1, 40), (2, 40), (4, 40)])
def test_a_rule_alone_is_no_blank(reader, thick, high):
    picture = Image.new("RGB", (300, high), "white")
    ImageDraw.Draw(picture).rectangle((6, high - 2 - thick, 293, high - 3), fill="black")
    assert set(reader.predict(picture)) <= {"_", "-"} and reader.predict(picture)


@pytest.mark.parametrize("around", [(60, 60), (200, 100), (400, 500), (30, 700), (600, 60)])
def test_much_paper_around_a_line_is_cut_away(reader, around):
    text = "Tổng cộng 58.500đ"
    picture = drawn(text, around=around)
    assert reader.predict(picture) == text
    cut = without_margins(picture)
    assert cut.height < 70 < picture.height or cut.width < picture.width


@pytest.mark.parametrize("colours", [("white", "black"), ("#333333", "#bbbbaa")])
def test_margins_are_cut_in_any_colours(colours):
    ink, paper = colours
    picture = Image.new("RGB", (900, 700), paper)
    ImageDraw.Draw(picture).text((300, 300), "Gạch đầu", ink, ImageFont.truetype(FONTS[1], 44))
    left, top, right, bottom = ImageDraw.Draw(picture).textbbox(
        (300, 300), "Gạch đầu", ImageFont.truetype(FONTS[1], 44)
    )
    cut = without_margins(picture)
    assert right - left < cut.width < right - left + 2 * MARGIN * 60 + 6
    assert bottom - top < cut.height < bottom - top + 2 * MARGIN * 60 + 6


@pytest.mark.parametrize("text", ["Nước mắm", "ăn cơm", "-", "—", "...", "....", "=", "____", "'", "- - - -"])
def test_a_line_without_margins_is_kept_as_it_is(text):
    picture = drawn(text)
    assert without_margins(picture) is picture


def test_a_photograph_has_no_margin_and_a_short_text_in_it_is_doubted():
    values = np.random.default_rng(2).choice([0, 90, 160, 255], (9, 9)).astype(np.uint8)
    photograph = Image.fromarray(values).resize((600, 600), Image.Resampling.BICUBIC).convert("RGB")
    assert without_margins(photograph) is photograph
    line = LineText("S.", 0.9, 0.9)
    assert checked(line_pixels(photograph), line).confidence == pytest.approx(0.9 * NO_PAPER_CHANCE)
    assert checked(line_pixels(drawn("S.")), line) == line
    longer = LineText("S. nhiều chữ", 0.9, 0.9)
    assert checked(line_pixels(photograph), longer) == longer


@pytest.mark.parametrize("font", FONTS)
@pytest.mark.parametrize("char", "#A0X81+N")
@pytest.mark.parametrize("number", [5, 9, 16, 24])
def test_a_run_is_counted(font, char, number):
    for before, behind in (("", ""), ("Mã ", " VN")):
        assert count_in(line_pixels(drawn(before + number * char + behind, font)), number + 1, number + 1) == number


def test_a_miscounted_run_is_put_right():
    pixels = line_pixels(drawn("Mã ######## VN"))
    for read in (6, 7, 9, 11):
        line = recounted(pixels, LineText(f"Mã {read * '#'} VN", 0.99, 0.99))
        assert line.text == "Mã ######## VN" and DOUBT_THRESHOLD < line.confidence < 0.99
    right = LineText("Mã ######## VN", 0.99, 0.99)
    assert recounted(pixels, right) is right


def test_digits_beside_a_run_are_not_counted_with_it():
    line = LineText("0980000012", 0.99, 0.99)
    assert recounted(line_pixels(drawn(line.text)), line) is line


def test_a_long_run_that_the_picture_does_not_show_is_doubted():
    line = LineText("iiiiiiii", 0.9, 0.9)
    assert recounted(line_pixels(drawn("Nước mắm Nam")), line).confidence == pytest.approx(0.9 * UNVERIFIED_CHANCE)
    short = LineText("1.000.000", 0.9, 0.9)
    assert recounted(line_pixels(drawn("Nước mắm Nam")), short) is short


@pytest.mark.parametrize("text", ["####################", "AAAAAAAAAAAAAAAAAAAA", "88888888888888", "xx 0000000 11"])
def test_runs_are_read_right_or_doubted(reader, text):
    read, confidence = reader.predict(drawn(text), return_prob=True)
    assert read == text or confidence < DOUBT_THRESHOLD


def test_a_blank_part_of_a_wide_line_leaves_the_rest_its_confidence(reader, monkeypatch):
    blank, text = line_pixels(BLANKS["white"]), line_pixels(drawn("Nước mắm"))
    together, alone = reader.lines_from_candidates([[[text, blank]], [[text]]])
    assert together == alone and alone.text == "Nước mắm"
    assert reader.lines_from_candidates([[[blank, blank]]]) == [BLANK]
