"""Whether an exported ONNX file reads as its checkpoint does: the same lines on torch and on each ONNX runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from tqdm import tqdm

from ..checkpoint.types import Checkpoint
from ..engines.choose import ONNX_ENGINES, installed, open_file
from ..engines.torch_engine import TorchEngine
from ..errors import UserError
from ..pictures.image import line_pixels, line_size, line_width, open_line
from ..reading import decode
from ..reading.decoder import Decoder
from ..reading.recognizer import decoder_of

MAX_DIFFERING = 0.002  # share of the lines that may be read differently
# Mean difference of a line's features that is allowed, in steps of their quantization (of a float file: of the largest
# value / 255). Runtimes multiply in other orders: one value in 100,000 falls on the other side of a tie, and what
# follows from it differs by a step here and there. A wrong number shifts far more.
MAX_MEAN_STEPS = 0.1
BATCH = 8  # lines read at a time


class VerifyError(UserError):
    """The exported file does not read as its checkpoint does; the message says by how much."""


@dataclass(frozen=True)
class Difference:
    """One runtime beside the torch engine on the same lines.

    Attributes:
        engine: name of the runtime's engine.
        lines: number of lines.
        texts: (picture, as torch reads it, as the runtime does) where they differ.
        same_features: share of the lines of which the CNN's features are equal to a thousandth of a step.
        mean_steps: largest mean over a line of the features' difference, in steps of their quantization.
        max_steps: largest single difference of features, in steps.
        memory: largest difference of the encoder's outputs, which lie in [-1, 1].
        probability: largest difference of a character's probability in lines that are read alike.
    """

    engine: str
    lines: int
    texts: tuple[tuple[str, str, str], ...]
    same_features: float
    mean_steps: float
    max_steps: float
    memory: float
    probability: float

    def __str__(self) -> str:
        part = len(self.texts) / self.lines
        return (
            f"{self.engine}: {len(self.texts)} of {self.lines} lines read differently ({part:.2%}); "
            f"features equal in {self.same_features:.1%} of the lines, else off by {self.mean_steps:.3f} steps "
            f"on average in the worst line and {self.max_steps:.0f} at most; encoder outputs by {self.memory:.3f} "
            f"and probabilities by {self.probability:.4f} at most"
        )


def verify(
    checkpoint: Checkpoint, path: str | os.PathLike, pictures: Sequence[str | os.PathLike], threads: int = 1
) -> list[Difference]:
    """Read every picture with a checkpoint on torch and with its ONNX file on each installed runtime.

    Args:
        checkpoint: what the file was made from.
        path: the ONNX file.
        pictures: files of lines.
        threads: of each engine.

    Returns:
        How each runtime differs.

    Raises:
        EngineError: no runtime is installed.
        VerifyError: there are no pictures.
        ImageError: a picture cannot be read.
    """
    names = [name for name in ONNX_ENGINES if installed(name)] or ["onnxruntime"]  # which then says what to install
    if not pictures:
        raise VerifyError("There are no lines to verify the file with: name an annotation that has some.")
    reference: _Staged = TorchEngine(checkpoint, threads)
    runtimes = [open_file(path, name, threads) for name in names]
    engines = [
        reference,
        *(cast(_Staged, engine) for _, engine in runtimes),
    ]  # every engine of an .onnx file has stages
    decoders = [decoder_of(checkpoint), *(decoder_of(file) for file, _ in runtimes)]
    step = _step(checkpoint)
    spec, chars = checkpoint.meta.image, checkpoint.meta.chars
    compared: list[list[tuple]] = [[] for _ in runtimes]  # of each runtime, a row for each line
    by_width: dict[int, list[str | os.PathLike]] = {}
    for picture in pictures:
        by_width.setdefault(line_width(*line_size(picture), spec), []).append(picture)
    with tqdm(total=len(pictures), desc="verifying", unit="line") as bar:
        for group in by_width.values():
            for start in range(0, len(group), BATCH):
                part = group[start : start + BATCH]
                pixels = np.stack([line_pixels(open_line(picture), spec) for picture in part])
                expected, *others = (
                    _read(engine, decoder, pixels, chars) for engine, decoder in zip(engines, decoders)
                )
                for rows, other in zip(compared, others):
                    differences = _compare(expected, other, step)
                    rows += [(str(picture), *line) for picture, line in zip(part, differences, strict=True)]
                bar.update(len(part))
    return [_difference(engine.name, rows) for (_, engine), rows in zip(runtimes, compared)]


def failure(differences: Sequence[Difference]) -> str | None:
    """Say what is wrong with the file.

    Args:
        differences: what `verify` returned.

    Returns:
        A sentence, or None where every runtime stays within MAX_DIFFERING and MAX_MEAN_STEPS.
    """
    for one in differences:
        if one.mean_steps > MAX_MEAN_STEPS:
            return (
                f"{one.engine} computes other features than the checkpoint does (up to {one.mean_steps:.2f} steps on "
                f"average in a line, {MAX_MEAN_STEPS} are allowed): the file or that runtime is wrong; "
                "do not use them together."
            )
        if len(one.texts) > MAX_DIFFERING * one.lines:
            return (
                f"{one.engine} reads {len(one.texts)} of {one.lines} lines otherwise than the checkpoint does "
                f"({MAX_DIFFERING:.1%} are allowed): look at them, listed above, before you use the file."
            )
    return None


def _step(checkpoint: Checkpoint) -> float | None:
    """Return the step of the features' quantization, None where they are float."""
    if checkpoint.is_float:
        return None
    scale = checkpoint.tensors.get(f"{checkpoint.meta.layers[-1].name}.output.scale")
    return None if scale is None else float(scale)


class _Staged(Protocol):
    """An engine that also gives what its stages compute."""

    def stages(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute features, memory and what else the encoder gives of lines, as `engines.graphs.network` names them."""


def _read(engine: _Staged, decoder: Decoder, pixels: np.ndarray, chars: str) -> tuple:
    """Return features, memory, texts and readings of a batch of lines."""
    features, *encoded = engine.stages(pixels)
    readings = decode.greedy(decoder, tuple(encoded))
    return features, encoded[0], decode.texts(readings, chars), readings


def _compare(expected: tuple, other: tuple, step: float | None) -> list[tuple]:
    """Return of each line both texts, then mean and largest difference of features, of memory and of probabilities."""
    step = step or float(np.abs(expected[0]).max()) / 255
    features = np.abs(expected[0] - other[0]) / step
    memory = np.abs(expected[1] - other[1]).max(axis=(1, 2))
    rows = []
    for line, (ours, theirs) in enumerate(zip(expected[2], other[2], strict=True)):
        first, second = ([*reading.probabilities, reading.end] for reading in (expected[3][line], other[3][line]))
        chance = float(np.abs(np.subtract(first, second)).max()) if ours == theirs else 0.0
        rows.append(
            (ours, theirs, float(features[line].mean()), float(features[line].max()), float(memory[line]), chance)
        )
    return rows


def _difference(name: str, rows: Sequence[tuple]) -> Difference:
    pictures, ours, theirs, means, largest, memory, chances = zip(*rows)
    texts = tuple((picture, a, b) for picture, a, b in zip(pictures, ours, theirs) if a != b)
    same = float(np.mean(np.array(largest) < 1e-3))
    return Difference(name, len(rows), texts, same, max(means), max(largest), max(memory), max(chances))


def report(path: Path, differences: Sequence[Difference]) -> str:
    """Write the differences for people: of each line that is read differently, both texts."""
    rows = [f"{path} beside the torch engine:"]
    for one in differences:
        rows.append(f"  {one}")
        rows += [f"    {picture}: {ours!r} → {theirs!r}" for picture, ours, theirs in one.texts]
    return "\n".join(rows)
