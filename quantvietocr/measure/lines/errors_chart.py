"""The error analysis as a picture: a matrix of edits by kind, and error rates by what the lines look like."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ...common.figures import save_figure
from ...metrics.analysis import CLASSES, Analysis
from .charts import COLORS

PLOTTED = ("Width at height 32 (px)", "Text length (characters)", "Height of the crop (px)")
MIN_EDITS = 0.05  # per 1,000 characters; fewer have the lightest colour, as a logarithmic scale has no 0
LINEAR_BELOW = 0.1  # % CER: the axis is linear from 0 to here and logarithmic above


@dataclass(frozen=True)
class SetErrors:
    """One set of lines.

    Attributes:
        data: its name.
        readers: each reader's name and the analysis of what it read.
    """

    data: str
    readers: tuple[tuple[str, Analysis], ...]


def draw_errors(sets: Sequence[SetErrors], path: str | os.PathLike) -> Path:
    """For each set edits by kind and reader, and below CER by width, length and height of the lines; as one PNG."""
    count = len(sets[0].readers)
    high = 1.5 + 0.33 * count
    figure = Figure(figsize=(10.5, (high + 3.3) * len(sets) + 1.1), dpi=150, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2 * len(sets), len(PLOTTED), height_ratios=[high, 3.3] * len(sets))
    for number, one in enumerate(sets):
        _classes(figure.add_subplot(grid[2 * number, :]), one)
        for column, title in enumerate(PLOTTED):
            _sizes(figure.add_subplot(grid[2 * number + 1, column]), one, title, column == 0)
    handles, labels = figure.axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), fontsize=8.5)
    figure.suptitle("Edits per 1,000 characters by kind, and errors by what the lines look like", fontsize=12)
    return save_figure(figure, path)


def _classes(axes: Axes, one: SetErrors) -> None:
    """A row per reader, a column per kind of edit, each cell with its number."""
    rates = np.array(
        [[1000 * found.classes[title] / found.whole.characters for title in CLASSES] for _, found in one.readers]
    )
    shades = LogNorm(MIN_EDITS, max(rates.max(), 10 * MIN_EDITS))
    axes.imshow(np.maximum(rates, MIN_EDITS), cmap="Blues", norm=shades, aspect="auto")
    for (row, column), rate in np.ndenumerate(rates):
        dark = rate > 0 and shades(rate) > 0.6
        axes.text(column, row, f"{rate:.2f}", ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set_yticks(range(len(one.readers)), [name for name, _ in one.readers], fontsize=8.5, parse_math=False)
    axes.set_xticks(range(len(CLASSES)), [title.replace(" ", "\n", 1) for title in CLASSES], fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{one.data}: {one.readers[0][1].whole.lines:,} lines", fontsize=9.5, parse_math=False)


def _sizes(axes: Axes, one: SetErrors, title: str, named: bool) -> None:
    for index, (name, found) in enumerate(one.readers):
        rates = [100 * part.edits / part.characters for part in found.parts[title]]
        color = COLORS[index % len(COLORS)]
        axes.plot(range(len(rates)), rates, marker="o", markersize=3.5, linewidth=1.2, color=color, label=name)
    parts = one.readers[0][1].parts[title]
    axes.set_xticks(range(len(parts)), [f"{part.name}\n{part.lines:,}" for part in parts], fontsize=6)
    axes.set_yscale("symlog", linthresh=LINEAR_BELOW)
    highest = max(100 * part.edits / part.characters for _, found in one.readers for part in found.parts[title])
    axes.set_ylim(0, 1.5 * max(highest, LINEAR_BELOW))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(f"{title}, below it the lines", fontsize=8)
    if named:
        axes.set_ylabel("Character error rate (%, logarithmic)", fontsize=8)
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.tick_params(axis="y", labelsize=7.5)
    axes.spines[["top", "right"]].set_visible(False)
