"""How much each convolution suffers from quantization: it alone quantized, and all quantized but it.

What would ship is measured: the engine's own kernels, on the ranges of one calibration. Two numbers tell of a layer:
the signal-to-quantization-noise ratio of the CNN's output (smooth, so that a few lines suffice) and the character error
rate.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...checkpoint import layout
from ...checkpoint.types import Checkpoint
from ...common.files import write_text
from ...dataset.annotation import Sample
from ...dataset.batches import EvalBatch, eval_batches
from ...engines.torch_engine import TorchEngine, operation, select_backend
from ...metrics.accuracy import score
from ...reading.decode import greedy, texts
from ...reading.recognizer import decoder_of
from .mixed import FLOAT, Alternatives

BATCH = 8  # lines whose activations are held at once


@dataclass(frozen=True)
class Setting:
    """One way to quantize: `kind` is `float`, `all`, `alone` or `all but`; the latter two name a layer."""

    kind: str
    bits: int
    layer: str = ""


@dataclass(frozen=True)
class Sensitivity:
    """What one setting does.

    Attributes:
        setting: which layers are quantized, and to how many bits.
        sqnr: signal-to-quantization-noise ratio of the CNN's output, dB.
        noise: its inverse, as a ratio of powers.
        exact: share of lines read exactly.
        cer: character error rate.
        cer_delta: the same above float's.
    """

    setting: Setting
    sqnr: float
    noise: float
    exact: float
    cer: float
    cer_delta: float


def settings(numbers: Alternatives, bits: Sequence[int]) -> list[Setting]:
    """Float, then for each number of weight bits: all layers, each alone, all but each."""
    chosen = [Setting("float", FLOAT)]
    for width in bits:
        chosen.append(Setting("all", width))
        chosen += [Setting(kind, width, name) for kind in ("alone", "all but") for name in numbers.sizes]
    return chosen


def measure(
    numbers: Alternatives,
    samples: Sequence[Sample],
    bits: Sequence[int] = (8,),
    partial: Path | None = None,
    wanted: Sequence[Setting] | None = None,
) -> list[Sensitivity]:
    """Read lines under every setting.

    Each batch goes once through the float and the quantized network, whose activations are kept; a setting computes
    only from the first operation on that it changes.

    Args:
        numbers: what settings are made of.
        samples: the lines.
        bits: of weights, to try.
        partial: a file to which finished batches are added; with the same numbers and lines an interrupted measurement
            goes on from it.
        wanted: settings to measure after float, in place of all.

    Raises:
        ImageError: a line cannot be read.
    """
    chosen = settings(numbers, bits) if wanted is None else [Setting("float", FLOAT), *wanted]
    programs = _programs(numbers, chosen)
    engine, decoder = TorchEngine(numbers.original), decoder_of(numbers.original)
    rows = _Partial(partial, _fingerprint(numbers, samples, chosen))
    with (
        closing(eval_batches(samples, numbers.original.meta.image, BATCH)) as batches,
        tqdm(total=len(samples) * len(chosen), desc="sensitivity", unit="reading") as bar,
    ):
        for index, batch in enumerate(batches):
            if index not in rows.done:
                rows.add(
                    index, list(_measure_batch(batch, programs, engine, decoder, numbers.original.meta.chars, bar))
                )
            else:
                bar.update(len(batch.names) * len(chosen))
    batch_rows = [row for _, row in sorted(rows.done.items())]
    references = [text for row in batch_rows for text in row[0]["references"]]
    results: list[Sensitivity] = []
    for index, setting in enumerate(chosen):
        noise = sum(row[index]["noise"] for row in batch_rows) / sum(row[index]["signal"] for row in batch_rows)
        read = score(references, [text for row in batch_rows for text in row[index]["texts"]])
        base = results[0].cer if results else read.cer
        results.append(Sensitivity(setting, _decibels(noise), noise, read.exact, read.cer, read.cer - base))
    return results


def noise_of(results: Sequence[Sensitivity]) -> dict[tuple[str, int], float]:
    """(layer, bits) → noise with the layer alone quantized, as `mixed.search` takes it."""
    return {(r.setting.layer, r.setting.bits): r.noise for r in results if r.setting.kind == "alone"}


def _decibels(noise: float) -> float:
    return float("inf") if noise <= 0 else -10 * float(np.log10(noise))


Operation = tuple[
    tuple, Callable[[Tensor], Tensor]
]  # what it is, so that two settings can share it; and the thing itself


def _programs(numbers: Alternatives, chosen: Sequence[Setting]) -> list[list[Operation]]:
    """The operations of the CNN under each setting; equal ones are the same object."""
    select_backend()
    built: dict[tuple, Callable[[Tensor], Tensor]] = {}

    def program(setting: Setting) -> list[Operation]:
        bits = _bits(numbers, setting)
        checkpoint = numbers.compose(bits)
        first = checkpoint.meta.layers[0].precision == "int8"
        found: list[Operation] = [(("input", first), _input(checkpoint) if first else lambda x: x)]
        source = layout.INPUT
        for layer in checkpoint.meta.layers:
            ranged = f"{layer.name}{layout.RANGE_SCALE}" in checkpoint.tensors
            key = (layer.name, layer.precision, bits.get(layer.name), ranged)
            if key not in built:
                built[key] = operation(layer, checkpoint, source)
            found.append((key, built[key]))
            source = layer.name if layer.op == "conv" else source
        return found

    return [program(setting) for setting in chosen]


def _bits(numbers: Alternatives, setting: Setting) -> dict[str, int]:
    quantized, left = numbers.everywhere(setting.bits), numbers.everywhere(FLOAT)
    if setting.kind == "alone":
        return left | {setting.layer: quantized[setting.layer]}
    if setting.kind == "all but":
        return quantized | {setting.layer: FLOAT}
    return quantized


def _input(checkpoint: Checkpoint) -> Callable[[Tensor], Tensor]:
    scale, zero = (
        float(checkpoint.tensors[layout.INPUT + layout.RANGE_SCALE]),
        int(checkpoint.tensors[layout.INPUT + layout.RANGE_ZERO]),
    )
    return lambda x: torch.quantize_per_tensor(x, scale, zero, torch.quint8)


@torch.inference_mode()
def _measure_batch(
    batch: EvalBatch, programs: Sequence[list[Operation]], engine: TorchEngine, decoder, chars: str, bar: tqdm
) -> Iterator[dict]:
    """For each program: signal and noise power of the features summed, and the texts."""
    start = (batch.images.float() / 255).contiguous(memory_format=torch.channels_last)
    traces: list[tuple[list[tuple], list[Tensor]]] = []  # keys of a whole network's operations, and what each was given
    reference: Tensor | None = None
    for program in programs:
        keys = [key for key, _ in program]
        shared, begin = 0, start
        for other, inputs in traces:
            common = next((place for place, pair in enumerate(zip(keys, other)) if pair[0] != pair[1]), len(keys) - 1)
            if common > shared:
                shared, begin = common, inputs[common]
        x, inputs = begin, []
        whole = len({key[1] for key in keys[1:]}) == 1  # float or integer throughout: others begin like it
        for _, compute in program[shared:]:
            if whole:
                inputs.append(x)
            # A float convolution applies its ReLU in place, on its own output: what it was given stays.
            x = compute(x)
        if whole:
            before = next((known[:shared] for other, known in traces if other[:shared] == keys[:shared]), [])
            traces.append((keys, before + inputs))
        features = x.dequantize() if x.is_quantized else x
        reference = features if reference is None else reference
        _, *encoded = engine.encode_features(features)
        read = texts(greedy(decoder, tuple(part.numpy() for part in encoded)), chars)
        error = (features - reference).double()
        yield {
            "references": batch.texts,
            "texts": list(read),
            "signal": float(reference.double().square().sum()),
            "noise": float(error.square().sum()),
        }
        bar.update(len(batch.names))


class _Partial:
    """Finished batches of a measurement, in memory and as JSON lines in a file that begins with what is measured."""

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self.path, self.done = path, {}
        if path is None:
            return
        head, *lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else [""]
        if head == fingerprint:
            for line in lines:
                try:
                    index, rows = json.loads(line)
                except ValueError:
                    break  # the line that an interruption cut
                self.done[index] = rows
        kept = [fingerprint, *(json.dumps(pair, ensure_ascii=False) for pair in self.done.items())]
        write_text(path, "\n".join(kept) + "\n")

    def add(self, index: int, rows: list[dict]) -> None:
        self.done[index] = rows
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps([index, rows], ensure_ascii=False) + "\n")


def _fingerprint(numbers: Alternatives, samples: Sequence[Sample], chosen: Sequence[Setting]) -> str:
    """A digest of all that decides the result."""
    digest = hashlib.sha256(repr([(str(s.path), s.text) for s in samples] + list(chosen)).encode())
    for width in (8, 4):
        tensors = numbers.compose(numbers.everywhere(width)).tensors
        for name in sorted(tensors):
            digest.update(name.encode() + np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
