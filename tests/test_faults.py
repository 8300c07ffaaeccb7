"""Faults that users meet: odd names, other kinds of files, pipes, closed streams, pages beyond a format's limits."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from quantvietocr.cli.exits import UNUSABLE, run_verb
from quantvietocr.cli.process import ClosedStdout
from quantvietocr.pictures.boxes import Box
from quantvietocr.pictures.find import find_pictures
from quantvietocr.pictures.kinds import kind_of_file
from quantvietocr.receipt.files import MAX_STEM, stems
from quantvietocr.receipt.page import Line, Page, Row
from quantvietocr.receipt.pages import PAGE_SUFFIXES, PageFile
from quantvietocr.receipt.pdf import MAX_JPEG_SIDE, searchable_pdf

ROOT = Path(__file__).resolve().parents[1]


def encoded(form: str, size: tuple[int, int] = (40, 20)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "white").save(file, form)
    return file.getvalue()


# --- kinds of files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "TIFF", "BMP", "WEBP", "AVIF", "PDF"])
def test_content_says_what_a_file_is(tmp_path, form):
    file = tmp_path / "no suffix"
    file.write_bytes(encoded(form))
    assert kind_of_file(file) == form


def test_text_is_no_picture(tmp_path):
    for content in (b"", b"BM is how this note begins", b"a,b\n1,2\n", "Tổng cộng".encode()):
        (tmp_path / "note").write_bytes(content)
        assert kind_of_file(tmp_path / "note") is None
    assert kind_of_file(tmp_path / "gone") is None


def test_a_folder_gives_pictures_by_content_and_says_what_it_passes_over(tmp_path):
    (tmp_path / "a.jfif").write_bytes(encoded("JPEG"))
    (tmp_path / "b").write_bytes(encoded("PNG"))
    (tmp_path / "c.png").write_bytes(encoded("PNG"))
    (tmp_path / "scan").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "phone.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(16))
    (tmp_path / "notes.txt").write_text("a")
    (tmp_path / "more.txt").write_text("a")
    (tmp_path / ".hidden").write_text("a")
    found = find_pictures([str(tmp_path)])
    assert [Path(path).name for path in found.paths] == ["a.jfif", "b", "c.png"]
    assert found.problems == [
        f"{tmp_path}: 1 HEIC picture, which cannot be opened here (phone.jpg); save it as JPEG or PNG."
    ]
    assert found.notes == [f"{tmp_path}: 3 pictures; 4 other files ignored (2 .txt, 1 PDF, 1 hidden)."] or (
        found.notes == [f"{tmp_path}: 3 pictures; 4 other files ignored (2 .txt, 1 hidden, 1 PDF)."]
    )
    for number in (2, 10, 1):
        (tmp_path / f"phone{number}.jpg").write_bytes((tmp_path / "phone.jpg").read_bytes())
    assert find_pictures([str(tmp_path)]).problems == [
        f"{tmp_path}: 4 HEIC pictures, which cannot be opened here (phone1.jpg, phone2.jpg, phone10.jpg and 1 more); "
        "save them as JPEG or PNG."
    ]
    pages = find_pictures([str(tmp_path)], PAGE_SUFFIXES)
    assert [Path(path).name for path in pages.paths] == ["a.jfif", "b", "c.png", "scan"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_in_a_folder_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    (tmp_path / "y.png").write_bytes(encoded("PNG"))
    found = find_pictures([str(tmp_path)])
    assert found.paths == [str(tmp_path / "y.png")] and "1 pipe or device" in found.notes[0]


def test_a_pdf_without_suffix_is_a_pdf(tmp_path):
    pytest.importorskip("pypdfium2")
    (tmp_path / "scan").write_bytes(encoded("PDF", (200, 100)))
    page, _ = PageFile(str(tmp_path / "scan")).open(1)
    assert page.width > 200


# --- names -----------------------------------------------------------------------------------------------------------


def test_long_names_are_cut_and_stay_apart(tmp_path):
    long = [f"{tmp_path}/{'hoá đơn ' * 30}{end}.png" for end in "ab"]
    names = stems([*long, "short.png"], [], Path("out"))
    assert all(len(os.fsencode(name.name)) <= MAX_STEM for name in names)
    assert len(set(names)) == 3 and names[2] == Path("out/short") and names[0].name.startswith("hoá đơn hoá đơn")


def page_of(source: str, size: tuple[int, int]) -> Page:
    line = Line(Box.of(10, 10, 200, 40), "Tổng cộng", 0.9)
    return Page(source, 1, *size, 0, "test", (((Row((line,))),),), (), (), {}, 200.0, 1, "test", "0" * 64)


def test_a_name_that_is_not_utf8_makes_a_pdf():
    pytest.importorskip("reportlab")
    name = os.fsdecode(b"h\xf3a \xc4\x91\xc6\xa1n.png")
    assert searchable_pdf(page_of(name, (300, 200)), Image.new("RGB", (300, 200), "white")).startswith(b"%PDF-")


def test_a_page_longer_than_jpeg_allows_makes_a_pdf():
    pytest.importorskip("reportlab")
    pdfium = pytest.importorskip("pypdfium2")
    size = 300, MAX_JPEG_SIDE + 500
    content = searchable_pdf(page_of("long.png", size), Image.new("RGB", size, "white"))
    width, height = pdfium.PdfDocument(content)[0].get_size()
    assert height <= 14_400 and abs(height / width - size[1] / size[0]) < 0.02 * height / width


def test_values_of_forms_are_drawn(tmp_path):
    """A form whose only ink is a value that was filled in: without it, the page is blank."""
    pytest.importorskip("pypdfium2")
    canvas = pytest.importorskip("reportlab.pdfgen.canvas")
    paper = canvas.Canvas(str(tmp_path / "form.pdf"), pagesize=(300, 100))
    paper.acroForm.textfield(
        value="1.250.000", x=20, y=30, width=200, height=30, borderWidth=0, fillColor=None, borderColor=None
    )
    paper.showPage()
    paper.save()
    page, _ = PageFile(str(tmp_path / "form.pdf")).open(1)
    assert min(page.convert("L").getdata()) < 100


# --- streams ---------------------------------------------------------------------------------------------------------


def test_a_closed_stdout_is_one_sentence(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", ClosedStdout())
    assert run_verb("quantvietocr", lambda: print("a row")) == UNUSABLE
    assert run_verb("quantvietocr", lambda: 0) == 0  # what prints nothing needs no stdout
    assert capsys.readouterr().err.count("stdout is closed") == 1


def test_closed_streams_end_without_a_traceback():
    """`quantvietocr read - <&- >&-`, as a service without streams runs it."""
    command = [sys.executable, "-m", "quantvietocr", "read", "-"]
    shell = f"{' '.join(command)} <&- >&-"
    done = subprocess.run(shell, shell=True, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == UNUSABLE and "Traceback" not in done.stderr and "no pictures to read" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
@pytest.mark.parametrize("flush", [True, False])
def test_a_full_stdout_is_named(flush):
    code = (
        "from quantvietocr.cli.exits import run_verb; from quantvietocr.common.files import naming, STDOUT\n"
        "def verb():\n"
        f"    with naming(STDOUT): print('a row', flush={flush})\n"
        "raise SystemExit(run_verb('quantvietocr', verb))"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120
        )
    assert done.returncode == UNUSABLE
    assert done.stderr == "quantvietocr: [Errno 28] No space left on device: 'stdout'\n"
