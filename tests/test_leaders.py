"""Rules and leaders: where they are, of how many marks, and the text between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from quantvietocr import Predictor
from quantvietocr.pictures.image import ImageSpec, line_pixels
from quantvietocr.reading import predictor
from quantvietocr.reading.confidence import LineText
from quantvietocr.reading.leaders import COUNT_CHANCES, Leaders, joined, leaders_in
from quantvietocr.reading.leaders.count import ADVANCE, UNDERSCORE_WIDTH, count, dotted, size_of_letters, without_signs
from quantvietocr.reading.leaders.find import Stretch, ink, percentile, stretches

WEIGHTS = Path(__file__).parents[1] / "weights/vgg_seq2seq-qat-int8.safetensors"
FONT = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 24)
READABLE = "abc _.,-"
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


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (32, 57), (32, 320)])
def test_percentiles_are_those_of_numpy(shape):
    values = np.random.default_rng(1).normal(0, 50, shape).astype(np.float32)
    for percent in (0, 12.5, 50, 99, 100):
        assert percentile(values, percent) == pytest.approx(np.percentile(values, percent), rel=1e-6)


@pytest.mark.parametrize("marks", ["_" * 12, "." * 18, "-" * 20, "=" * 9])
@pytest.mark.parametrize("look", [{}, {"ink": "white", "paper": "black"}, {"noise": 12.0}, {"frame": True}])
def test_a_row_of_marks_is_found_where_it_is(marks, look):
    (found,) = stretches(drawn(f"Nơi sinh {marks} Huế", **look))
    first, end = columns("Nơi sinh ", marks)
    assert found.first == pytest.approx(first, abs=6) and found.end == pytest.approx(end, abs=6)


@pytest.mark.parametrize(
    "text", ["Nguyễn Văn Huy, sinh năm 1987 - tại", "Tổng cộng:                  12.000", "a - b - c . . d"]
)
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


@pytest.mark.parametrize(
    "before, mark, behind", [("", ".", "  . "), ("", ".", ", ab"), ("- ", "-", " ab"), ("", "-", " - ab")]
)
def test_a_sign_beside_a_row_is_no_mark_of_it(before, mark, behind):
    (found,) = stretches(drawn(f"Tên: {before}{mark * 20}{behind}"))
    row = without_signs(found, mark, HEIGHT)
    first, end = columns(f"Tên: {before}", mark * 20)
    assert row.first == pytest.approx(first, abs=8) and row.end - row.first == pytest.approx(end - first, abs=5)
    assert len(row.profile) == len(row.centre) == row.end - row.first
    assert count(row, mark, None, HEIGHT) == (20, "period")


def test_a_full_stop_behind_a_rule_is_no_part_of_it():
    profile = np.array([400] * 100 + [0] * 3 + [300] * 3, np.float32)
    with_stop = Stretch(9, 115, 20, 25, profile, np.full(106, 22, np.float32), 0.0)
    row = without_signs(with_stop, "_", HEIGHT)
    assert (row.first, row.end) == (9, 109) and row.solid == 1.0
    apart = np.tile(np.array([400] * 5 + [0] * 2, np.float32), 15)
    underscores = Stretch(9, 114, 20, 25, apart, 22 + 0 * apart, 0.0)
    assert without_signs(underscores, "_", HEIGHT) == underscores, "the last one is no full stop"
    (alone,) = stretches(drawn(f"Tên: {'_' * 12} ab"))
    assert without_signs(alone, "_", HEIGHT) == alone


def test_dashes_that_fill_a_closely_cut_picture_are_counted():
    along = np.arange(494) % 38 < 30
    profile = np.where(along, 400, 0).astype(np.float32)
    assert count(Stretch(9, 503, 14, 19, profile, 16 + 0 * profile, 0.0), "-", None, HEIGHT) == (13, "period")


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
    rule = Stretch(0, 200, 20, 25, profile.astype(np.float32), np.full(200, 22, np.float32), 0.0)
    assert count(rule, "_", 20.0, HEIGHT) == (round(200 / (20 * ADVANCE["_"] * UNDERSCORE_WIDTH)), "letters")


def test_too_little_text_has_no_size():
    pixels = drawn("ab")
    assert size_of_letters(ink(pixels)[1], [("ab", 0, pixels.shape[1])]) is None


def read_again(leaders: Leaders, first: tuple[str, float], pieces: Sequence[tuple[str, float]]) -> tuple[str, float]:
    line = leaders.reading(LineText(*first, first[1]), [LineText(*piece, piece[1]) for piece in pieces])
    assert line.certainty == line.confidence
    return line.text, line.confidence


def with_pieces(pixels: np.ndarray, first: tuple[str, float], *pieces: tuple[str, float]) -> tuple[str, float]:
    leaders = leaders_in(pixels, first[0], READABLE)
    assert len(leaders.pieces) == len(pieces)
    assert all(
        (piece.shape[0] == HEIGHT and piece.shape[1] % 10 == 0) or piece.shape[1] == HEIGHT for piece in leaders.pieces
    )
    return read_again(leaders, first, pieces)


def test_text_behind_a_rule_that_was_not_read_is():
    line = f"Nơi sinh: {'_' * 12} Thừa Thiên Huế"
    text, sure = with_pieces(drawn(line, gap=5), ("Nơi sinh: ____", 0.0), ("Nơi sinh:", 0.9), ("Thừa Thiên Huế", 0.8))
    assert text == line and sure == pytest.approx(0.9 * 0.8 * COUNT_CHANCES["period"])


@pytest.mark.parametrize(
    "line", [f"Tel{'.' * 15}Ab cd", f"Tel {'.' * 15}Ab cd", f"Tel{'.' * 15} Ab cd", f"{'.' * 15} Tel Ab"]
)
def test_spaces_are_where_there_is_a_blank(line):
    left, right = (part.strip() for part in line.split("." * 15))
    pieces = [(text, 1.0) for text in (left, right) if text]
    assert with_pieces(drawn(line), ("...", 0.1), *pieces)[0] == line


def test_where_all_text_was_read_the_marks_alone_are_counted():
    line = f"Tel: {'.' * 20}; Fax"
    assert with_pieces(drawn(line), (f"Tel: {'.' * 17}; Fax", 0.6), ("Tel:", 0.9), ("; F", 0.1)) == (line, 0.6)
    few = f"Tel: {'.' * 8}; Fax"
    assert with_pieces(drawn(line), (few, 0.6), ("Tel:", 0.9), ("; F", 0.1)) == (line, 0.6)
    assert with_pieces(drawn(line), (few, 0.6), ("Tel: ...", 0.9), ("; F", 0.1)) == (few, 0.6), (
        "a part of the row was found"
    )
    starred = few.replace(".", "*")
    assert with_pieces(drawn(line), (starred, 0.6), ("Tel:", 0.9), ("; F", 0.1)) == (starred, 0.6), (
        "other marks are there"
    )


@pytest.mark.parametrize(
    "sign, piece, said",
    [(",", ", Fax", ", Fax"), (" -", "- Fax", " - Fax"), ("", "Fax", " Fax"), ("", "= Fax", " Fax")],
)
def test_a_sign_behind_a_row_that_the_first_reading_lacks_is_its_pieces(sign, piece, said):
    pixels = drawn(f"Tel: {'.' * 20}{sign} Fax")
    assert (
        with_pieces(pixels, (f"Tel: {'.' * 19} Fax", 0.6), ("Tel:", 0.9), (piece, 0.9))[0] == f"Tel: {'.' * 20}{said}"
    )
    assert with_pieces(pixels, (f"Tel: {'.' * 19} Fox", 0.6), ("Tel:", 0.9), (piece, 0.9))[0] == f"Tel: {'.' * 20} Fox"


@pytest.mark.parametrize("sign", [".", ","])
def test_a_full_stop_or_comma_that_its_piece_overlooks_is_seen(sign):
    line = f"Tel: {'_' * 12}{sign} Abc"
    pieces = ("Tel:", 1.0), ("Abc", 1.0)
    read = "Tel: ____", 0.0
    assert with_pieces(drawn(line), read, *pieces)[0].endswith(f"_{sign} Abc")
    assert with_pieces(drawn(line), read, ("Tel:", 1.0), (f"{sign} Abc", 1.0))[0].endswith(f"_{sign} Abc"), "once"
    assert with_pieces(drawn(f"Tel: {'_' * 12} Abc"), read, *pieces)[0].endswith("_ Abc"), "none is there"
    assert with_pieces(drawn(f"Tel: {'_' * 12} i - b"), read, ("Tel:", 1.0), ("i - b", 1.0))[0].endswith("_ i - b"), (
        "a letter"
    )
    assert sign not in read_again(leaders_in(drawn(line), read[0], "_ab "), read, pieces)[0], "it may not be read"


def test_a_rule_alone_is_measured_by_the_picture():
    text, sure = with_pieces(drawn("_" * 20), ("_" * 31, 0.9))
    assert set(text) == {"_"} and 10 <= len(text) <= 30 and sure <= COUNT_CHANCES["joints"]


@pytest.mark.parametrize("side", [0, 1])
def test_marks_beside_a_part_of_a_row_are_counted_with_it(side):
    pixels = drawn("-" * 24)
    (row,) = stretches(pixels)
    middle = (row.first + row.end) // 2
    first, end = ((middle, row.end), (row.first, middle))[side]
    part = Stretch(
        first,
        end,
        row.top,
        row.bottom,
        row.profile[first - row.first : end - row.first],
        row.centre[first - row.first : end - row.first],
        0.0,
    )
    leaders = Leaders(pixels, [(part, "-")], READABLE)
    assert read_again(leaders, ("-" * 20, 0.5), [("-" * 11, 0.5)])[0] == "-" * 24
    assert read_again(leaders, ("", 0.5), [("-" * 11, 0.5)])[0] == "-" * 24, "whatever was read first"
    assert read_again(leaders, ("-" * 20, 0.5), [("ab", 0.5)])[0] != "-" * 24, "text is none"


def test_parts_of_a_line_are_joined_by_blanks_but_within_a_row():
    assert joined(["Tel", "...", "....; ab", "___"]) == "Tel .......; ab ___"
    assert joined(["7000", "0001"]) == "7000 0001" and joined(["a..", "...", "---"]) == "a.. ... ---"
    assert joined(["ab", "ab"]) == "ab ab" and joined([]) == ""


def test_dots_read_as_underscores_are_dots_where_they_may_be_read():
    pixels = drawn(f"Tel: {'.' * 20} Fax")
    read = f"Tel: {'_' * 9} Fax"
    assert [mark for _, mark in leaders_in(pixels, read, READABLE).rows] == ["."]
    assert [mark for _, mark in leaders_in(pixels, read, "_").rows] == ["_"]


def test_what_was_read_decides_whether_there_is_something_to_look_for():
    pixels = drawn(f"Tel: {'_' * 12} Fax")
    assert isinstance(leaders_in(pixels, "Tel: Fax", READABLE), Leaders), "a long rule, whatever was read"
    assert leaders_in(pixels, "Tel: Fax", READABLE.replace("_", "")) is None, "no mark that may be read"
    assert leaders_in(drawn(f"Tel: {'_' * 7} Fax"), "Tel: Fax", READABLE) is None, (
        "a short one, of which no mark was read"
    )
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
    for leaders in ("drop", "keep"):
        Predictor(WEIGHTS, threads=1, wide="squeeze", leaders=leaders).predict(picture)
