"""Generated receipts: what they say adds up, places sit on the print, and the same pictures come again."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image, ImageDraw

from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.synth.lines.config import SynthError
from quantvietocr.synth.lines.dice import Dice
from quantvietocr.synth.receipts import ReceiptConfig, ReceiptGenerator, photo
from quantvietocr.synth.receipts.content import in_words, make_content, make_style
from quantvietocr.synth.receipts.form import set_form
from quantvietocr.synth.receipts.goods import GOODS, SHOPS, UNITS
from quantvietocr.synth.receipts.surface import Camera, inverse, make_bend
from quantvietocr.synth.receipts.thermal import set_receipt

FONTS = tuple(f"{get_data_path()}/fonts/ttf/DejaVu{name}.ttf" for name in ("Sans", "Sans-Bold", "Serif"))
pytestmark = pytest.mark.usefixtures("modules_font_cache")


def dice(*seed: int) -> Dice:
    return Dice(np.random.default_rng(seed))


# --- what they say --------------------------------------------------------------------------------------------------


def test_sums_add_up():
    labels = set()
    for seed in range(400):
        content = make_content(dice(seed), 14)
        assert 1 <= len(content.items) <= 14 and len({item.name for item in content.items}) == len(content.items)
        for item in content.items:
            assert item.price == int(item.quantity * item.unit_price + 0.5 + 1e-6) > 0
            assert isinstance(item.quantity, int) or item.unit == "kg"
        assert content.total == content.items_total + sum(value for _, value in content.adjustments) > 0
        if len(content.payments) == 2:
            assert content.payments[0][1] - content.payments[1][1] == content.total and content.payments[1][1] >= 0
        if content.included_tax:
            assert abs(content.included_tax * (100 + content.tax_rate) - content.total * content.tax_rate) <= 100
        labels |= {label for label, _ in (*content.adjustments, *content.payments)}
    assert {"Tiền mặt", "Voucher", "VAT 8%", "Phí dịch vụ (5%)"} <= labels and any("%" in label for label in labels)


def test_amounts_are_written_as_one_till_writes_them():
    for seed in range(50):
        style = make_style(dice(seed))
        assert int(style.amount(1234567).replace(style.separator, "")) == 1234567 and style.amount(-5000)[0] == "-"
        assert style.count(3) == "3" and style.separator not in style.count(0.352)


@pytest.mark.parametrize(
    "value, said",
    [
        (0, "Không đồng"),
        (15, "Mười lăm đồng"),
        (21_000, "Hai mươi mốt nghìn đồng"),
        (105_000, "Một trăm lẻ năm nghìn đồng"),
        (1_250_000, "Một triệu hai trăm năm mươi nghìn đồng"),
        (2_005_010, "Hai triệu không trăm lẻ năm nghìn không trăm mười đồng"),
        (100_011_455, "Một trăm triệu không trăm mười một nghìn bốn trăm năm mươi lăm đồng"),
    ],
)
def test_amounts_in_words(value, said):
    assert in_words(value) == said


def test_every_kind_of_shop_has_goods_names_and_units():
    assert set(GOODS) == set(SHOPS) == set(UNITS)
    text = "".join(map(str, (*GOODS.values(), *SHOPS.values(), *UNITS.values())))
    assert set(text) - set(DEFAULT_CHARS) <= {"\n"}


# --- where it stands ------------------------------------------------------------------------------------------------


def test_print_stays_on_the_paper_and_apart(clean_receipts):
    for seed in range(60):
        for paper in (80, 57, 0):
            content, style = make_content(dice(seed), 12 if paper == 80 else 8), make_style(dice(seed, 1))
            place = dice(seed, 2)
            if paper:
                sheet = set_receipt(content, style, paper, 8.0, clean_receipts.pool, place)
            else:
                sheet = set_form(content, style, 7.0, clean_receipts.pool, place)
            rows: dict[int, float] = {}
            for text in sheet.texts:
                right = text.x + clean_receipts.pool.open(text.face, text.size).getbbox(text.text, anchor="ls")[2]
                assert set(text.text) <= set(DEFAULT_CHARS) and text.text == " ".join(text.text.split())
                assert rows.get(text.row, 0) <= text.x and right <= sheet.width and text.y < sheet.height
                rows[text.row] = right
            roles = {text.role for text in sheet.texts}
            assert {"shop", "address", "date", "total", *(f"item-{k}" for k in range(len(content.items)))} <= roles
            total = " ".join(text.text for text in sheet.texts if text.role == "total")
            assert style.amount(content.total) in total


def test_the_fields_stand_in_the_lines_they_name(clean_receipts):
    for index in range(4):
        truth = clean_receipts.page(index).truth
        texts = [line["text"] for line in truth["lines"]]

        def said(places, texts=texts):
            return " ".join(texts[place] for place in places)

        fields = truth["fields"]
        assert said(fields["shop"]["lines"]) == fields["shop"]["value"]
        assert said(fields["address"]["lines"]).endswith(fields["address"]["value"])
        for item in truth["items"]:
            assert f"{item['price']:,}".replace(",", "") in "".join(c for c in said(item["lines"]) if c.isdigit())
        assert sorted(place for row in truth["rows"] for place in row) == list(range(len(texts)))


def test_boxes_hold_all_ink_and_each_holds_some(clean_receipts):
    for index in range(5):
        page = clean_receipts.page(index)
        grey = page.image.astype(int).mean(axis=2)
        seen = Image.new("L", grey.shape[::-1])
        pen = ImageDraw.Draw(seen)
        for line in page.truth["lines"]:
            (left, top), _, (right, bottom), _ = line["box"]
            part = grey[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
            assert part.min() < 150, line
            # Tight: ink near each of the four sides.
            dark, reach = part < 180, max(3, 0.45 * part.shape[0])
            ys, xs = np.nonzero(dark)
            assert xs.min() < reach and part.shape[1] - xs.max() < reach, line
            assert ys.min() < reach and part.shape[0] - ys.max() < reach, line
        for mark in [*page.truth["lines"], *page.truth["ignore"]]:
            (left, top), _, (right, bottom), _ = mark["box"]
            pen.rectangle((left - 3, top - 3, right + 3, bottom + 3), fill=255)
        edge = 40  # the paper's own border
        outside = (np.asarray(seen) == 0)[edge:-edge, edge:-edge]
        assert grey[edge:-edge, edge:-edge][outside].min() > 150


@pytest.mark.parametrize("folds, curl", [(0, 0.0), (3, 0.0), (0, 0.16), (2, 0.12)])
def test_points_of_the_paper_are_carried_exactly(folds, curl):
    across, down = make_bend(dice(1), 500, folds // 2, curl / 2), make_bend(dice(2), 800, folds, curl)
    camera = Camera(across, down, 0.05, -0.08, 0.06, 1.8, (0.1, 0.05, 0.02, 0.1))
    points = [(x, y) for x in (40, 252, 460) for y in (37, 251, 402, 555, 760)]
    paper = Image.new("RGB", (500, 800), "white")
    for x, y in points:
        ImageDraw.Draw(paper).rectangle((x - 3, y - 3, x + 2, y + 2), fill="black")  # its middle: pixel edge (x, y)
    picture, cover = camera.take(paper, Image.new("L", paper.size, 255), Image.new("RGB", camera.size, "white"))
    ink = 255.0 - np.asarray(picture.convert("L"))
    for point in points:
        x, y = camera.see(point)
        top, left = int(y) - 9, int(x) - 9
        part = ink[top : top + 19, left : left + 19]
        ys, xs = np.mgrid[top : top + 19, left : left + 19] + 0.5
        assert abs((part * xs).sum() / part.sum() - x) < 0.35 and abs((part * ys).sum() / part.sum() - y) < 0.35
    share = np.asarray(cover).mean() / 255
    assert 0.5 < share < 1


def test_there_is_no_gap_where_bent_parts_meet():
    across, down = make_bend(dice(3), 300, 1, 0.1), make_bend(dice(4), 400, 2, 0.15)
    camera = Camera(across, down, 0.04, 0.05, -0.05, 2.0, (0.1, 0.1, 0.1, 0.1))
    paper, outline = Image.new("RGB", (300, 400), "white"), Image.new("L", (300, 400), 255)
    picture, cover = camera.take(paper, outline, Image.new("RGB", camera.size))
    corners = [camera.see(point) for point in ((3, 3), (297, 3), (297, 397), (3, 397))]
    inside = Image.new("L", camera.size)
    ImageDraw.Draw(inside).polygon(corners, fill=255)
    assert np.asarray(picture.convert("L"))[np.asarray(inside) > 0].min() == 255 and np.asarray(cover).max() == 255


def test_the_way_back_leads_back():
    corners, seen = ((10, 20), (110, 20), (110, 70), (10, 70)), ((3, 5), (98, 11), (91, 66), (8, 52))
    a, b, c, d, e, f, g, h = inverse(seen, corners)
    for (x, y), (u, v) in zip(seen, corners):
        under = g * x + h * y + 1
        assert ((a * x + b * y + c) / under, (d * x + e * y + f) / under) == pytest.approx((u, v))


# --- the same again -------------------------------------------------------------------------------------------------


def test_a_receipt_depends_on_seed_and_index_alone():
    generator = ReceiptGenerator(ReceiptConfig(FONTS), seed=3)
    one = generator.page(1)
    sent = pickle.loads(pickle.dumps(generator))
    sent.page(0)
    assert sent.page(1) == one and generator.page(1) == one
    other = ReceiptGenerator(ReceiptConfig(FONTS), seed=4).page(1)
    assert other.jpeg != one.jpeg
    plain = ReceiptGenerator(ReceiptConfig(FONTS, degrade=0.0), seed=3).page(1)
    for key in ("fields", "items", "rows", "kind"):
        assert plain.truth[key] == one.truth[key]
    assert [line["text"] for line in plain.truth["lines"]] == [line["text"] for line in one.truth["lines"]]


def test_a_turned_receipt_is_the_same_picture_turned():
    upright, lying = (ReceiptGenerator(ReceiptConfig(FONTS, 0.5, turned), seed=5).page(0) for turned in (0.0, 1.0))
    turned = lying.truth["turned"]
    assert upright.truth["turned"] == 0 and turned in (90, 180, 270)
    back = np.rot90(lying.image, -turned // 90)  # clockwise
    assert np.abs(back.astype(int) - upright.image).mean() < 3
    width, height = lying.truth["width"], lying.truth["height"]
    for line, same in zip(lying.truth["lines"], upright.truth["lines"]):
        x, y = line["box"][0]
        stood = {90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}[turned]
        assert stood == pytest.approx(same["box"][0], abs=0.02)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_points_turn_with_their_picture(degrees):
    picture = np.zeros((4, 7))
    picture[1, 5] = 1  # its middle: (5.5, 1.5)
    (row,), (column,) = np.nonzero(np.rot90(picture, degrees // 90))
    assert photo._turn((5.5, 1.5), degrees, (7, 4)) == (column + 0.5, row + 0.5)


@pytest.mark.parametrize("knobs", [{"degrade": 1.5}, {"degrade": -0.1}, {"turned": 2.0}])
def test_a_knob_out_of_range_is_refused(knobs):
    with pytest.raises(SynthError, match="between 0 and 1"):
        ReceiptConfig(FONTS, **knobs)
