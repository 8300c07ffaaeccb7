"""Scoring real receipts: truth.tsv and what is wrong with one, the verdict on a field, lines, and the tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from quantvietocr.cli import main as cli
from quantvietocr.measure.conditions import conditions_now
from quantvietocr.measure.receipts import score as receipt_score
from quantvietocr.measure.receipts.notes import Notes
from quantvietocr.measure.receipts.overview import (
    FIELD_ORDER,
    LINES_NOTE,
    LineRow,
    PageRow,
    Scored,
    front_table,
    line_row,
    page_of_tables,
)
from quantvietocr.measure.receipts.readers import PageContestant, Reading, ScoreError
from quantvietocr.measure.receipts.real import read_real_lines, read_real_pages
from quantvietocr.measure.receipts.score import score_pages
from quantvietocr.measure.receipts.verdicts import Verdicts, judge, same_leniently, same_strictly

SAMPLES = Path(__file__).resolve().parents[1] / "data"
HEAD = "file\tshop\taddress\tdate\ttotal"
ROWS = (
    "img/a.png\tQuán Sông Xanh\tĐC: 12 Lê Lợi, Q.1\t2024-03-12\t57000",
    "img/b.png\t\t\t2024-03-13T18:05\t125000",
    "img/c.png\t-\t-\t-\t-",
)


def folder_of(path: Path, *rows: str, head: str = HEAD) -> Path:
    """A folder with truth.tsv and the little pictures a, b and c."""
    (path / "img").mkdir(parents=True, exist_ok=True)
    for grey, name in enumerate("abc"):
        Image.new("RGB", (40, 30), (200 + grey,) * 3).save(path / "img" / f"{name}.png")
    (path / "truth.tsv").write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return path


# --- truth.tsv ------------------------------------------------------------------------------------------------------


def test_cells_are_values_not_judged_or_not_printed(tmp_path):
    first, second, third = read_real_pages(folder_of(tmp_path, *ROWS))
    assert first.path == tmp_path / "img" / "a.png" and len({first.sha256, second.sha256, third.sha256}) == 3
    assert first.fields["total"] == 57000 and first.fields["shop"] == "Quán Sông Xanh"
    assert second.fields == {"date": "2024-03-13T18:05", "total": 125000}
    assert third.fields == dict.fromkeys(("shop", "address", "date", "total"))


@pytest.mark.parametrize(
    ("cell", "date"),
    [
        ("20240512", "2024-05-12"),
        ("2024-05-12", "2024-05-12"),
        ("2024-W19-7", "2024-05-12"),
        ("20240512T1805", "2024-05-12T18:05"),
        ("2024-05-12 18:05:07", "2024-05-12T18:05:07"),
        ("2024-05-12T00:00", "2024-05-12T00:00"),
    ],
)
def test_dates_of_any_form_are_compared_as_one(tmp_path, cell, date):
    (page,) = read_real_pages(folder_of(tmp_path, f"img/a.png\t{cell}\t-5000", head="file\tdate\ttotal"))
    assert page.fields == {"date": date, "total": -5000}
    assert same_leniently("date", page.fields["date"], "2024-05-12")


def test_columns_may_be_missing_and_in_any_order(tmp_path):
    text = "﻿total\tfile\r\n57000\timg/a.png\r\n\r\n\timg/b.png\r\n"
    folder_of(tmp_path)
    (tmp_path / "truth.tsv").write_bytes(text.encode("utf-8"))
    first, second = read_real_pages(tmp_path)
    assert first.fields == {"total": 57000} and second.fields == {}
    stripped = folder_of(tmp_path, "img/a.png\tQuán")  # an editor strips the tabs at the end of a line
    assert read_real_pages(stripped)[0].fields == {"shop": "Quán"}


@pytest.mark.parametrize(
    ("head", "row", "sentence"),
    [
        ("picture\ttotal", "img/a.png\t1", "line 1: names the columns picture, total; it needs file"),
        ("file\tnotes", "img/a.png\tx", "it needs file and at least one of shop, address, date, total"),
        ("file\ttotla\ttotal", "img/a.png\t1\t1", "line 1: the column 'totla' is not known"),
        ("file\ttotal\ttotal", "img/a.png\t1\t1", "line 1: the column 'total' is named twice"),
        ("file\ttotal", "img/a.png\t1\t2", "line 2: has 3 cells for 2 columns; put one tab"),
        ("file\ttotal", "\t57000", "line 2: names no picture"),
        ("file\ttotal", "img/none.png\t1", "none.png; write its path from the folder of truth.tsv"),
        ("file\ttotal", "img/a.png\t57.000", "the total '57.000' is not a number of đồng; write digits alone"),
        ("file\tdate", "img/a.png\t12/03/2024", "the date '12/03/2024' is not in ISO 8601; write it as 2024-03-12"),
        ("file\ttotal", "img/a.png\t1\nimg/a.png\t2", "names img/a.png more than once"),
        ("file\ttotal", "", "names no picture: write a line for each"),
    ],
    ids=str,
)
def test_a_wrong_table_is_told_in_one_sentence(tmp_path, head, row, sentence):
    with pytest.raises(ScoreError) as error:
        read_real_pages(folder_of(tmp_path, row, head=head))
    assert sentence in str(error.value) and "truth.tsv" in str(error.value)


def test_an_empty_or_foreign_file_is_told(tmp_path):
    folder_of(tmp_path)
    (tmp_path / "truth.tsv").write_text("", encoding="utf-8")
    with pytest.raises(ScoreError, match=r"line 1: names the columns \(none\)"):
        read_real_pages(tmp_path)
    (tmp_path / "truth.tsv").write_bytes("file\ttotal\nQuán".encode("utf-16"))
    with pytest.raises(ScoreError, match="is not UTF-8 text"):
        read_real_pages(tmp_path)


# --- verdicts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "printed", "read", "same"),
    [
        ("shop", "K-MART Lê Lợi", "k mart lê  lợi", True),
        ("shop", "Quán Sông Xanh", "Quan Sông Xanh", False),  # marks count
        ("shop", "Quán Sông Xanh", "Quán Sông Xanh 2", False),
        ("address", "ĐC: 12 Lê Lợi, Q.1,", "12 Lê Lợi, Q. 1", True),
        ("address", "12 Lê Lợi, Q.1", "Địa chỉ : 12 Lê Lợi, Q.1", True),
        ("address", "12 Lê Lợi, Q.1", "12 Lê Lợi, Q.2", False),
        ("date", "2024-03-12", "2024-03-12T18:05", True),
        ("date", "2024-03-12", "2024-12-03", False),
        ("total", 57000, 57000, True),
        ("total", 57000, 5700, False),
    ],
    ids=str,
)
def test_what_a_user_calls_right_on_a_real_receipt(name, printed, read, same):
    assert same_leniently(name, printed, read) is same


def test_generated_receipts_are_judged_strictly():
    assert same_strictly("shop", "Quán  Xanh", "Quán Xanh") and not same_strictly("shop", "Quán Xanh", "QUÁN XANH")


def test_a_wrong_value_is_parted_from_none_and_from_an_unsure_one():
    printed = {"shop": "Quán", "total": 5000, "date": None}
    values = {"shop": "Quán", "total": 500, "date": "2024-01-01"}
    assert judge(printed, values, (), same_leniently) == {"shop": "right", "total": "wrong", "date": "wrong"}
    assert judge(printed, values, ("shop", "total"), same_leniently)["shop"] == "unsure"
    assert judge(printed, {}, (), same_leniently) == {"shop": "absent", "total": "absent", "date": "right"}
    counted = Verdicts.of(["right", "wrong", "wrong", "absent"])
    assert (counted.judged, str(counted), str(Verdicts())) == (4, "1 · 2 · 0 · 1", "-")


def test_lines_are_scored_with_and_without_spaces():
    row = line_row("set", "reader", [(1, "12 : 30", "12:30"), (1, "Trà đá", "Trà da"), (2, "a b", "a b")])
    assert (row.lines, row.characters) == (4, 16)
    assert row.cer == pytest.approx(4 / 16) and row.exact == 0.5
    assert row.cer_no_spaces == pytest.approx(2 / 12) and row.exact_no_spaces == 0.75


# --- the command ----------------------------------------------------------------------------------------------------


class Fake:
    """Gives the same fields for every page and the same text for every line; counts what it is asked."""

    def __init__(self, fields: dict, unsure: tuple[str, ...] = ()) -> None:
        self.fields, self.unsure, self.pages, self.lines = fields, unsure, 0, 0

    def read(self, picture: Image.Image) -> Reading:
        self.pages += 1
        return Reading((), self.fields, (), 2.0, 1.5, {"detect": 0.25, "recognise": 1.5}, self.unsure)

    def read_lines(self, pictures) -> list[str]:
        self.lines += len(pictures)
        return ["Tổng cộng"] * len(pictures)


@pytest.fixture
def fakes(monkeypatch) -> list[Fake]:
    readers = [Fake({"total": 57000, "date": "2024-03-13"}), Fake({"total": 125000}, unsure=("total",))]
    rows = [
        PageContestant(name, f"{name}.bin", "qat", "engine", 1_000_000, "key", reader)
        for name, reader in zip(("one", "two"), readers)
    ]
    monkeypatch.setattr(receipt_score, "page_contestants", lambda *_: rows)
    return readers


@pytest.fixture
def lines(tmp_path) -> Path:
    folder = tmp_path / "crops"
    folder.mkdir()
    Image.new("RGB", (90, 30), "white").save(folder / "1.png")
    Image.new("RGB", (91, 30), "white").save(folder / "2.png")
    (folder / "annotation.txt").write_text("1.png\tTổng cộng\n2.png\tTổng\N{SNOWMAN}\n", encoding="utf-8")
    return folder


def test_real_tables_stand_first_and_every_error_is_written(tmp_path, fakes, lines):
    real = folder_of(tmp_path / "mine", *ROWS)
    scored = score_pages([SAMPLES / "receipts", real], ["w"], tmp_path / "out", limit=3, lines=[lines])
    assert [row.data for row in scored.pages] == [*["mine (real)"] * 2, *["receipts (generated)"] * 2]
    one, two = scored.pages[:2]
    assert {name: str(counts) for name, counts in one.fields.items()} == {
        "shop": "1 · 0 · 0 · 1",
        "address": "1 · 0 · 0 · 1",
        "date": "1 · 2 · 0 · 0",
        "total": "1 · 2 · 0 · 0",
    }
    assert str(two.fields["total"]) == "0 · 0 · 3 · 0" and two.stages["detect"] == 0.25 and two.stages["open"] > 0
    assert two.whole_ms == pytest.approx(2.0 + two.stages["open"]) and "crop" not in two.stages
    assert [row.data for row in scored.lines][:3] == ["crops (real)", "crops (real)", "receipts (generated)"]
    assert (scored.lines[0].lines, scored.lines[0].exact) == (2, 0.5)
    page = page_of_tables(scored)
    assert page.index("mine (real)") < page.index("receipts (generated)") and "judged are 3 × total" in page
    assert (tmp_path / "out" / "table.md").read_text(encoding="utf-8") == page
    known = json.loads((tmp_path / "out" / "overview.json").read_text(encoding="utf-8"))
    assert known["pages"][1]["fields"]["total"] == {"right": 0, "wrong": 0, "unsure": 3, "absent": 0}
    wrong = (tmp_path / "out" / "mine" / "fields.tsv").read_text(encoding="utf-8").splitlines()
    assert "one\tb.png\ttotal\twrong\t125000\t57000" in wrong and "one\tc.png\tdate\twrong\tNone\t2024-03-13" in wrong
    assert (tmp_path / "out" / "lines.tsv").read_text(encoding="utf-8").count("\n") == 3
    assert (tmp_path / "out" / "receipts" / "table.json").is_file()


def test_a_picture_that_cannot_be_opened_is_absent_and_named(tmp_path, fakes, capsys):
    real = folder_of(tmp_path / "mine", *ROWS)
    (real / "img" / "a.png").write_bytes(b"no picture")
    scored = score_pages([real], ["w"], tmp_path / "out")
    assert [(row.pages, row.unreadable) for row in scored.pages] == [(2, ("a.png",))] * 2
    assert str(scored.pages[0].fields["shop"]) == "1 · 0 · 0 · 1"
    assert str(scored.pages[1].fields["total"]) == "0 · 0 · 2 · 1"
    assert "a.png: not a picture" in capsys.readouterr().err
    page = page_of_tables(scored)
    assert "mine (real): 2 pages" in page and "Not opened, and counted as absent: a.png." in page
    assert "one\ta.png\ttotal\tabsent\t57000\t\n" in (tmp_path / "out" / "fields.tsv").read_text(encoding="utf-8")
    for name in "bc":
        (real / "img" / f"{name}.png").write_bytes(f"no picture {name}".encode())
    scored = score_pages([real], ["w"], tmp_path / "none")
    assert scored.pages[0].pages == 0 and page_of_tables(scored).splitlines()[2].endswith(" - |")
    (row, _) = json.loads((tmp_path / "none" / "overview.json").read_text(encoding="utf-8"))["pages"]
    assert row["ms_per_page"] is None and row["whole_ms"] is None


def test_without_lines_there_is_no_table_of_lines(tmp_path, fakes, lines):
    real = folder_of(tmp_path / "mine", *ROWS)
    without = page_of_tables(score_pages([real], ["w"], tmp_path / "out"))
    with_lines = page_of_tables(score_pages([real], ["w"], tmp_path / "more", lines=[lines]))
    assert "CER" in with_lines and LINES_NOTE in with_lines
    assert "CER" not in without and "exact line" not in without and "\n\n\n" not in without


def test_a_run_on_real_receipts_goes_on(tmp_path, fakes, lines):
    real = folder_of(tmp_path / "mine", *ROWS)
    score_pages([real], ["w"], tmp_path / "out", limit=2, lines=[lines])
    notes = tmp_path / "out" / "readings.jsonl"
    whole = notes.read_text(encoding="utf-8").splitlines()
    notes.write_text("\n".join(whole[:3]) + "\n" + whole[3][:-9], encoding="utf-8")  # cut short; no line was read
    scored = score_pages([real], ["w"], tmp_path / "out", resume=True, lines=[lines])
    assert [fake.pages for fake in fakes] == [3 + 2, 3 + 3] and [fake.lines for fake in fakes] == [4, 4]
    assert scored.pages[0].pages == 3
    assert len(Notes(notes, resume=True).known) == 6 + 2  # what came after the cut line was kept too
    (real / "img" / "a.png").write_bytes((real / "img" / "b.png").read_bytes())
    score_pages([real], ["w"], tmp_path / "out", resume=True, lines=[lines])
    assert [fake.pages for fake in fakes] == [5, 6]  # the same bytes are the same page


def test_lines_are_named_by_their_folder_or_file_and_may_hold_any_character(lines):
    assert read_real_lines(lines).name == "crops" and read_real_lines(lines / "annotation.txt").name
    assert read_real_lines(lines).samples[1].text == "Tổng\N{SNOWMAN}"
    with pytest.raises(ScoreError, match=r"none\.txt: no such file"):
        read_real_lines(lines / "none.txt")


def test_the_command_reads_a_folder_of_real_receipts(tmp_path, tiny_weights, capsys):
    real = tmp_path / "mine"
    (real / "img").mkdir(parents=True)
    shutil.copy(SAMPLES / "receipts" / "receipt_000003.jpg", real / "img")
    (real / "truth.tsv").write_text("file\ttotal\nimg/receipt_000003.jpg\t5\n", encoding="utf-8")
    arguments = ["score", "--data", str(real), "--weights", str(tiny_weights), "--detector", "profile"]
    assert cli.main([*arguments, "--threads", "1", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "mine (real)" in shown and "recognise" in shown
    (row,) = json.loads((tmp_path / "out" / "overview.json").read_text(encoding="utf-8"))["pages"]
    assert set(row["stages"]) == {"open", "detect", "crop", "recognise", "fields"} and row["fields"]["total"]
    for changed, sentence in (
        ([str(real)], "two sets are called mine"),
        ([str(tmp_path)], "holds neither truth.tsv"),
        ([str(real), "--lines", str(tmp_path)], "annotation.txt: no such file"),
    ):
        command = ["score", "--data", *changed, "--weights", str(tiny_weights), "--out", str(tmp_path / "other")]
        assert cli.main([*command, *(("--data", str(real)) if changed == [str(real)] else ())]) == 2
        assert sentence in capsys.readouterr().err


def test_the_short_table_has_a_row_for_each_reader():
    """The first set of lines and of pages alone; a reader without lines has dashes."""
    verdicts = {name: Verdicts(right=3, wrong=1) for name in FIELD_ORDER}
    rows = tuple(
        PageRow(data, reader, 4, verdicts, 10.0, (9.0, 11.0), {}, 12.0)
        for data in ("real", "other")
        for reader in ("int8", "Tesseract")
    )
    line = LineRow("lines", "int8", 7, 70, 0.0186, 0.809, 0.02, 0.8)
    table = front_table(Scored(rows, (line,), (), {}, conditions_now([1], {}, None, None)))
    body = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines() if row.startswith("|")]
    assert body[0][:3] == ["Reader", "Lines exact", "CER"] and len(body) == 4
    assert body[2] == ["int8", "80.9%", "1.86%", "3", "1", "3", "1"]
    assert body[3] == ["Tesseract", "-", "-", "3", "1", "3", "1"]
    assert "7 lines and 4 pages" in table
