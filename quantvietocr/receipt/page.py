"""What is read on a page: boxes, lines, rows, paragraphs, fields, items; and the JSON that says it.

Coordinates are pixels of the upright page: the picture as viewers show it (EXIF applied), then turned clockwise by
`Page.turned` degrees; x to the right, y down, (0, 0) the upper left corner. `Page.on_picture` gives them on the picture
before that turn.

JSON, schema version 1 (`Page.to_json`):

    schema_version  1
    source          the file's name as it was given;    source_sha256  of its bytes ("" for a picture from memory)
    page, pages     number of this page in the file, from 1, and how many the file has
    width, height   of the upright page in pixels;    dpi  its pixels per inch
    turned          degrees clockwise, 0, 90, 180 or 270, from the picture to the upright page
    detector        what found the lines;    reader  what read them
    lines           in reading order: {"box": [[x, y] × 4], "text", "confidence"}
    rows            in reading order: top to bottom, and column by column where prose stands in columns:
                    {"lines": [places in lines, left to right], "text", "box"}
    paragraphs      [[places in rows], …]
    fields          {"name", "value", "text", "box", "confidence"}, only those found, a name once:
                    shop, address (strings), date (ISO 8601: "2024-03-12" or "2024-03-12T18:05", with seconds if printed),
                    total (integer, đồng)
    items           in order: {"name", "quantity" (number, 1 if none is printed), "unit_price" (đồng or null),
                    "price" (what the row costs, đồng), "box", "confidence"}
    timings_ms      {"detect", "read", "layout"}: finding lines, the recogniser, the rest

A box runs from the upper left corner of its text clockwise. Confidences are in [0, 1]: of a line, the chance that all of
it is right; of a field or an item, the least of its lines'. A later version may add keys; one that changes or drops any
has a higher number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable

SCHEMA_VERSION = 1
FIELD_NAMES = ("shop", "address", "date", "total")

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A quadrilateral: upper left, upper right, lower right, lower left corner of its text, (x, y) in page pixels."""

    points: tuple[Point, Point, Point, Point]

    @classmethod
    def of(cls, left: float, top: float, right: float, bottom: float) -> Box:
        """An upright rectangle."""
        return cls(((left, top), (right, top), (right, bottom), (left, bottom)))

    @classmethod
    def around(cls, boxes: Iterable[Box]) -> Box:
        """The upright rectangle around boxes, of which there is at least one."""
        xs, ys = zip(*(point for box in boxes for point in box.points))
        return cls.of(min(xs), min(ys), max(xs), max(ys))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """left, top, right, bottom of the upright rectangle around it."""
        xs, ys = zip(*self.points)
        return min(xs), min(ys), max(xs), max(ys)

    def turned(self, degrees: int, width: float, height: float) -> Box:
        """The same place after a picture of width x height pixels is turned clockwise by 0, 90, 180 or 270 degrees.

        The corners keep their order, so that the first is the upper left one of the text as it then stands only where
        the text stood so before.
        """
        turns = {
            0: lambda x, y: (x, y), 90: lambda x, y: (height - y, x),
            180: lambda x, y: (width - x, height - y), 270: lambda x, y: (y, width - x),
        }  # fmt: skip
        return Box(tuple(turns[degrees](x, y) for x, y in self.points))

    def starting(self, corner: int) -> Box:
        """The same quadrilateral with that one of its four corners first."""
        return Box(self.points[corner % 4:] + self.points[:corner % 4])

    def to_json(self) -> list[list[float]]:
        """[[x, y] × 4], to a tenth of a pixel."""
        return [[round(x, 1), round(y, 1)] for x, y in self.points]


@dataclass(frozen=True)
class Line:
    """A piece of text that was found and read as one; confidence: the chance that all of it is right."""

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
    """One of FIELD_NAMES: its value (see the module), the text that it was made from, where that stands."""

    name: str
    value: str | int
    text: str
    box: Box
    confidence: float


@dataclass(frozen=True)
class Item:
    """Something bought. price: what the row costs, in đồng; unit_price: of one piece, where it is printed."""

    name: str
    quantity: int | float
    price: int
    box: Box
    confidence: float
    unit_price: int | None = None


@dataclass(frozen=True)
class Page:
    """A page as it was read; see the module for units and for what each part is."""

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

    @property
    def rows(self) -> tuple[Row, ...]:
        """In reading order."""
        return tuple(row for paragraph in self.paragraphs for row in paragraph)

    @property
    def lines(self) -> tuple[Line, ...]:
        """In reading order."""
        return tuple(line for row in self.rows for line in row.lines)

    @property
    def text(self) -> str:
        """A line of text for each row, an empty line between paragraphs."""
        return "\n\n".join("\n".join(row.text for row in paragraph) for paragraph in self.paragraphs)

    def field(self, name: str) -> Field | None:
        """The field of that name, None where it was not found."""
        return next((field for field in self.fields if field.name == name), None)

    def on_picture(self, box: Box) -> Box:
        """A box of this page on the picture as it was given, before it was turned upright."""
        return box.turned(-self.turned % 360, self.width, self.height)

    def to_json(self) -> dict[str, Any]:
        """What json.dumps takes; the module documents it."""
        line_places, row_places, paragraphs = iter(range(len(self.lines))), iter(range(len(self.rows))), self.paragraphs
        return {
            "schema_version": SCHEMA_VERSION,
            "source": self.source, "source_sha256": self.source_sha256, "page": self.number, "pages": self.count,
            "width": self.width, "height": self.height, "dpi": round(self.dpi, 2), "turned": self.turned,
            "detector": self.detector, "reader": self.reader,
            "lines": [_about(line, text=line.text) for line in self.lines],
            "rows": [{"lines": [next(line_places) for _ in row.lines], "text": row.text, "box": row.box.to_json()}
                     for row in self.rows],
            "paragraphs": [[next(row_places) for _ in paragraph] for paragraph in paragraphs],
            "fields": [_about(found, name=found.name, value=found.value, text=found.text) for found in self.fields],
            "items": [_about(item, name=item.name, quantity=item.quantity, unit_price=item.unit_price, price=item.price)
                      for item in self.items],
            "timings_ms": {stage: round(spent, 1) for stage, spent in self.timings.items()},
        }  # fmt: skip


def _about(part: Line | Field | Item, **values: Any) -> dict[str, Any]:
    return values | {"box": part.box.to_json(), "confidence": round(part.confidence, 4)}
