"""The table of methods as Markdown, JSON and a picture."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...common.figures import save_figure
from ...common.files import write_text
from ...metrics.intervals import CER_INTERVAL_NOTE
from ..conditions import thread_count
from ..lines.report import Row, Setup, conditions_of, percent_range
from ..markdown import aligned

FLOAT, POST, TRAINED, FAILED = "#9aa5b1", "#1f6fb2", "#3f8f5f", "#b0413e"


@dataclass(frozen=True)
class Budget:
    """What a method may use.

    Attributes:
        steps: of training.
        calibration_lines: lines that ranges are measured on.
        max_drop: of CER against float, a fraction, that `mixed` may cost.
        searched_lines: lines that `mixed` measures this on.
        augment: strength of the changes to training lines.
        batch_size: lines of a step.
    """

    steps: int = 200
    calibration_lines: int = 256
    max_drop: float = 0.001
    searched_lines: int = 200
    augment: float = 1.0
    batch_size: int = 0


@dataclass(frozen=True)
class MethodRow:
    """What a method's file reads and costs. Rates are fractions.

    Attributes:
        error: why there is no file, and then no numbers either.
    """

    name: str
    about: str
    exact: float | None = None
    cer: float | None = None
    cer_interval: tuple[float, float] | None = None
    cer_delta: float | None = None
    bytes: int | None = None
    ms_per_line: float | None = None
    minutes: float | None = None
    precision: str | None = None
    error: str | None = None
    trained: bool = False

    @staticmethod
    def of(
        name: str, about: str, row: Row | None, minutes: float | None, error: str | None = None, trained: bool = False
    ) -> MethodRow:
        """From the row of a comparison, or from the reason why there is none."""
        if row is None:
            return MethodRow(name, about, minutes=minutes, error=error, trained=trained)
        return MethodRow(
            name,
            about,
            row.exact,
            row.cer,
            row.cer_interval,
            row.cer_delta,
            row.bytes,
            row.ms_per_line,
            minutes,
            row.precision,
            trained=trained,
        )


@dataclass(frozen=True)
class MethodTable:
    """Rows, the float network first; where they were measured, and what the methods were given."""

    setup: Setup
    budget: Budget
    data: str
    rows: tuple[MethodRow, ...]

    @property
    def failed(self) -> tuple[MethodRow, ...]:
        return tuple(row for row in self.rows if row.error)


def markdown(table: MethodTable, compared: Sequence[Row]) -> str:
    """The table, its budget in words, and how it was measured.

    Args:
        table: a row for each method.
        compared: the rows of the comparison behind it.
    """
    head = ["Method", "What it is", "Exact lines", "CER", "CER 95 %", "Δ CER", "MB", "ms/line", "Minutes to make"]
    body = [head]
    for index, row in enumerate(table.rows):
        body.append(
            [
                row.name,
                f"failed: {row.error}" if row.error else row.about,
                _cell(row.exact, "{:.1%}"),
                _cell(row.cer, "{:.2%}"),
                "—" if row.cer_interval is None else percent_range(row.cer_interval),
                _cell(_times(row.cer_delta, 100) if index else None, "{:+.2f} pp"),
                _cell(_times(row.bytes, 1e-6), "{:.1f}"),
                _cell(row.ms_per_line, "{:.1f}"),
                _cell(row.minutes, "{:.1f}"),
            ]
        )
    budget = table.budget
    made = (
        f"The methods make their files from {table.rows[0].name} and the lines of {table.data}. They measure ranges on "
        f"{budget.calibration_lines} of these. Each trained method takes {budget.steps} steps of at most "
        f"{budget.batch_size} lines, the same lines in the same order. mixed may cost {100 * budget.max_drop:g} "
        f"percentage points of CER on {budget.searched_lines} lines. Minutes to make are of wall time, calibration and "
        "training included. Δ CER is the CER above the float network's."
    )
    how = f"{conditions_of(compared, table.setup)} {CER_INTERVAL_NOTE}"
    return "\n".join([*aligned(body, left=2), "", made, "", how, ""])


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else factor * value


def _cell(value: float | None, form: str) -> str:
    return "—" if value is None else form.format(value)


def write(table: MethodTable, compared: Sequence[Row], out: Path) -> None:
    """methods.md, methods.json, methods.png."""
    write_text(out / "methods.md", markdown(table, compared))
    write_text(out / "methods.json", json.dumps(dataclasses.asdict(table), ensure_ascii=False, indent=1) + "\n")
    draw(table, out / "methods.png")


def draw(table: MethodTable, path: str | os.PathLike) -> Path:
    """Bars for each method as one PNG: character error rate (dashed: float's), size, time per line, minutes to make."""
    rows = table.rows
    figure = Figure(figsize=(14, 2.0 + 0.36 * len(rows)), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 4, sharey=True)
    threads = " or ".join(map(thread_count, table.setup.conditions.threads))
    contents = (
        ("Character error rate (%)", [_times(row.cer, 100) for row in rows], "{:.2f}"),
        ("Size of the file (MB)", [_times(row.bytes, 1e-6) for row in rows], "{:.1f}"),
        (f"Time per line (ms, {threads})", [r.ms_per_line for r in rows], "{:.1f}"),
        ("Time to make (minutes)", [r.minutes for r in rows], "{:.1f}"),
    )
    colors = [FLOAT, *(TRAINED if row.trained else POST for row in rows[1:])]
    for axes, (title, values, form) in zip(panels, contents):
        bars = axes.barh(range(len(rows)), [value or 0.0 for value in values], color=colors, height=0.62)
        axes.bar_label(
            bars, [form.format(value) if value is not None else "" for value in values], padding=3, fontsize=9
        )
        axes.set_title(title, fontsize=10.5)
        axes.set_xlim(0, 1.2 * max(1e-9, *(value or 0.0 for value in values)))
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    panels[0].axvline(100 * (rows[0].cer or 0.0), color="0.4", linewidth=1, linestyle="--")
    for index, row in enumerate(rows):
        if row.error:
            panels[0].text(0, index, " failed", va="center", fontsize=9, color=FAILED)
    panels[0].set_yticks(range(len(rows)), [row.name for row in rows], parse_math=False)
    panels[0].invert_yaxis()
    figure.suptitle(
        f"{table.setup.lines:,} lines of {table.setup.data}; {table.setup.conditions.cpu}\n"
        "grey: float (dashed: its error rate), blue: quantized after training, green: trained for it",
        fontsize=11,
        parse_math=False,
    )
    return save_figure(figure, path)
