"""Pictures of a comparison: size, errors and time as bars, and whether confidence can be trusted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ...common.figures import save_figure
from ...metrics.trust import accept_curve
from ..conditions import thread_count
from .report import Row, Table, time_of

FLOAT, INT8, PEER = "#9aa5b1", "#1f6fb2", "#c9853c"
SETS = ("#1f6fb2", "#e08f2c", "#3f8f5f", "#b0413e", "#7a5aa6", "#7d6b5d", "#c06c9b", "#5f7480")
SHOWN_FROM = 0.8  # of precision: lower is no use


def draw(tables: Sequence[Table], path: str | os.PathLike) -> Path:
    """Bar charts of size, character error rate (a bar per set of lines) and time per line, as one PNG."""
    rows, setup = tables[0].rows, tables[0].setup
    several = len(tables) > 1
    threads = " or ".join(map(thread_count, setup.conditions.threads))
    colors = [_color(row) for row in rows]
    thickness = max(0.42, 0.22 * len(tables))  # inches a row
    height = (2.1 if several else 1.7) + thickness * len(rows)
    figure = Figure(figsize=(13, height), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    size, errors, time = figure.subplots(1, 3, sharey=True)
    _bars(size, "Size of the file (MB)", [row.bytes / 1e6 for row in rows], "{:.1f}", colors)
    _bars(
        time,
        f"Time per line (ms, {threads})",
        [time_of(same) for same in zip(*(table.rows for table in tables))],
        "{:.1f}",
        colors,
    )
    if several:
        high = 0.8 / len(tables)
        for place, table in enumerate(tables):
            shift, color = (place - (len(tables) - 1) / 2) * high, SETS[place % len(SETS)]
            _bars(
                errors,
                "Character error rate (%)",
                [100 * row.cer for row in table.rows],
                "{:.2f}",
                [color] * len(rows),
                shift,
                0.92 * high,
                table.setup.data,
            )
        handles, labels = errors.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), fontsize=9)
        errors.set_xlim(0, 1.2 * max(1e-7, *(100 * row.cer for table in tables for row in table.rows)))
    else:
        _bars(errors, "Character error rate (%)", [100 * row.cer for row in rows], "{:.2f}", colors)
    size.set_yticks(range(len(rows)), [row.name for row in rows], parse_math=False)
    size.invert_yaxis()
    key = f"{'size and time: ' * several}grey: float, blue: 8-bit"
    key += ", orange: other readers" * any(row.method == "peer" for row in rows)
    what = f"{setup.lines:,} lines of {setup.data}" if not several else f"{sum(t.setup.lines for t in tables):,} lines"
    figure.suptitle(f"{what}; {setup.conditions.cpu}\n{key}", fontsize=11, parse_math=False)
    return save_figure(figure, path)


def draw_reliability(
    tables: Sequence[Table], judged: Sequence[Sequence[tuple[Sequence[float], Sequence[bool]]]], path: str | os.PathLike
) -> Path:
    """For each set of lines a panel per reader, confidence against the share of right lines, and one of accepted lines.

    judged: for each set and row the lines' confidences and whether each was read right.
    """
    count = len(tables[0].rows)
    figure = Figure(
        figsize=(2.9 * count + 4.6, 3.3 * len(tables) + 1.0), dpi=100, facecolor="white", layout="constrained"
    )
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(tables), count + 1, squeeze=False, width_ratios=[*[1] * count, 1.4])
    for table, panels, pairs in zip(tables, grid, judged):
        for place, (axes, row) in enumerate(zip(panels, table.rows)):
            _reliability(axes, row, SETS[place % len(SETS)])
        panels[0].set_ylabel(f"{_short(table.setup.data)}\n\nShare of lines right", parse_math=False)
        _accepted(panels[-1], table, pairs)
    handles, labels = grid[0][-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(count, 6), fontsize=9)
    figure.suptitle(
        "Confidence against lines read right, and lines that can be accepted by their confidence", fontsize=11
    )
    return save_figure(figure, path)


def _color(row: Row) -> str:
    return {"float": FLOAT, "peer": PEER}.get(row.method, INT8)


def _bars(
    axes: Axes,
    title: str,
    values: Sequence[float],
    form: str,
    colors: Sequence[str],
    shift: float = 0.0,
    height: float = 0.62,
    label: str | None = None,
) -> None:
    bars = axes.barh(np.arange(len(values)) + shift, values, color=colors, height=height, label=label)
    axes.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=9 if height > 0.3 else 7)
    axes.set_title(title, fontsize=10.5)
    axes.set_xlim(0, max(max(values), 1e-9) * 1.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _reliability(axes: Axes, row: Row, color: str) -> None:
    said, share, lines = zip(*row.reliability)
    axes.plot([0, 1], [0, 1], color="0.75", linewidth=1, linestyle="--")
    axes.plot(said, share, color=color, marker="o", markersize=4, linewidth=1.2)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="Mean confidence of the bin")
    auroc = "-" if row.auroc is None else f"{row.auroc:.3f}"
    each = str(min(lines)) if min(lines) == max(lines) else f"{min(lines)}–{max(lines)}"
    about = f"{len(lines)} bins of {each} lines, ECE {row.ece:.3f}, AUROC {auroc}"
    axes.set_title(f"{row.name}\n{about}", fontsize=8, parse_math=False)
    axes.tick_params(labelsize=8)


def _accepted(axes: Axes, table: Table, pairs: Sequence[tuple[Sequence[float], Sequence[bool]]]) -> None:
    for place, (row, (confidences, right)) in enumerate(zip(table.rows, pairs)):
        shares, precisions = zip(*accept_curve(confidences, right))
        axes.step(shares, precisions, where="post", color=SETS[place % len(SETS)], linewidth=1.3, label=row.name)
    axes.axhline(0.99, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(xlim=(0, 1.02), ylim=(SHOWN_FROM, 1.005), xlabel="Share of lines accepted, most confident first")
    axes.set_ylabel("Share of them right (from 80 %)")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title("Accepted lines (dotted: 99 % right)", fontsize=8)
    axes.tick_params(labelsize=8)


def _short(data: str) -> str:
    """The end of a long path."""
    return data if len(data) <= 36 else "…" + data[-35:]
