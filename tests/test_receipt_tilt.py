"""Pages photographed tilted: by how much, set straight, and all that is written in the straight page's pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from drawn_receipts import ROWS, TOTAL, draw
from PIL import Image

from quantvietocr.pictures.boxes import Box, crop
from quantvietocr.reading.predictor import Predictor
from quantvietocr.receipt import DetectorError, open_detector, read_page
from quantvietocr.receipt.output import write_page
from quantvietocr.receipt.page import Page
from quantvietocr.receipt.tilt import MIN_TILT, MIN_TILT_STANDING, straightened, surroundings, tilt_of, upright
from quantvietocr.shipped import NotShippedError, weights_file

SIZE = 400, 420
LEVEL = [Box.of(50, 40 + 30 * row, 250 + 20 * (row % 4), 60 + 30 * row) for row in range(12)]  # lines on such a page


class Counted:
    """A detector that counts how often it is asked."""

    def __init__(self, detector) -> None:
        self.detector, self.name, self.asked = detector, detector.name, 0

    def find(self, page: Image.Image) -> list[Box]:
        self.asked += 1
        return self.detector.find(page)


class Sure:
    """Reads every line as its number, and is sure."""

    def predict_batch(self, pictures, return_prob=False):
        return [str(number) for number in range(len(pictures))], [0.9] * len(pictures)


@pytest.fixture
def detector():
    try:
        return Counted(open_detector("rapidocr", threads=1))
    except DetectorError as error:
        pytest.skip(str(error))


def tilted(degrees: float) -> Image.Image:
    """Return the drawn receipt turned clockwise, on white."""
    return draw().rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="white")


def boxes_at(degrees: float) -> list[Box]:
    return [box.rotated(degrees, SIZE, SIZE) for box in LEVEL]


@pytest.mark.parametrize(
    ("lies", "tilt"),
    [(25, -25), (45, -45), (-30, 30), (60, -60), (-75, 75), (135, 45), (-155, -25), (100, 80), (95, 0), (8, 0)],
)
def test_long_lines_tell_how_far_a_page_is_tilted(lies, tilt):
    assert tilt_of(boxes_at(lies)) == pytest.approx(tilt, abs=0.1)


@pytest.mark.parametrize(
    ("quarter", "least"), [(0, MIN_TILT), (90, MIN_TILT_STANDING), (180, MIN_TILT), (270, MIN_TILT_STANDING)]
)
def test_a_page_that_is_nearly_level_or_stands_is_not_turned(quarter, least):
    for side in (-1, 1):
        assert tilt_of(boxes_at(quarter + side * (least - 1))) == 0 != tilt_of(boxes_at(quarter + side * (least + 1)))


def test_wide_lines_weigh_more_and_short_ones_nothing():
    words = [Box.of(300, 40 + 30 * row, 320, 60 + 30 * row) for row in range(40)]  # as high as wide
    assert tilt_of([*boxes_at(30), *words]) == pytest.approx(-30, abs=0.1)
    label = Box.of(300, 40, 320, 140)  # stands upright in the picture
    assert tilt_of([*boxes_at(30), label]) == pytest.approx(-30, abs=3)


def test_lines_that_do_not_agree_and_few_lines_tell_nothing():
    assert tilt_of([*boxes_at(30), *boxes_at(0)]) == 0
    assert tilt_of(boxes_at(30)[:2]) == tilt_of([]) == 0
    standing = [Box.of(300, 100 * row, 318, 90 + 100 * row) for row in range(4)]
    assert tilt_of([*LEVEL, *standing]) == 0


def test_a_box_turned_back_is_the_box():
    box = LEVEL[3]
    there = box.rotated(37, SIZE, (600, 610))
    assert np.allclose(there.rotated(-37, (600, 610), SIZE).points, box.points)
    quarter = box.rotated(90, SIZE, SIZE[::-1])
    assert np.allclose(quarter.points, box.turned(90, *SIZE).points)


def test_the_corners_have_the_colour_of_the_edge():
    page = Image.new("RGB", (200, 300), (200, 180, 90))
    page.paste((20, 20, 20), (60, 60, 140, 240))
    corners = np.asarray(straightened(page, 30))[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == (200, 180, 90)).all()


def test_the_surroundings_of_the_text_stay_on_the_picture():
    left, top, right, bottom = surroundings(LEVEL, *SIZE).bounds
    assert (left, top, right, bottom) == (0, 0, 400, 420)
    assert surroundings(LEVEL, 4000, 5000).bounds == (0, 0, 310 + 100, 390 + 100)


@pytest.mark.parametrize(("degrees", "looks"), [(0, 1), (8, 1), (30, 2)])
def test_only_a_tilted_page_is_looked_at_again(detector, degrees, looks):
    picture = tilted(degrees)
    page = read_page(picture, Sure(), detector)
    assert detector.asked == looks and page.turned == 0
    assert page.tilt == pytest.approx(-degrees if looks > 1 else 0, abs=0.5)
    if looks == 1:
        assert (page.width, page.height) == picture.size and upright(picture, page) is picture
        assert page.on_picture(page.lines[0].box) == page.lines[0].box


@pytest.mark.parametrize("degrees", [25, -30])
def test_boxes_stand_on_the_straight_picture_and_on_the_given_one(detector, degrees):
    picture = tilted(degrees)
    page = read_page(picture, Sure(), detector)
    shown = upright(picture, page)
    assert shown.size == (page.width, page.height)
    for line in page.lines:
        (x0, y0), (x1, y1) = line.box.points[:2]
        assert abs(y1 - y0) < 0.1 * (x1 - x0) + 3
        straight, given = (np.asarray(one.convert("L"), dtype=float) for one in _both(shown, picture, page, line.box))
        assert straight.min() < 128  # there is ink
        assert np.abs(straight - given).mean() < 12


def _both(shown: Image.Image, picture: Image.Image, page: Page, box: Box) -> tuple[Image.Image, Image.Image]:
    straight = crop(shown, box)
    return straight, crop(picture, page.on_picture(box)).resize(straight.size)


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_tilted_page_may_lie_on_a_side_too(turned):
    picture = tilted(30)
    straight = straightened(picture, -30)
    size = straight.size if turned % 180 == 0 else straight.size[::-1]
    page = Page("a", 1, *size, turned, "none", (), tilt=-30.0, tilted_size=picture.size)
    shown, box = upright(picture, page), Box.of(300, 250, 420, 330)
    assert shown.size == size
    straight_crop, given = (np.asarray(one.convert("L"), dtype=float) for one in _both(shown, picture, page, box))
    assert np.abs(straight_crop - given).mean() < 12


def test_the_files_of_a_tilted_page_are_of_the_straight_picture(detector, tmp_path):
    pytest.importorskip("reportlab", reason="writing PDF files needs the receipt extra")
    pdfium = pytest.importorskip("pypdfium2", reason="reading the PDF back needs the receipt extra")
    picture = tilted(45)
    page = read_page(picture, Sure(), detector, dpi=72.0)
    write_page(page, upright(picture, page), tmp_path / "a")
    about = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert about["tilt"] == page.tilt != 0 and about["turned"] == 0
    assert pdfium.PdfDocument(tmp_path / "a.pdf")[0].get_size() == pytest.approx(
        (about["width"], about["height"]), abs=1
    )
    assert len(about["lines"]) == sum(map(len, ROWS)) and len(about["rows"]) == len(ROWS)


@pytest.mark.parametrize("degrees", [20, 45, -30])
def test_a_tilted_receipt_is_read_as_the_straight_one(detector, degrees):
    try:
        predictor = Predictor(weights_file("int8"), threads=1)
    except NotShippedError as error:
        pytest.skip(str(error))
    page = read_page(tilted(degrees), predictor, detector)
    texts = [tuple(line.text for line in row.lines) for row in page.rows]
    assert [len(row) for row in texts] == [len(row) for row in ROWS]
    right = sum(text == drawn for read, row in zip(texts, ROWS) for text, drawn in zip(read, row))
    assert right >= sum(map(len, ROWS)) - 2
    total = page.field("total")
    assert total is not None and total.value == TOTAL and page.kind == "receipt"
