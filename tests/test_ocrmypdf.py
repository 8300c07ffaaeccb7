"""The plugin of OCRmyPDF: a Vietnamese scan becomes a PDF whose text can be found; boxes stand where the text does."""

from __future__ import annotations

import shutil

import pytest

ocrmypdf = pytest.importorskip("ocrmypdf", reason="OCRmyPDF: pip install 'quantvietocr[ocrmypdf]'")

from drawn_receipts import ROWS, draw

from quantvietocr import ocrmypdf as plugin
from quantvietocr.pictures.boxes import Box
from quantvietocr.receipt.page import Line, Page, Row


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="OCRmyPDF asks for Tesseract, whatever reads")
def test_a_scan_becomes_a_searchable_pdf(tmp_path, monkeypatch):
    import pypdfium2

    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    scan, out, text = tmp_path / "scan.pdf", tmp_path / "out.pdf", tmp_path / "out.txt"
    drawn = draw(ROWS[:5])
    drawn.save(scan, "PDF", resolution=100)
    code = ocrmypdf.ocr(
        scan,
        out,
        plugins=["quantvietocr.ocrmypdf"],
        language=["vie"],
        output_type="pdf",
        optimize=0,
        sidecar=text,
        jobs=1,
        use_threads=True,
        progress_bar=False,
    )
    assert code == ocrmypdf.ExitCode.ok
    found = pypdfium2.PdfDocument(out)[0].get_textpage().get_text_bounded()
    for row in (ROWS[0], ROWS[4]):  # SIÊU THỊ HOA SEN, HÓA ĐƠN BÁN LẺ
        assert row[0].split()[0] in found and row[0].split()[-1] in text.read_text(encoding="utf-8")


def test_words_share_the_box_of_their_line_by_their_letters():
    line = Line(Box.of(10, 20, 110, 40), "ab cd  e", 0.9)
    page = Page("a", 1, 200, 100, 0, "d", ((Row((line,)),),))
    tree = plugin.element_of(page, (200, 100), 300.0, 4)
    assert (tree.ocr_class, tree.page_number, tree.dpi, tree.bbox.right) == ("ocr_page", 4, 300.0, 200)
    (read,) = tree.lines
    assert (read.bbox.left, read.bbox.top, read.bbox.right, read.bbox.bottom) == (10, 20, 110, 40)
    assert [(word.text, word.bbox.left, word.bbox.right) for word in tree.words] == [
        ("ab", 10, 35),
        ("cd", 47.5, 72.5),
        ("e", 97.5, 110),
    ]


def test_a_page_that_was_turned_has_its_boxes_on_the_scan():
    line = Line(Box.of(10, 20, 110, 40), "ab", 0.9)
    page = Page("a", 1, 200, 100, 90, "d", ((Row((line,)),),))  # 90° clockwise: the scan is 100 wide, 200 high
    (read,) = plugin.element_of(page, (100, 200), 300.0, 0).lines
    assert (read.bbox.left, read.bbox.right) == (20, 40) and (read.bbox.top, read.bbox.bottom) == (90, 190)


def test_an_empty_page_and_other_engines():
    page = Page("a", 1, 200, 100, 0, "d", ())
    assert plugin.element_of(page, (200, 100), 300.0, 0).children == []

    class Options:
        ocr_engine = "none"

    assert plugin.get_ocr_engine(Options()) is None and plugin.get_ocr_engine(None) is not None


def test_wrong_weights_are_one_sentence(monkeypatch, tmp_path):
    from ocrmypdf.exceptions import BadArgsError

    monkeypatch.setenv(plugin.WEIGHTS_VARIABLE, str(tmp_path / "absent.safetensors"))
    plugin._reader.cache_clear()
    with pytest.raises(BadArgsError, match="absent.safetensors"):
        plugin._reader(1)
