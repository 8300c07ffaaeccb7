"""A searchable PDF: the scan, and its text on it, which is invisible but can be found, selected and copied."""

from __future__ import annotations

import io
import math
import statistics
from functools import cache
from types import ModuleType
from typing import Any

from matplotlib import get_data_path
from PIL import Image

from .. import __version__
from ..common.packages import MissingPackageError, missing
from ..pictures.boxes import Point, size_of
from .layout import slope_of
from .page import Page

FONT = "DejaVu Sans"
PROGRAM = f"quantvietocr {__version__}"
QUALITY = 88  # of the JPEG inside, from 0 to 95
LETTERS = 0.72  # × a box's height: the font size that fills it
DESCENT = 0.22  # × a box's height: what lies of it below the baseline
POINTS = 72.0  # points in an inch
MAX_POINTS = 14_400.0  # points; a longer side is beyond what PDF readers open (ISO 32000-1, annex C)
MAX_JPEG_SIDE = 65_500  # pixels; the longest side that libjpeg writes
INVISIBLE = 3  # PDF's text rendering mode: neither filled nor stroked


def searchable_pdf(page: Page, picture: Image.Image) -> bytes:
    """Write one page as a PDF file, as large as it was on paper (by `page.dpi`).

    The scan is turned so that its rows run level, since viewers put together what stands at one height. Every row is
    set there on one baseline, in an embedded font with its Unicode. Each line is stretched to the width of its box. So
    a viewer copies the rows of `page.text`. The same page gives the same bytes: the file does not say when it was made.

    Args:
        page: the page.
        picture: of the page, upright.

    Returns:
        The bytes of the file.

    Raises:
        UserError: reportlab is missing.
    """
    utils, canvas, metrics, document = _reportlab()
    angle = math.atan(slope_of(page.lines))
    sine, cosine = math.sin(angle), math.cos(angle)
    scale = min(POINTS / page.dpi, 0.9 * MAX_POINTS / max(page.width, page.height))  # 0.9 leaves room to turn it
    wide = (page.width * cosine + page.height * abs(sine)) * scale
    high = (page.height * cosine + page.width * abs(sine)) * scale
    file, jpeg = io.BytesIO(), io.BytesIO()
    _within(picture, MAX_JPEG_SIDE).save(jpeg, "JPEG", quality=QUALITY)
    paper = canvas.Canvas(file, pagesize=(wide, high), invariant=1)
    paper._doc.info = _info(document, _readable(page.source))  # reportlab has no setting for it
    paper.saveState()
    paper.translate(wide / 2, high / 2)
    paper.rotate(math.degrees(angle))
    size = page.width * scale, page.height * scale
    paper.drawImage(utils.ImageReader(jpeg), -size[0] / 2, -size[1] / 2, *size)
    paper.restoreState()

    def level(point: Point) -> Point:
        """A point of the page in points of the paper."""
        x, y = (point[0] - page.width / 2) * scale, (point[1] - page.height / 2) * scale
        return wide / 2 + x * cosine + y * sine, high / 2 + x * sine - y * cosine

    text = paper.beginText()
    text.setTextRenderMode(INVISIBLE)
    for row in page.rows:
        lower = [level(point)[1] for line in row.lines for point in line.box.points[2:]]
        height = statistics.median(size_of(line.box)[1] for line in row.lines) * scale
        letters = max(LETTERS * height, 1.0)
        baseline = statistics.fmean(lower) + DESCENT * height
        for index, line in enumerate(row.lines):
            (x0, _), (x1, _), (x2, _), (x3, _) = map(level, line.box.points)
            natural = metrics.stringWidth(line.text, FONT, letters) or 1.0
            text.setFont(FONT, letters)
            text.setHorizScale(100 * max(x1 + x2 - x0 - x3, 1.0) / 2 / natural)
            text.setTextTransform(1, 0, 0, 1, (x0 + x3) / 2, baseline)
            text.textOut(line.text if index == len(row.lines) - 1 else f"{line.text} ")  # the space lies beyond the box
    paper.drawText(text)
    paper.showPage()
    paper.save()
    return file.getvalue()


def _within(picture: Image.Image, side: int) -> Image.Image:
    """Return a picture with no side longer than so many pixels: itself, or a smaller one of the same proportions."""
    factor = side / max(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, int(length * factor)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _readable(name: str) -> str:
    """Return a file name as text. Bytes of it that are no UTF-8 become the replacement character."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _info(document: Any, title: str) -> Any:
    """Make what the file says of itself: a title and this program.

    reportlab's own adds an author, a subject and a time, and makes up those that it is not told.
    """

    class Info(document.PDFInfo):
        def format(self, written: Any) -> bytes:
            known = {"Title": self.title, "Creator": self.creator, "Producer": self.producer}
            strings = {key: document.PDFString(value) for key, value in known.items()}
            return document.PDFDictionary(strings).format(written)

    info = Info()
    info.title, info.creator, info.producer = title, PROGRAM, PROGRAM
    return info


@cache
def _reportlab() -> tuple[ModuleType, ModuleType, ModuleType, ModuleType]:
    """Import reportlab's modules for pictures, pages, fonts and files, and register the font."""
    try:
        from reportlab.lib import utils
        from reportlab.pdfbase import pdfdoc, pdfmetrics, ttfonts
        from reportlab.pdfgen import canvas
    except ModuleNotFoundError as error:
        raise MissingPackageError(missing(error, "writing searchable PDF files")) from error
    pdfmetrics.registerFont(ttfonts.TTFont(FONT, f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"))
    return utils, canvas, pdfmetrics, pdfdoc
