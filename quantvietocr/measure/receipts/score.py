"""Reads sets of receipts, real and generated ones, with several readers, and writes what became of them."""

from __future__ import annotations

import dataclasses
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ...common.files import write_text
from ...metrics.edits import edit_distance
from ...synth.receipts.files import LISTING
from ...synth.receipts.recipe import receipts_of
from ..conditions import Conditions, conditions_now, load_average, versions_of
from .generated import Truth, errors_of, read_generated_pages, score_page, table_of, wrong_fields
from .notes import Notes
from .overview import LineRow, PageRow, Scored, line_row, page_of_tables, page_row, to_json, verdicts_by_field
from .readers import PageContestant, Reading, ScoreError, page_contestants
from .real import TRUTH, RealLines, RealPage, is_real, name_of, read_real_lines, read_real_pages
from .report import Table, draw
from .report import to_json as generated_json
from .verdicts import all_absent, judge, same_leniently, same_strictly

READINGS = "readings.jsonl"
RECIPES = (".yml", ".yaml")


@dataclass
class _Run:
    """What the sets of one score have in common.

    Attributes:
        out: folder to write into.
        contestants: the readers.
        notes: their readings.
        conditions: how it is measured.
        pages, lines, generated: as `Scored` has them, as far as they are made.
    """

    out: Path
    contestants: list[PageContestant]
    notes: Notes
    conditions: Conditions
    pages: list[PageRow] = dataclasses.field(default_factory=list)
    lines: list[LineRow] = dataclasses.field(default_factory=list)
    generated: list[Table] = dataclasses.field(default_factory=list)

    def scored(self) -> Scored:
        engines = {contestant.name: contestant.engine for contestant in self.contestants}
        return Scored(tuple(self.pages), tuple(self.lines), tuple(self.generated), engines, self.conditions)


def score_pages(
    data: Sequence[str | os.PathLike],
    weights: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    other_readers: Sequence[str] = (),
    detector: str = "auto",
    threads: int = 1,
    limit: int = 0,
    workers: int = 1,
    resume: bool = False,
    command: str | None = None,
    lines: Sequence[str | os.PathLike] = (),
) -> Scored:
    """Read receipts with every reader, and score them.

    The readers take turns at each picture, after one that is not timed.

    Args:
        data: folders with `truth.tsv` (real receipts) or with `receipts.json` (generated ones), or recipes of receipts
            (.yml), whose pictures are made below `out`.
        weights: checkpoints, a row each.
        out: folder for `table.md`, `overview.json` and `readings.jsonl`; for `lines.tsv` (every annotated line that was
            not read right); and for each set `fields.tsv` (every field that was not), of generated ones with
            `errors.tsv` (every group of lines that was not), `table.json` and `table.png`. Of several sets each has a
            folder of its name for these.
        other_readers: of `peers.OTHER_READERS`, last.
        detector: what finds the lines (`open_detector`).
        threads: of every reader.
        limit: that many pictures of each set, the first; 0 takes all.
        workers: processes that make a recipe's pictures.
        resume: go on from `readings.jsonl` where a run was interrupted.
        command: recorded in the tables' JSON.
        lines: annotations of crops (VietOCR's), or folders that hold one.

    Raises:
        ScoreError: nothing can be scored so.
        AnnotationError, ReceiptFilesError, RecipeError, CheckpointError, DetectorError, PeerError, ImageError:
            something cannot be read.
    """
    if not data or not weights or threads < 1 or limit < 0 or workers < 1:
        raise ScoreError("A score needs at least one checkpoint, one thread and one worker; limit is 0 or more.")
    out, before, load = Path(out), torch.get_num_threads(), load_average()
    folders = _folders([Path(source) for source in data], out)
    real = {source: read_real_pages(source)[: limit or None] for source in folders if is_real(source)}
    annotated = [read_real_lines(Path(source)) for source in lines]
    try:
        torch.set_num_threads(threads)
        contestants = page_contestants([Path(file) for file in weights], other_readers, detector, threads)
        generated = {
            source: read_generated_pages(_made(source, folder, workers))[: limit or None]
            for source, folder in folders.items()
            if source not in real
        }
        versions = versions_of(["torch"])
        for contestant in contestants:
            versions |= contestant.versions
        conditions = conditions_now([threads], versions, load, command)
        run = _Run(out, contestants, Notes(out / READINGS, resume), conditions)
        for source, pages in real.items():
            _score_real(run, source, folders[source], pages)
        _score_lines(run, annotated)
        for source, truths in generated.items():
            _score_generated(run, source, folders[source], truths)
    finally:
        torch.set_num_threads(before)
    scored = run.scored()
    write_text(out / "table.md", page_of_tables(scored))
    write_text(out / "overview.json", to_json(scored))
    return scored


def _folders(sources: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Return where the tables of each set go, the sets in the order given; see that each can be read and told apart."""
    names = [name_of(source) for source in sources]
    for source, name in zip(sources, names):
        if names.count(name) > 1:
            raise ScoreError(f"--data {source}: two sets are called {name}; name each once, or call one otherwise.")
        if source.suffix not in RECIPES and not any((source / listing).is_file() for listing in (TRUTH, LISTING)):
            raise ScoreError(
                f"--data {source}: holds neither {TRUTH}, for real receipts, nor {LISTING}; write {TRUTH} with the "
                "columns file, shop, address, date and total, or make receipts with `quantvietocr synth --receipts`."
            )
    return {source: out / name if len(sources) > 1 else out for source, name in zip(sources, names)}


def _made(source: Path, folder: Path, workers: int) -> Path:
    """Return the folder of generated receipts; those of a recipe are made below `folder`."""
    return receipts_of(source, folder / "receipts", workers).parent if source.suffix in RECIPES else source


def _score_real(run: _Run, source: Path, folder: Path, pages: Sequence[RealPage]) -> None:
    name, rows = name_of(source), []
    for contestant, readings in zip(run.contestants, run.notes.read_pages(run.contestants, pages, name)):
        verdicts = [
            judge(page.fields, reading.fields, reading.unsure, same_leniently) if reading else all_absent(page.fields)
            for page, reading in zip(pages, readings)
        ]
        unreadable = tuple(page.path.name for page, reading in zip(pages, readings) if reading is None)
        present = [reading for reading in readings if reading]
        run.pages.append(page_row(f"{name} (real)", contestant, present, verdicts_by_field(verdicts), unreadable))
        rows += [
            (
                contestant.name,
                page.path.name,
                field,
                verdict,
                page.fields[field],
                reading.fields.get(field, "") if reading else "",
            )
            for page, reading, judged in zip(pages, readings, verdicts)
            for field, verdict in judged.items()
            if verdict != "right"
        ]
    write_text(folder / "fields.tsv", _tsv(("reader", "picture", "field", "verdict", "printed", "read"), rows))


def _score_lines(run: _Run, annotated: Sequence[RealLines]) -> None:
    rows: list[tuple] = []
    for lines in annotated:
        for contestant, texts in zip(run.contestants, run.notes.read_lines(run.contestants, lines)):
            pairs = [
                (sample.path.name, sample.text, unicodedata.normalize("NFC", text))
                for sample, text in zip(lines.samples, texts)
            ]
            run.lines.append(
                line_row(f"{lines.name} (real)", contestant.name, [(1, written, read) for _, written, read in pairs])
            )
            rows += [
                (contestant.name, name, edit_distance(written, read), written, read)
                for name, written, read in pairs
                if written != read
            ]
    if annotated:
        write_text(run.out / "lines.tsv", _tsv(("reader", "picture", "edits", "written", "read"), rows))


def _score_generated(run: _Run, source: Path, folder: Path, truths: Sequence[Truth]) -> None:
    name = name_of(source)
    readings = _complete(run.notes.read_pages(run.contestants, truths, name), truths)
    scores = [[score_page(truth, reading) for truth, reading in zip(truths, mine)] for mine in readings]
    table = table_of(str(source), truths, run.contestants, scores, run.conditions)
    run.generated.append(table)
    for contestant, mine, pages in zip(run.contestants, readings, scores):
        verdicts = [
            judge(truth.fields, reading.fields, reading.unsure, same_strictly) for truth, reading in zip(truths, mine)
        ]
        run.pages.append(page_row(f"{name} (generated)", contestant, mine, verdicts_by_field(verdicts)))
        pairs = [(len(group.lines), group.written, group.read) for page in pages for group in page.matched.groups]
        run.lines.append(line_row(f"{name} (generated)", contestant.name, pairs))
    write_text(folder / "table.json", generated_json(table))
    draw(table, folder / "table.png")
    errors, fields = errors_of(run.contestants, truths, scores), wrong_fields(run.contestants, truths, scores)
    write_text(folder / "errors.tsv", _tsv(("reader", "picture", "edits", "written", "read"), errors))
    write_text(folder / "fields.tsv", _tsv(("reader", "picture", "field", "printed", "read"), fields))


def _complete(readings: Sequence[Sequence[Reading | None]], truths: Sequence[Truth]) -> list[list[Reading]]:
    """Return the readings of generated receipts, all of which can be opened. Raises ScoreError where one cannot."""
    for truth, *of_page in zip(truths, *readings):
        if None in of_page:
            raise ScoreError(f"{truth.path}: this generated receipt cannot be opened; make the receipts again.")
    return [[reading for reading in mine if reading] for mine in readings]


def _tsv(head: Sequence[str], rows: Iterable[tuple]) -> str:
    cells = (tuple(str(cell).replace("\t", " ").replace("\n", " ") for cell in row) for row in rows)
    return "".join("\t".join(row) + "\n" for row in (head, *cells))
