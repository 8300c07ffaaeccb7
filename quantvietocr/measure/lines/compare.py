"""What quantization changed: accuracy, size and time of several readers on the same lines, in one table."""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from ...dataset.annotation import Sample
from ...dataset.batches import cut_by_width
from ...metrics.accuracy import confusions, score
from ...metrics.intervals import cer_interval
from ...metrics.trust import accept_at_precision, auroc, expected_calibration_error, reliability
from ...pictures.image import ImageSpec, open_line
from ...reading.options import USUAL, ReadingOptions
from ...reading.wide import excess
from ..conditions import Conditions, conditions_now, load_average, versions_of
from .readers import BATCH, CompareError, Contestant, contestants
from .report import Row, Setup, Table
from .sets import LineSet, Problems, Unknown, line_sets
from .write import ReadAs, right_lines, write_all

TIMED_LINES = 40  # per set: their mean time stands for that of all lines
TOGETHER = 256  # lines given at once to a program that takes long to start
PRECISION = 0.99  # of the lines accepted by confidence


def compare(
    data: str | os.PathLike | Sequence[str | os.PathLike],
    weights: Sequence[str | os.PathLike],
    out: str | os.PathLike | None = None,
    vietocr: bool = False,
    config: str | os.PathLike | None = None,
    threads: int = 1,
    limit: int = 0,
    repeats: int = 3,
    unknown: Unknown = "stop",
    problems: Problems = "stop",
    command: str | None = None,
    other_readers: Sequence[str] = (),
    workers: int = 1,
    options: Sequence[ReadingOptions] = (USUAL,),
    plain: Sequence[str | os.PathLike] = (),
) -> list[Table]:
    """Read each set of lines with every reader.

    Args:
        data: an annotation file, a recipe (.yml), a folder of recipes, or several of these (`line_sets`).
        weights: checkpoints, a row each, in this order.
        out: folder for `table.md`, `table.json`, `table.png`, `tradeoff.png`, `texts.tsv` (every line as each row read
            it), `reliability.png`, `errors.md`, `errors.json`, `errors.png`, and lines/NAME of recipes.
        vietocr: put VietOCR's own code first, on the first float weights of each network.
        config: the YAML that `.pth` files were trained with, if it is not VietOCR's own.
        threads: for every row alike; 0 leaves torch's choice.
        limit: draw that many lines of each set, with seed 0; 0 takes all.
        repeats: timing rounds.
        unknown: what to do with lines whose text is outside the vocabulary (`read_annotation`).
        problems: what to do with lines that cannot be used (`read_annotation`).
        command: recorded in `table.json`.
        other_readers: of `peers.OTHER_READERS`, last.
        workers: processes that generate a recipe's lines.
        options: how our engines read, a row of every checkpoint for each; all with the same `wide`. VietOCR's own code
            squeezes wide lines.
        plain: checkpoints whose network also reads alone, as VietOCR reads, a row each.

    Returns:
        A table for each set, its rows in order.

    Raises:
        CompareError, LineSetError, CheckpointError, AnnotationError, RecipeError, ImageError, BridgeError, PeerError,
        WordsError: something cannot be read or compared; the message says what.
    """
    data = [data] if isinstance(data, str | os.PathLike) else data
    _check(bool(weights and data and options), repeats, workers, threads, limit)
    before, load = torch.get_num_threads(), load_average()
    try:
        torch.set_num_threads(threads or before)
        readers, chars, spec = contestants(
            [Path(w) for w in weights], vietocr, other_readers, config, threads, options, [Path(w) for w in plain]
        )
        conditions = _conditions(readers, load, command)
        sets = line_sets(data, out, chars, spec, unknown, problems, limit, workers)
        measured = [
            _measure(readers, lines, repeats, _setup(readers, lines, repeats, conditions, spec, options))
            for lines in sets
        ]
    finally:
        torch.set_num_threads(before)
    tables = [table for table, _ in measured]
    if out is not None:
        write_all(tables, sets, [read_as for _, read_as in measured], Path(out))
    return tables


def _check(given: bool, repeats: int, workers: int, threads: int, limit: int) -> None:
    if not given or repeats < 1 or workers < 1 or threads < 0 or limit < 0:
        raise CompareError(
            "A comparison needs at least one checkpoint, one set of lines, one round and one worker; threads "
            "and limit are 0 or more."
        )


def _conditions(readers: Sequence[Contestant], load: float | None, command: str | None) -> Conditions:
    versions = versions_of(("torch", "numpy"))
    for reader in readers:
        versions |= reader.versions
    return conditions_now((torch.get_num_threads(),), versions, load, command)


def _setup(
    readers: Sequence[Contestant],
    lines: LineSet,
    repeats: int,
    conditions: Conditions,
    spec: ImageSpec,
    options: Sequence[ReadingOptions],
) -> Setup:
    squeezed = {
        reader.name: sum(reader.squeezes(*size) for size in lines.sizes) for reader in readers if reader.squeezes
    }
    words = dict.fromkeys(one.words for one in options if one.words is not None)
    return Setup(
        data=lines.name,
        lines=len(lines.samples),
        median_width=int(statistics.median(lines.widths)),
        reference=_base_of(readers[0], readers, own=False).name,
        timed_lines=min(TIMED_LINES, len(lines.samples)),
        repeats=repeats,
        conditions=conditions,
        wide=options[0].wide,
        wide_lines=sum(excess(*size, spec) > 1 for size in lines.sizes),
        words=tuple(Path(name).name for name in words),
        squeezed={name: count for name, count in squeezed.items() if count},
    )


def _measure(readers: Sequence[Contestant], lines: LineSet, repeats: int, setup: Setup) -> tuple[Table, list[ReadAs]]:
    times = _time(readers, _spread(lines.samples, lines.widths), repeats)
    read_as = _read_all(readers, lines.samples, lines.widths)
    return Table(setup, tuple(_rows(readers, lines.samples, read_as, times))), read_as


def _base_of(reader: Contestant, readers: Sequence[Contestant], own: bool = True) -> Contestant:
    """What a reader is compared with: the first float one, or if `own` the first of its network; without, the first."""
    floats = [one for one in readers if one.method == "float"] or readers[:1]
    return next((one for one in floats if own and one.network == reader.network), floats[0])


def _spread(samples: Sequence[Sample], widths: Sequence[int]) -> list[Image.Image]:
    """Up to TIMED_LINES pictures at even steps through all widths: their mean time stands for that of all lines."""
    order = np.argsort(widths, kind="stable")
    steps = np.linspace(0, len(order) - 1, min(TIMED_LINES, len(order))).round().astype(int)
    return [open_line(samples[order[step]].path) for step in steps]


def _time(
    readers: Sequence[Contestant], pictures: Sequence[Image.Image], repeats: int
) -> list[tuple[list[float], float]]:
    """For each reader the milliseconds per line of each round, and the cores it kept busy.

    A first round warms up: torch prepares its kernels for each width anew. The readers take turns, so that whatever
    else the machine does falls on all of them.
    """
    rounds: list[list[float]] = [[] for _ in readers]
    busy, passed = [0.0] * len(readers), [0.0] * len(readers)
    with tqdm(total=(repeats + 1) * len(readers) * len(pictures), desc="timing", unit="line") as bar:
        for number in range(repeats + 1):
            for index, reader in enumerate(readers):
                wall, cpu = time.perf_counter(), _cpu_seconds()
                if reader.together:
                    reader.reader.predict_batch(pictures, return_prob=True)
                else:
                    for picture in pictures:
                        reader.reader.predict(picture, return_prob=True)
                wall, cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
                bar.update(len(pictures))
                if number:
                    rounds[index].append(1000 * wall / len(pictures))
                    busy[index] += cpu
                    passed[index] += wall
    return [(times, cpu / wall) for times, cpu, wall in zip(rounds, busy, passed)]


def _cpu_seconds() -> float:
    """CPU time of this process and of programs it ran and awaited."""
    ran = os.times()
    return time.process_time() + ran.children_user + ran.children_system


def _read_all(readers: Sequence[Contestant], samples: Sequence[Sample], widths: Sequence[int]) -> list[ReadAs]:
    """Texts and confidences of every sample, by every reader: in batches of one width, or in large ones of any."""
    read_as: list[ReadAs] = [([""] * len(samples), [0.0] * len(samples)) for _ in readers]
    large = [list(range(start, min(start + TOGETHER, len(samples)))) for start in range(0, len(samples), TOGETHER)]
    with tqdm(total=len(samples) * len(readers), desc="reading", unit="line") as bar:
        for together, cuts in ((False, cut_by_width(widths, BATCH)[::-1]), (True, large)):
            chosen = [
                (reader.reader, *readings) for reader, readings in zip(readers, read_as) if reader.together == together
            ]
            for cut in cuts if chosen else ():
                pictures = [open_line(samples[i].path) for i in cut]
                for reader, texts, confidences in chosen:
                    for i, text, confidence in zip(cut, *reader.predict_batch(pictures, return_prob=True), strict=True):
                        texts[i], confidences[i] = text, confidence
                    bar.update(len(cut))
    return read_as


def _rows(
    readers: Sequence[Contestant],
    samples: Sequence[Sample],
    read_as: Sequence[ReadAs],
    times: Sequence[tuple[list[float], float]],
) -> list[Row]:
    references = [sample.text for sample in samples]
    scores = [score(references, texts) for texts, _ in read_as]
    middle = [statistics.median(rounds) for rounds, _ in times]
    kept = {field.name for field in dataclasses.fields(Contestant)} & {field.name for field in dataclasses.fields(Row)}
    rows = []
    for index, reader in enumerate(readers):
        (texts, confidences), rates, (rounds, cores) = read_as[index], scores[index], times[index]
        base = readers.index(_base_of(reader, readers))
        right = right_lines(samples, texts)
        rows.append(
            Row(
                **{name: getattr(reader, name) for name in kept},
                lines=rates.lines,
                exact=rates.exact,
                cer=rates.cer,
                cer_interval=cer_interval(references, texts),
                against=readers[base].name,
                cer_delta=rates.cer - scores[base].cer,
                same=statistics.mean(ours == theirs for ours, theirs in zip(texts, read_as[base][0])),
                cer_folded=rates.cer_folded,
                ms_per_line=middle[index],
                ms_rounds=tuple(rounds),
                cores=cores,
                size_ratio=readers[base].bytes / reader.bytes,
                speed_ratio=middle[base] / middle[index],
                auroc=auroc(confidences, right),
                accepted=accept_at_precision(confidences, right, PRECISION),
                ece=expected_calibration_error(confidences, right),
                reliability=tuple(reliability(confidences, right)),
                confusions=tuple(confusions(references, texts)),
            )
        )
    return rows
