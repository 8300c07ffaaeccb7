"""Pictures of a comparison: size, errors and time of each row, and whether confidence can be trusted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from ...common.figures import save_figure
from ...metrics.trust import accept_curve
from ..conditions import thread_count
from .report import Row, Table, time_of

FLOAT, INT8, PEER = "#9aa5b1", "#1f6fb2", "#c9853c"
COLORS = (
    "#1f6fb2",
    "#e08f2c",
    "#3f8f5f",
    "#b0413e",
    "#7a5aa6",
    "#7d6b5d",
    "#c06c9b",
    "#5f7480",
    "#2a9d9d",
    "#a39a2f",
)  # of readers, or of sets of lines
MIN_PRECISION = 0.8  # shares of right lines below are of no use, and not shown
MIN_RATE = 1e-4  # error rates below are drawn at the left edge, as a logarithmic axis has no 0
PER_ROW = 4  # panels of readers beside each other
TICKS = (0.01, 0.1, 0.5, 0.9, 0.99, 0.999)  # of an axis of shares that is stretched near 0 and 1


def draw(tables: Sequence[Table], path: str | os.PathLike) -> Path:
    """Size, character error rate (a point per set of lines) and time per line of each row, as one PNG."""
    rows, setup = tables[0].rows, tables[0].setup
    several = len(tables) > 1
    threads = " or ".join(map(thread_count, setup.conditions.threads))
    colors = [color_of(row) for row in rows]
    thickness = max(0.42, 0.16 * len(tables))  # inches a row
    height = (2.4 if several else 2.0) + thickness * len(rows)
    figure = Figure(figsize=(11, height), dpi=130, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    size, errors, time = figure.subplots(1, 3, sharey=True, width_ratios=[1, 1.5, 1])
    _bars(size, "Size of the file (MB)", [row.bytes / 1e6 for row in rows], colors)
    times = [time_of(same) for same in zip(*(table.rows for table in tables))]
    _bars(time, f"Time per line (ms, {threads})", times, colors)
    _error_rates(errors, tables, colors)
    if several:
        handles, labels = errors.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), fontsize=9)
    size.set_yticks(range(len(rows)), [row.name for row in rows], parse_math=False)
    size.invert_yaxis()
    key = f"{'size and time: ' * several}grey: float, blue: 8-bit"
    key += ", orange: other readers" * any(row.method == "peer" for row in rows)
    what = f"{setup.lines:,} lines of {setup.data}" if not several else f"{sum(t.setup.lines for t in tables):,} lines"
    figure.suptitle(f"{what}; {setup.conditions.cpu}\n{key}", fontsize=11, parse_math=False)
    return save_figure(figure, path)


def color_of(row: Row) -> str:
    """The colour of a row by its method."""
    return {"float": FLOAT, "peer": PEER}.get(row.method, INT8)


def _bars(axes: Axes, title: str, values: Sequence[float], colors: Sequence[str]) -> None:
    bars = axes.barh(range(len(values)), values, color=colors, height=0.62)
    axes.bar_label(bars, [f"{value:.1f}" for value in values], padding=3, fontsize=9)
    axes.set_title(title, fontsize=10.5)
    axes.set_xlim(0, max(*values, 1e-9) * 1.25)
    _plain(axes)


def _error_rates(axes: Axes, tables: Sequence[Table], colors: Sequence[str]) -> None:
    """Points with their 95 % intervals, on a logarithmic axis: one reader may err 100 times as often as another."""
    high = 0.8 / len(tables)
    for number, table in enumerate(tables):
        rates = np.array([max(row.cer, MIN_RATE) for row in table.rows])
        ends = np.array([[max(end, MIN_RATE) for end in row.cer_interval] for row in table.rows]).T
        at = np.arange(len(rates)) + (number - (len(tables) - 1) / 2) * high
        own = colors if len(tables) == 1 else [COLORS[number % len(COLORS)]] * len(rates)
        axes.hlines(at, ends[0], ends[1], colors=own, linewidth=2.5, alpha=0.55)
        axes.scatter(rates, at, c=own, s=34, zorder=3, label=table.setup.data)
        for row, place, end in zip(table.rows, at, ends[1]):
            axes.annotate(
                f"{row.cer:.2%}",
                (max(end, row.cer, MIN_RATE), place),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=9 if len(tables) == 1 else 7,
            )
    shown = [end for table in tables for row in table.rows for end in (*row.cer_interval, row.cer) if end > 0]
    axes.set_xscale("log")
    axes.set_xlim(max(MIN_RATE, min(shown, default=MIN_RATE)) / 1.5, 5 * max(shown, default=10 * MIN_RATE))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_title("Character error rate, 95 % interval\n(logarithmic)", fontsize=10.5)
    axes.grid(axis="x", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def draw_reliability(
    tables: Sequence[Table], judged: Sequence[Sequence[tuple[Sequence[float], Sequence[bool]]]], path: str | os.PathLike
) -> Path:
    """Draw, for each set, confidence against the share of right lines and how many lines can be accepted.

    Args:
        tables: one for each set.
        judged: for each set and row the lines' confidences and whether each was read right.
        path: the PNG.
    """
    count = len(tables[0].rows)
    rows = -(-count // PER_ROW) + 1  # the last one is for accepted lines
    figure = Figure(figsize=(10.5, 2.75 * rows * len(tables) + 1.0), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(tables), 1, squeeze=False)[:, 0]
    for part, table, pairs in zip(parts, tables, judged):
        _reliability_of_a_set(part, table, pairs, rows)
    figure.suptitle(
        "Confidence against the share of lines read right (axes stretched near 0 and 1, dashed: equal), and\n"
        "how many lines can be accepted by their confidence",
        fontsize=11,
    )
    return save_figure(figure, path)


def _reliability_of_a_set(
    part: SubFigure, table: Table, pairs: Sequence[tuple[Sequence[float], Sequence[bool]]], rows: int
) -> None:
    grid = part.add_gridspec(rows, PER_ROW)
    part.suptitle(f"{table.setup.lines:,} lines of {_short(table.setup.data)}", fontsize=10, parse_math=False)
    for index, row in enumerate(table.rows):
        axes = part.add_subplot(grid[divmod(index, PER_ROW)])
        _reliability(axes, row, COLORS[index % len(COLORS)])
        if index % PER_ROW == 0:
            axes.set_ylabel("Share of lines right", fontsize=8)
    _accepted(part.add_subplot(grid[-1, : PER_ROW // 2]), table, pairs)


def _reliability(axes: Axes, row: Row, color: str) -> None:
    confidence, share, lines = (np.array(values) for values in zip(*row.reliability))
    ends = TICKS[0] / 2, 1 - (1 - TICKS[-1]) / 2
    # A share of 0 or 1 would lie infinitely far away; half a line less is what the bin can tell apart.
    share = np.clip(share, 0.5 / lines, 1 - 0.5 / lines)
    axes.plot(ends, ends, color="0.75", linewidth=1, linestyle="--")
    axes.plot(np.clip(confidence, *ends), np.clip(share, *ends), color=color, marker="o", markersize=4, linewidth=1.2)
    axes.set(xscale="logit", yscale="logit", xlim=ends, ylim=ends)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(TICKS))
        axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in TICKS]))
        axis.set_minor_locator(NullLocator())
    axes.set_xlabel("Mean confidence of the bin", fontsize=8)
    auroc = "-" if row.auroc is None else f"{row.auroc:.3f}"
    each = str(lines.min()) if lines.min() == lines.max() else f"{lines.min()}–{lines.max()}"
    about = f"ECE {row.ece:.3f}, AUROC {auroc}\n{len(lines)} bins of {each} lines"
    axes.set_title(f"{row.name}\n{about}", fontsize=8, parse_math=False)
    axes.tick_params(labelsize=7.5)


def _accepted(axes: Axes, table: Table, pairs: Sequence[tuple[Sequence[float], Sequence[bool]]]) -> None:
    for index, (row, (confidences, right)) in enumerate(zip(table.rows, pairs)):
        shares, precisions = zip(*accept_curve(confidences, right))
        axes.step(shares, precisions, where="post", color=COLORS[index % len(COLORS)], linewidth=1.3, label=row.name)
    axes.axhline(0.99, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(xlim=(0, 1.02), ylim=(MIN_PRECISION, 1.005))
    axes.set_xlabel("Share of lines accepted, most confident first", fontsize=8)
    axes.set_ylabel(f"Share of them right (from {MIN_PRECISION:.0%})", fontsize=8)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title("Accepted lines (dotted: 99 % right)", fontsize=8)
    legend = axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.04, 0.5), frameon=False)
    legend.set_in_layout(False)  # it stands in the free columns to the right
    axes.tick_params(labelsize=7.5)


def _short(data: str) -> str:
    """The end of a long path."""
    return data if len(data) <= 60 else "…" + data[-59:]
