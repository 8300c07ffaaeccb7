"""Markdown tables, and where they are put."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..common.files import write_text
from ..errors import UserError


class ReportError(UserError):
    """A table cannot be written where it was to go."""


def aligned(table: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lines of a Markdown table, its first row the head; the first `left` columns to the left, numbers to the right."""
    table = [[cell.replace("|", "\\|") for cell in cells] for cells in table]
    widths = [max(map(len, column)) for column in zip(*table)]
    right = [column >= left for column in range(len(widths))]
    lines = [
        "| " + " | ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(cells, widths, right)) + " |"
        for cells in table
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right)) + "|")
    return lines


def insert_section(path: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- table NAME -->` and `<!-- end NAME -->` in a Markdown file.

    Raises ReportError when the file or one of the two lines is not there.
    """
    opening, closing = f"<!-- table {name} -->", f"<!-- end {name} -->"
    if not path.is_file():
        raise ReportError(
            f"--into: there is no file {path}; name a Markdown file and a section, README.md#{name or 'NAME'}."
        )
    before, first, rest = path.read_text(encoding="utf-8").partition(opening)
    _, last, after = rest.partition(closing)
    if not (first and last):
        raise ReportError(
            f"{path} has no section {name!r}: write {opening} and {closing}, a line each, where the table belongs."
        )
    write_text(path, f"{before}{opening}\n\n{text.strip()}\n\n{closing}{after}")
