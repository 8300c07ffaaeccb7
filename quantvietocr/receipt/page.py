"""What is read on a page: boxes, lines, rows, paragraphs, fields, items; and the JSON that says it.

Coordinates are pixels of the upright page: the picture as viewers show it (EXIF applied), then turned clockwise by
`Page.tilt` and by `Page.turned` degrees; x to the right, y down, (0, 0) the upper left corner. `Page.on_picture` gives
them on the picture before these turns.

JSON, schema version 1 (`Page.to_json`):

    schema_version  1
    source          the file's name as it was given;    source_sha256  of its bytes ("" for a picture from memory)
    page, pages     number of this page in the file, from 1, and how many the file has
    width, height   of the upright page in pixels;    dpi  its pixels per inch
    tilt            degrees clockwise, between -90 and 90, by which a tilted picture was turned about its middle, onto
                    one that holds its corners; 0 where it was not tilted
    turned          degrees clockwise, 0, 90, 180 or 270, from that picture to the upright page
    detector        what found the lines;    reader  what read them
    kind            what the page is: "receipt", "invoice" or "page", which is neither and has no fields and items
    lines           in reading order: {"box": [[x, y] × 4], "text", "confidence"}
    rows            in reading order: top to bottom, and column by column where prose stands in columns:
                    {"lines": [indices of lines, left to right], "text", "box"}
    paragraphs      [[indices of rows], …]
    fields          {"name", "value", "text", "sure", "box", "confidence"}, only those found, a name once:
                    shop, address (strings), total (integer, đồng), date (ISO 8601: "2024-03-12" or
                    "2024-03-12T18:05", with seconds if printed)
    items           in order: {"name", "quantity" (number, 1 if none is printed), "unit_price" (đồng or null),
                    "price" (what the row costs, đồng), "box", "confidence"}
    timings_ms      {"detect", "crop", "read", "layout"}: finding lines, cutting them out, the recogniser, the rest

A box runs from the upper left corner of its text clockwise. Confidences are in [0, 1]. That of a line is the chance
that all of it is right; that of a field or an item is the least of its lines'. `sure` is false where the page leaves
doubt which amount is the total, or which number of the date is the month. A later version may add keys; one that
changes or drops any has a higher number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..pictures.boxes import Box

SCHEMA_VERSION = 1
FIELD_NAMES = ("shop", "address", "date", "total")


@dataclass(frozen=True)
class Line:
    """A piece of text that was found and read as one.

    Attributes:
        box: where it stands.
        text: what was read.
        confidence: the chance that all of it is right.
    """

    box: Box
    text: str
    confidence: float


@dataclass(frozen=True)
class Row:
    """Lines side by side, left to right: an item and its price, a label and its value."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The lines' texts with a space between them."""
        return " ".join(line.text for line in self.lines)

    @property
    def box(self) -> Box:
        """The upright rectangle around its lines."""
        return Box.around(line.box for line in self.lines)

    @property
    def confidence(self) -> float:
        """The least of its lines'."""
        return min(line.confidence for line in self.lines)


@dataclass(frozen=True)
class Field:
    """A field of a receipt.

    Attributes:
        name: one of FIELD_NAMES.
        value: as the top of this file says.
        text: what it was made from.
        box: where that stands.
        confidence: the least of its lines'.
        sure: whether the page's evidence for it is enough, and none speaks against it; see the top of this file.
    """

    name: str
    value: str | int
    text: str
    box: Box
    confidence: float
    sure: bool = True


@dataclass(frozen=True)
class Item:
    """Something that was bought.

    Attributes:
        name: what it is.
        quantity: pieces or kilograms; 1 where none is printed.
        price: what the row costs, in đồng.
        box: where it stands.
        confidence: the least of its lines'.
        unit_price: price of one in đồng, None where none is printed.
    """

    name: str
    quantity: int | float
    price: int
    box: Box
    confidence: float
    unit_price: int | None = None


@dataclass(frozen=True)
class Page:
    """A page as it was read; the top of this file says what each part is, and in which units."""

    source: str
    number: int
    width: int
    height: int
    turned: int
    detector: str
    paragraphs: tuple[tuple[Row, ...], ...]
    fields: tuple[Field, ...] = ()
    items: tuple[Item, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    dpi: float = 200.0
    count: int = 1
    reader: str = ""
    source_sha256: str = ""
    kind: str = "page"
    tilt: float = 0.0
    tilted_size: tuple[int, int] = (0, 0)  # width and height in pixels of the picture as given, where it was tilted

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its rows in reading order."""
        return tuple(row for paragraph in self.paragraphs for row in paragraph)

    @property
    def lines(self) -> tuple[Line, ...]:
        """Its lines in reading order."""
        return tuple(line for row in self.rows for line in row.lines)

    @property
    def text(self) -> str:
        """A line of text for each row, an empty line between paragraphs."""
        return "\n\n".join("\n".join(row.text for row in paragraph) for paragraph in self.paragraphs)

    def field(self, name: str) -> Field | None:
        """Return the field of that name, None where it was not found."""
        return next((field for field in self.fields if field.name == name), None)

    def on_picture(self, box: Box) -> Box:
        """Return a box of this page on the picture as it was given, before it was set straight and upright."""
        straight = box.turned(-self.turned % 360, self.width, self.height)
        if not self.tilt:
            return straight
        size = (self.height, self.width) if self.turned % 180 else (self.width, self.height)
        return straight.rotated(-self.tilt, size, self.tilted_size)

    def to_json(self) -> dict[str, Any]:
        """Return what json.dumps takes; the top of this file documents it."""
        line_indices, row_indices = iter(range(len(self.lines))), iter(range(len(self.rows)))
        return {
            "schema_version": SCHEMA_VERSION,
            "source": self.source,
            "source_sha256": self.source_sha256,
            "page": self.number,
            "pages": self.count,
            "width": self.width,
            "height": self.height,
            "dpi": round(self.dpi, 2),
            "tilt": self.tilt,
            "turned": self.turned,
            "detector": self.detector,
            "reader": self.reader,
            "kind": self.kind,
            "lines": [_about(line, text=line.text) for line in self.lines],
            "rows": [
                {"lines": [next(line_indices) for _ in row.lines], "text": row.text, "box": row.box.to_json()}
                for row in self.rows
            ],
            "paragraphs": [[next(row_indices) for _ in paragraph] for paragraph in self.paragraphs],
            "fields": [
                _about(field, name=field.name, value=field.value, text=field.text, sure=field.sure)
                for field in self.fields
            ],
            "items": [
                _about(item, name=item.name, quantity=item.quantity, unit_price=item.unit_price, price=item.price)
                for item in self.items
            ],
            "timings_ms": {stage: round(spent, 1) for stage, spent in self.timings.items()},
        }


def _about(part: Line | Field | Item, **values: Any) -> dict[str, Any]:
    return values | {"box": part.box.to_json(), "confidence": round(part.confidence, 4)}
