"""Generated lines that a checkpoint misreads, to train on: what it reads right already teaches it little.

Most of a step's time is the backward pass, of lines that are mostly read right; to look at a line with an 8-bit file costs a
fraction of training on it. Choosing what to learn from by what a network gets wrong: Jiang et al. 2019, arXiv 1910.00762;
by a fixed proxy of it: Coleman et al. 2020, arXiv 1906.11829.
"""

from __future__ import annotations

import json
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..common.files import write_text
from ..dataset.loading import in_order
from ..metrics.edits import edit_distance
from ..pictures.image import line_pixels
from ..reading.recognizer import Recognizer
from .lines.generator import Line, LineGenerator, write_line, write_tables

CHUNK = 512  # lines drawn and read between two writes of the state
ILLEGIBLE = 0.5  # edits by character above which a line says more about its damage than about letters
STOPPED = 0.2  # edits by character read below which what was read of an illegible line is its start, and the reader lost its place


def write_misread(
    generator: LineGenerator,
    reader: Recognizer,
    folder: str | Path,
    wanted: int,
    origin: dict[str, Any],
    workers: int = 1,
) -> str:
    """Write the first `wanted` of the generator's lines that the reader misreads, as VietOCR's format.

    ``folder/img/NUMBER.png`` by the line's number, ``annotation.txt``, ``lines.tsv`` (`generator.ORIGIN`) and
    ``readings.tsv``: the picture, its text, and what was read instead. Lines of which more than half was misread are left out,
    and counted, unless the reader just stopped early. The reader sees each line as training does, squeezed into the network's width, without words.
    origin: what the lines depend on; where this is the same, a run that was interrupted, or in which fewer lines were wanted,
    goes on in the same folder.
    Returns how many lines were looked at, and what became of them, in a sentence.
    """
    folder = Path(folder)
    (folder / "img").mkdir(parents=True, exist_ok=True)
    annotation, state = folder / "annotation.txt", folder / "state.json"
    annotation.unlink(missing_ok=True)  # which says that all pictures are there
    found = _resumed(state, origin, wanted)
    rows, looked = found["rows"], _looked_at(found)
    chunk = looked // CHUNK  # of which the first lines may have been looked at before
    with (
        tqdm(total=wanted, initial=min(wanted, len(rows)), unit="line", desc="misread") as bar,
        closing(in_order(partial(_draw, generator), count(chunk), workers)) as chunks,
    ):
        while len(rows) < wanted:
            lines = next(chunks)
            readings = reader.recognize([line_pixels(line.image, reader.spec) for line in lines])
            for number, (line, (read, _)) in enumerate(zip(lines, readings), chunk * CHUNK):
                if number < looked:
                    continue
                if len(rows) == wanted:
                    break
                kind = judge(line.text, read)
                found[kind] += 1
                if kind == "misread":
                    rows.append([*write_line(line, folder, number), read])
                    bar.update(1)
            chunk += 1
            bar.set_postfix_str(f"looked at {chunk * CHUNK:,}")
            write_text(state, json.dumps(found, ensure_ascii=False))
    readings = "".join(f"{labelled}\t{read}\n" for labelled, _, read in rows)
    write_text(folder / "readings.tsv", f"path\ttext\tread\n{readings}")
    write_tables(folder, [(labelled, drawn) for labelled, drawn, _ in rows])
    return (
        f"{annotation}: of {_looked_at(found):,} lines looked at, {found['misread']:,} were misread and kept, {found['right']:,} read right; "
        f"{found['illegible']:,} were more than half misread and left out."
    )


def judge(text: str, read: str) -> str:
    """What became of a line: `right`, `misread`, or `illegible` where more than half of its characters were misread.

    A line of which the start alone was read (behind a rule, say) is legible, however much of it is missing.
    """
    edits = edit_distance(text, read)
    if not edits:
        return "right"
    if edits <= ILLEGIBLE * len(text) or (read and edit_distance(text[: len(read)], read) <= STOPPED * len(read)):
        return "misread"
    return "illegible"


def _draw(generator: LineGenerator, chunk: int) -> list[Line]:
    return [generator.line(number) for number in range(chunk * CHUNK, (chunk + 1) * CHUNK)]


def _resumed(state: Path, origin: dict[str, Any], wanted: int) -> dict[str, Any]:
    if state.is_file():
        found = json.loads(state.read_text(encoding="utf-8"))
        if found["origin"] == origin and len(found["rows"]) <= wanted:
            return found
    return {"origin": origin, "right": 0, "misread": 0, "illegible": 0, "rows": []}


def _looked_at(found: dict[str, Any]) -> int:
    """How many lines, from the generator's first on."""
    return found["right"] + found["misread"] + found["illegible"]
