"""Receipts that are written as text: `# ` before a row prints it larger, ` | ` parts the lines of a row.

A receipt begins with `=== name` and ends with `--- key=value | key=value`: shop, date, total and kind as they should be
found. A total with a question mark is one that should not be sure. An empty value is a field that should be absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quantvietocr.pictures.boxes import Box
from quantvietocr.receipt.page import Line, Row

FOLDER = Path(__file__).parent / "receipt_texts"
WIDTH = 560  # of the paper, in pixels


@dataclass(frozen=True)
class TextReceipt:
    """A receipt and what should be found on it."""

    name: str
    rows: list[Row]
    truth: dict[str, str]


def rows_of_text(text: str) -> list[Row]:
    """Set rows on paper: a lone text from the left, the last of several at the right edge."""
    rows, y = [], 0.0
    for printed in filter(str.strip, text.splitlines()):
        larger = len(printed) - len(printed.lstrip("#"))
        height = 20 * (1 + 0.5 * larger)
        texts = printed.lstrip("#").strip().split(" | ")
        lines, x = [], 0.0
        for number, part in enumerate(texts):
            width = len(part) * height / 2.2
            if number and number == len(texts) - 1:
                x = max(x, WIDTH - width)
            elif larger and len(texts) == 1:
                x = (WIDTH - width) / 2
            lines.append(Line(Box.of(x, y, x + width, y + height), part.strip(), 0.95))
            x += width + 30
        rows.append(Row(tuple(line for line in lines if line.text)))
        y += 1.5 * height
    return rows


def text_receipts() -> list[TextReceipt]:
    """All receipts of the folder."""
    receipts = []
    for path in sorted(FOLDER.glob("*.txt")):
        for part in path.read_text(encoding="utf-8").split("=== ")[1:]:
            name, _, rest = part.partition("\n")
            body, _, truth = rest.rpartition("\n--- ")
            pairs = (pair.strip().partition("=") for pair in truth.strip().split(" | "))
            receipts.append(TextReceipt(name.strip(), rows_of_text(body), {key: value for key, _, value in pairs}))
    return receipts
