"""What a reader's errors cost in time, as a picture: error rate against milliseconds per line, a point for each row."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ...common.figures import save_figure
from ...shipped import WEIGHTS
from ..conditions import thread_count
from .charts import MIN_RATE, color_of
from .report import Row, Table

TICKS = (1.0, 2.0, 5.0)  # of each power of ten
LABEL_SHIFT = 9  # points above or below a row's point at which its label stands
ROOM = 1.6  # × the least and the greatest value, at which the axes end: labels need it


def draw_tradeoff(tables: Sequence[Table], path: str | os.PathLike) -> Path:
    """Draw the rows of each set: the lower and the further to the left, the better.

    Args:
        tables: one for each set.
        path: the PNG.
    """
    figure = Figure(figsize=(9, 4.6 * len(tables) + 0.4), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for axes, table in zip(figure.subplots(len(tables), 1, squeeze=False)[:, 0], tables):
        _draw_set(axes, table)
    conditions = tables[0].setup.conditions
    key = "grey: float, blue: 8-bit" + ", orange: other readers" * any(row.method == "peer" for row in tables[0].rows)
    figure.suptitle(f"Errors and time of each reader; {conditions.cpu}\n{key}", fontsize=11, parse_math=False)
    return save_figure(figure, path)


def _draw_set(axes: Axes, table: Table) -> None:
    times = [row.ms_per_line for row in table.rows]
    order = sorted(times)
    rates = [max(row.cer, MIN_RATE) for row in table.rows]
    for row, time, rate in zip(table.rows, times, rates):
        low, high = (max(end, MIN_RATE) for end in row.cer_interval)
        axes.vlines(time, low, high, colors=color_of(row), linewidth=2.5, alpha=0.45)
        axes.scatter([time], [rate], c=color_of(row), s=38, zorder=3)
        axes.annotate(
            f"{_label(row)}\n{row.ms_per_line:.1f} ms, {row.cer:.2%}, {row.bytes / 1e6:.1f} MB",
            (time, rate),
            (7, LABEL_SHIFT * (-1) ** order.index(time)),  # neighbours in time above and below each other
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            parse_math=False,
        )
    axes.set(xscale="log", yscale="log", xlim=(min(times) / ROOM, max(times) * ROOM**2))
    ends = [max(end, MIN_RATE) for row in table.rows for end in row.cer_interval]
    axes.set_ylim(min(ends) / 1.2, max(ends) * 1.2)
    for axis, unit in ((axes.xaxis, "{:g}"), (axes.yaxis, "{:g} %")):
        factor = 1 if axis is axes.xaxis else 100
        axis.set_major_locator(LogLocator(subs=TICKS))
        axis.set_major_formatter(FuncFormatter(lambda value, _, unit=unit, factor=factor: unit.format(factor * value)))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(
        f"Time per line (ms, {' or '.join(map(thread_count, table.setup.conditions.threads))}, logarithmic)"
    )
    axes.set_ylabel("Character error rate, 95 % interval (logarithmic)")
    axes.set_title(f"{table.setup.lines:,} lines of {table.setup.data}", fontsize=10, parse_math=False)
    axes.grid(color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _label(row: Row) -> str:
    """Its name, and that of a file that is not shipped."""
    if row.file is None or row.method == "peer" or Path(row.file).name in WEIGHTS.values():
        return row.name
    return f"{row.name}: {Path(row.file).stem}"
