"""Slips of tills that print in dots: letters, what they say, accidents, and lines as a detector cuts them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps
from test_receipts_synth import FONTS

from quantvietocr.metrics.edits import edit_distance
from quantvietocr.pictures.boxes import Box, crop
from quantvietocr.synth.lines.config import SynthError
from quantvietocr.synth.lines.dice import Dice
from quantvietocr.synth.receipts import ReceiptConfig, ReceiptGenerator
from quantvietocr.synth.receipts.accidents import spoil_paper, spoil_photo
from quantvietocr.synth.receipts.bitmap import DotFont, DotPool, spell
from quantvietocr.synth.receipts.content import make_content, make_style
from quantvietocr.synth.receipts.detected import labelled
from quantvietocr.synth.receipts.heads import CELL, Head, strike_dots
from quantvietocr.synth.receipts.till import choose_till, set_till

pytestmark = pytest.mark.usefixtures("modules_font_cache")
PINS = Head(pins=True, radius=0.6, stretch=1.0, overstrike=1, jitter=0.0, dead=0, fade=0.0)


def dice(*seed: int) -> Dice:
    return Dice(np.random.default_rng(seed))


@pytest.fixture(scope="module")
def pool() -> DotPool:
    try:
        return DotPool()
    except SynthError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def slips(pool) -> ReceiptGenerator:
    return ReceiptGenerator(ReceiptConfig(FONTS, degrade=0.0, tills=1.0), seed=3)


def test_no_bitmap_font_is_one_sentence(tmp_path):
    with pytest.raises(SynthError, match="no bitmap font was found: install xfonts-base"):
        DotPool([str(tmp_path)])


@pytest.mark.parametrize(
    "text, marks, capitals, printed",
    [
        ("Cà phê sữa đá", False, False, "Ca phe sua da"),
        ("Đường “cát” – 1×2", False, True, 'DUONG "CAT" - 1X2'),
        ("Tổng cộng", True, True, "TỔNG CỘNG"),
        ("Tổng cộng", True, False, "Tổng cộng"),
    ],
)
def test_texts_are_spelt_as_tills_spell_them(text, marks, capitals, printed):
    assert spell(text, marks, capitals) == printed


def test_faces_with_marks_draw_marks(pool):
    """Each face that is said to draw Vietnamese draws every vowel unlike the plain one."""
    with_marks = [face for face in pool.faces if face.marks]
    assert with_marks and len(with_marks) < len(pool.faces)
    for face in with_marks:
        font = DotFont(face, 1)
        assert all(font.draw(a, 1, 1)[0].tobytes() != font.draw(b, 1, 1)[0].tobytes() for a, b in ("ếe", "ựu", "ạa"))


def test_a_doubled_face_is_twice_as_large(pool):
    face = pool.faces[0]
    once, twice = DotFont(face, 1), pool.open(face, 2 * face.strike)
    assert twice.getlength("TONG") == 2 * once.getlength("TONG")
    assert np.array_equal(np.asarray(twice.draw("T", 1, 1)[0])[::2, ::2], np.asarray(once.draw("T", 1, 1)[0]))


def test_pins_leave_dots_and_a_thermal_head_leaves_none():
    """A row of three dots: apart under small pins, joined under a thermal head."""
    ink = Image.fromarray(np.pad(np.full((1, 3), 255, np.uint8), 1))
    small = Head(pins=True, radius=0.35, stretch=1.0, overstrike=1, jitter=0.0, dead=0, fade=0.0)
    thermal = Head(pins=False, radius=0.0, stretch=1.0, overstrike=1, jitter=0.0, dead=0, fade=0.0)

    def runs(head: Head) -> int:
        row = np.asarray(strike_dots(ink, head, dice(4)))[CELL + CELL // 2] > 90
        return int((np.diff(row.astype(int)) == 1).sum())

    assert runs(small) == 3 and runs(thermal) == 1


def test_a_stretched_head_widens_the_print():
    ink = Image.new("L", (20, 10), 255)
    wide = Head(pins=True, radius=0.6, stretch=1.5, overstrike=1, jitter=0.0, dead=0, fade=0.0)
    assert strike_dots(ink, wide, dice(0)).size == (150, 50) and strike_dots(ink, PINS, dice(0)).size == (100, 50)


def test_slips_without_marks_say_nothing_but_ascii(pool):
    for seed in range(60):
        till = choose_till(dice(seed), pool)
        sheet, content = set_till(make_content(dice(seed), 6), make_style(dice(seed)), 57, till, pool, dice(seed, 1))
        texts = [text.text for text in sheet.texts]
        assert till.marks or all(text.isascii() for text in texts)
        assert not till.capitals or all(text == text.upper() for text in texts)
        shop = " ".join(text.text for text in sheet.texts if text.role == "shop")
        assert shop.split() == content.shop.split()
        assert any(text.role == "total" for text in sheet.texts) and any(text.role == "date" for text in sheet.texts)


def test_places_sit_on_the_print(slips):
    """The picture is dark inside each line's box and blank just above the first."""
    index = next(i for i in range(20) if slips.page(i).truth["kind"] != "form-a5")
    page = slips.page(index)
    picture = Image.fromarray(page.image)
    for line in page.truth["lines"]:
        box = Box(tuple(map(tuple, line["box"])))
        inked = np.asarray(ImageOps.autocontrast(crop(picture, box).convert("L"))) < 128
        assert inked.mean() > 0.02, line["text"]


def test_slips_come_again_and_leave_other_receipts_alone(slips):
    assert slips.page(1).jpeg == ReceiptGenerator(slips.config, slips.seed).page(1).jpeg
    plain = ReceiptGenerator(ReceiptConfig(FONTS, degrade=0.0), seed=3)
    none = ReceiptGenerator(ReceiptConfig(FONTS, degrade=0.0, tills=1e-9), seed=3)
    assert plain.page(2).truth == none.page(2).truth and plain.page(2).jpeg == none.page(2).jpeg


@pytest.mark.parametrize("seed", range(12))
def test_accidents_keep_the_picture(seed):
    paper = np.full((300, 200, 3), 240, np.uint8)
    for spoil in (spoil_paper, spoil_photo):
        changed = spoil(paper, dice(seed), 1.0)
        assert changed.shape == paper.shape and changed.dtype == np.uint8 and changed.mean() > 40
    assert np.array_equal(spoil_paper(paper, dice(seed), 0.0), paper)


def test_boxes_get_the_text_that_they_hold():
    lines = [
        (Box.of(10, 10, 110, 30), "left"),
        (Box.of(130, 10, 200, 30), "right"),
        (Box.of(10, 50, 200, 70), "a longer line"),
        (Box.of(10, 100, 200, 120), "cut through"),
        (Box.of(10, 130, 100, 150), "two rows"),
        (Box.of(10, 152, 100, 172), "in one"),
    ]
    boxes = [
        Box.of(8, 8, 112, 32),  # one cell
        Box.of(8, 48, 202, 72),  # a line
        Box.of(8, 8, 202, 32),  # two cells of one row
        Box.of(8, 98, 150, 122),  # the end of a line is missing
        Box.of(8, 128, 102, 174),  # two rows
        Box.of(300, 10, 350, 30),  # nothing
    ]
    assert [text for _, text in labelled(boxes, lines)] == ["left", "a longer line", "left right"]


def test_detected_lines_read_as_they_are_labelled(slips, tmp_path):
    """Lines cut as the detector finds them bear their own text: the shipped weights read most letters of it."""
    from quantvietocr import Predictor
    from quantvietocr.receipt.detect import DetectorError, open_detector
    from quantvietocr.synth.receipts.files import write_lines, write_receipts

    try:
        detector = open_detector("rapidocr", 1)
    except DetectorError as error:
        pytest.skip(str(error))
    write_receipts(slips, tmp_path, 2, progress=False)
    annotation = write_lines(tmp_path, progress=False, find=detector.find)
    rows = [row.split("\t") for row in annotation.read_text(encoding="utf-8").splitlines()]
    assert len(rows) > 20
    texts = Predictor().predict_batch([tmp_path / "lines" / name for name, _ in rows])
    edits = sum(edit_distance(text, label) for text, (_, label) in zip(texts, rows))
    assert edits < 0.25 * sum(len(label) for _, label in rows)
