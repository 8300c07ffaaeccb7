"""Scoring whole pages: what counts as found, as read, as missed; and the command from pictures to the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from matplotlib import get_data_path
from PIL import Image

from quantvietocr.cli import main as cli
from quantvietocr.measure.peers import PeerError
from quantvietocr.measure.receipts import generated
from quantvietocr.measure.receipts import score as receipt_score
from quantvietocr.measure.receipts.generated import score_page
from quantvietocr.measure.receipts.match import Piece, match, polygon
from quantvietocr.measure.receipts.readers import (
    PageContestant,
    RapidOCRPages,
    Reading,
    ScoreError,
    TesseractPages,
    page_contestants,
)
from quantvietocr.measure.receipts.score import score_pages
from quantvietocr.synth.receipts import ReceiptConfig, ReceiptGenerator
from quantvietocr.synth.receipts.files import read_truths, write_receipts

FONT = f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"


def box(left: float, top: float, right: float, bottom: float):
    return (left, top), (right, top), (right, bottom), (left, bottom)


def piece(text: str, left: float, top: float, right: float, bottom: float) -> Piece:
    return Piece(box(left, top, right, bottom), text)


NAME, PRICE, BELOW = piece("Trà đá", 0, 0, 60, 10), piece("5.000", 200, 0, 250, 10), piece("Tổng cộng", 0, 20, 90, 30)
PAGE = (NAME, PRICE, BELOW)


def groups(matched) -> list[tuple[str, str]]:
    return [(group.written, group.read) for group in matched.groups]


# --- matching -------------------------------------------------------------------------------------------------------


def test_areas_of_polygons_and_of_what_they_share():
    diamond = ((5, 0), (10, 5), (5, 10), (0, 5))
    assert polygon(box(0, 0, 4, 3)).area == 12 and polygon(diamond).area == 50
    assert polygon(diamond).intersection(polygon(box(0, 0, 5, 10))).area == pytest.approx(25)
    around = polygon(box(-9, -9, 90, 90)[::-1])  # the other way round
    assert polygon(diamond).intersection(around).area == pytest.approx(50)
    assert polygon(diamond).intersection(polygon(box(0, 0, 2, 2))).area == 0
    twisted = (box(0, 0, 4, 3)[0], box(0, 0, 4, 3)[2], box(0, 0, 4, 3)[1], box(0, 0, 4, 3)[3])
    assert polygon(twisted).area == 12  # a detector's corners may come in any order


def test_lines_words_and_rows_are_found_alike():
    lines = match(PAGE, PAGE)
    assert lines.found == (True,) * 3 and groups(lines) == [(line.text, line.text) for line in PAGE]
    words = match(
        PAGE,
        [
            piece("đá", 35, 1, 60, 9),
            piece("Trà", 0, 1, 30, 9),
            piece("5.000", 201, 1, 249, 9),
            piece("cộng", 50, 21, 90, 32),
            piece("Tổng", 1, 22, 45, 31),
        ],
    )
    assert words.found == (True,) * 3 and groups(words) == groups(lines)
    row = match(PAGE, [piece("Trà đá 5.000", -2, -2, 255, 13), BELOW])
    assert row.found == (True,) * 3
    assert groups(row) == [("Trà đá 5.000", "Trà đá 5.000"), ("Tổng cộng", "Tổng cộng")]


def test_a_part_of_a_line_is_not_the_line():
    half = match([BELOW], [piece("Tổng", 0, 20, 44, 30)])
    assert half.found == (False,) and groups(half) == [("Tổng cộng", "Tổng")]
    twice = match([BELOW], [piece("Tổng", 0, 20, 40, 30), piece("Tổng", 2, 20, 42, 30)])
    assert twice.found == (False,)  # the same place twice covers no more
    beside = match([BELOW], [piece("Tổng cộng", 0, 26, 90, 36)])
    assert beside.found == (False,) and groups(beside) == [("Tổng cộng", ""), ("", "Tổng cộng")]


def test_a_box_over_everything_finds_nothing():
    matched = match(PAGE, [piece("Trà đá 5.000 Tổng cộng", 0, 0, 250, 30)])
    assert matched.found == (False,) * 3 and sum(group.edits for group in matched.groups) == 6 + 5 + 9 + 22


def test_what_is_read_where_nothing_is_counts_but_on_marks():
    rule, code = box(0, 12, 250, 17), box(0, 40, 100, 60)
    read = [
        *PAGE,
        piece("-----", 0, 12, 120, 17),
        piece("-----", 120, 12, 250, 17),
        piece("|||", 5, 40, 95, 58),
        piece("x", 300, 0, 310, 10),
    ]
    matched = match(PAGE, read, [rule, code])
    assert matched.ignored == 3 and groups(matched)[3:] == [("", "x")]
    assert len(match(PAGE, read).groups) == 7


def test_tilted_lines_lying_on_a_side():
    """Text that runs down the picture: the order is along the line, not across the picture."""
    line = Piece(((100, 0), (110, 200), (90, 201), (80, 1)), "một hai")
    read = [
        Piece(((105, 110), (109, 190), (91, 191), (86, 111)), "hai"),
        Piece(((100, 5), (104, 90), (85, 91), (81, 6)), "một"),
    ]
    assert groups(match([line], read)) == [("một hai", "một hai")]


# --- pages ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def receipts(tmp_path_factory) -> Path:
    """Three clean receipts in a font that is everywhere."""
    folder = tmp_path_factory.mktemp("receipts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        generator = ReceiptGenerator(ReceiptConfig((FONT,), degrade=0.0), seed=1)
        write_receipts(generator, folder / "pages", 3, progress=False)
    return folder / "pages"


def truth_of(receipts: Path, place: int = 0) -> generated.Truth:
    return generated._truth(*read_truths(receipts)[place])


def perfect(truth: generated.Truth, **changes) -> Reading:
    values = {"pieces": truth.lines, "fields": dict(truth.fields), "items": truth.items, "ms": 1.0, **changes}
    return Reading(**values)


def test_a_page_read_as_printed_has_no_error(receipts):
    truth = truth_of(receipts)
    found = score_page(truth, perfect(truth))
    assert found.edits == 0 and all(found.matched.found) and all(found.fields.values())
    assert found.items == (len(truth.items),) * 3 and found.characters == sum(len(line.text) for line in truth.lines)
    nothing = score_page(truth, Reading((), {}, (), 1.0))
    assert nothing.edits == nothing.characters and not any(nothing.matched.found) and not any(nothing.fields.values())
    assert nothing.items == (0, len(truth.items), 0)


def test_fields_are_right_where_they_say_the_same(receipts):
    truth = truth_of(receipts)
    day = str(truth.fields["date"])[:10]
    close = truth.fields | {"date": f"{day}T23:59", "shop": f" {str(truth.fields['shop']).replace(' ', '  ')}"}
    assert all(score_page(truth, perfect(truth, fields=close)).fields.values())
    wrong = truth.fields | {"total": truth.fields["total"] + 1, "date": "1999-01-01", "shop": "Khác"}
    right = score_page(truth, perfect(truth, fields=wrong)).fields
    assert right == {"shop": False, "address": True, "date": False, "total": False}


def test_items_are_right_by_quantity_price_and_nearly_the_name():
    right = generated._right_items
    printed = (("Cà phê sữa đá", 2, 50000), ("Cà phê sữa đá", 2, 50000), ("Trà", 1, 5000))
    assert right(printed, printed) == 3 and right(printed, printed[:1]) == 1  # each is counted once
    assert right(printed[:1], (("CA PHÊ SỮA ĐA", 2, 50000),)) == 1
    for other in (("Cà phê", 2, 50000), ("Cà phê sữa đá", 1, 50000), ("Cà phê sữa đá", 2, 5000)):
        assert right(printed[:1], (other,)) == 0


class Fake:
    """Reads every page as its truth says, or nothing; counts what it is asked."""

    def __init__(self, receipts: Path, blind: bool = False) -> None:
        self.known, self.blind, self.asked = {}, blind, 0
        for path, truth in read_truths(receipts):
            self.known[Image.open(path).convert("RGB").tobytes()] = generated._truth(path, truth)

    def read(self, picture: Image.Image) -> Reading:
        self.asked += 1
        truth = self.known[picture.tobytes()]
        return Reading((), {}, (), 2.0) if self.blind else perfect(truth, recogniser_ms=0.5)


@pytest.fixture
def fakes(receipts, monkeypatch) -> list[Fake]:
    readers = [Fake(receipts), Fake(receipts, blind=True)]
    rows = [
        PageContestant(name, f"{name}.bin", method, "engine", 1_000_000, "key", reader, {name: "1"})
        for name, method, reader in zip(("good|1", "blind"), ("qat", "peer"), readers)
    ]
    monkeypatch.setattr(receipt_score, "page_contestants", lambda *_: rows)
    return readers


def test_the_table_and_every_error_are_written(receipts, fakes, tmp_path):
    (table,) = score_pages([receipts], ["w"], tmp_path / "out", command="quantvietocr score").generated
    good, blind = table.rows
    assert (good.found, good.cer, good.total, good.item_f1, good.pages) == (1.0, 0.0, 1.0, 1.0, 3)
    assert (blind.found, blind.cer, blind.missed, blind.date, blind.item_f1) == (0.0, 1.0, 1.0, 0.0, 0.0)
    assert (good.ms_per_page, good.recogniser_ms, blind.recogniser_ms) == (1.0, 0.5, None)
    assert sum(rates["pages"] for rates in good.kinds.values()) == 3
    written = (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    assert "good\\|1" in written and "100.0%" in written and "counts as deleted" in written
    assert json.loads((tmp_path / "out" / "table.json").read_text(encoding="utf-8"))["rows"][1]["cer"] == 1.0
    assert Image.open(tmp_path / "out" / "table.png").width > 1000
    errors = (tmp_path / "out" / "errors.tsv").read_text(encoding="utf-8").splitlines()
    assert len(errors) == 1 + blind.lines and all(row.startswith("blind\t") for row in errors[1:])
    fields = (tmp_path / "out" / "fields.tsv").read_text(encoding="utf-8").splitlines()
    assert len(fields) == 1 + 3 * 5
    assert [fake.asked for fake in fakes] == [4, 4]  # one to warm up


def test_an_interrupted_run_goes_on(receipts, fakes, tmp_path):
    score_pages([receipts], ["w"], tmp_path / "out", limit=2)
    notes = tmp_path / "out" / "readings.jsonl"
    notes.write_text(notes.read_text(encoding="utf-8")[:-9], encoding="utf-8")  # cut in the middle of a line
    (table,) = score_pages([receipts], ["w"], tmp_path / "out", resume=True).generated
    assert [fake.asked for fake in fakes] == [3 + 2, 3 + 3] and table.rows[0].pages == 3 and table.rows[0].cer == 0
    score_pages([receipts], ["w"], tmp_path / "out", limit=1)
    assert [fake.asked for fake in fakes] == [5 + 2, 6 + 2]  # not asked to resume: read anew


def test_the_command_reads_pictures_from_end_to_end(receipts, tiny_weights, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- table receipts -->\n<!-- end receipts -->\n", encoding="utf-8")
    arguments = [
        "score",
        "--data",
        str(receipts),
        "--weights",
        str(tiny_weights),
        "--detector",
        "profile",
        "--limit",
        "1",
    ]
    assert cli.main([*arguments, "--threads", "1", "--out", str(tmp_path / "out"), "--into", f"{page}#receipts"]) == 0
    said = capsys.readouterr().out
    assert "| Reader" in said and "| int8, all" in said and "| int8, all" in page.read_text(encoding="utf-8")
    (row,) = json.loads((tmp_path / "out" / "table.json").read_text(encoding="utf-8"))["rows"]
    assert row["found"] > 0.7 and row["cer"] > 0.5  # the lines of a clean scan are found; this network cannot read
    for changed, sentence in (
        (["--data", str(tmp_path)], "synth --receipts"),
        (["--limit", "-1"], "limit is 0 or more"),
        (["--weights", "none.safetensors"], "none.safetensors"),
    ):
        assert cli.main([*arguments, "--out", str(tmp_path / "other"), *changed]) == 2
        assert sentence in capsys.readouterr().err


def test_a_peer_is_named_once(tiny_weights):
    for peers in (["abbyy"], ["tesseract", "tesseract"]):
        with pytest.raises(ScoreError, match="name each of tesseract, rapidocr, asterocr once"):
            page_contestants([tiny_weights], peers, "profile", 1)


@pytest.mark.parametrize("kind", [TesseractPages, RapidOCRPages])
def test_peers_find_the_lines_of_a_clean_page(kind, receipts):
    if kind is TesseractPages and shutil.which("tesseract") is None:
        pytest.skip("no program tesseract: apt-get install tesseract-ocr tesseract-ocr-vie")
    try:
        reader = kind(1)
    except PeerError as error:
        pytest.skip(str(error))
    path, _ = read_truths(receipts)[0]
    truth = truth_of(receipts)
    reading = reader.read(Image.open(path).convert("RGB"))
    found = score_page(truth, reading)
    assert sum(found.matched.found) >= 0.9 * len(truth.lines) and found.edits < 0.35 * found.characters
    assert reading.ms > 0 and found.fields["date"]


def test_asterocr_reads_the_lines_that_our_detector_finds(receipts, tiny_weights):
    pytest.importorskip("asterocr", reason="no asterocr: pip install asterocr==1.0.2")
    ours, row = page_contestants([tiny_weights], ["asterocr"], "profile", 1)
    assert (row.name.startswith("AsterOCR "), row.method, row.bytes > 40e6) == (True, "peer", True)
    assert row.engine.endswith(ours.engine.partition("; ")[2]) and "asterocr" in row.versions
    path, _ = read_truths(receipts)[0]
    truth = truth_of(receipts)
    reading = row.reader.read(Image.open(path).convert("RGB"))
    found = score_page(truth, reading)
    assert sum(found.matched.found) >= 0.7 * len(truth.lines) and found.edits < 0.5 * found.characters
    assert reading.recogniser_ms is not None and 0 < reading.recogniser_ms < reading.ms
