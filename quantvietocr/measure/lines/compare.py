"""What quantization changed: accuracy, size and time of several readers on the same lines, in one table."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ...common.files import write_text
from ...common.machine import processor
from ...dataset.annotation import Sample
from ...dataset.batches import cut_by_width
from ...metrics.accuracy import confusions, score
from ...metrics.analysis import analyse
from ...metrics.trust import accept_at_precision, auroc, expected_calibration_error, reliability
from ...pictures.image import ImageSpec, open_line
from ...reading.options import USUAL, ReadingOptions
from ...reading.wide import excess
from . import report
from .charts import draw, draw_reliability
from .errors import SetErrors, write_errors
from .readers import BATCH, CompareError, Entry, entries
from .report import Row, Setup, Table
from .sets import LineSet, line_sets

TIMED_LINES = 40
TOGETHER = 256  # lines given at once to a program that takes long to start
PRECISION = 0.99  # of the lines accepted by confidence
NETWORK_HEIGHT = 32  # px, what line widths are told at in the error analysis

ReadAs = tuple[list[str], list[float]]  # one reader's text and confidence of every line


def compare(
    data: str | os.PathLike | Sequence[str | os.PathLike],
    weights: Sequence[str | os.PathLike],
    out: str | os.PathLike | None = None,
    vietocr: bool = False,
    config: str | os.PathLike | None = None,
    threads: int = 1,
    limit: int = 0,
    repeats: int = 3,
    unknown: str = "stop",
    problems: str = "stop",
    command: str | None = None,
    peers: Sequence[str] = (),
    workers: int = 1,
    options: Sequence[ReadingOptions] = (USUAL,),
) -> list[Table]:
    """Read each set of lines with every reader and return a table for each, its rows in order.

    data: an annotation file, a recipe (.yml), a folder of recipes, or several of these (`line_sets`).
    out: folder for `table.md`, `table.json`, `table.png`, `texts.tsv` (every line as each row read it), `reliability.png`,
    `errors.md`, `errors.json`, `errors.png`, and lines/NAME of recipes.
    vietocr: put VietOCR's own code first, on the first float weights. config: the YAML that `.pth` files were trained
    with, if it is not VietOCR's own. threads: for every row alike; 0 leaves torch's choice. limit: draw that many lines
    of each set, with seed 0; 0 takes all. repeats: timing rounds. unknown, problems: what to do with lines whose text is
    outside the vocabulary, or that cannot be used (`read_annotation`). command: recorded in `table.json`. peers: other
    readers, of `peers.PEERS`, last. workers: processes that generate a recipe's lines. options: how our engines read, a
    row of every checkpoint for each; all with the same `wide`. VietOCR's own code squeezes wide lines.
    Raises CompareError, LineSetError, CheckpointError, AnnotationError, RecipeError, ImageError, BridgeError, PeerError,
    WordsError.
    """
    data = [data] if isinstance(data, str | os.PathLike) else data
    if not weights or not data or not options or repeats < 1 or workers < 1 or threads < 0 or limit < 0:
        raise CompareError(
            "A comparison needs at least one checkpoint, one set of lines, one round and one worker; threads "
            "and limit are 0 or more."
        )
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads or before)
        readers, chars, spec = entries([Path(w) for w in weights], vietocr, peers, config, threads, options)
        sets = line_sets(data, out, chars, spec, unknown, problems, limit, workers)
        found = [_measure(readers, lines, repeats, command, spec, options) for lines in sets]
    finally:
        torch.set_num_threads(before)
    tables = [table for table, _ in found]
    if out is not None:
        _write(tables, sets, [read_as for _, read_as in found], Path(out))
    return tables


def _measure(
    readers: Sequence[Entry],
    lines: LineSet,
    repeats: int,
    command: str | None,
    spec: ImageSpec,
    options: Sequence[ReadingOptions],
) -> tuple[Table, list[ReadAs]]:
    timed = _spread(lines.samples, lines.widths)
    times = _time(readers, timed, repeats)
    read_as = _read_all(readers, lines.samples, lines.widths)
    about = _setup(readers, lines, len(timed), repeats, command)
    wide_lines = sum(excess(*size, spec) > 1 for size in lines.sizes)
    words = dict.fromkeys(one.words for one in options if one.words is not None)
    named = tuple(Path(name).name for name in words)
    setup = dataclasses.replace(about, wide=options[0].wide, wide_lines=wide_lines, words=named)
    return Table(setup, tuple(_rows(readers, lines.samples, read_as, times, setup.reference))), read_as


def _spread(samples: Sequence[Sample], widths: Sequence[int]) -> list[Image.Image]:
    """Up to TIMED_LINES pictures at even steps through all widths: their mean time stands for that of all lines."""
    order = np.argsort(widths, kind="stable")
    places = np.linspace(0, len(order) - 1, min(TIMED_LINES, len(order))).round().astype(int)
    return [open_line(samples[order[place]].path) for place in places]


def _time(readers: Sequence[Entry], pictures: Sequence[Image.Image], repeats: int) -> list[tuple[list[float], float]]:
    """For each reader the milliseconds per line of each round, and the cores it kept busy.

    A first round warms up: torch prepares its kernels for each width anew. The readers take turns, so that whatever
    else the machine does falls on all of them.
    """
    rounds: list[list[float]] = [[] for _ in readers]
    busy, passed = [0.0] * len(readers), [0.0] * len(readers)
    with tqdm(total=(repeats + 1) * len(readers) * len(pictures), desc="timing", unit="line") as bar:
        for number in range(repeats + 1):
            for place, entry in enumerate(readers):
                wall, cpu = time.perf_counter(), _cpu_seconds()
                if entry.together:
                    entry.reader.predict_batch(pictures, return_prob=True)
                else:
                    for picture in pictures:
                        entry.reader.predict(picture, return_prob=True)
                wall, cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
                bar.update(len(pictures))
                if number:
                    rounds[place].append(1000 * wall / len(pictures))
                    busy[place] += cpu
                    passed[place] += wall
    return [(times, cpu / wall) for times, cpu, wall in zip(rounds, busy, passed)]


def _cpu_seconds() -> float:
    """CPU time of this process and of programs it ran and awaited."""
    ran = os.times()
    return time.process_time() + ran.children_user + ran.children_system


def _read_all(readers: Sequence[Entry], samples: Sequence[Sample], widths: Sequence[int]) -> list[ReadAs]:
    """Texts and confidences of every sample, by every reader: in batches of one width, or in large ones of any."""
    found: list[ReadAs] = [([""] * len(samples), [0.0] * len(samples)) for _ in readers]
    large = [list(range(start, min(start + TOGETHER, len(samples)))) for start in range(0, len(samples), TOGETHER)]
    with tqdm(total=len(samples) * len(readers), desc="reading", unit="line") as bar:
        for together, cuts in ((False, cut_by_width(widths, BATCH)[::-1]), (True, large)):
            chosen = [(entry.reader, *read_as) for entry, read_as in zip(readers, found) if entry.together == together]
            for cut in cuts if chosen else ():
                pictures = [open_line(samples[i].path) for i in cut]
                for reader, texts, confidences in chosen:
                    for i, text, confidence in zip(cut, *reader.predict_batch(pictures, return_prob=True), strict=True):
                        texts[i], confidences[i] = text, confidence
                    bar.update(len(cut))
    return found


def _rows(
    readers: Sequence[Entry],
    samples: Sequence[Sample],
    read_as: Sequence[ReadAs],
    times: Sequence[tuple[list[float], float]],
    reference: str,
) -> list[Row]:
    references = [sample.text for sample in samples]
    scores = [score(references, texts) for texts, _ in read_as]
    middle = [statistics.median(rounds) for rounds, _ in times]
    base = next(place for place, entry in enumerate(readers) if entry.name == reference)
    kept = {field.name for field in dataclasses.fields(Entry)} & {field.name for field in dataclasses.fields(Row)}
    rows = []
    for place, entry in enumerate(readers):
        (texts, confidences), found, (rounds, cores) = read_as[place], scores[place], times[place]
        right = _right(samples, texts)
        rows.append(
            Row(
                **{name: getattr(entry, name) for name in kept},
                lines=found.lines,
                exact=found.exact,
                cer=found.cer,
                cer_delta=found.cer - scores[base].cer,
                cer_folded=found.cer_folded,
                ms_per_line=middle[place],
                ms_rounds=tuple(rounds),
                cores=cores,
                size_ratio=readers[base].bytes / entry.bytes,
                speed_ratio=middle[base] / middle[place],
                auroc=auroc(confidences, right),
                accepted=accept_at_precision(confidences, right, PRECISION),
                ece=expected_calibration_error(confidences, right),
                reliability=tuple(reliability(confidences, right)),
                confusions=tuple(confusions(references, texts)),
            )
        )
    return rows


def _right(samples: Sequence[Sample], texts: Sequence[str]) -> list[bool]:
    return [sample.text == text for sample, text in zip(samples, texts, strict=True)]


def _setup(readers: Sequence[Entry], lines: LineSet, timed: int, repeats: int, command: str | None) -> Setup:
    reference = next((entry for entry in readers if entry.method == "float"), readers[0])
    cpu, features = processor()
    versions = {"Python": platform.python_version()} | {
        name: _version(name) for name in ("quantvietocr", "torch", "numpy")
    }
    for entry in readers:
        versions |= entry.versions
    return Setup(
        data=lines.name,
        lines=len(lines.samples),
        median_width=int(statistics.median(lines.widths)),
        reference=reference.name,
        timed_lines=timed,
        repeats=repeats,
        threads=torch.get_num_threads(),
        cpu=cpu,
        cpu_features=features,
        versions=versions,
        date=datetime.date.today().isoformat(),
        command=command,
    )


def _version(package: str) -> str:
    from ... import __version__

    return __version__ if package == "quantvietocr" else importlib.metadata.version(package)


def _write(tables: Sequence[Table], sets: Sequence[LineSet], read_as: Sequence[Sequence[ReadAs]], out: Path) -> None:
    write_text(out / "table.md", report.page(tables))
    write_text(out / "table.json", report.to_json(tables))
    draw(tables, out / "table.png")
    judged = [
        [(confidences, _right(lines.samples, texts)) for texts, confidences in readings]
        for lines, readings in zip(sets, read_as)
    ]
    draw_reliability(tables, judged, out / "reliability.png")
    _write_texts(tables, sets, read_as, out / "texts.tsv")
    write_errors([_errors(table, lines, readings) for table, lines, readings in zip(tables, sets, read_as)], out)


def _errors(table: Table, lines: LineSet, readings: Sequence[ReadAs]) -> SetErrors:
    references = [sample.text for sample in lines.samples]
    widths = [round(NETWORK_HEIGHT * width / height) for width, height in lines.sizes]
    heights = [height for _, height in lines.sizes]
    return SetErrors(
        lines.name,
        tuple(
            (row.name, analyse(references, texts, widths, heights, lines.groups))
            for row, (texts, _) in zip(table.rows, readings)
        ),
    )


def _write_texts(
    tables: Sequence[Table], sets: Sequence[LineSet], read_as: Sequence[Sequence[ReadAs]], path: Path
) -> None:
    """Every line as each row read it: path, reference, a column for each row; of several sets, the set's name first."""
    rows = [["set", "path", "reference", *(row.name for row in tables[0].rows)]]
    for lines, readings in zip(sets, read_as):
        columns = zip(lines.samples, *(texts for texts, _ in readings))
        rows += [[lines.name, str(sample.path), sample.text, *texts] for sample, *texts in columns]
    first = 0 if len(sets) > 1 else 1
    written = ["\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in cells[first:]) for cells in rows]
    write_text(path, "\n".join(written) + "\n")
