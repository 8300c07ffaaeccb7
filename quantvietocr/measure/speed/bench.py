"""How fast each engine reads on this machine, beside VietOCR's own code: `quantvietocr bench`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from ...checkpoint.files import read, yaml_for
from ...checkpoint.types import Checkpoint
from ...common.files import write_text
from ...errors import UserError
from ...pictures.image import line_width
from ...shipped import find_weights, weights_file
from ..conditions import conditions_now, load_average, usable_cores, versions_of
from ..markdown import check_section, insert_section
from .chart import draw
from .cold_start import Start, cold_start
from .pictures import TEXTS, line_of, mixed_lines
from .readers import Timed, build, onnx_models
from .report import Bench, Cold, Setup, StageTime, Timing, choice, markdown, to_json
from .timing import READERS, Missing, take_turns

WARM_UPS = 2  # calls of each reader on each shape that do not count
STAGE_WIDTH = 320
BATCH, QUICK_BATCH = 200, 2  # mixed lines given to predict_batch at once
COLD_ENGINES = ("torch", "onnxruntime", "openvino")
BUSY = 0.5  # load average from which something else was keeping a core
SETTINGS = ("OMP_WAIT_POLICY", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
VERSIONS = ("torch", "numpy", "vietocr", "onnxruntime", "openvino", "asterocr")


class BenchError(UserError):
    """The benchmark cannot be made; the message says why and what to do."""


def run(options: argparse.Namespace) -> None:
    """The verb: measure, print the tables, put them where `--into` says."""
    for target in options.into:
        check_section(target)
    weights = options.weights and [weights_file(name) for name in options.weights]
    found = bench(
        options.out, weights, options.threads, options.repeats, options.quick, options.command, options.config
    )
    text = markdown(found)
    print(text)
    for target in options.into:
        insert_section(target, text)
    print(f"{choice(found)}\nIn {options.out}: bench.md, bench.json (every time measured), bench.png")


def bench(
    out: str | os.PathLike,
    weights: Sequence[str | os.PathLike] | None = None,
    threads: Sequence[int] = (1, 2),
    repeats: int = 15,
    quick: bool = False,
    command: str | None = None,
    config: str | os.PathLike | None = None,
) -> Bench:
    """Time every reader of `timing.READERS` on generated lines, and write bench.md, bench.json, bench.png in `out`.

    Args:
        out: the folder; ONNX files of the checkpoints go into its folder models.
        weights: a float and an int8 checkpoint, and a slim int8 one where there is one (default: the shipped ones).
        threads: each of these, as far as there are cores.
        repeats: timed calls of each reader on a line alone; batches and cold starts have a third of it.
        quick: one timed call, a batch of two lines.
        command: recorded in `bench.json`.
        config: the YAML that a `.pth` was trained with, if it is not VietOCR's own.

    Raises:
        BenchError: there is nothing to time.
        CheckpointError, SynthError: weights cannot be read, lines cannot be made.
    """
    load, cores = load_average(), usable_cores()
    checkpoints = _checkpoints(weights or _shipped(), config)
    possible = _possible(threads, cores, repeats)
    repeats, warm_ups, batch = (1, 1, QUICK_BATCH) if quick else (repeats, WARM_UPS, BATCH)
    rounds = -(-repeats // 3)
    out = Path(out)
    models = onnx_models(checkpoints, out / "models")
    lone, mixed = {width: line_of(width) for width in TEXTS}, mixed_lines(batch)
    timings: list[Timing] = []
    stages: list[StageTime] = []
    missing: dict[str, Missing] = {}
    before = torch.get_num_threads()
    try:
        for count in possible:
            torch.set_num_threads(count)  # VietOCR takes what is set; our readers bring their own number
            names = [name for name in READERS if READERS[name] < len(checkpoints)]
            built = build(names, checkpoints, models, count)
            readers = [reader for reader in built if isinstance(reader, Timed)]
            missing |= {reader.reader: reader for reader in built if isinstance(reader, Missing)}
            timings += _timings(readers, lone, mixed, count, repeats, rounds, warm_ups)
            stages += _stages(readers, lone[STAGE_WIDTH], count, repeats, warm_ups)
    finally:
        torch.set_num_threads(before)
    cold = _cold_starts(checkpoints, lone[STAGE_WIDTH], out, rounds, possible[-1], config)
    spec = checkpoints[0].meta.image
    setup = Setup(
        weights=tuple(Path(checkpoint.origin).name for checkpoint in checkpoints),
        network=f"vgg_{checkpoints[0].meta.seq_modeling}",
        conditions=conditions_now(possible, versions_of(VERSIONS), load, command),
        left_out=tuple(sorted(set(threads) - set(possible))),
        repeats=repeats,
        batch_repeats=rounds,
        warm_ups=warm_ups,
        batch_lines=batch,
        batch_widths=tuple(sorted(line_width(*picture.size, spec) for picture in mixed)),
        quick=quick,
        busy=load is not None and load > BUSY,
        settings={name: os.environ.get(name, "not set") for name in SETTINGS},
    )
    found = Bench(setup, tuple(timings), tuple(stages), tuple(cold), tuple(missing.values()))
    write_text(out / "bench.md", markdown(found))
    write_text(out / "bench.json", to_json(found))
    draw(found, out / "bench.png")
    return found


def _possible(threads: Sequence[int], cores: int, repeats: int) -> tuple[int, ...]:
    """The thread counts that there are cores for."""
    if repeats < 1 or not threads or min(threads) < 1:
        raise BenchError(
            f"--repeats {repeats} --threads {' '.join(map(str, threads))}: there is nothing to time; each must "
            "be at least 1."
        )
    possible = tuple(sorted({count for count in threads if count <= cores}))
    if not possible:
        raise BenchError(
            f"--threads {min(threads)}: this process may use {cores} core(s); ask for at most so many threads."
        )
    return possible


def _shipped() -> list[Path]:
    """The shipped float and int8 files, and the slim one where this install has it."""
    return [weights_file("float"), weights_file("int8"), *filter(None, [find_weights("slim")])]


def _checkpoints(weights: Sequence[str | os.PathLike], config: str | os.PathLike | None) -> list[Checkpoint]:
    if len(weights) not in (2, 3):
        raise BenchError(
            f"--weights: {len(weights)} files; name two, the float checkpoint and the int8 one made from it, or a slim "
            "int8 one too."
        )
    found = [read(path, yaml_for(path, config)) for path in weights]
    for checkpoint, is_float in zip(found, (True, False, False)):
        if checkpoint.is_float != is_float:
            raise BenchError(
                f"--weights: {checkpoint.origin} is {'quantized' if is_float else 'float'}; name the float "
                "checkpoint first and the int8 one second."
            )
        if checkpoint.meta.seq_modeling != found[0].meta.seq_modeling:
            first, other = found[0], checkpoint
            raise BenchError(
                f"--weights: {first.origin} is a vgg_{first.meta.seq_modeling} and {other.origin} a "
                f"vgg_{other.meta.seq_modeling}; name files of one network, made one from the other."
            )
    return found


def _timings(
    readers: Sequence[Timed],
    lone: dict[int, Image.Image],
    mixed: list[Image.Image],
    threads: int,
    repeats: int,
    rounds: int,
    warm_ups: int,
) -> list[Timing]:
    cases: list[tuple[str, int, int, int, Callable[[Timed], list[str]]]] = [
        (f"{width} px", 1, repeats, warm_ups, partial(_read_one, picture)) for width, picture in lone.items()
    ]
    # One round warms a batch up: it has every shape in it, and takes long.
    cases.append((f"{len(mixed)} mixed lines", len(mixed), rounds, 1, lambda reader: reader.predict_batch(mixed)))
    timings = []
    total = sum(lines * (times + before) for _, lines, times, before, _ in cases) * len(readers)
    with _bar(total, "timing", threads) as bar:
        for name, lines, times, before, call in cases:
            for reader, taken in zip(readers, take_turns(readers, call, times, before, bar, lines)):
                texts = taken[-1][1]
                timings.append(
                    Timing(
                        reader.name,
                        reader.kind,
                        reader.precision,
                        name,
                        threads,
                        lines,
                        sum(map(len, texts)),
                        tuple(ms / lines for ms, _ in taken),
                    )
                )
    return timings


def _read_one(picture: Image.Image, reader: Timed) -> list[str]:
    return [reader.predict(picture)]


def _stages(
    readers: Sequence[Timed], picture: Image.Image, threads: int, repeats: int, warm_ups: int
) -> list[StageTime]:
    readers = [reader for reader in readers if reader.stages is not None]
    with _bar((warm_ups + repeats) * len(readers), "stages", threads) as bar:
        taken = take_turns(readers, lambda reader: reader.stages(picture), repeats, warm_ups, bar)
    return [
        StageTime(reader.name, threads, stage, tuple(found[stage] for _, found in calls))
        for reader, calls in zip(readers, taken)
        for stage in calls[0][1]
    ]


def _cold_starts(
    checkpoints: Sequence[Checkpoint],
    picture: Image.Image,
    out: Path,
    runs: int,
    threads: int,
    config: str | os.PathLike | None = None,
) -> list[Cold]:
    """Time `quantvietocr read` of one line in fresh processes, in turns: int8 files with each engine, float with torch.

    One more round goes before those that count: it fills the disk cache, and compiles what was never imported.
    """
    line = out / "models" / f"line-{STAGE_WIDTH}.png"
    line.parent.mkdir(parents=True, exist_ok=True)
    picture.save(line)
    files = [
        (Path(one.origin), engine) for one in checkpoints for engine in (("torch",) if one.is_float else COLD_ENGINES)
    ]
    starts: list[list[Start]] = [[] for _ in files]
    reasons: list[str | None] = [None] * len(files)
    with _bar((1 + runs) * len(files), "cold starts", threads) as bar:
        for number in range(1 + runs):
            for index, (path, engine) in enumerate(files):
                bar.update(1)
                if reasons[index]:
                    continue
                command = [sys.executable, "-m", "quantvietocr", "read", "--weights", str(path), "--engine", engine]
                command += ["--config", str(yaml)] if (yaml := yaml_for(path, config)) else []
                start = cold_start([*command, "--threads", str(threads), str(line)])
                if start.code:
                    errors = start.said.strip().splitlines() or [f"exit code {start.code}"]
                    reasons[index] = errors[-1].removeprefix("quantvietocr: ")
                elif number:
                    starts[index].append(start)
    return [
        Cold(
            path.name,
            engine,
            threads,
            tuple(one.seconds for one in found),
            tuple(one.peak for one in found if one.peak is not None),
            found[0].first if found else None,
            reason,
        )
        for (path, engine), found, reason in zip(files, starts, reasons)
    ]


def _bar(total: int, what: str, threads: int) -> tqdm:
    return tqdm(total=total, desc=f"{what}, {threads} thread(s)", unit="line")
