"""How long any artefact takes for a line's CNN and encoder here: `quantvietocr time FILE …`.

The decoder is left out: it is the same code behind every engine, and a TorchScript file has none.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ...checkpoint.types import meta_of_json
from ...engines.choose import ONNX_ENGINES, installed, open_file
from ...engines.torch_engine import select_backend
from ...errors import UserError
from ...export.torchscript import metadata_of
from ..conditions import Conditions, machine, thread_count
from .timing import Milliseconds, take_turns

WARM_UPS = 5  # runs of each file that do not count


class TimeError(UserError):
    """Nothing can be timed; the message says why and what to do."""


@dataclass(frozen=True)
class FileTime(Milliseconds):
    """A file on an engine.

    Attributes:
        file: its name.
        engine: what runs it.
        precision: what computes, in words.
        ms: milliseconds of each timed run.
    """

    file: str
    engine: str
    precision: str
    ms: tuple[float, ...]


@dataclass(frozen=True)
class _Runner:
    file: str
    engine: str
    precision: str
    run: Callable[[], Any]


def time_files(
    paths: Sequence[str | os.PathLike],
    width: int = 320,
    runs: int = 30,
    threads: int = 1,
    config: str | os.PathLike | None = None,
) -> list[FileTime]:
    """Time each file (`.safetensors`, `.pth`, `.onnx`, TorchScript `.pt`) on a line, in turns.

    A TorchScript file is executed by loading it, unlike every other.

    Args:
        paths: the files. An ONNX file gets a row for each runtime that is installed.
        width: of the line, px at the network's height.
        runs: timed runs of each file.
        threads: of each file.
        config: the YAML of a VietOCR `.pth`.

    Raises:
        TimeError, CheckpointError, EngineError: a file cannot be timed.
    """
    if min(width, runs, threads) < 1:
        raise TimeError(
            f"--width {width} --runs {runs} --threads {threads}: there is nothing to time; each must be at least 1."
        )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        runners = [runner for path in paths for runner in _runners(Path(path), width, threads, config)]
        with tqdm(total=len(runners) * (runs + WARM_UPS), desc=f"{width} px, {threads} thread(s)", unit="run") as bar:
            taken = take_turns(runners, lambda runner: runner.run(), runs, WARM_UPS, bar)
    finally:
        torch.set_num_threads(before)
    return [
        FileTime(runner.file, runner.engine, runner.precision, tuple(ms for ms, _ in found))
        for runner, found in zip(runners, taken)
    ]


def _runners(path: Path, width: int, threads: int, config: str | os.PathLike | None) -> list[_Runner]:
    if path.suffix == ".pt":
        return [_torchscript(path, width)]
    if path.suffix != ".onnx":
        found = [open_file(path, "torch", threads, config)]
    else:
        engines = [name for name in ONNX_ENGINES if installed(name)] or ["auto"]  # which says what is missing
        found = [open_file(path, name, threads) for name in engines]
    return [
        _Runner(
            path.name,
            engine.name,
            engine.precision.partition(", float32 decoder")[0],
            partial(engine.encode, _pixels(checkpoint.meta.image.height, width)),
        )
        for checkpoint, engine in found
    ]


def _torchscript(path: Path, width: int) -> _Runner:
    meta = meta_of_json(metadata_of(path), path)  # of the archive, before anything in it runs
    kernels = select_backend() if meta.method != "float" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            module = torch.jit.load(str(path)).eval()
        except RuntimeError as error:
            why = str(error).partition("\n")[0][:200]
            raise TimeError(
                f"{path}: this torch ({torch.__version__}) cannot load it ({why}): export it again here."
            ) from error
    pixels = torch.from_numpy(_pixels(meta.image.height, width))

    def run() -> Any:
        with torch.inference_mode():
            return module(pixels)

    return _Runner(
        path.name, "TorchScript", f"{meta.method}{f', int8 kernels {kernels}' if kernels else ', float32'}", run
    )


def _pixels(height: int, width: int) -> np.ndarray:
    """One line of noise, uint8 (1,H,W,3): what is in a picture does not change how long it takes."""
    return np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)


def report(times: Sequence[FileTime], width: int, conditions: Conditions) -> str:
    """The rows as a Markdown table, with what they were measured on.

    Args:
        times: of each file.
        width: of the line, px at the network's height.
        conditions: what `conditions_now` says.
    """
    rows = [
        "| file | engine | computes in | median ms | middle half | least |",
        "| --- | --- | --- | --: | --: | --: |",
    ]
    for one in times:
        low, high = one.quartiles
        numbers = f"{one.median:.1f} | {low:.1f} to {high:.1f} | {min(one.ms):.1f}"
        rows.append(f"| {one.file} | {one.engine} | {one.precision} | {numbers} |")
    runs = len(times[0].ms)
    return "\n".join(
        [
            *rows,
            "",
            f"The time is that of CNN and encoder for one line {width} px wide, on "
            f"{' or '.join(map(thread_count, conditions.threads))}.",
            f"Each file has {runs} run(s) after {WARM_UPS} that do not count; the files take turns.",
            machine(conditions),
            f"System: {conditions.system}.",
        ]
    )
