"""The error analysis of a comparison for people (errors.md, errors.png) and programs (errors.json)."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

from ...common.files import write_text
from ...metrics.analysis import CLASSES, Analysis, Part
from ..markdown import aligned
from .errors_chart import PLOTTED, SetErrors, draw_errors

SHOWN_GROUPS = 12  # of lines, those with most edits, for example font families


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
        "vowel quality (â ă ê ô ơ ư, and đ's stroke) and its case are told apart where the base letter is right. "
        "Misread characters are ordered by the lower end of the 95 % interval of their error rate. The last row of "
        "edits takes a run of four or more of one mark (a dotted leader, a rule) for a single mark, in the references "
        "too."
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
    for rank in range(max(len(analysis.characters) for analysis in found)):
        worst.append([str(rank + 1), *(_character(analysis, rank) for analysis in found)])
    if len(worst) > 1:
        blocks.append("\n".join(aligned(worst, left=1)))
    for title in found[0].parts:
        blocks += _part_blocks(title, names, [analysis.parts[title] for analysis in found])
    return blocks


def _part_blocks(title: str, names: Sequence[str], parts: Sequence[Sequence[Part]]) -> list[str]:
    """A table of CER by part of the lines; of many parts those where the readers together err most."""
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


def _character(analysis: Analysis, rank: int) -> str:
    if rank >= len(analysis.characters):
        return ""
    found = analysis.characters[rank]
    shown = "space" if found.char == " " else found.char
    return f"{shown} {found.edits / found.written:.1%} ({found.edits:,} of {found.written:,})"
