"""The rows that bulk writes: one a page.

Schema version 1:

    id             the row's name, unique in a job: `uri#page`
    uri            where the document lies; `FILE.parquet#row=12`, `FILE.parquet#id=…`, `FILE.tar#MEMBER` for what lies
                   within another file
    sha256         of the document's bytes; null where they could not be had
    page, pages    number of the page, from 1, and how many the document has; both 0 in the error row of a document
                   that could not be opened
    ok             whether the page was read
    error          why not, in a sentence; of a page that was read all the same, what is damaged in it; else null
    text           a line of text for each row of the page, an empty line between paragraphs
    confidence     the mean of the lines': the share of lines that is likely to be right; null where there are none
    lines          in reading order: box (x, y of four corners, from the upper left clockwise, in pixels of the upright
                   page), text, confidence (the chance that all of the line is right)
    kind           receipt, invoice, page; line with --lines
    shop, address, date, total
                   the fields of a receipt, null where they were not found; the date as 2024-03-12 or 2024-03-12T18:05,
                   the total in đồng
    unsure         names of those fields for which the page's evidence leaves doubt
    items          what was bought: name, quantity, unit_price, price (both in đồng), confidence
    ms             milliseconds that reading the page took
    weights_sha256 of the weights;    version  of quantvietocr

The file's metadata holds the schema's version and the job's fingerprint. A later version may add columns; one that
changes or drops any has a higher number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..common.packages import need
from .documents import as_text

if TYPE_CHECKING:
    from ..receipt.page import Page

SCHEMA_VERSION = 1
VERSION_KEY = b"quantvietocr.schema_version"
FINGERPRINT_KEY = b"quantvietocr.fingerprint"
Row = dict[str, Any]


def arrow() -> Any:
    """pyarrow. Raises MissingPackageError."""
    return need("pyarrow", "writing parquet files", extra="bulk")


@cache
def schema() -> Any:
    """The columns, as a pyarrow schema without metadata."""
    pa = arrow()
    line = pa.struct([("box", pa.list_(pa.float32())), ("text", pa.string()), ("confidence", pa.float32())])
    item = pa.struct(
        [
            ("name", pa.string()),
            ("quantity", pa.float64()),
            ("unit_price", pa.int64()),
            ("price", pa.int64()),
            ("confidence", pa.float32()),
        ]
    )
    return pa.schema(
        [
            ("id", pa.string()),
            ("uri", pa.string()),
            ("sha256", pa.string()),
            ("page", pa.int32()),
            ("pages", pa.int32()),
            ("ok", pa.bool_()),
            ("error", pa.string()),
            ("text", pa.string()),
            ("confidence", pa.float32()),
            ("lines", pa.list_(line)),
            ("kind", pa.string()),
            ("shop", pa.string()),
            ("address", pa.string()),
            ("date", pa.string()),
            ("total", pa.int64()),
            ("unsure", pa.list_(pa.string())),
            ("items", pa.list_(item)),
            ("ms", pa.float32()),
            ("weights_sha256", pa.string()),
            ("version", pa.string()),
        ]
    )


def page_row(page: Page, uri: str, ms: float, weights_sha256: str, warning: str = "") -> Row:
    """The row of a page that was read.

    Args:
        page: what was read.
        uri: of its document.
        ms: milliseconds that reading took.
        weights_sha256: of the weights.
        warning: what is damaged in it.
    """
    fields = {field.name: field.value for field in page.fields}
    lines = [
        {"box": _flat(line.box.to_json()), "text": line.text, "confidence": line.confidence} for line in page.lines
    ]
    return _row(uri, page.number, page.count, page.source_sha256, weights_sha256, ms) | {
        "ok": True,
        "error": warning or None,
        "text": page.text,
        "confidence": sum(line.confidence for line in page.lines) / len(lines) if lines else None,
        "lines": lines,
        "kind": page.kind,
        **fields,
        "unsure": [field.name for field in page.fields if not field.sure],
        "items": [
            {
                "name": item.name,
                "quantity": item.quantity,
                "unit_price": item.unit_price,
                "price": item.price,
                "confidence": item.confidence,
            }
            for item in page.items
        ],
    }


def line_row(uri: str, sha256: str, text: str, confidence: float, ms: float, weights_sha256: str) -> Row:
    """The row of a picture that was read as one line."""
    read = {"ok": True, "text": text, "confidence": confidence, "kind": "line", "lines": [], "items": [], "unsure": []}
    return _row(uri, 1, 1, sha256, weights_sha256, ms) | read


def error_row(
    uri: str, error: str, page: int = 0, pages: int = 0, sha256: str = "", ms: float = 0.0, weights_sha256: str = ""
) -> Row:
    """The row of a page, or with page 0 of a whole document, that could not be read."""
    return _row(uri, page, pages, sha256, weights_sha256, ms) | {"ok": False, "error": as_text(error)}


def _row(uri: str, page: int, pages: int, sha256: str, weights_sha256: str, ms: float) -> Row:
    uri = as_text(uri)
    return {
        "id": f"{uri}#{page}",
        "uri": uri,
        "sha256": sha256 or None,
        "page": page,
        "pages": pages,
        "ms": ms,
        "weights_sha256": weights_sha256 or None,
        "version": __version__,
    }


def _flat(points: Sequence[Sequence[float]]) -> list[float]:
    return [value for point in points for value in point]
