"""Finding lines, cutting them out straight, setting the page upright."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from drawn_receipts import ROWS, draw, font
from PIL import Image, ImageDraw

from quantvietocr.pictures.boxes import Box, crop, size_of
from quantvietocr.receipt import DetectorError, open_detector, read_page
from quantvietocr.receipt.detect import MAX_PIXELS, MIN_SEEN_SIDE, ProfileDetector, _parts, about
from quantvietocr.receipt.profile import find_lines

DRAWN = 34  # pieces of text on the drawn receipt: that is what its rows come to


class Marked:
    """Reads lines that begin with a black block: sure where it is at the left end. Its texts are the crops' sizes."""

    def __init__(self) -> None:
        self.seen: list[Image.Image] = []

    def predict_batch(self, pictures, return_prob=False):
        self.seen += pictures
        dark = [
            [
                float(np.asarray(one.convert("L").crop(part)).mean())
                for part in ((0, 0, one.height, one.height), (one.width - one.height, 0, one.width, one.height))
            ]
            for one in pictures
        ]
        return [f"{one.width}x{one.height}" for one in pictures], [0.9 if left < right else 0.1 for left, right in dark]


@pytest.fixture(params=["rapidocr", "profile"])
def detector(request):
    try:
        return open_detector(request.param, threads=1)
    except DetectorError as error:
        pytest.skip(str(error))


def test_every_piece_of_text_is_found_on_a_clean_scan(detector):
    assert sum(map(len, ROWS)) == DRAWN
    boxes = detector.find(draw())
    assert len(boxes) == DRAWN
    page = np.asarray(draw().convert("L")).copy()
    for box in boxes:
        left, top, right, bottom = (int(side) for side in box.bounds)
        page[top : bottom + 1, left : right + 1] = 255
    assert (page < 128).sum() < 40  # hardly any ink is outside


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_a_page_is_set_upright(detector, turned):
    texts = (
        "Sữa tươi Vinamilk 1L",
        "Bánh mì",
        "Nước mắm Nam Ngư, chai 500ml",
        "Trà đá",
        "Trứng gà hộp 10 quả",
        "Cà phê sữa",
    )
    rows = tuple((f"██ {text}",) for text in texts)
    page = read_page(draw(rows).rotate(turned, expand=True), Marked(), detector)  # rotate: counter-clockwise
    assert page.turned == turned and (page.width, page.height) == draw(rows).size
    assert len(page.rows) == len(rows) and page.detector == detector.name
    boxes = [line.box for line in page.lines]
    assert all(box.points[0][0] < box.points[1][0] and box.points[0][1] < box.points[3][1] for box in boxes)
    given = [page.on_picture(box).bounds for box in boxes]
    sides = draw(rows).rotate(turned, expand=True).size
    assert all(
        -2 <= left < right <= sides[0] + 2 and -2 <= top < bottom <= sides[1] + 2 for left, top, right, bottom in given
    )
    assert set(page.timings) == {"detect", "crop", "read", "layout"}


def test_an_upright_page_is_not_read_twice(detector):
    reader = Marked()
    rows = tuple(
        (f"██ {text}",) for text in ("Sữa tươi", "Bánh mì sandwich", "Nước mắm", "Trứng gà hộp 10 quả", "Trà", "Cà phê")
    )
    page = read_page(draw(rows), reader, detector)
    assert len(reader.seen) == 6 and page.turned == 0


def test_a_skewed_scan_is_cut_straight(detector):
    picture = draw((("HHHHHHH HHHHHHHHH",), ("HHHHH HHH",), ("HHHHHHHHHHH HHHHHH",))).rotate(
        4, Image.Resampling.BICUBIC, expand=True, fillcolor="white"
    )
    boxes = detector.find(picture)
    assert len(boxes) == 3
    for box in boxes:
        rows = np.asarray(crop(picture, box).convert("L"))
        dark = (rows < 128).mean(axis=1)
        assert (
            (dark > 0.2).sum() >= 12 and dark[0] < 0.1 and dark[-1] < 0.1
        )  # one band of letters, white above and below


def test_a_crop_is_its_boxes_perspective():
    page = Image.new("RGB", (200, 100), "white")
    ImageDraw.Draw(page).polygon([(50, 20), (150, 30), (155, 62), (45, 60)], fill="black")
    box = Box(((50, 20), (150, 30), (155, 62), (45, 60)))
    part = np.asarray(crop(page, box).convert("L"))
    assert part.shape[::-1] == tuple(round(side) for side in size_of(box))
    assert part[2:-2, 2:-2].max() < 60


def test_outside_the_page_its_edge_goes_on():
    page = Image.new("RGB", (40, 30), "white")
    part = np.asarray(crop(page, Box.of(-10, -5, 60, 45)))
    assert part.shape == (50, 70, 3) and part.min() == 255


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (300, 400), "white"),
        Image.new("RGB", (300, 400), "black"),
        Image.linear_gradient("L").resize((300, 400)).convert("RGB"),
        Image.new("RGB", (1, 1)),
        Image.new("RGB", (900, 3), "white"),
    ],
    ids=["white", "black", "gradient", "pixel", "strip"],
)
def test_where_there_is_no_text_nothing_is_found(detector, picture):
    page = read_page(picture, Marked(), detector)
    assert page.lines == () and page.text == "" and page.fields == () and page.turned == 0


def test_rules_and_dirt_are_no_lines():
    page = draw((("Tổng cộng", "250.000"), ("Tiền mặt", "300.000"))).convert("L")
    pen = ImageDraw.Draw(page)
    pen.line((20, 58, 700, 58), "black", 2)
    pen.point([(300, 100), (301, 100)], "black")
    assert len(find_lines(page.convert("RGB"))) == 4


def test_marks_stay_with_their_letters():
    page = Image.new("RGB", (500, 190), "white")
    for top in (25, 110):
        ImageDraw.Draw(page).text((20, top), "ỄẬỘ ẨỸỤ ễậộẩỹụ", "black", font(36))
    box, _ = find_lines(page)
    ink = np.argwhere(np.asarray(page.convert("L"))[:95] < 128)
    left, top, right, bottom = box.bounds
    assert top <= ink[:, 0].min() and bottom >= ink[:, 0].max() and left <= ink[:, 1].min() and right >= ink[:, 1].max()


def test_without_rapidocr_the_profiles_do_it_and_say_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    detector = open_detector("auto")
    assert isinstance(detector, ProfileDetector)
    assert "projection profiles" in about(detector) and "make setup" in about(detector)
    with pytest.raises(DetectorError, match="run `make setup`"):
        open_detector("rapidocr")
    with pytest.raises(DetectorError, match="no detector is called so"):
        open_detector("other")


@pytest.mark.parametrize("size", [16, 24, 40])
@pytest.mark.parametrize("text", ["HÓA ĐƠN BÁN LẺ", "PHIẾU THU TIỀN", "Ế Ề Ể Ễ Ệ Ố Ồ Ổ", "NGUYỄN THỊ ĐẪM", "lỗ lã lắm"])
def test_a_line_alone_is_not_taken_for_a_page_on_its_side(text, size):
    letters = font(size)
    page = Image.new("RGB", (round(letters.getlength(text)) + 4 * size, 3 * size), "white")
    ImageDraw.Draw(page).text((2 * size, 1.5 * size), text, "black", letters, anchor="lm")
    (box,) = find_lines(page)
    left, top, right, bottom = box.bounds
    assert right - left >= 0.95 * letters.getlength(text) and bottom - top < 2.2 * size


MEMORY = """
import resource
from PIL import Image
from quantvietocr.receipt.detect import open_detector
detector = open_detector("rapidocr", threads=1)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
held = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() // 2**20
before, held_before = peak(), held()
for size in ((768, 1056), (992, 800), (608, 1280), (736, 736)):
    detector.find(Image.new("RGB", size, "white"))
print(peak() - before, held() - held_before)
"""


def test_the_network_needs_little_memory_for_pages_of_many_sizes():
    pytest.importorskip("rapidocr", reason="rapidocr is not installed")
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    peak, held = map(int, run.stdout.split())
    assert peak < 220  # MB; 161, where RapidOCR's own session takes 286
    assert held < 110  # MB between pages, where the peak would stay


# --- long pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(400, 66_000), (300, 3000), (784, 2504), (5000, 100), (1, 500), (1000, 1400)])
def test_parts_cover_a_page_once_and_reach_into_each_other(size):
    parts = _parts(*size)
    assert parts[0].top == 0 and parts[-1].bottom == size[1]
    assert parts[0].first == -math.inf and parts[-1].last == math.inf
    for above, below in itertools.pairwise(parts):
        assert above.last == below.first and below.top < above.last < above.bottom
    tallest = max(part.bottom - part.top for part in parts)
    seen_width = min(size[0], (MAX_PIXELS * size[0] / tallest) ** 0.5)
    assert seen_width >= 0.99 * min(size[0], MIN_SEEN_SIDE) or size[0] > size[1]


def test_rows_all_the_way_down_a_long_page_are_found_once():
    """60 rows on 12,000 pixels: seen as a whole, the page would be 183 pixels wide."""
    try:
        detector = open_detector("rapidocr", 1)
    except DetectorError as error:
        pytest.skip(str(error))
    page = Image.new("RGB", (500, 12_000), "white")
    pen = ImageDraw.Draw(page)
    for row in range(60):
        pen.text((60, 100 + 197 * row), f"Bánh mì số {row:02d}   25.000", "black", font(26))
    tops = [box.bounds[1] for box in detector.find(page)]
    assert {round((top - 100) / 197) for top in tops} == set(range(60))
    assert len(tops) <= 2 * 60  # name and price may be one box or two
