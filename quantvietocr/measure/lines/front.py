"""The table of a first page: four rows, five columns, one sentence, and a fold with how it was measured."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import UserError
from ..conditions import thread_count
from ..markdown import aligned
from .report import Row, Table, conditions_of


class FrontError(UserError):
    """The short table cannot be made; the message says why and what to do."""


def front(table: Table, names: Sequence[str] = ()) -> str:
    """The short table of one set of lines, as Markdown.

    Args:
        table: all rows.
        names: which of them to show, in order. Without names: VietOCR's own code, the first float file, the file
            that quantvietocr ships (or the last quantized one) and AsterOCR, as far as they are there, of the network
            of the first row. They answer
            what those ask who read lines with VietOCR today: what they have, what our reading around the network
            changes, what int8 costs, and whether another reader made for Vietnamese would do better.

    Raises:
        FrontError: there is no such row.
    """
    setup = table.setup
    rows = _chosen(table.rows if names else [row for row in table.rows if row.against == setup.reference], names)
    body = [
        [row.name, f"{row.bytes / 1e6:.1f}", f"{row.exact:.1%}", f"{row.cer:.2%}", f"{row.speed_ratio:.2f}"]
        for row in rows
    ]
    threads = " or ".join(map(thread_count, setup.conditions.threads))
    sentence = (
        f"Each reader read the same {setup.lines:,} lines of {setup.data} on {threads} of one CPU, and × faster "
        f"compares with “{setup.reference}”."
    )
    return "\n".join(
        [
            *aligned([["Reader", "MB", "Exact lines", "CER", "× faster"], *body], left=1),
            "",
            sentence,
            "",
            "<details><summary>How this was measured</summary>",
            "",
            conditions_of(rows, setup),
            "",
            "</details>",
            "",
        ]
    )


def _chosen(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    by_name = {row.name: row for row in rows}
    for name in names:
        if name not in by_name:
            raise FrontError(f"--front-rows: no row is called {name!r}; name some of {'; '.join(by_name)}.")
    if names:
        return [by_name[name] for name in names]
    ours = [row for row in rows if row.file and row.method != "peer" and not row.plain]
    quantized = [row for row in ours if row.method != "float"]
    shipped = [row for row in quantized if "(shipped)" in row.name]
    return [
        *[row for row in rows if not row.file],
        *[row for row in ours if row.method == "float"][:1],
        *(shipped or quantized[-1:]),
        *[row for row in rows if row.name.startswith("AsterOCR ")],
    ]
