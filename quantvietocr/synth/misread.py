"""Generated lines that a checkpoint misreads, to train on: a line that it reads right teaches it little.

Most of the time of a training step is the backward pass, spent on lines that are mostly read right. Reading a line with
an 8-bit file costs a fraction of training on it.

Source:
    Choosing what to learn from by what a network gets wrong: Jiang et al. 2019, arXiv 1910.00762. Choosing it with a
    fixed proxy of that network: Coleman et al. 2020, arXiv 1906.11829.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..common.files import write_text
from ..common.parsing import json_of
from ..dataset.loading import in_order
from ..metrics.edits import edit_distance
from ..pictures.image import line_pixels, open_line
from ..reading.recognizer import Recognizer
from .lines.generator import Line, LineGenerator, write_line, write_tables

CHUNK = 512  # lines drawn and read between two writes of the state
MAX_MISREAD = 0.5  # edits per character of the label; a line with more says more about its damage than about letters
MAX_MISREAD_SLIP = 0.8  # the same for lines of slips: dots that a network never saw it misreads, and people read them
MAX_MISREAD_START = 0.2  # edits per character read; with fewer, the reader read the line's start and then stopped


def write_misread(
    generator: LineGenerator, reader: Recognizer, folder: Path, wanted: int, origin: dict[str, Any], workers: int = 1
) -> str:
    """Write the first `wanted` of the generator's lines that the reader misreads, in VietOCR's format.

    Written are `img/NUMBER.png` by the line's number, `annotation.txt`, `lines.tsv` (`generator.ORIGIN`) and
    `readings.tsv`: the picture, its text, and what was read instead. Lines of which more than half was misread are left
    out and counted, unless the reader just stopped early. The reader sees each line as training does, squeezed into the
    network's width, without words.

    Args:
        generator: draws the lines.
        reader: reads them.
        folder: where to write.
        wanted: how many misread lines to write.
        origin: what the lines depend on. Where this is the same, an earlier run in the same folder goes on: one that
            was interrupted, or in which fewer lines were wanted.
        workers: processes that draw.

    Returns:
        A sentence: how many lines were looked at, and what became of them.
    """
    folder = Path(folder)
    (folder / "img").mkdir(parents=True, exist_ok=True)
    annotation, state = folder / "annotation.txt", folder / "state.json"
    annotation.unlink(missing_ok=True)  # it says that all pictures are there
    progress = _resumed(state, origin, wanted)
    rows, looked = progress["rows"], _looked_at(progress)
    chunk = looked // CHUNK  # the first lines of this chunk may have been looked at before
    with (
        tqdm(total=wanted, initial=min(wanted, len(rows)), unit="line", desc="misread") as bar,
        closing(in_order(partial(_draw, generator), count(chunk), workers)) as chunks,
    ):
        while len(rows) < wanted:
            lines = next(chunks)
            readings = reader.recognize([line_pixels(line.image, reader.spec) for line in lines])
            for number, (line, (read, _)) in enumerate(zip(lines, readings), chunk * CHUNK):
                if number < looked:
                    continue  # in an earlier run
                if len(rows) == wanted:
                    break
                kind = judge(line.text, read)
                progress[kind] += 1
                if kind == "misread":
                    rows.append([*write_line(line, folder, number), read])
                    bar.update(1)
            chunk += 1
            bar.set_postfix_str(f"looked at {chunk * CHUNK:,}")
            write_text(state, json.dumps(progress, ensure_ascii=False))
    table = [f"{labelled}\t{read}\n" for labelled, _, read in rows]
    write_text(folder / "readings.tsv", "".join(["path\ttext\tread\n", *table]))
    write_tables(folder, [(labelled, drawn) for labelled, drawn, _ in rows])
    return (
        f"{annotation}: of {_looked_at(progress):,} lines looked at, {progress['misread']:,} were misread and kept, "
        f"{progress['right']:,} read right; {progress['illegible']:,} were more than half misread and left out."
    )


def keep_misread(annotation: Path, reader: Recognizer) -> str:
    """Write `misread.txt` beside an annotation: those of its lines that the reader misreads.

    Args:
        annotation: labelled lines, in VietOCR's format.
        reader: reads them, as in `write_misread`.

    Returns:
        A sentence: how many lines were looked at, and what became of them.
    """
    rows = [row.partition("\t") for row in annotation.read_text(encoding="utf-8").splitlines()]
    became: Counter[str] = Counter()
    kept: list[str] = []
    with tqdm(total=len(rows), unit="line", desc="misread") as bar:
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            pictures = [line_pixels(open_line(annotation.parent / name), reader.spec) for name, _, _ in part]
            for (name, _, text), (read, _) in zip(part, reader.recognize(pictures)):
                kind = judge(text, read, MAX_MISREAD_SLIP)
                became[kind] += 1
                kept += [f"{name}\t{text}\n"] if kind == "misread" else []
            bar.update(len(part))
    target = annotation.with_name("misread.txt")
    write_text(target, "".join(kept))
    return (
        f"{target}: of {len(rows):,} lines, {became['misread']:,} were misread and kept, {became['right']:,} read "
        f"right; {became['illegible']:,} were more than {MAX_MISREAD_SLIP:.0%} misread and left out."
    )


def judge(text: str, read: str, most: float = MAX_MISREAD) -> str:
    """Say what became of a line.

    A line of which the start alone was read (behind a rule, say) is legible, however much of it is missing.

    Args:
        text: its label.
        read: what was read.
        most: edits per character of the label, up to which a line is legible.

    Returns:
        `right`, `misread` or `illegible`.
    """
    edits = edit_distance(text, read)
    if not edits:
        return "right"
    start_read = read and edit_distance(text[: len(read)], read) <= MAX_MISREAD_START * len(read)
    return "misread" if edits <= most * len(text) or start_read else "illegible"


def _draw(generator: LineGenerator, chunk: int) -> list[Line]:
    return [generator.line(number) for number in range(chunk * CHUNK, (chunk + 1) * CHUNK)]


def _resumed(state: Path, origin: dict[str, Any], wanted: int) -> dict[str, Any]:
    """Return the state of an earlier run that this one goes on from, else a new one."""
    if state.is_file():
        earlier = json_of(state.read_text(encoding="utf-8"))
        if earlier["origin"] == origin and len(earlier["rows"]) <= wanted:
            return earlier
    return {"origin": origin, "right": 0, "misread": 0, "illegible": 0, "rows": []}


def _looked_at(progress: dict[str, Any]) -> int:
    """Count the lines that were looked at, from the generator's first on."""
    return progress["right"] + progress["misread"] + progress["illegible"]
