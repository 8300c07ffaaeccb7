"""The files that are written of a page: NAME.txt, .tsv, .json, .png, .pdf; each whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PIL import Image

from ..common.files import write_bytes
from ..common.parsing import json_of
from .page import SCHEMA_VERSION, Page
from .pdf import searchable_pdf
from .picture import annotated

HEADER = "row\tline\tbox\tconfidence\ttext"
CONTROLS = {ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}  # what would break a row of the table


def tsv(page: Page) -> str:
    """Write a page as a table with a row for each line, in reading order.

    Args:
        page: the page.

    Returns:
        The table, with tabs between cells: number of the row and of the line, from 1; x,y of the corners, from the
        upper left clockwise, in pixels of the upright page; confidence; text.
    """
    table, line_number = [HEADER], 0
    for row_number, row in enumerate(page.rows, 1):
        for line in row.lines:
            line_number += 1
            box = " ".join(f"{x:.1f},{y:.1f}" for x, y in line.box.points)
            text = line.text.translate(CONTROLS)
            table.append(f"{row_number}\t{line_number}\t{box}\t{line.confidence:.4f}\t{text}")
    return "\n".join(table) + "\n"


def _png(page: Page, picture: Image.Image) -> bytes:
    file = io.BytesIO()
    annotated(page, picture).save(file, "PNG")
    return file.getvalue()


# Suffix → contents. The JSON comes last: it says that the others are there.
_WRITERS: dict[str, Callable[[Page, Image.Image], bytes]] = {
    ".txt": lambda page, _: f"{page.text}\n".encode(),
    ".tsv": lambda page, _: tsv(page).encode(),
    ".png": _png,
    ".pdf": searchable_pdf,
    # A file name that is not UTF-8 comes out as the escape that gives it back.
    ".json": lambda page, _: (json.dumps(page.to_json(), ensure_ascii=False, indent=1) + "\n").encode(
        errors="backslashreplace"
    ),
}
OUTPUT_SUFFIXES = tuple(_WRITERS)


def write_page(page: Page, picture: Image.Image, stem: Path) -> None:
    """Write all five files of a page. Where one of them cannot be made, none stays.

    Args:
        page: the page.
        picture: of the page, upright.
        stem: path of the files, less their suffixes.

    Raises:
        OSError: a file cannot be written.
    """
    files = {named(stem, suffix): contents(page, picture) for suffix, contents in _WRITERS.items()}
    begun: list[Path] = []
    try:
        for path, content in files.items():
            begun.append(path)
            write_bytes(path, content)
    except BaseException:  # an interruption too: without its JSON the page is read again in any case
        for path in begun:
            with suppress(OSError):  # the error that led here says more
                path.unlink(missing_ok=True)
        raise


def named(stem: Path, suffix: str) -> Path:
    """Return `stem` with a suffix behind it, whatever points its name has."""
    return stem.with_name(stem.name + suffix)


def written(stem: Path, number: int, sha256: str, reader: str, detector: str) -> dict | None:
    """Return the JSON of a page if all its files are there, made from these bytes by this reader and detector.

    Args:
        stem: path of the files, less their suffixes.
        number: of the page in its file, from 1.
        sha256: hash of the file's bytes.
        reader: what reads.
        detector: what finds the lines.

    Returns:
        The JSON, None where a file is missing or was made otherwise.
    """
    if not all(named(stem, suffix).is_file() for suffix in OUTPUT_SUFFIXES):
        return None
    try:
        about = json_of(named(stem, ".json").read_bytes())
    except ValueError:
        return None
    expected = {
        "schema_version": SCHEMA_VERSION,
        "page": number,
        "source_sha256": sha256,
        "reader": reader,
        "detector": detector,
    }
    same = (
        isinstance(about, dict) and "kind" in about and all(about.get(key) == value for key, value in expected.items())
    )
    return about if same else None
