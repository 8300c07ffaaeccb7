"""Receipts and pages: from a scan to rows, paragraphs and fields.

from quantvietocr import Predictor
from quantvietocr.receipt import open_detector, read_page

page = read_page("receipt.jpg", Predictor(WEIGHTS), detector=open_detector())
print(page.text, page.field("total"), page.to_json())
"""

from ..pictures.boxes import Box
from .detect import Detector, DetectorError, open_detector
from .page import SCHEMA_VERSION, Field, Item, Line, Page, Row
from .read import read_page

__all__ = [
    "SCHEMA_VERSION",
    "Box",
    "Detector",
    "DetectorError",
    "Field",
    "Item",
    "Line",
    "Page",
    "Row",
    "open_detector",
    "read_page",
]
