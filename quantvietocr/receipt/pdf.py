"""A searchable PDF: the scan, and its text on it, invisible, to be found, selected and copied."""

from __future__ import annotations

import io
import math
import statistics
from functools import cache

from matplotlib import get_data_path
from PIL import Image

from ..errors import UserError
from ..pictures.boxes import Point, size_of
from .detect import INSTALL
from .layout import slope_of
from .page import Page

FONT = "DejaVu Sans"
QUALITY = 88  # of the JPEG inside
LETTERS = 0.72  # of a box's height: the font size that fills it
DESCENT = 0.22  # of a box's height that lies below the baseline
POINTS = 72.0  # an inch


def searchable_pdf(page: Page, picture: Image.Image) -> bytes:
    """The PDF file of one page, as large as it was on paper (by `page.dpi`). picture: upright, as the page has it.

    The scan is turned so that its rows run level, since viewers put together what stands at one height. Every row is
    set there on one baseline, in an embedded font with its Unicode, each line stretched to the width of its box: what a
    viewer copies are the rows of `page.text`. Raises UserError where reportlab is missing.
    """
    utils, canvas, metrics = _reportlab()
    angle = math.atan(slope_of(page.lines))
    sine, cosine = math.sin(angle), math.cos(angle)
    scale = POINTS / page.dpi
    wide = (page.width * cosine + page.height * abs(sine)) * scale
    high = (page.height * cosine + page.width * abs(sine)) * scale
    file, jpeg = io.BytesIO(), io.BytesIO()
    picture.save(jpeg, "JPEG", quality=QUALITY)
    paper = canvas.Canvas(file, pagesize=(wide, high), invariant=1)
    paper.setTitle(page.source)
    paper.setCreator("quantvietocr")
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
    text.setTextRenderMode(3)  # neither filled nor stroked
    for row in page.rows:
        lower = [level(point)[1] for line in row.lines for point in line.box.points[2:]]
        height = statistics.median(size_of(line.box)[1] for line in row.lines) * scale
        letters = max(LETTERS * height, 1.0)
        baseline = statistics.fmean(lower) + DESCENT * height
        for place, line in enumerate(row.lines):
            (x0, _), (x1, _), (x2, _), (x3, _) = map(level, line.box.points)
            natural = metrics.stringWidth(line.text, FONT, letters) or 1.0
            text.setFont(FONT, letters)
            text.setHorizScale(100 * max(x1 + x2 - x0 - x3, 1.0) / 2 / natural)
            text.setTextTransform(1, 0, 0, 1, (x0 + x3) / 2, baseline)
            text.textOut(line.text if place == len(row.lines) - 1 else f"{line.text} ")  # the space lies beyond the box
    paper.drawText(text)
    paper.showPage()
    paper.save()
    return file.getvalue()


@cache
def _reportlab():
    """reportlab's modules for pictures, pages and fonts, the font registered."""
    try:
        from reportlab.lib import utils
        from reportlab.pdfbase import pdfmetrics, ttfonts
        from reportlab.pdfgen import canvas
    except ModuleNotFoundError as error:
        raise UserError(f"searchable PDF files need reportlab: run `{INSTALL}`.") from error
    pdfmetrics.registerFont(ttfonts.TTFont(FONT, f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"))
    return utils, canvas, pdfmetrics
