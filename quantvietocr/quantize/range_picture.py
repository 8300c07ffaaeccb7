"""The activation ranges that calibration found, as numbers for programs and as a picture for people."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn

from ..common.figures import save_figure
from ..common.files import write_text
from .observers import Histogram

COLUMNS = 4  # of panels
PANEL = (3.2, 2.0)  # width and height of one, inches
SHOWN_BINS = 160  # of a histogram, at most


@dataclass(frozen=True)
class Range:
    """One activation's calibrated range, in its own units.

    Attributes:
        low: smallest value seen.
        high: greatest value seen.
        clip_low: lower end of the range that the bits divide.
        clip_high: its upper end.
        scale: one step.
        outside: share (0 to 1) of the values outside that range.
        clipped: share of the values that even the byte cannot hold; less where the range has fewer than 8 bits.
        values: how many were seen.
    """

    low: float
    high: float
    clip_low: float
    clip_high: float
    scale: float
    zero_point: int
    outside: float
    clipped: float
    values: int


@contextmanager
def recorded(observers: Mapping[str, nn.Module]) -> Iterator[dict[str, Histogram]]:
    """Count what these observers are shown while the block runs: a histogram by the name of each."""
    histograms = {name: Histogram() for name in observers}
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs, seen=histograms[name]: seen.add(inputs[0]))
        for name, module in observers.items()
    ]
    try:
        yield histograms
    finally:
        for hook in hooks:
            hook.remove()


def ranges_of(observers: Mapping[str, Any], histograms: Mapping[str, Histogram]) -> dict[str, Range]:
    """What each observer made of what it saw, by name and in their order."""
    found = {}
    for name, observer in observers.items():
        scale, zero_point = (value.item() for value in observer.calculate_qparams())
        low, high = ((level - zero_point) * scale for level in (observer.quant_min, observer.quant_max))
        seen = histograms[name]
        half = scale / 2  # a value rounds into the range from half a step away
        found[name] = Range(
            seen.low,
            seen.high,
            low,
            high,
            scale,
            int(zero_point),
            seen.outside(low - half, high + half),
            seen.outside(-zero_point * scale - half, (255 - zero_point) * scale + half),
            int(seen.counts.sum()),
        )
    return found


def write_ranges(
    ranges: Mapping[str, Range], histograms: Mapping[str, Histogram], observer: str, folder: str | os.PathLike
) -> Path:
    """`ranges.json` and `ranges.png` in `folder`; returns it. observer: its name, for the title."""
    folder = Path(folder)
    text = json.dumps({name: dataclasses.asdict(found) for name, found in ranges.items()}, indent=1, allow_nan=False)
    write_text(folder / "ranges.json", text + "\n")
    draw_ranges(ranges, histograms, observer, folder / "ranges.png")
    return folder


def draw_ranges(
    ranges: Mapping[str, Range], histograms: Mapping[str, Histogram], observer: str, path: str | os.PathLike
) -> Path:
    """A histogram of each activation (log counts), its range marked."""
    rows = math.ceil(len(ranges) / COLUMNS)
    figure = Figure(
        figsize=(COLUMNS * PANEL[0], rows * PANEL[1] + 0.6), dpi=110, facecolor="white", layout="constrained"
    )
    FigureCanvasAgg(figure)
    panels = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in panels.flat[len(ranges) :]:
        axes.set_axis_off()
    for axes, (name, found) in zip(panels.flat, ranges.items(), strict=False):
        edges, counts = _shown(histograms[name])
        axes.stairs(counts, edges, fill=True, color="#9aa5b1")
        for edge in (found.clip_low, found.clip_high):
            axes.axvline(edge, color="#b0413e", linewidth=1.2)
        axes.set_yscale("log")
        axes.set_title(f"{name}: {100 * found.outside:.3g} % outside", fontsize=9, parse_math=False)
        axes.tick_params(labelsize=7)
    figure.supxlabel("value of the activation", fontsize=9)
    figure.supylabel("values per bin", fontsize=9)
    figure.suptitle(
        f"Activation ranges by the {observer} observer: values seen (grey), the range that the bits divide (red)",
        fontsize=11,
    )
    return save_figure(figure, path)


def _shown(histogram: Histogram) -> tuple[np.ndarray, np.ndarray]:
    """Edges and counts from the smallest to the greatest value, in at most `SHOWN_BINS` bins."""
    used = np.flatnonzero(histogram.counts)
    first, last = int(used[0]), int(used[-1]) + 1
    step = max(math.ceil((last - first) / SHOWN_BINS), 1)
    starts = np.arange(first, last, step)
    counts = np.add.reduceat(histogram.counts[:last], starts)
    return histogram.edges[[*starts, last]], counts
