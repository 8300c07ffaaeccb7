"""How a run went: `loss.csv`, `scores.csv` and `curves.png` in its folder, each written whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.figures import save_figure
from ..common.files import replace_whole
from .state import Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOSS_COLOR, RATE_COLOR = "tab:blue", "tab:gray"
PART_COLORS = ("tab:cyan", "tab:purple", "tab:brown")
# Columns of scores.csv begin with these; the reader sees the words beside them.
KINDS = {
    "converted": ("int8 file", "tab:red"),
    "fake_quant": ("network in training", "tab:orange"),
    "float": ("float file", "tab:green"),
}
LABEL_GAP = 0.05  # of the panel's height, between two labels at least


def write_curves(folder: Path, progress: Progress, title: str) -> None:
    """Write the run's curves so far.

    Args:
        folder: of the run.
        progress: its losses and scores.
        title: above the picture.
    """
    _write_csv(folder / "loss.csv", ["step", "loss", "learning_rate", *progress.parts], progress.losses)
    if progress.scores:
        keys = list(progress.scores[-1])
        _write_csv(folder / "scores.csv", keys, [[row.get(key, "") for key in keys] for row in progress.scores])

    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(13, 4), dpi=110, layout="constrained")
    training, errors, lines = figure.subplots(1, 3)
    _draw_losses(training, progress)
    _draw_scores(errors, progress, "cer", "Validation: characters", "character error rate (%)")
    _draw_scores(lines, progress, "exact", "Validation: lines", "lines not read exactly (%)")
    last = max(progress.step, 1)
    for axes in (training, errors, lines):
        axes.set_xlabel("step (batches)")
        axes.set_xlim(-0.04 * last, 1.04 * last)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    figure.suptitle(title)
    save_figure(figure, folder / "curves.png")


def _draw_losses(axes: Axes, progress: Progress) -> None:
    steps = [row[0] for row in progress.losses]
    marker = "o" if len(steps) < 20 else None  # of a few points, a line alone would hide how many there are
    axes.plot(steps, [row[1] for row in progress.losses], color=LOSS_COLOR, marker=marker, ms=3, label="loss")
    for column, (name, color) in enumerate(zip(progress.parts, PART_COLORS), 3):
        axes.plot(steps, [row[column] for row in progress.losses], color=color, lw=1, marker=marker, ms=3, label=name)
    if progress.parts:
        axes.legend()
    axes.set_title("Training")
    axes.set_ylabel(
        "loss (parts are weighted)" if progress.parts else "label-smoothed cross-entropy (nats)", color=LOSS_COLOR
    )
    axes.set_ylim(bottom=0)
    rate = axes.twinx()
    rate.plot(steps, [row[2] for row in progress.losses], color=RATE_COLOR, lw=1)
    rate.set_ylabel("learning rate", color=RATE_COLOR)
    rate.set_ylim(bottom=0)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))


def _draw_scores(axes: Axes, progress: Progress, column: str, title: str, ylabel: str) -> None:
    """One panel of scores in %: a point for each validation, the first before training; words beside the last ones."""
    ends: list[tuple[float, str, str]] = []
    for kind, (words, color) in KINDS.items():
        rows = [row for row in progress.scores if f"{kind}_{column}" in row]
        if not rows:
            continue
        values = [100 * (1 - row[f"{kind}_exact"] if column == "exact" else row[f"{kind}_{column}"]) for row in rows]
        axes.plot([row["step"] for row in rows], values, color=color, marker="o", ms=5, lw=1.5)
        ends.append((values[-1], f"{words}: {values[-1]:.3g}", color))
        if kind != "fake_quant":
            _mark_best(axes, progress, rows, values)
    axes.set_title(title)
    axes.set_ylabel(ylabel)
    axes.set_ylim(0, 1.15 * axes.get_ylim()[1])  # room for the word above the best point
    if not ends:
        axes.text(0.5, 0.5, "no validation yet", transform=axes.transAxes, ha="center", va="center")
        return
    top = axes.get_ylim()[1] or 1.0
    for height, (_, text, color) in zip(_spread([value / top for value, *_ in ends]), ends):
        axes.text(1.01, height, text, color=color, transform=axes.transAxes, va="center", fontsize=9)
    if progress.scores[0]["step"] == 0:
        axes.axvline(0, color="lightgray", lw=1, zorder=0)
        axes.annotate(
            "before training", (0, 0.01), xycoords=("data", "axes fraction"), rotation=90, color="gray", fontsize=8
        )


def _mark_best(axes: Axes, progress: Progress, rows: Sequence[dict[str, float]], values: Sequence[float]) -> None:
    """Ring the point of the network that is kept."""
    for row, value in zip(rows, values):
        if row["step"] == progress.best_step:
            axes.plot(row["step"], value, marker="o", ms=11, mfc="none", mec="black", ls="none")
            axes.annotate(
                "kept", (row["step"], value), xytext=(0, 9), textcoords="offset points", ha="center", fontsize=8
            )


def _spread(heights: Sequence[float]) -> list[float]:
    """Heights (of the panel, 0 to 1) moved up where two labels would overlap."""
    spread = list(heights)
    lowest = -1.0
    for index in sorted(range(len(heights)), key=lambda i: heights[i]):
        spread[index] = lowest = max(heights[index], lowest + LABEL_GAP)
    return spread


def _write_csv(path: Path, header: list[str], rows: Sequence[Any]) -> None:
    with replace_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
