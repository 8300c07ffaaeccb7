"""Rules and leaders: where they are, of how many marks, and the text between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from quantvietocr import Predictor, predictor
from quantvietocr.image import ImageSpec, line_pixels
from quantvietocr.leaders import SURE, Leaders, leaders_in
from quantvietocr.leaders.count import ADVANCE, UNDERLINE, count, dotted, size_of_letters
from quantvietocr.leaders.find import Stretch, ink, stretches

WEIGHTS = Path(__file__).parents[1] / "weights/vgg_seq2seq-qat-int8.safetensors"
FONT = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 24)
READABLE = "abc _.-"
HEIGHT = 32


def drawn(text: str, ink="black", paper="white", noise=0.0, frame=False, gap=0) -> np.ndarray:
    """A line at the network's height; gap: pixels left between two underscores."""
    picture = Image.new("RGB", (int(FONT.getlength(text)) + 24 + gap * text.count("_"), 36), paper)
    pen, x = ImageDraw.Draw(picture), 12.0
    for char in text:
        pen.text((x, 2), char, fill=ink, font=FONT)
        x += FONT.getlength(char) + (gap if char == "_" else 0)
    if frame:
        pen.line((0, 34, picture.width, 34), fill=ink, width=2)
    pixels = line_pixels(picture, ImageSpec(max_width=2000)).astype(np.float64)
    pixels += noise * np.random.default_rng(0).normal(size=(*pixels.shape[:2], 1))
    return np.clip(pixels, 0, 255).astype(np.uint8)


def columns(before: str, marks: str) -> tuple[float, float]:
    """Where marks behind some text begin and end, in `drawn`'s pixels."""
    first = 12 + FONT.getlength(before)
    return first * HEIGHT / 36, (first + FONT.getlength(marks)) * HEIGHT / 36


@pytest.mark.parametrize("marks", ["_" * 12, "." * 18, "-" * 20, "=" * 9])
@pytest.mark.parametrize("look", [{}, {"ink": "white", "paper": "black"}, {"noise": 12.0}, {"frame": True}])
def test_a_row_of_marks_is_found_where_it_is(marks, look):
    (found,) = stretches(drawn(f"Nơi sinh {marks} Huế", **look))
    first, end = columns("Nơi sinh ", marks)
    assert found.first == pytest.approx(first, abs=6) and found.end == pytest.approx(end, abs=6)


@pytest.mark.parametrize("text", ["Nguyễn Văn Huy, sinh năm 1987 - tại", "Tổng cộng:                  12.000", "a - b - c . . d"])
@pytest.mark.parametrize("look", [{}, {"noise": 12.0}, {"frame": True}])
def test_text_and_wide_blanks_are_none(text, look):
    assert stretches(drawn(text, **look)) == []


def test_several_are_found_from_left_to_right():
    found = stretches(drawn(f"Số {'_' * 9} ngày {'.' * 15} tháng {'_' * 9}"))
    assert [dotted(one, HEIGHT) for one in found] == [False, True, False]
    assert [one.first for one in found] == sorted(one.first for one in found)


@pytest.mark.parametrize("mark", [".", "-", "=", "·"])
@pytest.mark.parametrize("number", [10, 19, 30])
def test_marks_with_a_period_are_counted_exactly(mark, number):
    (found,) = stretches(drawn(f"Tên: {mark * number} ab"))
    assert count(found, mark, None, HEIGHT) == (number, "period")


def test_a_sign_behind_a_leader_is_no_mark_of_it():
    (found,) = stretches(drawn(f"Tên: {'.' * 20}  . "))
    assert count(found, ".", None, HEIGHT) == (20, "period")


@pytest.mark.parametrize("number", [8, 15, 24])
def test_underscores_are_counted_by_their_gaps_or_the_letters(number):
    (apart,) = stretches(drawn(f"Tên: {'_' * number} ab", gap=5))
    assert count(apart, "_", None, HEIGHT) == (number, "period")
    pixels = drawn(f"Nơi sinh: {'_' * number} ab")
    (solid,) = stretches(pixels)
    size = size_of_letters(ink(pixels)[1], [("Nơi sinh:", 0, solid.first - 1)])
    assert size == pytest.approx(24 * HEIGHT / 36, rel=0.2), "DejaVu is wider than most"
    found, how = count(solid, "_", size, HEIGHT)
    assert abs(found - number) <= max(1, 0.2 * number) and how in ("letters", "joints")
    assert count(solid, "_", None, HEIGHT) is None, "a rule alone does not say what an underscore takes"


def test_noise_on_a_solid_rule_is_no_joints():
    profile = 400 + 10 * np.random.default_rng(1).normal(size=200)
    rule = Stretch(0, 200, 20, 25, profile.astype(np.float32), 0.0)
    assert count(rule, "_", 20.0, HEIGHT) == (round(200 / (20 * ADVANCE["_"] * UNDERLINE)), "letters")


def test_too_little_text_has_no_size():
    pixels = drawn("ab")
    assert size_of_letters(ink(pixels)[1], [("ab", 0, pixels.shape[1])]) is None


def with_pieces(pixels: np.ndarray, first: tuple[str, float], *pieces: tuple[str, float]) -> tuple[str, float]:
    leaders = leaders_in(pixels, first[0], READABLE)
    assert len(leaders.pieces) == len(pieces)
    assert all(piece.shape[0] == HEIGHT and piece.shape[1] % 10 == 0 or piece.shape[1] == HEIGHT for piece in leaders.pieces)
    return leaders.reading(first, list(pieces))


def test_text_behind_a_rule_that_was_not_read_is():
    line = f"Nơi sinh: {'_' * 12} Thừa Thiên Huế"
    text, sure = with_pieces(drawn(line, gap=5), ("Nơi sinh: ____", 0.0), ("Nơi sinh:", 0.9), ("Thừa Thiên Huế", 0.8))
    assert text == line and sure == pytest.approx(0.9 * 0.8 * SURE["period"])


@pytest.mark.parametrize("line", [f"Tel{'.' * 15}Ab cd", f"Tel {'.' * 15}Ab cd", f"Tel{'.' * 15} Ab cd", f"{'.' * 15} Tel Ab"])
def test_spaces_are_where_there_is_a_blank(line):
    left, right = (part.strip() for part in line.split("." * 15))
    pieces = [(text, 1.0) for text in (left, right) if text]
    assert with_pieces(drawn(line), ("...", 0.1), *pieces)[0] == line


def test_where_all_text_was_read_the_marks_alone_are_counted():
    line = f"Tel: {'.' * 20}; Fax"
    assert with_pieces(drawn(line), (f"Tel: {'.' * 17}; Fax", 0.6), ("Tel:", 0.9), ("; F", 0.1)) == (line, 0.6)
    unbelieved = f"Tel: {'.' * 8}; Fax"
    assert with_pieces(drawn(line), (unbelieved, 0.6), ("Tel:", 0.9), ("; F", 0.1)) == (unbelieved, 0.6)


def test_dots_read_as_underscores_are_dots_where_they_may_be_read():
    pixels = drawn(f"Tel: {'.' * 20} Fax")
    read = f"Tel: {'_' * 9} Fax"
    assert [mark for _, mark in leaders_in(pixels, read, READABLE).rows] == ["."]
    assert [mark for _, mark in leaders_in(pixels, read, "_").rows] == ["_"]


def test_what_was_read_decides_whether_there_is_something_to_look_for():
    pixels = drawn(f"Tel: {'_' * 12} Fax")
    assert isinstance(leaders_in(pixels, "Tel: Fax", READABLE), Leaders), "a long rule, whatever was read"
    assert leaders_in(pixels, "Tel: Fax", READABLE.replace("_", "")) is None, "no mark that may be read"
    assert leaders_in(drawn(f"Tel: {'_' * 7} Fax"), "Tel: Fax", READABLE) is None, "a short one, of which no mark was read"
    assert leaders_in(drawn(f"Tel: {'.' * 20} Fax"), "Tel: Fax", READABLE) is None, "dots, of which none was read"
    bars = drawn(f"{'▌' * 6} {'_' * 12} {'▌' * 6}")
    assert isinstance(leaders_in(bars, "gp", READABLE), Leaders), "beside ink that passes through its rows"
    assert leaders_in(drawn(f"Tel: {' ' * 20} Fax", frame=True), "Tel: Fax", READABLE) is None, "a frame's line"
    assert leaders_in(drawn("Tel: Fax"), "Tel: ___ Fax", READABLE) is None, "no mark is there"
    two = leaders_in(drawn(f"Số {'_' * 9} ngày {'_' * 14} ab"), "Số ___", READABLE)
    assert len(two.rows) == 1 and two.rows[0][0].first > 100, "the longest, of more than were read"


def test_the_predictor_counts_unless_told_otherwise(monkeypatch):
    line = f"Nơi sinh: {'.' * 30} Ngày cấp: {'_' * 18} Huế"
    picture = Image.fromarray(drawn(line, gap=2))
    counting = Predictor(WEIGHTS, threads=1, wide="squeeze").predict(picture)
    assert counting.startswith(f"Nơi sinh: {'.' * 30} ") and counting.endswith("Huế")
    monkeypatch.setattr(predictor, "leaders_in", None)  # not asked
    for loops in ("drop", "keep"):
        Predictor(WEIGHTS, threads=1, wide="squeeze", loops=loops).predict(picture)
