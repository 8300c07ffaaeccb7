"""A plugin of OCRmyPDF: `ocrmypdf --plugin quantvietocr.ocrmypdf -l vie in.pdf out.pdf`.

The environment variable QUANTVIETOCR_OCRMYPDF_WEIGHTS names other weights than the shipped ones.
"""

from __future__ import annotations

import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

from ocrmypdf import BoundingBox, OcrClass, OcrElement, OcrEngine, OrientationConfidence, hookimpl
from ocrmypdf.exceptions import BadArgsError
from PIL import Image

from . import __version__
from .errors import UserError
from .receipt.page import Line, Page
from .receipt.read import read_page
from .shipped import weights_file

WEIGHTS_VARIABLE = "QUANTVIETOCR_OCRMYPDF_WEIGHTS"
USUAL_DPI = 300.0  # pixels per inch of a page's picture that does not say
_lock = threading.Lock()  # pages of one process take turns: reading has all of its threads anyway


class QuantVietOcrEngine(OcrEngine):
    """Reads the pictures of pages."""

    @staticmethod
    def version() -> str:
        """See OcrEngine."""
        return __version__

    @staticmethod
    def creator_tag(options: Any) -> str:
        """See OcrEngine."""
        return f"quantvietocr {__version__}"

    def __str__(self) -> str:
        return f"quantvietocr {__version__}"

    @staticmethod
    def languages(options: Any) -> set[str]:
        """Vietnamese, and what shares its letters."""
        return {"vie", "eng"}

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:
        """Leave the page as it is: a page that lies on its side is set upright for reading alone."""
        return OrientationConfidence(angle=0, confidence=0.0)

    @staticmethod
    def supports_generate_ocr() -> bool:
        """See OcrEngine."""
        return True

    @staticmethod
    def generate_ocr(input_file: Path, options: Any, page_number: int = 0) -> tuple[OcrElement, str]:
        """Read a page's picture, as OcrEngine says."""
        with Image.open(input_file) as picture:
            dpi, size = float(picture.info.get("dpi", (USUAL_DPI,))[0]), picture.size
        with _lock:
            predictor, detector = _reader(1 if not getattr(options, "use_threads", True) else 0)
            page = read_page(str(input_file), predictor, detector, dpi=dpi)
        return element_of(page, size, dpi, page_number), page.text

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:
        """OCRmyPDF does not ask for it where `supports_generate_ocr` holds."""
        raise NotImplementedError("quantvietocr gives OCRmyPDF its text as elements: use OCRmyPDF 17 or newer.")

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:
        """OCRmyPDF does not ask for it where `supports_generate_ocr` holds."""
        raise NotImplementedError("quantvietocr gives OCRmyPDF its text as elements: use --pdf-renderer fpdf2.")


def element_of(page: Page, size: tuple[int, int], dpi: float, page_number: int) -> OcrElement:
    """What was read on a page, as OCRmyPDF's tree of page, paragraphs, lines and words.

    Args:
        page: what was read.
        size: width and height of its picture in pixels, as it was given.
        dpi: pixels per inch of that.
        page_number: from 0.

    Returns:
        The tree, in pixels of that picture.
    """
    paragraphs = []
    for rows in page.paragraphs:
        lines = [_line(page, line, size) for row in rows for line in row.lines]
        bounds = [line.bbox for line in lines if line.bbox is not None]
        around = BoundingBox(
            min(box.left for box in bounds),
            min(box.top for box in bounds),
            max(box.right for box in bounds),
            max(box.bottom for box in bounds),
        )
        paragraphs.append(OcrElement(OcrClass.PARAGRAPH, around, children=lines, direction="ltr", language="vie"))
    whole = BoundingBox(0, 0, *size)
    return OcrElement(OcrClass.PAGE, whole, children=paragraphs, dpi=dpi, page_number=page_number)


def _line(page: Page, line: Line, size: tuple[int, int]) -> OcrElement:
    """A line and its words, each with its share of the line's box by the number of its letters."""
    left, top, right, bottom = page.on_picture(line.box).bounds
    left, right = (min(max(x, 0.0), size[0]) for x in (left, right))
    top, bottom = (min(max(y, 0.0), size[1]) for y in (top, bottom))
    pitch = (right - left) / max(len(line.text), 1)
    words, start = [], 0
    for word in line.text.split(" "):
        if word:
            box = BoundingBox(left + start * pitch, top, left + (start + len(word)) * pitch, bottom)
            words.append(OcrElement(OcrClass.WORD, box, text=word, confidence=line.confidence))
        start += len(word) + 1
    return OcrElement(OcrClass.LINE, BoundingBox(left, top, right, bottom), children=words, direction="ltr")


@cache
def _reader(threads: int) -> tuple[Any, Any]:
    """What reads lines and what finds them, opened once in a process. Raises BadArgsError."""
    from .reading.predictor import Predictor
    from .receipt.detect import open_detector

    try:
        weights = weights_file(os.environ.get(WEIGHTS_VARIABLE, "int8"))
        return Predictor(weights, threads), open_detector("auto", threads)
    except UserError as error:
        raise BadArgsError(str(error)) from error


@hookimpl
def get_ocr_engine(options: Any) -> QuantVietOcrEngine | None:
    """Take the part of Tesseract, unless another engine was asked for."""
    asked = getattr(options, "ocr_engine", "auto") if options is not None else "auto"
    return QuantVietOcrEngine() if asked in ("auto", "quantvietocr") else None
