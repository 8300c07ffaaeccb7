"""The table of reading receipts: Markdown, JSON and a picture."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ...common.figures import save_figure
from ..conditions import Conditions, machine, thread_count
from ..markdown import aligned

OURS, PEER = "#1f6fb2", "#c9853c"
FIELD_COLORS = ("#1f6fb2", "#3f8f5f", "#e08f2c", "#7a5aa6", "#b0413e")
NOTE = (
    "A line is found where what was read at its place covers at least half of its length. A word stands on a line "
    "that it shares half of its area with. A row read as one finds each of its cells. CER is the edits over the "
    "characters of all lines, of the texts that stand at one place. A line with nothing read for it counts as "
    "deleted. Text read where none is counts as inserted; text read from separators and bar codes counts as nothing. "
    "Shop and address are right where they are equal but for white space, the date where the day is, the total where "
    "the amount is. Item F1: an item is right where quantity and price are equal and at most a fifth of its name's "
    "characters differ. This project's rules take fields and items out of the lines of other readers, which have no "
    "rules of their own."
)


@dataclass(frozen=True)
class Row:
    """One reader over all pages. Rates are fractions.

    Attributes:
        name: what it is called.
        file: path of its recogniser's weights or data.
        method: float, qat …, or peer for another project's reader.
        engine: what computes, and what finds the lines.
        bytes: size of the recogniser's file.
        pages: how many it read.
        lines: how many lines are on them.
        found: share of lines found.
        cer: character error rate; of it `missed` is that of lines not read, `invented` that of text read where none is.
        shop, address, date, total: share of pages where the field is right.
        item_f1: F1 of the items.
        kinds: the same rates by kind of page.
        ms_per_page: median.
        ms_quartiles: between which the middle half of the pages lies.
        recogniser_ms: the part of a page's time that turns lines into text; None where the reader does not tell.
        ignored: pieces read on separators and bar codes.
    """

    name: str
    file: str
    method: str
    engine: str
    bytes: int
    pages: int
    lines: int
    found: float
    cer: float
    missed: float
    invented: float
    shop: float
    address: float
    date: float
    total: float
    item_f1: float
    kinds: dict[str, dict[str, float]]
    ms_per_page: float
    ms_quartiles: tuple[float, float]
    recogniser_ms: float | None
    ignored: int


@dataclass(frozen=True)
class Setup:
    """What the rows read, and how they were measured.

    Attributes:
        data: the folder of receipts or their recipe, as given.
        pages: how many pictures.
        lines: how many lines are on them.
        characters: how many characters these have.
        conditions: the machine, its software and the day.
    """

    data: str
    pages: int
    lines: int
    characters: int
    conditions: Conditions


@dataclass(frozen=True)
class Table:
    setup: Setup
    rows: tuple[Row, ...]


def markdown(table: Table) -> str:
    """The table for people, one of the kinds of pages, and what the numbers mean."""
    head = [
        "Reader",
        "MB",
        "Lines found",
        "CER",
        "Shop",
        "Address",
        "Date",
        "Total",
        "Item F1",
        "ms/page",
        "recogniser ms",
    ]
    rows = [head] + [
        [
            row.name,
            f"{row.bytes / 1e6:.1f}",
            f"{row.found:.1%}",
            f"{row.cer:.2%}",
            f"{row.shop:.1%}",
            f"{row.address:.1%}",
            f"{row.date:.1%}",
            f"{row.total:.1%}",
            f"{row.item_f1:.3f}",
            f"{row.ms_per_page:,.0f}",
            "-" if row.recogniser_ms is None else f"{row.recogniser_ms:,.0f}",
        ]
        for row in table.rows
    ]
    kinds = list(table.rows[0].kinds)
    pages = {kind: table.rows[0].kinds[kind]["pages"] for kind in kinds}
    by_kind = [["Reader", *(f"{kind} ({pages[kind]}): {what}" for kind in kinds for what in ("found", "CER", "total"))]]
    for row in table.rows:
        rates = [row.kinds[kind] for kind in kinds]
        by_kind.append(
            [
                row.name,
                *(
                    cell
                    for rate in rates
                    for cell in (f"{rate['found']:.1%}", f"{rate['cer']:.2%}", f"{rate['total']:.1%}")
                ),
            ]
        )
    return "\n".join([*aligned(rows, left=1), "", *aligned(by_kind, left=1), "", f"{_conditions(table)} {NOTE}", ""])


def _conditions(table: Table) -> str:
    """How the numbers came about, as short sentences."""
    setup = table.setup
    threads = " or ".join(map(thread_count, setup.conditions.threads))
    return (
        f"The readers read {setup.pages} generated receipts ({Path(setup.data).name}). These have {setup.lines:,} "
        f"lines with {setup.characters:,} characters. ms/page is the time from the decoded picture to rows and "
        "fields, the median of all pages. The readers take turns at each page, after one that is not timed. "
        f"Each has {threads}. {' '.join(f'“{row.name}”: {row.engine}.' for row in table.rows)} "
        f"{machine(setup.conditions)}"
    )


def to_json(table: Table) -> str:
    """Everything the rows hold."""
    return json.dumps(dataclasses.asdict(table) | {"note": NOTE}, ensure_ascii=False, indent=1) + "\n"


def draw(table: Table, path: str | os.PathLike) -> Path:
    """Bars of lines found, character errors, fields and time, as one PNG."""
    rows = table.rows
    figure = Figure(figsize=(15, 2.6 + 0.55 * len(rows)), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    found, errors, fields, time = figure.subplots(1, 4, sharey=True, width_ratios=[1, 1, 1.6, 1])
    colors = [PEER if row.method == "peer" else OURS for row in rows]
    _bars(found, "Lines found", [row.found for row in rows], "{:.1%}", colors)
    _bars(errors, "Character errors (CER)", [row.cer for row in rows], "{:.2%}", colors)
    _bars(
        time,
        f"Time per page (ms, {' or '.join(map(thread_count, table.setup.conditions.threads))})",
        [row.ms_per_page for row in rows],
        "{:,.0f}",
        colors,
    )
    names = ("shop", "address", "date", "total", "item_f1")
    high = 0.84 / len(names)
    for place, name in enumerate(names):
        values = [getattr(row, name) for row in rows]
        at = np.arange(len(rows)) + (place - (len(names) - 1) / 2) * high
        label = "item F1" if name == "item_f1" else name
        bars = fields.barh(at, values, 0.92 * high, color=FIELD_COLORS[place], label=label)
        fields.bar_label(bars, [f"{value:.0%}" for value in values], padding=2, fontsize=6.5)
    fields.set_title("Fields right", fontsize=10.5)
    fields.legend(fontsize=7.5, ncols=len(names), loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False)
    for axes in (found, fields):
        axes.set_xlim(0, 1.15)
    errors.xaxis.set_major_locator(MaxNLocator(4))
    for axes in (found, errors, fields):
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in (found, errors, fields, time):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8.5)
    found.set_yticks(range(len(rows)), [row.name for row in rows], parse_math=False)
    found.invert_yaxis()
    setup = table.setup
    figure.suptitle(
        f"{setup.pages} generated receipts, {setup.lines:,} lines; {setup.conditions.cpu}\n"
        "blue: this project, orange: other readers",
        fontsize=11,
        parse_math=False,
    )
    return save_figure(figure, path)


def _bars(axes: Axes, title: str, values: Sequence[float], form: str, colors: Sequence[str]) -> None:
    bars = axes.barh(range(len(values)), values, 0.62, color=colors)
    axes.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=8.5)
    axes.set_title(title, fontsize=10.5)
    axes.set_xlim(0, max(max(values), 1e-9) * 1.25)
