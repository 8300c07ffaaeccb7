"""What `quantvietocr sensitivity` writes: a CSV with every setting, and bars for each layer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...common.figures import save_figure
from ...quantize.bits.sensitivity import Sensitivity
from ...quantize.scheme import PREFIX

COLORS = {8: "#1f6fb2", 4: "#e08f2c"}


def csv(results: Sequence[Sensitivity]) -> str:
    """A row per setting: layer, weight bits, kind, SQNR (dB), exact lines, CER, CER above float's (fractions)."""
    rows = ["layer,weight_bits,kind,sqnr_db,exact,cer,cer_delta"]
    for r in results:
        layer = r.setting.layer.removeprefix(PREFIX)
        rows.append(
            f"{layer},{r.setting.bits},{r.setting.kind},{r.sqnr:.3f},{r.exact:.6f},{r.cer:.6f},{r.cer_delta:.6f}"
        )
    return "\n".join(rows) + "\n"


def sentences(results: Sequence[Sensitivity]) -> str:
    """The worst layers, for the terminal."""
    lines = []
    for bits in _bits(results):
        (whole,) = _of(results, "all", bits)
        lines.append(
            f"{bits}-bit weights in every layer: SQNR {whole.sqnr:.1f} dB, CER {whole.cer:.2%} "
            f"({100 * whole.cer_delta:+.2f} pp)"
        )
        alone = sorted(_of(results, "alone", bits), key=lambda r: r.sqnr)
        worst = ", ".join(f"{r.setting.layer.removeprefix(PREFIX)} ({r.sqnr:.1f} dB)" for r in alone[:5])
        lines.append(f"  most sensitive, each quantized alone: {worst}")
    return "\n".join(lines)


def draw_sensitivity(results: Sequence[Sensitivity], lines: int, data: str, path: str | os.PathLike) -> Path:
    """Bars for each layer as one PNG: SQNR and CER with it alone quantized, and with all quantized but it."""
    widths = _bits(results)
    layers = list(dict.fromkeys(r.setting.layer for r in results if r.setting.layer))
    height = 1.9 + (0.16 + 0.16 * len(widths)) * len(layers)
    figure = Figure(figsize=(14, height), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 4, sharey=True)
    contents = (
        ("alone", "sqnr", "this layer quantized alone", "SQNR of the logits (dB)"),
        ("alone", "cer_delta", "this layer quantized alone", "CER above float's (pp)"),
        ("all but", "sqnr", "all quantized, this layer float", "SQNR of the logits (dB)"),
        ("all but", "cer_delta", "all quantized, this layer float", "CER above float's (pp)"),
    )
    high = 0.8 / len(widths)
    for axes, (kind, measure, title, unit) in zip(panels, contents):
        factor = 1 if measure == "sqnr" else 100
        for place, bits in enumerate(widths):
            rows = {r.setting.layer: factor * getattr(r, measure) for r in _of(results, kind, bits)}
            # A matrix has no row of its own in 4 bits, and what adds no noise has no finite ratio.
            values = np.nan_to_num([rows.get(layer, 0.0) for layer in layers], posinf=0.0)
            color = COLORS.get(bits, "#3f8f5f")
            places = np.arange(len(layers)) + (place - (len(widths) - 1) / 2) * high
            axes.barh(places, values, height=0.92 * high, color=color, label=f"{bits}-bit weights")
            if kind == "all but":
                (whole,) = _of(results, "all", bits)
                axes.axvline(
                    factor * getattr(whole, measure),
                    color=color,
                    linewidth=1.2,
                    linestyle="--",
                    label=f"every layer, {bits}-bit weights",
                )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(unit, fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    panels[0].set_yticks(range(len(layers)), [layer.removeprefix(PREFIX) for layer in layers])
    panels[0].invert_yaxis()
    handles, labels = panels[2].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    figure.suptitle(f"Which layers suffer from quantization: {lines:,} lines of {data}", fontsize=11, parse_math=False)
    return save_figure(figure, path)


def _of(results: Sequence[Sensitivity], kind: str, bits: int) -> list[Sensitivity]:
    return [r for r in results if (r.setting.kind, r.setting.bits) == (kind, bits)]


def _bits(results: Sequence[Sensitivity]) -> list[int]:
    return list(dict.fromkeys(r.setting.bits for r in results if r.setting.kind == "all"))
