"""The five files of a page, and the searchable PDF's text."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from drawn_receipts import ROWS, draw
from PIL import Image, ImageColor, ImageDraw

from quantvietocr import __version__
from quantvietocr.pictures.boxes import Box
from quantvietocr.receipt import output
from quantvietocr.receipt.layout import paragraphs_of
from quantvietocr.receipt.output import OUTPUT_SUFFIXES, named, tsv, write_page, written
from quantvietocr.receipt.page import SCHEMA_VERSION, Field, Item, Line, Page
from quantvietocr.receipt.picture import FIELD, MARGIN, MIN_LEADER, TAG_PITCH, annotated

pdfium = pytest.importorskip("pypdfium2", reason="reading the PDF back needs the receipt extra")
pytest.importorskip("reportlab", reason="writing PDF files needs the receipt extra")

SIZE = (520, 560)


def page(degrees: float = 0, **about) -> Page:
    """ROWS on a page, leaning: rows fall to the right by `degrees`."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    lines = []
    for number, row in enumerate(ROWS):
        for place, text in enumerate(row):
            wide = 9.0 * len(text)
            left = 20.0 if place == 0 else 500 - wide - 85 * (len(row) - 1 - place)
            box = Box.of(left, 30 + 32 * number, left + wide, 52 + 32 * number)
            lines.append(
                Line(Box(tuple((x * cosine - y * sine, x * sine + y * cosine) for x, y in box.points)), text, 0.95)
            )
    field = Field("total", 250_000, "250.000đ", lines[-5].box, 0.95)
    item = Item("Sữa", 2, 65_000, lines[8].box, 0.95, 32_500)
    known = {"detector": "none", "fields": (field,), "items": (item,), "source_sha256": "ab", "reader": "r"}
    return Page("a.png", 1, *SIZE, 0, paragraphs=paragraphs_of(lines), **(known | about))


@pytest.mark.parametrize("degrees", [0, -3, 4])
def test_the_pdf_gives_back_the_rows(tmp_path, degrees):
    write_page(page(degrees), Image.new("RGB", SIZE, "white"), tmp_path / "a")
    document = pdfium.PdfDocument(str(tmp_path / "a.pdf"))
    text = document[0].get_textpage().get_text_range()
    read = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    assert read == [line for line in (tmp_path / "a.txt").read_text("utf-8").splitlines() if line]
    assert read == [" ".join(row) for row in ROWS]


def test_the_pdf_shows_the_scan_in_its_size_and_no_text(tmp_path):
    scan = draw()
    empty = Page(
        "a.png", 1, *scan.size, 0, "none", paragraphs_of([Line(Box.of(40, 40, 300, 80), "IIIIII", 0.9)]), dpi=100.0
    )
    write_page(empty, scan, tmp_path / "a")
    shown = pdfium.PdfDocument(str(tmp_path / "a.pdf"))[0]
    assert shown.get_size() == pytest.approx((scan.width * 0.72, scan.height * 0.72), abs=0.1)
    pixels = np.asarray(shown.render(scale=100 / 72).to_pil().convert("L").resize(scan.size), dtype=float)
    assert np.abs(pixels - np.asarray(scan.convert("L"), dtype=float)).mean() < 6


@pytest.mark.parametrize("degrees", [0, 8])
def test_the_text_stands_where_the_scan_has_it(tmp_path, degrees):
    about = page(degrees)
    line = next(line for line in about.lines if line.text == "65.000")
    scan = Image.new("RGB", SIZE, "white")
    ImageDraw.Draw(scan).polygon(line.box.points, fill="black")
    write_page(about, scan, tmp_path / "a")
    shown = pdfium.PdfDocument(str(tmp_path / "a.pdf"))[0]
    text = shown.get_textpage()
    start, count = text.search(line.text).get_next()
    boxes = [text.get_charbox(start + place) for place in range(count)]
    left, bottom, right, top = boxes[0][0], min(box[1] for box in boxes), boxes[-1][2], max(box[3] for box in boxes)
    dark = np.argwhere(np.asarray(shown.render(scale=4).to_pil().convert("L")) < 128) / 4
    (upper, first), (lower, last) = dark.min(axis=0), dark.max(axis=0)
    height = shown.get_size()[1]
    assert (first, last) == pytest.approx((left, right), abs=1.5)
    assert upper - 1 <= height - top and height - bottom <= lower + 1


def test_json_has_the_documented_keys_and_tells_what_stands_where(tmp_path):
    about = page()
    write_page(about, Image.new("RGB", SIZE, "white"), tmp_path / "a")
    said = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert said == about.to_json() and said["schema_version"] == SCHEMA_VERSION == 1
    assert set(said) == {
        "schema_version",
        "source",
        "source_sha256",
        "page",
        "pages",
        "width",
        "height",
        "dpi",
        "tilt",
        "turned",
        "detector",
        "reader",
        "kind",
        "lines",
        "rows",
        "paragraphs",
        "fields",
        "items",
        "timings_ms",
    }
    assert [[said["lines"][place]["text"] for place in row["lines"]] for row in said["rows"]] == [
        list(row) for row in ROWS
    ]
    assert sorted(row for paragraph in said["paragraphs"] for row in paragraph) == list(range(len(ROWS)))
    assert said["items"] == [
        {
            "name": "Sữa",
            "quantity": 2,
            "unit_price": 32_500,
            "price": 65_000,
            "box": about.lines[8].box.to_json(),
            "confidence": 0.95,
        }
    ]
    assert said["fields"][0]["value"] == 250_000


def test_tsv_has_a_row_for_every_line():
    table = [row.split("\t") for row in tsv(page()).splitlines()]
    assert table[0] == ["row", "line", "box", "confidence", "text"] and len(table) == 1 + sum(map(len, ROWS))
    assert table[7][:2] == ["6", "7"] and table[7][4] == "Số HĐ: 000123" and len(table[7][2].split()) == 4
    odd = Page("a", 1, 9, 9, 0, "none", paragraphs_of([Line(Box.of(0, 0, 9, 9), "a\tb\nc", 0.5)]))
    assert tsv(odd).splitlines()[1].endswith("\ta\\tb\\nc")


def test_the_annotated_picture_has_boxes_and_the_text_beside(tmp_path):
    write_page(page(), Image.new("RGB", SIZE, "white"), tmp_path / "a")
    with Image.open(tmp_path / "a.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    half = pixels.shape[1] // 2
    assert pixels.shape[1] > 2 * SIZE[0]
    coloured = np.ptp(pixels.astype(int), axis=2) > 60
    assert coloured[80:, :half].sum() > 2000 and coloured[80:, half:].sum() > 1000


def test_the_pdf_says_its_title_and_program_and_makes_nothing_up(tmp_path):
    for name in ("a", "b"):
        write_page(page(), Image.new("RGB", SIZE, "white"), tmp_path / name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    said = pdfium.PdfDocument(str(tmp_path / "a.pdf")).get_metadata_dict()
    assert said.pop("Title") == "a.png"
    assert said.pop("Creator") == said.pop("Producer") == f"quantvietocr {__version__}"
    assert not any(said.values())


def test_tags_stand_beside_the_scan_and_apart() -> None:
    """Nothing but boxes and leaders is drawn over the scan, also where every line is an item."""
    lines = [Line(Box.of(20, 20 + 6 * number, 60, 25 + 6 * number), "x", 0.95) for number in range(30)]
    items = tuple(Item("x", 1, 1000, line.box, 0.95) for line in lines)
    drawn = np.asarray(
        annotated(Page("a.png", 1, 100, 700, 0, "none", paragraphs_of(lines), (), items), Image.new("RGB", (100, 700)))
    )
    solid = (drawn == ImageColor.getrgb(FIELD)).all(axis=2)
    rows = solid.sum(axis=1)
    assert solid[:, : MARGIN + 60].sum() == 0  # up to the ends of the lines
    assert rows[rows > 40].size >= 30 * 10  # a tag's background shows on most of its rows
    tags = solid[:, MARGIN + 100 + MIN_LEADER + 2]  # the left edge of all tags
    starts = np.nonzero(np.diff(tags.astype(int)) == 1)[0]
    assert len(starts) == 30 and np.diff(starts).min() >= TAG_PITCH - 1


def test_tags_at_the_end_of_a_page_stay_on_the_picture() -> None:
    lines = [Line(Box.of(20, 80 + 3 * number, 60, 82 + 3 * number), "x", 0.95) for number in range(5)]
    items = tuple(Item("x", 1, 1000, line.box, 0.95) for line in lines)
    drawn = np.asarray(
        annotated(Page("a.png", 1, 100, 100, 0, "none", paragraphs_of(lines), (), items), Image.new("RGB", (100, 100)))
    )
    tags = (drawn[:, MARGIN + 100 + MIN_LEADER + 2] == ImageColor.getrgb(FIELD)).all(axis=1)
    assert (np.diff(tags.astype(int)) == 1).sum() == 5 and not tags[-MARGIN:].any()


def test_a_page_without_text_has_its_files_too(tmp_path):
    write_page(Page("a.png", 1, 30, 20, 0, "none", ()), Image.new("RGB", (30, 20), "white"), tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"a{suffix}" for suffix in OUTPUT_SUFFIXES)
    assert (tmp_path / "a.txt").read_text() == "\n"
    assert len(pdfium.PdfDocument(str(tmp_path / "a.pdf"))) == 1


def test_finished_is_what_has_all_files_of_the_same_source_reader_and_detector(tmp_path):
    stem = tmp_path / "scan.v2"
    write_page(page(), Image.new("RGB", SIZE, "white"), stem)
    same = {"number": 1, "sha256": "ab", "reader": "r", "detector": "none"}
    assert written(stem, **same) == page().to_json()
    for key, value in (("number", 2), ("sha256", "cd"), ("reader", "other"), ("detector", "other")):
        assert written(stem, **(same | {key: value})) is None
    named(stem, ".json").write_text("{", "utf-8")
    assert written(stem, **same) is None
    write_page(page(), Image.new("RGB", SIZE, "white"), stem)
    named(stem, ".pdf").unlink()
    assert written(stem, **same) is None


def test_nothing_half_written_takes_a_files_place(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(output._WRITERS, ".pdf", broken)
    with pytest.raises(OSError, match="No space"):
        write_page(page(), Image.new("RGB", SIZE, "white"), tmp_path / "a")
    assert not (tmp_path / "a.json").exists() and not (tmp_path / "a.pdf").exists()
