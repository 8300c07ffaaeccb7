"""What a comparison leaves in its folder: tables, pictures, the texts read and the error analysis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...common.files import write_text
from ...dataset.annotation import Sample
from ...metrics.analysis import analyse
from . import report
from .charts import draw, draw_reliability
from .errors import SetErrors, write_errors
from .report import Table
from .sets import LineSet
from .tradeoff import draw_tradeoff

NETWORK_HEIGHT = 32  # px; the error analysis tells line widths at it

ReadAs = tuple[list[str], list[float]]  # one reader's text and confidence of every line


def right_lines(samples: Sequence[Sample], texts: Sequence[str]) -> list[bool]:
    """Of each line, whether its text was read without any error."""
    return [sample.text == text for sample, text in zip(samples, texts, strict=True)]


def write_all(tables: Sequence[Table], sets: Sequence[LineSet], read_as: Sequence[Sequence[ReadAs]], out: Path) -> None:
    """Write every file of a comparison into its folder, each whole or not at all.

    Args:
        tables: one for each set.
        sets: the lines.
        read_as: for each set and row the texts and confidences of all lines.
        out: the folder.
    """
    write_text(out / "table.md", report.page(tables))
    write_text(out / "table.json", report.to_json(tables))
    draw(tables, out / "table.png")
    draw_tradeoff(tables, out / "tradeoff.png")
    judged = [
        [(confidences, right_lines(lines.samples, texts)) for texts, confidences in readings]
        for lines, readings in zip(sets, read_as)
    ]
    draw_reliability(tables, judged, out / "reliability.png")
    _write_texts(tables, sets, read_as, out / "texts.tsv")
    write_errors([_errors(table, lines, readings) for table, lines, readings in zip(tables, sets, read_as)], out)


def _errors(table: Table, lines: LineSet, readings: Sequence[ReadAs]) -> SetErrors:
    references = [sample.text for sample in lines.samples]
    widths = [round(NETWORK_HEIGHT * width / height) for width, height in lines.sizes]
    heights = [height for _, height in lines.sizes]
    return SetErrors(
        lines.name,
        tuple(
            (row.name, analyse(references, texts, widths, heights, lines.groups))
            for row, (texts, _) in zip(table.rows, readings)
        ),
    )


def _write_texts(
    tables: Sequence[Table], sets: Sequence[LineSet], read_as: Sequence[Sequence[ReadAs]], path: Path
) -> None:
    """Every line as each row read it: path, reference, a column for each row; of several sets, the set's name first."""
    rows = [["set", "path", "reference", *(row.name for row in tables[0].rows)]]
    for lines, readings in zip(sets, read_as):
        columns = zip(lines.samples, *(texts for texts, _ in readings))
        rows += [[lines.name, str(sample.path), sample.text, *texts] for sample, *texts in columns]
    first = 0 if len(sets) > 1 else 1
    written = ["\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in cells[first:]) for cells in rows]
    write_text(path, "\n".join(written) + "\n")
