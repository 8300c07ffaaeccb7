"""Whether an exported ONNX file reads as its checkpoint does: the same lines with the torch engine and with each runtime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..checkpoint.types import Checkpoint
from ..engines.choose import ONNX_ENGINES, installed, open_file
from ..engines.torch_engine import TorchEngine
from ..errors import UserError
from ..pictures.image import line_pixels, line_size, line_width, open_line
from ..reading import decode
from ..reading.recognizer import decoder_of

MOST_DIFFERING = 0.002  # of the lines
# Of a batch's features on average, in steps of their quantization (float: of the largest value / 255). Runtimes multiply
# in other orders: one value in 100,000 falls on the other side of a tie, and what follows from it differs by a step here
# and there. A wrong number shifts far more.
MOST_STEPS = 0.1
BATCH = 8


class VerifyError(UserError):
    """The exported file does not read as its checkpoint does; the message says by how much."""


@dataclass(frozen=True)
class Difference:
    """One runtime beside the torch engine on the same lines.

    texts: (picture, as torch reads it, as the runtime does) where they differ. same_features: part of the lines whose CNN
    features are equal to a thousandth of a step. mean_steps: largest mean over a line of the features' difference, max_steps:
    largest single one, in steps. memory: largest difference of the encoder's outputs, which lie in [-1, 1].
    probability: largest difference of a character's probability in lines read alike.
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
            f"features equal in {self.same_features:.1%} of the lines, else off by {self.mean_steps:.3f} steps on average "
            f"in the worst line and {self.max_steps:.0f} at most; encoder outputs by {self.memory:.3f} and probabilities "
            f"by {self.probability:.4f} at most"
        )


def verify(
    checkpoint: Checkpoint, path: str | os.PathLike, pictures: Sequence[str | os.PathLike], threads: int = 1
) -> list[Difference]:
    """Read every picture with `checkpoint` on torch and with `path` on each installed runtime.

    Raises EngineError where no runtime is installed, VerifyError without pictures, ImageError for an unreadable one.
    """
    names = [name for name in ONNX_ENGINES if installed(name)] or ["onnxruntime"]  # which then says what to install
    if not pictures:
        raise VerifyError("There are no lines to verify the file with: name an annotation that has some.")
    reference = TorchEngine(checkpoint, threads)
    runtimes = [open_file(path, name, threads) for name in names]
    decoders = [decoder_of(checkpoint), *(decoder_of(file) for file, _ in runtimes)]
    step = _step(checkpoint)
    spec, chars = checkpoint.meta.image, checkpoint.meta.chars
    found: list[list[tuple]] = [[] for _ in runtimes]
    by_width: dict[int, list[str | os.PathLike]] = {}
    for picture in pictures:
        by_width.setdefault(line_width(*line_size(picture), spec), []).append(picture)
    with tqdm(total=len(pictures), desc="verifying", unit="line") as bar:
        for group in by_width.values():
            for start in range(0, len(group), BATCH):
                part = group[start : start + BATCH]
                pixels = np.stack([line_pixels(open_line(picture), spec) for picture in part])
                expected, *others = (
                    _read(engine, decoder, pixels, chars)
                    for engine, decoder in zip([reference, *(engine for _, engine in runtimes)], decoders)
                )
                for place, other in enumerate(others):
                    found[place] += [
                        (str(p), *line) for p, line in zip(part, _compare(expected, other, step), strict=True)
                    ]
                bar.update(len(part))
    return [_difference(engine.name, rows) for (_, engine), rows in zip(runtimes, found)]


def failure(differences: Sequence[Difference]) -> str | None:
    """What is wrong with the file, as a sentence; None where every runtime stays within `MOST_DIFFERING` and `MOST_STEPS`."""
    for one in differences:
        if one.mean_steps > MOST_STEPS:
            return (
                f"{one.engine} computes other features than the checkpoint does (up to {one.mean_steps:.2f} steps on "
                f"average in a line, {MOST_STEPS} are allowed): the file or that runtime is wrong; do not use them together."
            )
        if len(one.texts) > MOST_DIFFERING * one.lines:
            return (
                f"{one.engine} reads {len(one.texts)} of {one.lines} lines otherwise than the checkpoint does "
                f"({MOST_DIFFERING:.1%} are allowed): look at them, listed above, before you use the file."
            )
    return None


def _step(checkpoint: Checkpoint) -> float | None:
    if checkpoint.is_float:
        return None
    scale = checkpoint.tensors.get(f"{checkpoint.meta.layers[-1].name}.output.scale")
    return None if scale is None else float(scale)


def _read(engine, decoder: decode.Decoder, pixels: np.ndarray, chars: str) -> tuple:
    features, memory, hidden = engine.stages(pixels)
    readings = decode.greedy(decoder, memory, hidden)
    return features, memory, decode.texts(readings, chars), readings


def _compare(expected: tuple, other: tuple, step: float | None) -> list[tuple]:
    """For each line: both texts, mean and largest difference of features in steps, of memory, and of probabilities."""
    step = step or float(np.abs(expected[0]).max()) / 255
    features = np.abs(expected[0] - other[0]) / step
    memory = np.abs(expected[1] - other[1]).max(axis=(1, 2))
    rows = []
    for line, (ours, theirs) in enumerate(zip(expected[2], other[2], strict=True)):
        chances = [[*reading.probabilities, reading.end] for reading in (expected[3][line], other[3][line])]
        chance = float(np.abs(np.subtract(*chances)).max()) if ours == theirs else 0.0
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
    """The differences for people, each line that reads differently with both texts."""
    said = [f"{path} beside the torch engine:"]
    for one in differences:
        said.append(f"  {one}")
        said += [f"    {picture}: {ours!r} → {theirs!r}" for picture, ours, theirs in one.texts]
    return "\n".join(said)
