"""Files into pages: PDF, TIFF of several pages, and what is wrong with a file in one sentence."""

from __future__ import annotations

import io

import numpy as np
import pytest
from drawn_receipts import draw
from PIL import Image

from quantvietocr.pictures.image import MAX_PIXELS, ImageError
from quantvietocr.receipt.pages import USUAL_DPI, PageFile

pytest.importorskip("pypdfium2", reason="PDF input needs the receipt extra")
canvas = pytest.importorskip("reportlab.pdfgen.canvas", reason="the test PDF is made with reportlab")


def pdf(path, pages: int, **options) -> str:
    paper = canvas.Canvas(str(path), pagesize=(300, 200), **options)
    for number in range(pages):
        paper.rect(20 + 50 * number, 20, 30, 30, fill=1)
        paper.showPage()
    paper.save()
    return str(path)


def test_pages_of_a_pdf(tmp_path):
    file = PageFile(pdf(tmp_path / "two.pdf", 2))
    assert file.count == 2 and len(file.sha256) == 64
    (first, dpi), (second, _) = file.open(1), file.open(2)
    assert first.mode == "RGB" and first.width == pytest.approx(300 / 72 * dpi, abs=2)
    centre = np.argwhere(np.asarray(second)[:, :, 0] < 99).mean(axis=0) / dpi * 72  # row, column in points from the top
    assert centre == pytest.approx([165, 85], abs=1) and first.tobytes() != second.tobytes()


def test_a_vast_pdf_page_is_drawn_smaller(tmp_path, monkeypatch):
    monkeypatch.setattr("quantvietocr.receipt.pages.MAX_DRAWN", 50_000)
    picture, dpi = PageFile(pdf(tmp_path / "a.pdf", 1)).open(1)
    assert picture.width * picture.height <= 51_000 and picture.width == pytest.approx(300 / 72 * dpi, abs=2)


def test_frames_of_a_tiff_are_pages_and_keep_their_resolution(tmp_path):
    shades = [Image.new("L", (60, 40), shade) for shade in (10, 200)]
    shades[0].save(tmp_path / "a.tif", save_all=True, append_images=shades[1:], dpi=(300, 300))
    file = PageFile(str(tmp_path / "a.tif"))
    assert file.count == 2
    assert [file.open(number)[0].getpixel((5, 5))[0] for number in (1, 2)] == [10, 200]
    assert file.open(1)[1] == pytest.approx(300)


def test_a_resolution_that_no_scanner_has_is_not_believed(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "a.png", dpi=(72, 72))
    Image.new("L", (9, 9)).save(tmp_path / "b.png")
    assert [PageFile(str(tmp_path / name)).open(1)[1] for name in ("a.png", "b.png")] == [USUAL_DPI] * 2


def test_an_animation_is_one_page(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("L", (9, 9), 255)])
    assert PageFile(str(tmp_path / "a.gif")).count == 1


@pytest.mark.parametrize(
    "name, content, said",
    [
        ("none.pdf", None, "no such file"),
        ("text.pdf", b"no PDF at all", "not a PDF"),
        ("none.png", None, "no such file"),
        ("text.png", b"no picture", "not a picture"),
    ],
)
def test_what_is_no_page_is_said_in_a_sentence(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=said) as error:
        _ = PageFile(str(tmp_path / name)).count
    assert str(tmp_path / name) in str(error.value)


def test_an_encrypted_pdf_is_named_so(tmp_path):
    from reportlab.lib.pdfencrypt import StandardEncryption

    path = pdf(tmp_path / "a.pdf", 1, encrypt=StandardEncryption("secret", canPrint=0))
    with pytest.raises(ImageError, match="encrypted; save the PDF without a password"):
        _ = PageFile(path).count


def test_a_truncated_jpeg_is_damaged(tmp_path):
    file = io.BytesIO()
    draw().save(file, "JPEG")
    (tmp_path / "a.jpg").write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    with pytest.raises(ImageError, match="damaged or cut short"):
        PageFile(str(tmp_path / "a.jpg")).open(1)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(10_000, 10_000), (20_000, 10_000)])
def test_a_picture_of_too_many_pixels_is_refused_unread(tmp_path, size):
    assert size[0] * size[1] > MAX_PIXELS
    Image.new("1", size).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"more than 89,478,485.*crop or shrink"):
        file = PageFile(str(tmp_path / "a.png"))
        file.open(file.count)
