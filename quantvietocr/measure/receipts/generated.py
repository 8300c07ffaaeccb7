"""How well generated receipts are read: lines found, characters, fields, items and time, by several readers."""

from __future__ import annotations

import statistics
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...metrics.edits import edit_distance
from ...receipt.page import FIELD_NAMES
from ...synth.receipts.files import read_truths
from ..conditions import Conditions
from .match import Matched, Piece, Quad, match, quad_of
from .readers import PageContestant, Reading
from .report import Row, Setup, Table
from .verdicts import same_strictly

NAME_EDITS = 0.2  # × a name's characters: an item may differ in so many and still be that item


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


def read_generated_pages(folder: Path) -> list[Truth]:
    """Read the pictures of a folder and what is on them.

    Raises:
        ReceiptFilesError: as `read_truths`.
    """
    return [_truth(path, truth) for path, truth in read_truths(folder)]


def table_of(
    data: str,
    truths: Sequence[Truth],
    contestants: Sequence[PageContestant],
    scores: Sequence[Sequence[PageScore]],
    conditions: Conditions,
) -> Table:
    """Make the table of readers of generated receipts.

    Args:
        data: the folder or the recipe, as given.
        truths: the pages.
        contestants: the readers.
        scores: of each reader, those of the pages.
        conditions: how it was measured.
    """
    lines, characters = sum(len(truth.lines) for truth in truths), sum(score.characters for score in scores[0])
    return Table(
        Setup(data, len(truths), lines, characters, conditions),
        tuple(_row(contestant, mine) for contestant, mine in zip(contestants, scores)),
    )


def score_page(truth: Truth, reading: Reading) -> PageScore:
    """One page: see the note below the table (`report.NOTE`) for what counts as right."""
    matched = match(truth.lines, reading.pieces, truth.marks)
    right = {name: same_strictly(name, truth.fields[name], reading.fields.get(name)) for name in FIELD_NAMES}
    items = _right_items(truth.items, reading.items), len(truth.items), len(reading.items)
    characters = sum(len(line.text) for line in truth.lines)
    return PageScore(
        truth.kind, matched, characters, sum(group.edits for group in matched.groups), right, items, reading
    )


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


def errors_of(
    contestants: Sequence[PageContestant], truths: Sequence[Truth], scores: Sequence[Sequence[PageScore]]
) -> Iterator[tuple]:
    """Yield every group of lines that was not read right: reader, picture, edits, written, read."""
    for contestant, mine in zip(contestants, scores):
        for truth, score in zip(truths, mine):
            yield from (
                (contestant.name, truth.path.name, group.edits, group.written, group.read)
                for group in score.matched.groups
                if group.edits
            )


def wrong_fields(
    contestants: Sequence[PageContestant], truths: Sequence[Truth], scores: Sequence[Sequence[PageScore]]
) -> Iterator[tuple]:
    """Yield every field and page of items that was not read right: reader, picture, field, printed, read."""
    for contestant, mine in zip(contestants, scores):
        for truth, score in zip(truths, mine):
            yield from (
                (contestant.name, truth.path.name, name, truth.fields[name], score.reading.fields.get(name, ""))
                for name, right in score.fields.items()
                if not right
            )
            if score.items[0] < max(score.items[1:]):
                yield contestant.name, truth.path.name, "items", list(truth.items), list(score.reading.items)
