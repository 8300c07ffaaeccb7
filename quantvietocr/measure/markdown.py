"""Markdown tables, and where they are put."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..common.files import write_text
from ..errors import UserError


class ReportError(UserError):
    """A table cannot be written where it was to go."""


def aligned(table: Sequence[Sequence[str]], left: int) -> list[str]:
    """A Markdown table with aligned columns.

    Args:
        table: its rows, the head first.
        left: how many columns are aligned to the left; the others hold numbers.

    Returns:
        Its lines.
    """
    table = [[cell.replace("|", "\\|") for cell in cells] for cells in table]
    widths = [max(map(len, column)) for column in zip(*table)]
    right = [column >= left for column in range(len(widths))]
    lines = [
        "| " + " | ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(cells, widths, right)) + " |"
        for cells in table
    ]
    lines.insert(1, "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right)) + "|")
    return lines


def insert_section(target: str, text: str) -> None:
    """Replace what stands between `<!-- table NAME -->` and `<!-- end NAME -->` in a Markdown file.

    Args:
        target: FILE#NAME.
        text: what to put there.

    Raises:
        ReportError: the file or one of the two lines is not there.
    """
    path, opening, closing = _section(target)
    before, _, rest = path.read_text(encoding="utf-8").partition(opening)
    after = rest.partition(closing)[2]
    write_text(path, f"{before}{opening}\n\n{text.strip()}\n\n{closing}{after}")


def check_section(target: str) -> None:
    """See that a section is there, before anything is measured for it.

    Raises:
        ReportError: as `insert_section` does.
    """
    _section(target)


def _section(target: str) -> tuple[Path, str, str]:
    """The file of FILE#NAME, and the lines that open and close the section."""
    file, _, name = target.rpartition("#")
    path, opening, closing = Path(file), f"<!-- table {name} -->", f"<!-- end {name} -->"
    if not path.is_file():
        raise ReportError(
            f"--into: there is no file {path}; name a Markdown file and a section, README.md#{name or 'NAME'}."
        )
    if closing not in path.read_text(encoding="utf-8").partition(opening)[2]:
        raise ReportError(
            f"{path} has no section {name!r}: write {opening} and {closing}, a line each, where the table belongs."
        )
    return path, opening, closing
