"""infer.py --receipt: folders, several pages, bad files between good ones, going on where it stopped."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
from pathlib import Path

import pytest
from drawn_receipts import ADDRESS, ITEMS, SHOP, TOTAL, draw
from PIL import Image
from tiny import int8_checkpoint, transformer

import infer
from quantvietocr import Predictor
from quantvietocr.checkpoint import write
from quantvietocr.cli import main as cli
from quantvietocr.common.files import reader_name
from quantvietocr.pictures import find as picture_files
from quantvietocr.quantize.recurrent import quantize_decoder
from quantvietocr.receipt import files, open_detector, output, pages, read, read_page
from quantvietocr.receipt.files import stems, summary
from quantvietocr.receipt.output import OUTPUT_SUFFIXES
from quantvietocr.shipped import weights_file

pytest.importorskip("pypdfium2", reason="PDF input needs the receipt extra")
canvas = pytest.importorskip("reportlab.pdfgen.canvas", reason="writing PDF files needs the receipt extra")

FEW = (("Quán Hoa Mai",), ("Trà đá", "2", "6.000"), ("Tổng cộng", "6.000"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A tiny random network that ends its lines."""
    checkpoint = int8_checkpoint()
    ending = dict(checkpoint.tensors) | quantize_decoder(transformer(seed=26))
    return write(dataclasses.replace(checkpoint, tensors=ending), tmp_path_factory.mktemp("tiny") / "tiny.safetensors")


@pytest.fixture
def folder(tmp_path) -> Path:
    """scans/: two pictures, one blank, one cut short, a TIFF of two pages in a subfolder, a text."""
    scans = tmp_path / "scans"
    (scans / "sub").mkdir(parents=True)
    draw(FEW).save(scans / "a1.png")
    draw(FEW).save(scans / "a2.png")
    Image.new("RGB", (200, 300), "white").save(scans / "a3 blank.png")
    file = io.BytesIO()
    draw(FEW).save(file, "JPEG")
    (scans / "a1 cut.jpg").write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    draw(FEW).save(scans / "sub" / "b.tif", save_all=True, append_images=[draw(FEW[1:])])
    (scans / "notes.txt").write_text("no picture")
    return scans


def run(weights: Path, out: Path, *arguments: object) -> int:
    return infer.main(
        [
            "--weights",
            str(weights),
            "--threads",
            "1",
            "--detector",
            "profile",
            "--receipt",
            "--out",
            str(out),
            *map(str, arguments),
        ]
    )


STEMS = ["a1", "a2", "a3 blank", "sub/b-1", "sub/b-2"]


def test_a_folder_is_read_whatever_lies_in_it(weights, folder, tmp_path, capsys):
    assert run(weights, tmp_path / "out", folder) == 1
    out, err = capsys.readouterr()
    rows = [row.split("\t") for row in out.splitlines()]
    names = [("a1.png", "1"), ("a2.png", "1"), ("a3 blank.png", "1"), ("sub/b.tif", "1"), ("sub/b.tif", "2")]
    assert sorted(row[0] for row in rows) == sorted(str(folder / name) for name, _ in names)
    assert [int(row[2]) for row in rows if "blank" not in row[0]] == [6, 6, 6, 5] and [
        row[2] for row in rows if "blank" in row[0]
    ] == ["0"]
    written = sorted(
        str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()
    )
    assert written == sorted(f"{stem}{suffix}" for stem in STEMS for suffix in OUTPUT_SUFFIXES)
    assert "a1 cut.jpg: damaged or cut short" in err and "a3 blank.png: no text found" in err and "Traceback" not in err
    assert "5 pages read, 1 of them without text, 1 could not be read" in err and "projection profiles" in err
    about = json.loads((tmp_path / "out" / "sub" / "b-2.json").read_text("utf-8"))
    assert (about["page"], about["pages"], about["source"]) == (2, 2, str(folder / "sub" / "b.tif"))
    assert about["reader"] == reader_name(weights)


def test_it_goes_on_where_it_stopped(weights, folder, tmp_path, capsys, monkeypatch):
    out, read, pages = tmp_path / "out", files.read_page, []

    def stopped(*given, **named):
        if len(pages) == 2:
            raise KeyboardInterrupt
        pages.append(named["source"])
        return read(*given, **named)

    monkeypatch.setattr(files, "read_page", stopped)
    assert run(weights, out, folder) == 130
    assert "2 pages read" in (said := capsys.readouterr().err) and "goes on from there" in said
    monkeypatch.setattr(
        files, "read_page", lambda *given, **named: pages.append(named["source"]) or read(*given, **named)
    )
    assert run(weights, out, folder) == 1
    rows, err = capsys.readouterr()
    assert (
        len(pages) == 5
        and len(rows.splitlines()) == 5
        and "3 pages read" in err
        and "2 finished before and kept" in err
    )
    assert run(weights, out, folder) == 1 and len(pages) == 5
    assert "0 pages read, 5 finished before and kept, 1 could not be read" in capsys.readouterr().err
    draw(FEW[:2]).save(folder / "a2.png")  # another scan of that name
    assert run(weights, out, folder) == 1 and pages[5:] == [str(folder / "a2.png")]


def test_ways_of_reading_reach_the_pages_and_results_of_others_are_not_kept(weights, folder, tmp_path, capsys):
    out, page = tmp_path / "out", folder / "a1.png"
    assert run(weights, out, page) == 0
    assert run(weights, out, page, "--whitelist", "ac", "--loops", "keep", "--wide", "squeeze", "--words", "none") == 0
    assert "1 page read" in capsys.readouterr().err.splitlines()[-1]
    about = json.loads((out / "a1.json").read_text("utf-8"))
    assert about["reader"] == f"{reader_name(weights)} wide squeeze leaders keep words None whitelist ac"
    assert set((out / "a1.txt").read_text("utf-8")) <= set("ac \n")


def test_results_among_the_scans_are_not_read(weights, folder, capsys):
    assert run(weights, folder / "out", folder / "a1.png", folder / "a2.png") == 0
    assert run(weights, folder / "out", folder) == 1
    err = capsys.readouterr().err
    assert "4 files in" in err and "are results: not read" in err  # .png and .pdf of two pages
    assert not (folder / "out" / "out").exists()


def test_a_pdf_is_read_page_by_page(weights, tmp_path, capsys):
    paper = canvas.Canvas(str(tmp_path / "p.pdf"), pagesize=(300, 200))
    for _ in range(2):
        paper.drawString(30, 150, "Tong cong: 250.000")
        paper.showPage()
    paper.save()
    assert run(weights, tmp_path / "out", "--format", "json", tmp_path / "p.pdf") == 0
    pages = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert [(page["page"], page["pages"], len(page["lines"]), page["dpi"]) for page in pages] == [
        (1, 2, 1, 250),
        (2, 2, 1, 250),
    ]
    assert (tmp_path / "out" / "p-1.pdf").is_file() and (tmp_path / "out" / "p-2.txt").is_file()


def test_where_nothing_can_be_read_the_exit_code_is_2(weights, tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    assert run(weights, tmp_path / "out", tmp_path / "a.jpg") == 2
    assert "not a picture" in capsys.readouterr().err
    assert run(weights, tmp_path / "out", tmp_path / "out") == 2
    assert "no pages to read" in capsys.readouterr().err


def test_a_closed_folder_is_named_and_the_rest_is_read(weights, folder, tmp_path, capsys, monkeypatch):
    walk = os.walk

    def closed(top, onerror):
        onerror(PermissionError(13, "Permission denied", str(folder / "sub")))
        return ((at, [], names) for at, _, names in walk(top) if "sub" not in at)

    monkeypatch.setattr(picture_files.os, "walk", closed)
    (folder / "a1 cut.jpg").unlink()
    assert run(weights, tmp_path / "out", folder) == 1
    err = capsys.readouterr().err
    assert f"{folder / 'sub'}: this folder cannot be read (Permission denied)." in err and "3 pages read" in err


def test_an_output_folder_that_cannot_be_made_is_said_first(weights, folder, tmp_path, capsys):
    (tmp_path / "out").write_text("a file")
    assert run(weights, tmp_path / "out", folder) == 2
    assert "out" in (err := capsys.readouterr().err) and "engine" not in err


@pytest.mark.parametrize("arguments", [["--plot", "a.png"], ["--out", "x", "--plot", "a.png"], ["--format", "table"]])
def test_options_that_do_not_go_together(arguments, capsys):
    assert infer.main(["--receipt", *arguments, "a.png"]) == 2
    assert "are for pictures of lines" in capsys.readouterr().err


def test_without_a_folder_the_text_is_printed(weights, folder, tmp_path, capsys):
    arguments = ["receipts", "--weights", str(weights), "--threads", "1", "--detector", "profile"]
    assert cli.main([*arguments, str(folder / "a1.png")]) == 0
    text, _ = capsys.readouterr()
    assert run(weights, tmp_path / "out", folder / "a1.png") == 0
    assert text == (tmp_path / "out" / "a1.txt").read_text("utf-8")
    capsys.readouterr()
    assert cli.main([*arguments, str(folder)]) == 1  # one of the pictures is cut short
    out, err = capsys.readouterr()
    assert "a1 cut.jpg: damaged" in err and f"== {folder / 'sub' / 'b.tif'}, page 2 of 2\n" in out
    assert cli.main([*arguments, "--format", "json", str(folder / "a1.png")]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == str(folder / "a1.png")


def test_a_page_that_is_not_there_is_said_before_anything_is_loaded(tmp_path, capsys):
    (tmp_path / "scans").mkdir()
    assert cli.main(["receipts", "--weights", "none.safetensors", str(tmp_path / "scan")]) == 2
    assert capsys.readouterr().err.endswith(f"no such file; did you mean {tmp_path / 'scans'}?\n")


def test_files_of_one_name_do_not_overwrite_each_other(weights, folder, tmp_path):
    for place in ("x", "y"):
        (tmp_path / place).mkdir()
        draw(FEW).save(tmp_path / place / "r.png")
    draw(FEW).save(tmp_path / "x" / "r.webp")
    given = [str(tmp_path / name) for name in ("x/r.png", "y/r.png", "x/r.webp")]
    assert [stem.name for stem in stems(given, given, tmp_path)] == ["r.png", "r.png", "r.webp"]
    assert run(weights, tmp_path / "out", *given) == 0
    names = sorted(path.name for path in (tmp_path / "out").glob("*.txt"))
    assert names == ["r.png.txt", "r.png~2.txt", "r.webp.txt"]


def test_a_row_on_stdout_has_no_tabs_of_its_own():
    row = {
        "source": "a\tb",
        "page": 1,
        "lines": [],
        "fields": [{"name": "shop", "value": "A\tB", "sure": True}, {"name": "total", "value": 5, "sure": False}],
        "kind": "receipt",
    }
    assert summary(row) == "a\\tb\t1\t0\tA\\tB\t\t5\treceipt\ttotal"


def test_the_shipped_weights_read_a_clean_receipt():
    shipped = weights_file("int8")
    page = read_page(draw(), Predictor(shipped, threads=1), open_detector("profile"))
    values = {field.name: field.value for field in page.fields}
    assert values["total"] == TOTAL and values["date"] == "2024-03-12T18:05"
    assert values["shop"].split()[0] == SHOP.split()[0] and values["address"].split()[:2] == ADDRESS.split()[:2]
    assert [(item.quantity, item.unit_price, item.price) for item in page.items] == [item[1:] for item in ITEMS]


# --- what goes wrong with one page, and with all that follow ---------------------------------------------------------


def test_a_line_end_in_a_name_ends_no_run(weights, tmp_path, capsys):
    for name in ("a.png", "b\nb.png"):
        draw(FEW).save(tmp_path / name)
    assert run(weights, tmp_path / "out", tmp_path / "b\nb.png", tmp_path / "a.png") == 0
    assert len(list((tmp_path / "out").iterdir())) == 2 * len(OUTPUT_SUFFIXES)
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("what", "out"), [("reading", True), ("writing", True), ("hashing", True), ("reading", False), ("hashing", False)]
)
def test_what_goes_wrong_with_a_page_ends_no_run(weights, folder, tmp_path, capsys, monkeypatch, what, out):
    bad, good = folder / "a1.png", folder / "a2.png"

    def failing(of, named_by, error):
        def maybe(*given, **named):
            if str(bad) == named_by(given, named):
                raise error
            return of(*given, **named)

        return maybe

    if what == "reading":
        broken = failing(read.read_page, lambda _, named: named["source"], RuntimeError("two\nlines."))
        monkeypatch.setattr(files, "read_page", broken)
        monkeypatch.setattr(read, "read_page", broken)
    elif what == "writing":
        error = NotADirectoryError(20, "Not a directory", "here")
        monkeypatch.setattr(files, "write_page", failing(files.write_page, lambda given, _: given[0].source, error))
    else:
        digest = failing(pages.PageFile.sha256.func, lambda given, _: given[0].path, OSError(5, "Input/output error"))
        monkeypatch.setattr(pages.PageFile, "sha256", property(digest))
    if out:
        assert run(weights, tmp_path / "out", bad, good) == 1
    else:
        arguments = ["receipts", "--weights", str(weights), "--threads", "1", "--detector", "profile"]
        assert cli.main([*arguments, str(bad), str(good)]) == 1
    rows, err = capsys.readouterr()
    assert str(good) in rows and str(bad) not in rows and "Traceback" not in err
    reasons = {
        "reading": "RuntimeError: two lines",
        "writing": "NotADirectoryError: [Errno 20] Not a directory: 'here'",
        "hashing": "OSError: [Errno 5] Input/output error",
    }
    assert f"{bad}: passed over ({reasons[what]}).\n" in err
    assert not out or "1 page read, 1 could not be read" in err


def test_a_full_disk_ends_the_run_and_leaves_nothing_of_its_page(weights, folder, tmp_path, capsys, monkeypatch):
    written = output.write_bytes

    def full(path, content):
        if path.name == "a2.png":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written(path, content)

    monkeypatch.setattr(output, "write_bytes", full)
    assert run(weights, tmp_path / "out", folder / "a1.png", folder / "a2.png", folder / "sub") == 2
    rows, err = capsys.readouterr()
    assert len(rows.splitlines()) == 1 and "1 page read so far" in err
    assert err.endswith(f"[Errno 28] No space left on device: '{tmp_path / 'out' / 'a2.png'}'\n")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(f"a1{suffix}" for suffix in OUTPUT_SUFFIXES)
