"""How much each layer suffers from quantization: it alone quantized, and all quantized but it.

Layers are convolutions, and matrices of encoder and decoder. What would ship is measured: the engine's own kernels, on
the ranges of one calibration. Two numbers tell of a layer: the signal-to-quantization-noise ratio of the logits, and
the character error rate. The first is smooth, so that a few lines suffice, and means the same whichever part of the
network a layer is in.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ...common.files import write_text
from ...common.parsing import json_of
from ...dataset.annotation import Sample
from ...dataset.batches import EvalBatch, eval_batches
from ...engines.base import Encoded
from ...metrics.accuracy import score
from ...reading.recognizer import one_blas_thread
from .features import Features, Operation, Programs
from .heads import Heads, Matrices, Reference
from .mixed import FLOAT, Alternatives

BATCH = 8  # lines whose activations are held at once
MEASURED = "logits"  # what noise is of; measurements of something else are not gone on with


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
        sqnr: signal-to-quantization-noise ratio of the logits, dB.
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
        chosen += alone(numbers, (width,))
        chosen += [Setting("all but", width, name) for name in numbers.sizes]
    return chosen


def alone(numbers: Alternatives, bits: Sequence[int]) -> list[Setting]:
    """Each layer alone, in each of these numbers of bits that it may have."""
    return [
        Setting("alone", width, name)
        for width in bits
        for name, given in numbers.everywhere(width).items()
        if given == width
    ]


def measure(
    numbers: Alternatives,
    samples: Sequence[Sample],
    bits: Sequence[int] = (8,),
    partial: Path | None = None,
    wanted: Sequence[Setting] | None = None,
) -> list[Sensitivity]:
    """Read lines under every setting.

    Each batch goes once through the float and the quantized CNN, whose activations are kept; a setting computes only
    from the first operation on that it changes. What the encoder gives is kept likewise.

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
    variants = _variants(numbers, chosen)
    heads, chars = Heads(numbers), numbers.original.meta.chars
    rows = _Partial(partial, _fingerprint(numbers, samples, chosen))
    with (
        closing(eval_batches(samples, numbers.original.meta.image, BATCH)) as batches,
        tqdm(total=len(samples) * len(chosen), desc="sensitivity", unit="reading") as bar,
        one_blas_thread()(),
    ):
        for index, batch in enumerate(batches):
            if index not in rows.done:
                rows.add(index, list(_measure_batch(batch, variants, heads, chars, bar)))
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


@dataclass(frozen=True)
class _Variant:
    """A setting made ready.

    Attributes:
        program: the operations of its CNN.
        encoder, decoder: which of their matrices are int8.
    """

    program: list[Operation]
    encoder: Matrices
    decoder: Matrices

    @property
    def keys(self) -> tuple[tuple, ...]:
        """What the operations of the CNN are."""
        return tuple(key for key, _ in self.program)

    @property
    def encodes(self) -> tuple[tuple[tuple, ...], Matrices]:
        """What decides the encoder's outputs."""
        return self.keys, self.encoder


def _variants(numbers: Alternatives, chosen: Sequence[Setting]) -> list[_Variant]:
    """Each setting made ready."""
    programs = Programs(numbers)

    def variant(setting: Setting) -> _Variant:
        bits = _bits(numbers, setting)
        integers = [layer for layer in numbers.matrices if bits[layer] != FLOAT]
        return _Variant(programs.of(bits), *Heads.parts(integers))

    return [variant(setting) for setting in chosen]


def _bits(numbers: Alternatives, setting: Setting) -> dict[str, int]:
    quantized, left = numbers.everywhere(setting.bits), numbers.everywhere(FLOAT)
    if setting.kind == "alone":
        return left | {setting.layer: quantized[setting.layer]}
    if setting.kind == "all but":
        return quantized | {setting.layer: FLOAT}
    return quantized


@torch.inference_mode()
def _measure_batch(
    batch: EvalBatch, variants: Sequence[_Variant], heads: Heads, chars: str, bar: tqdm
) -> Iterator[dict]:
    """For each variant, of which the first is float: signal and noise power of the logits summed, and the texts."""
    features = Features((batch.images.float() / 255).contiguous(memory_format=torch.channels_last))
    uses = Counter(variant.encodes for variant in variants)
    kept: dict[tuple, Encoded] = {}
    reference: Reference | None = None
    for variant in variants:
        encoded = kept.get(variant.encodes)
        if encoded is None:
            encoded = heads.encode(variant.encoder, features.of(variant.program))
            if uses[variant.encodes] > 1:
                kept[variant.encodes] = encoded
        decoder = heads.decoder(variant.decoder)
        reference = reference or Reference.of(decoder, encoded, chars)
        noise, read = reference.compare(decoder, encoded, chars)
        yield {"references": batch.texts, "texts": read, "signal": reference.signal, "noise": noise}
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
                    index, rows = json_of(line)
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
    digest = hashlib.sha256(repr([MEASURED, *((str(s.path), s.text) for s in samples), *chosen]).encode())
    for width in (8, 4):
        tensors = numbers.compose(numbers.everywhere(width)).tensors
        for name in sorted(tensors):
            digest.update(name.encode() + np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()
