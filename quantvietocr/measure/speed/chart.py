"""The benchmark as a picture: milliseconds per line of each reader, a panel for each case."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...common.figures import save_figure
from .report import Bench, Timing

#: A hue for each kind of numbers, lighter for fewer threads.
COLORS = {"VietOCR": "#8a5a44", "AsterOCR": "#7a5aa6", "float32": "#7b8794", "int8": "#1f6fb2"}
HALF = "#c9853c"  # bfloat16, or whatever else OpenVINO chooses


def draw(found: Bench, path: str | os.PathLike) -> Path:
    """Grouped bars: for each case and reader a bar per thread count, with its quartiles; as one PNG."""
    cases, counts = found.cases(), found.setup.conditions.threads
    names = list(dict.fromkeys(row.reader for row in found.timings))
    figure = Figure(
        figsize=(3.4 * len(cases) + 2.6, 1.9 + 0.34 * len(names) * len(counts)),
        dpi=110,
        facecolor="white",
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(cases), sharey=True, squeeze=False)[0]
    high = 0.8 / len(counts)
    for axes, case in zip(panels, cases):
        longest = 0.0
        for place, count in enumerate(counts):
            rows: list[Timing] = found.at(case, count)
            medians = np.array([row.median for row in rows])
            quartiles = np.array([row.quartiles for row in rows]).T
            bars = axes.barh(
                np.arange(len(rows)) + (place - (len(counts) - 1) / 2) * high,
                medians,
                0.9 * high,
                color=[COLORS.get(row.kind, HALF) for row in rows],
                alpha=0.55 + 0.45 * (place + 1) / len(counts),
                xerr=np.abs(quartiles - medians),
                error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "0.25"},
            )
            bracket = f" ({count})" * (len(counts) > 1)
            axes.bar_label(bars, [f"{value:.1f}{bracket}" for value in medians], padding=4, fontsize=8)
            longest = max(longest, quartiles.max())
        axes.set(xlim=(0, 1.32 * longest), xlabel="ms per line")
        axes.set_title(case if case.endswith("lines") else f"One line of {case}", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8.5)
    panels[0].set_yticks(range(len(names)), names, parse_math=False)
    panels[0].invert_yaxis()
    threads = " and ".join(map(str, counts)) + (" thread" if counts == (1,) else " threads")
    bracket = " (threads in brackets)" * (len(counts) > 1)
    lacking = [missing.reader for missing in found.missing]
    key = "brown: VietOCR's own code, purple: AsterOCR, grey: float32, orange: shorter floats, blue: int8"
    key += f"; not measured: {', '.join(lacking)}" * bool(lacking)
    figure.suptitle(
        f"Time per line in ms, {threads}{bracket}: medians and quartiles; {found.setup.conditions.cpu}\n{key}",
        fontsize=11,
        parse_math=False,
    )
    return save_figure(figure, path)
