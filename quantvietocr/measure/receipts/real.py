"""Real receipts on disk: pictures, `truth.tsv` with what is printed on them, and annotated lines.

`truth.tsv` is UTF-8 with a tab between cells. Its first line names the columns: `file`, and any of `shop`, `address`,
`date` and `total`. Each further line is a picture:

    file            path of the picture, from the folder of `truth.tsv`
    shop, address   as printed
    date            ISO 8601: 2024-03-12, or 2024-03-12T18:05; 20240312 is the same
    total           đồng, digits alone: 57000

An empty cell is not judged. A cell with `-` says that nothing of the kind is printed, so that any value is wrong.
"""

from __future__ import annotations

import datetime
import os
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...checkpoint.files import sha256
from ...checkpoint.vocab import Vocab
from ...common.files import ReadErrors, read_text
from ...dataset.annotation import Sample, read_annotation
from ...pictures.image import open_line
from ...receipt.page import FIELD_NAMES
from .readers import ScoreError

TRUTH = "truth.tsv"
ANNOTATION = "annotation.txt"  # what a folder of annotated lines holds
NOTHING = "-"  # a cell that says that nothing of the kind is printed

_READ_ERRORS = ReadErrors(
    ScoreError, missing="{path}: no such file; check the path.", unreadable="{path}: cannot be read ({reason})."
)


@dataclass(frozen=True)
class RealPage:
    """A picture and what is printed on it.

    Attributes:
        path: the picture.
        sha256: of its bytes.
        fields: name → value, as `receipt.Page` has them; None where nothing of the kind is printed. A field that is not
            judged has no entry.
    """

    path: Path
    sha256: str
    fields: dict[str, str | int | None]


@dataclass(frozen=True)
class RealLines:
    """Crops of lines with their labels.

    Attributes:
        name: what the tables call them.
        samples: the crops and their labels.
        sha256: of the annotation and of each crop, in order.
    """

    name: str
    samples: tuple[Sample, ...]
    sha256: tuple[str, ...]


def is_real(folder: Path) -> bool:
    """Whether a folder holds real receipts."""
    return (folder / TRUTH).is_file()


def read_real_pages(folder: Path) -> list[RealPage]:
    """Read `truth.tsv` of a folder.

    Args:
        folder: where it lies.

    Returns:
        Its pictures, in the order of its lines.

    Raises:
        ScoreError: the table is not as the top of this file says, or a picture is missing.
    """
    path = folder / TRUTH
    titles, *rows = [
        (number, [unicodedata.normalize("NFC", cell.strip()) for cell in line.split("\t")])
        for number, line in enumerate(re.split(r"\r\n|\n|\r", read_text(path, _READ_ERRORS)), 1)
        if line.strip()
    ] or [(1, [])]
    columns = titles[1]
    _check_columns(path, columns)
    pages = [_page(path, number, columns, cells) for number, cells in rows]
    if not pages:
        raise ScoreError(f"{path} names no picture: write a line for each, below the names of the columns.")
    repeated = [file for file, count in Counter(page.path for page in pages).items() if count > 1]
    if repeated:
        raise ScoreError(f"{path} names {repeated[0].relative_to(folder)} more than once: keep one of these lines.")
    return pages


def read_real_lines(source: Path) -> RealLines:
    """Read annotated crops of lines.

    A label may hold any character: one that a reader cannot write is an error of its.

    Args:
        source: VietOCR's annotation, or the folder with `annotation.txt`.

    Returns:
        The lines.

    Raises:
        ScoreError: the annotation cannot be read.
        AnnotationError: it is no annotation, or a crop is missing.
        ImageError: a crop cannot be opened.
    """
    path = source / ANNOTATION if source.is_dir() else source
    text = unicodedata.normalize("NFC", read_text(path, _READ_ERRORS))
    samples = read_annotation(path, Vocab("".join(sorted({*text, " "} - {"\t", "\n", "\r"})))).samples
    for sample in samples:  # now, not when readers have worked for an hour
        open_line(sample.path)
    hashes = (sha256(path), *(sha256(sample.path) for sample in samples))
    return RealLines(source.name if source.is_dir() else f"{source.parent.name}/{source.name}", samples, hashes)


def _check_columns(path: Path, columns: list[str]) -> None:
    known = ("file", *FIELD_NAMES)
    if "file" not in columns or not set(columns) & set(FIELD_NAMES):
        raise ScoreError(
            f"{path}, line 1: names the columns {', '.join(columns) or '(none)'}; it needs file and at least one of "
            f"{', '.join(FIELD_NAMES)}, with a tab between them."
        )
    for column, count in Counter(columns).items():
        if column not in known or count > 1:
            what = "is named twice" if count > 1 else "is not known"
            raise ScoreError(
                f"{path}, line 1: the column {column!r} {what}; name each of {', '.join(known)} at most once."
            )


def _page(path: Path, number: int, columns: list[str], cells: list[str]) -> RealPage:
    """Check one line of the table; cells missing at its end are empty, as editors strip them."""
    where = f"{path}, line {number}"
    if len(cells) > len(columns):
        raise ScoreError(
            f"{where}: has {len(cells)} cells for {len(columns)} columns; put one tab between two cells, none in them."
        )
    row = dict(zip(columns, cells))
    if not row.get("file"):
        raise ScoreError(f"{where}: names no picture; write its path into the column file.")
    picture = path.parent / row["file"]
    if not picture.is_file():
        raise ScoreError(f"{where}: there is no picture {picture}; write its path from the folder of {TRUTH}.")
    fields = {name: _value(where, name, row[name]) for name in FIELD_NAMES if row.get(name)}
    return RealPage(picture, sha256(picture), fields)


def _value(where: str, name: str, cell: str) -> str | int | None:
    """Read one cell that is not empty."""
    if cell == NOTHING:
        return None
    if name == "total":
        if not re.fullmatch(r"-?[0-9]+", cell):
            raise ScoreError(f"{where}: the total {cell!r} is not a number of đồng; write digits alone, as in 57000.")
        return int(cell)
    if name == "date":
        try:
            return _iso_date(cell)
        except ValueError as error:
            raise ScoreError(f"{where}: the date {cell!r} is not in ISO 8601; write it as 2024-03-12.") from error
    return cell


def _iso_date(cell: str) -> str:
    """Write a date of any form of ISO 8601 as `receipt.Page` does, with its time where it has one.

    Raises:
        ValueError: it is in none of these forms.
    """
    try:
        return datetime.date.fromisoformat(cell).isoformat()
    except ValueError:  # a time stands behind it
        moment = datetime.datetime.fromisoformat(cell)
        return moment.isoformat(timespec="auto" if moment.second or moment.microsecond else "minutes")


def name_of(source: str | os.PathLike) -> str:
    """Return what the tables call a set: the name of its folder, or of its recipe without the suffix."""
    path = Path(source).resolve()
    return path.stem if path.suffix in (".yml", ".yaml") else path.name
