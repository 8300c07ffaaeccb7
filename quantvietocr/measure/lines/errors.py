"""The error analysis of a comparison for people (errors.md, errors.png) and programs (errors.json)."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...common.figures import save_figure
from ...common.files import write_text
from ...metrics.analysis import CLASSES, Analysis, Part
from ..markdown import aligned
from .charts import SETS

SHOWN_GROUPS = 12  # e.g. font families with most edits
PLOTTED = ("Width at height 32 (px)", "Text length (characters)", "Height of the crop (px)")


@dataclass(frozen=True)
class SetErrors:
    """One set of lines: its name, and each reader's name and analysis."""

    data: str
    readers: tuple[tuple[str, Analysis], ...]


def write_errors(sets: Sequence[SetErrors], out: str | os.PathLike) -> None:
    """`errors.md`, `errors.png` and `errors.json` in folder `out`, each whole or not at all."""
    out = Path(out)
    write_text(out / "errors.md", errors_markdown(sets))
    whole = [
        {"data": one.data, "readers": [{"name": name, **dataclasses.asdict(found)} for name, found in one.readers]}
        for one in sets
    ]
    write_text(out / "errors.json", json.dumps({"sets": whole}, ensure_ascii=False, indent=1) + "\n")
    draw_errors(sets, out / "errors.png")


def errors_markdown(sets: Sequence[SetErrors]) -> str:
    """Per set: edits by class, characters most often misread, and CER by width, length, height and groups of lines."""
    blocks = [
        "Edits are counted per 1,000 characters of the references, in brackets their number. A letter's tone mark, its "
        "vowel quality (â ă ê ô ơ ư, and đ's stroke) and its case are told apart where the base letter is right. Misread "
        "characters are ordered by the lower end of the 95 % interval of their error rate. The last row of edits takes "
        "a run of four or more of one mark (a dotted leader, a rule) for a single mark, in the references too."
    ]
    for one in sets:
        blocks += [f"## {one.data}", *_set_blocks(one)]
    return "\n\n".join(blocks) + "\n"


def _set_blocks(one: SetErrors) -> list[str]:
    names = [name for name, _ in one.readers]
    found = [analysis for _, analysis in one.readers]
    characters = found[0].whole.characters
    classes = [["Edits per 1,000 characters", *names]]
    for title in CLASSES:
        classes.append([title, *(_rate(analysis.classes[title], characters) for analysis in found)])
    classes.append(["all", *(_rate(analysis.edits, characters) for analysis in found)])
    short = [analysis.short for analysis in found]
    classes.append(["all, runs as one mark", *(_rate(part.edits, part.characters) for part in short)])
    blocks = [f"{found[0].whole.lines:,} lines, {characters:,} characters.", "\n".join(aligned(classes, left=1))]
    worst = [["Misread most often", *names]]
    for place in range(max(len(analysis.characters) for analysis in found)):
        worst.append([str(place + 1), *(_character(analysis, place) for analysis in found)])
    if len(worst) > 1:
        blocks.append("\n".join(aligned(worst, left=1)))
    for title in found[0].parts:
        blocks += _part_blocks(title, names, [analysis.parts[title] for analysis in found])
    return blocks


def _part_blocks(title: str, names: Sequence[str], parts: Sequence[Sequence[Part]]) -> list[str]:
    """A table of CER by part of the lines; of many parts those where the readers together err most, and how many more."""
    by_name = [{part.name: part for part in of_reader} for of_reader in parts]
    shown = list(by_name[0])
    hidden = 0
    if title not in PLOTTED:
        shown.sort(key=lambda name: (-sum(found[name].edits for found in by_name), name))
        hidden = max(0, len(shown) - SHOWN_GROUPS)
        shown = shown[:SHOWN_GROUPS]
    table = [[title, "Lines", "Characters", *(f"{name}: CER (exact)" for name in names)]]
    for name in shown:
        part = by_name[0][name]
        rates = [
            f"{found[name].edits / part.characters:.2%} ({found[name].exact / part.lines:.0%})" for found in by_name
        ]
        table.append([name, f"{part.lines:,}", f"{part.characters:,}", *rates])
    blocks = ["\n".join(aligned(table, left=1))]
    return blocks + [f"{hidden} more with fewer edits are in errors.json."] * bool(hidden)


def _rate(edits: int, characters: int) -> str:
    return f"{1000 * edits / characters:.2f} ({edits:,})"


def _character(analysis: Analysis, place: int) -> str:
    if place >= len(analysis.characters):
        return ""
    found = analysis.characters[place]
    shown = "space" if found.char == " " else found.char
    return f"{shown} {found.edits / found.written:.1%} ({found.edits:,} of {found.written:,})"


def draw_errors(sets: Sequence[SetErrors], path: str | os.PathLike) -> Path:
    """A row of charts per set: edits by class, and CER by width, length and height of the lines, a colour per reader."""
    figure = Figure(figsize=(19, 4.1 * len(sets) + 0.9), dpi=90, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(sets), 1 + len(PLOTTED), squeeze=False, width_ratios=[1.7, *[1] * len(PLOTTED)])
    for one, panels in zip(sets, grid):
        _classes(panels[0], one)
        for axes, title in zip(panels[1:], PLOTTED):
            _sizes(axes, one, title)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6), fontsize=9)
    figure.suptitle("Errors by kind, and by what the lines look like", fontsize=12)
    return save_figure(figure, path)


def _classes(axes: Axes, one: SetErrors) -> None:
    high = 0.84 / len(one.readers)
    for place, (name, found) in enumerate(one.readers):
        places = [row + (place - (len(one.readers) - 1) / 2) * high for row in range(len(CLASSES))]
        rates = [1000 * found.classes[title] / found.whole.characters for title in CLASSES]
        axes.barh(places, rates, height=high * 0.92, color=SETS[place % len(SETS)], label=name)
    axes.set_yticks(range(len(CLASSES)), CLASSES, fontsize=8.5)
    axes.invert_yaxis()
    axes.set_xlabel("Edits per 1,000 characters", fontsize=9)
    axes.set_title(f"{one.data}: {one.readers[0][1].whole.lines:,} lines", fontsize=9.5, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)


def _sizes(axes: Axes, one: SetErrors, title: str) -> None:
    for place, (name, found) in enumerate(one.readers):
        parts = found.parts[title]
        rates = [100 * part.edits / part.characters for part in parts]
        axes.plot(range(len(parts)), rates, marker="o", markersize=4, color=SETS[place % len(SETS)], label=name)
    parts = one.readers[0][1].parts[title]
    axes.set_xticks(range(len(parts)), [f"{part.name}\n{part.lines:,}" for part in parts], fontsize=7.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{title}, below it the lines", fontsize=9)
    axes.set_ylabel("Character error rate (%)", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
