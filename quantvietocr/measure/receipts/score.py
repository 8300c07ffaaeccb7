"""How well whole receipts are read: lines found, characters, fields, items and time, by several readers."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ... import __version__
from ...common.files import write_text
from ...metrics.edits import edit_distance
from ...pictures.image import open_line
from ...receipt.page import FIELD_NAMES
from ...synth.receipts.files import read_truths
from ...synth.receipts.recipe import receipts_of
from ..conditions import Conditions, conditions_now, load_average, versions_of
from .match import Matched, Piece, Quad, match, quad_of
from .readers import PageContestant, Reading, ScoreError, page_contestants
from .report import Row, Setup, Table, draw, markdown, to_json

NAME_EDITS = 0.2  # × a name's characters: an item may differ in so many and still be that item
READINGS = "readings.jsonl"


@dataclass(frozen=True)
class Truth:
    """One picture and what is on it."""

    path: Path
    kind: str
    sha256: str
    lines: tuple[Piece, ...]
    marks: tuple[Quad, ...]
    fields: dict[str, str | int]
    items: tuple[tuple[str, float, int], ...]


@dataclass(frozen=True)
class PageScore:
    """One reader on one page.

    Attributes:
        kind: of page.
        matched: what was read for which line.
        characters: on the page.
        edits: of all groups.
        fields: name → whether it was read right.
        items: how many were read right, are printed, were read.
        reading: what was read.
    """

    kind: str
    matched: Matched
    characters: int
    edits: int
    fields: dict[str, bool]
    items: tuple[int, int, int]
    reading: Reading


def score_pages(
    data: str | os.PathLike,
    weights: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    other_readers: Sequence[str] = (),
    detector: str = "auto",
    threads: int = 1,
    limit: int = 0,
    workers: int = 1,
    resume: bool = False,
    command: str | None = None,
) -> Table:
    """Read generated receipts with every reader, and score them.

    The readers take turns at each picture, after one that is not timed.

    Args:
        data: a folder with `receipts.json`, or a recipe of receipts (.yml), whose pictures are made in out/receipts.
        weights: checkpoints, a row each.
        out: folder for `table.md`, `table.json`, `table.png`, `errors.tsv` (every group of lines that was not read
            right), `fields.tsv` (every field and item that was not) and `readings.jsonl`.
        other_readers: of `peers.OTHER_READERS`, last.
        detector: what finds the lines (`open_detector`).
        threads: of every reader.
        limit: that many pictures, the first; 0 takes all.
        workers: processes that make a recipe's pictures.
        resume: go on from `readings.jsonl` where a run was interrupted.
        command: recorded in `table.json`.

    Raises:
        ScoreError: nothing can be scored so.
        ReceiptFilesError, RecipeError, CheckpointError, DetectorError, PeerError, ImageError: something cannot be read.
    """
    if not weights or threads < 1 or limit < 0 or workers < 1:
        raise ScoreError("A score needs at least one checkpoint, one thread and one worker; limit is 0 or more.")
    out, before, load = Path(out), torch.get_num_threads(), load_average()
    try:
        torch.set_num_threads(threads)
        contestants = page_contestants([Path(file) for file in weights], other_readers, detector, threads)
        if Path(data).suffix in (".yml", ".yaml"):
            folder = receipts_of(Path(data), out / "receipts", workers).parent
        else:
            folder = Path(data)
        truths = [_truth(path, truth) for path, truth in read_truths(folder)][: limit or None]
        out.mkdir(parents=True, exist_ok=True)
        scores = _read_all(contestants, truths, out / READINGS, resume)
    finally:
        torch.set_num_threads(before)
    table = Table(
        _setup(data, truths, scores, _conditions(contestants, threads, load, command)),
        tuple(_row(contestant, mine) for contestant, mine in zip(contestants, scores)),
    )
    write_text(out / "table.md", markdown(table))
    write_text(out / "table.json", to_json(table))
    draw(table, out / "table.png")
    errors, fields = _errors(contestants, truths, scores), _wrong_fields(contestants, truths, scores)
    write_text(out / "errors.tsv", _tsv(("reader", "picture", "edits", "written", "read"), errors))
    write_text(out / "fields.tsv", _tsv(("reader", "picture", "field", "printed", "read"), fields))
    return table


def score_page(truth: Truth, reading: Reading) -> PageScore:
    """One page: see the note below the table (`report.NOTE`) for what counts as right."""
    matched = match(truth.lines, reading.pieces, truth.marks)
    right = {name: _same(name, truth.fields[name], reading.fields.get(name)) for name in FIELD_NAMES}
    items = _right_items(truth.items, reading.items), len(truth.items), len(reading.items)
    characters = sum(len(line.text) for line in truth.lines)
    return PageScore(
        truth.kind, matched, characters, sum(group.edits for group in matched.groups), right, items, reading
    )


def _same(name: str, printed: str | int, read: str | int | None) -> bool:
    if read is None or name == "total":
        return read == printed
    if name == "date":  # the day; the clock is not always read from the same place
        return str(read)[:10] == str(printed)[:10]
    return " ".join(str(read).split()) == " ".join(str(printed).split())


def _right_items(printed: Sequence[tuple[str, float, int]], read: Sequence[tuple[str, float, int]]) -> int:
    """Count items read right, each once: quantity and price equal, and the name but for NAME_EDITS."""
    left = list(read)
    for name, quantity, price in printed:
        for other in left:
            near = edit_distance(name.lower(), other[0].lower()) <= NAME_EDITS * len(name)
            if near and other[2] == price and abs(other[1] - quantity) < 1e-6:
                left.remove(other)
                break
    return len(read) - len(left)


def _truth(path: Path, truth: dict[str, Any]) -> Truth:
    return Truth(
        path,
        truth["kind"],
        truth["sha256"],
        tuple(Piece(quad_of(line["box"]), unicodedata.normalize("NFC", line["text"])) for line in truth["lines"]),
        tuple(quad_of(mark["box"]) for mark in truth["ignore"]),
        {name: field["value"] for name, field in truth["fields"].items()},
        tuple((item["name"], item["quantity"], item["price"]) for item in truth["items"]),
    )


def _read_all(
    contestants: Sequence[PageContestant], truths: Sequence[Truth], notes: Path, resume: bool
) -> list[list[PageScore]]:
    """For each reader the scores of all pages; each reading is noted as soon as it is there."""
    known = _noted(notes) if resume else {}
    if not resume:
        notes.unlink(missing_ok=True)
    warm = {contestant.name: False for contestant in contestants}
    scores: list[list[PageScore]] = [[] for _ in contestants]
    with (
        tqdm(total=len(contestants) * len(truths), desc="pages", unit="page") as bar,
        open(notes, "a", encoding="utf-8") as log,
    ):
        for truth in truths:
            picture: Image.Image | None = None
            for contestant, mine in zip(contestants, scores):
                key = f"{contestant.name} {contestant.key} {__version__} {truth.sha256}"
                reading = known.get(key)
                if reading is None:
                    picture = picture or open_line(truth.path)
                    if not warm[contestant.name]:
                        contestant.reader.read(picture)
                        warm[contestant.name] = True
                    reading = contestant.reader.read(picture)
                    log.write(json.dumps({"key": key, **dataclasses.asdict(reading)}, ensure_ascii=False) + "\n")
                    log.flush()
                mine.append(score_page(truth, reading))
                bar.update(1)
    return scores


def _noted(notes: Path) -> dict[str, Reading]:
    """Readings of an earlier run; the last line may be cut short."""
    if not notes.is_file():
        return {}
    found = {}
    for line in notes.read_text(encoding="utf-8").splitlines():
        try:
            noted = json.loads(line)
        except ValueError:
            continue  # interrupted while it was written: that page is read again
        found[noted.pop("key")] = Reading(
            tuple(Piece(quad_of(piece["box"]), piece["text"]) for piece in noted["pieces"]),
            noted["fields"],
            tuple((name, quantity, price) for name, quantity, price in noted["items"]),
            noted["ms"],
            noted["recogniser_ms"],
        )
    return found


def _row(contestant: PageContestant, scores: Sequence[PageScore]) -> Row:
    kinds = sorted({score.kind for score in scores})
    about = {kind: _rates([score for score in scores if score.kind == kind]) for kind in kinds}
    times = [score.reading.ms for score in scores]
    recogniser = [score.reading.recogniser_ms for score in scores if score.reading.recogniser_ms is not None]
    low, high = np.percentile(times, (25, 75))
    return Row(
        contestant.name,
        contestant.file,
        contestant.method,
        contestant.engine,
        contestant.bytes,
        **_rates(scores),
        kinds=about,
        ms_per_page=statistics.median(times),
        ms_quartiles=(float(low), float(high)),
        recogniser_ms=statistics.median(recogniser) if len(recogniser) == len(scores) else None,
        ignored=sum(score.matched.ignored for score in scores),
    )


def _rates(scores: Sequence[PageScore]) -> dict[str, Any]:
    found = [one for score in scores for one in score.matched.found]
    groups = [group for score in scores for group in score.matched.groups]
    characters = sum(score.characters for score in scores)
    right, printed, read = (sum(part) for part in zip(*(score.items for score in scores)))
    return {
        "pages": len(scores),
        "lines": len(found),
        "found": sum(found) / len(found),
        "cer": sum(score.edits for score in scores) / characters,
        "missed": sum(len(group.written) for group in groups if not group.pieces) / characters,
        "invented": sum(len(group.read) for group in groups if not group.lines) / characters,
        **{name: sum(score.fields[name] for score in scores) / len(scores) for name in FIELD_NAMES},
        "item_f1": 2 * right / max(printed + read, 1),
    }


def _errors(
    contestants: Sequence[PageContestant], truths: Sequence[Truth], scores: Sequence[Sequence[PageScore]]
) -> Iterator[tuple]:
    for contestant, mine in zip(contestants, scores):
        for truth, score in zip(truths, mine):
            yield from (
                (contestant.name, truth.path.name, group.edits, group.written, group.read)
                for group in score.matched.groups
                if group.edits
            )


def _wrong_fields(
    contestants: Sequence[PageContestant], truths: Sequence[Truth], scores: Sequence[Sequence[PageScore]]
) -> Iterator[tuple]:
    for contestant, mine in zip(contestants, scores):
        for truth, score in zip(truths, mine):
            yield from (
                (contestant.name, truth.path.name, name, truth.fields[name], score.reading.fields.get(name, ""))
                for name, right in score.fields.items()
                if not right
            )
            if score.items[0] < max(score.items[1:]):
                yield contestant.name, truth.path.name, "items", list(truth.items), list(score.reading.items)


def _tsv(head: Sequence[str], rows: Iterator[tuple]) -> str:
    cells = (tuple(str(cell).replace("\t", " ").replace("\n", " ") for cell in row) for row in rows)
    return "".join("\t".join(row) + "\n" for row in (head, *cells))


def _conditions(
    contestants: Sequence[PageContestant], threads: int, load: float | None, command: str | None
) -> Conditions:
    versions = versions_of(["torch"])
    for contestant in contestants:
        versions |= contestant.versions
    return conditions_now([threads], versions, load, command)


def _setup(
    data: str | os.PathLike, truths: Sequence[Truth], scores: Sequence[Sequence[PageScore]], conditions: Conditions
) -> Setup:
    lines, characters = sum(len(truth.lines) for truth in truths), sum(score.characters for score in scores[0])
    return Setup(str(data), len(truths), lines, characters, conditions)
