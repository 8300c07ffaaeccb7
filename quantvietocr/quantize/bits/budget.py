"""`quantize --max-drop`: the smallest file that reads as well as the float network, within a budget."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...checkpoint.types import Checkpoint
from ...dataset.annotation import Sample
from ...metrics.accuracy import Score
from ..scheme import QuantizeError, Scheme
from ..static import quantize_dynamic
from .compact import packed
from .mixed import Alternatives, Mixture, alternatives, search
from .sensitivity import alone, measure, noise_of


def drawn(samples: Sequence[Sample], lines: int, seed: int = 0) -> tuple[list[Sample], list[Sample]]:
    """`lines` samples to read, drawn once with `seed`, and all others; where there are no others, the same again.

    Raises QuantizeError for none.
    """
    if lines < 1 or not samples:
        raise QuantizeError(
            f"Layers are judged by lines read, and {min(lines, len(samples))} were given: give --lines at least 1, and "
            "an annotation that holds some."
        )
    order = np.random.default_rng(seed).permutation(len(samples))
    chosen, others = sorted(order[:lines]), sorted(order[lines:])
    read = [samples[i] for i in chosen]
    return read, [samples[i] for i in others] or read


def quantize_within(
    checkpoint: Checkpoint,
    samples: Sequence[Sample],
    max_drop: float,
    score: Callable[[Checkpoint, Sequence[Sample]], Score],
    scheme: Scheme = Scheme(),
    decoder: str = "int8",
    calibration_lines: int = 256,
    lines: int = 200,
    compact: bool = False,
    seed: int = 0,
    partial: Path | None = None,
    method: str = "static",
) -> Mixture:
    """The smallest mixture of 8-bit and float layers found that keeps to a budget of accuracy.

    Args:
        checkpoint: the float network.
        samples: lines to read with every mixture, and others to calibrate on, where there are any.
        max_drop: how far the character error rate may lie above the float network's, a fraction.
        score: reads samples with a checkpoint.
        scheme: how layers are quantized that are.
        decoder: `int8` or `float`.
        calibration_lines: how many lines ranges are measured on.
        lines: how many are read with every mixture.
        compact: layers may have 4 bits too.
        seed: draws the lines.
        partial: as in `sensitivity.measure`.
        method: `static`, or `dynamic` for matrices of encoder and decoder alone.

    Raises:
        QuantizeError: no mixture holds the budget, and as `quantize_static`.
    """
    if not np.isfinite(max_drop):
        raise QuantizeError(f"--max-drop is {100 * max_drop}; it must be a number of percentage points, such as 0.1.")
    if scheme.weight_bits != 8:
        raise QuantizeError(
            f"--max-drop chooses the bits of the weights, and {scheme.weight_bits} were asked for: leave one away."
        )
    read, others = drawn(samples, lines, seed)
    if method == "dynamic":
        numbers = Alternatives(checkpoint, quantize_dynamic(checkpoint, scheme), {})
    else:
        numbers = alternatives(checkpoint, others, scheme, decoder, calibration_lines, compact, seed)
    wanted = alone(numbers, (8, 4) if compact else (8,))
    measured = measure(numbers, read, partial=partial, wanted=wanted)
    base = measured[0].cer
    found = search(numbers, noise_of(measured), lambda made: score(made, read).cer - base, max_drop)
    accuracy = {"lines": len(read), "cer_above_float": round(found.drop, 6)}
    made = dataclasses.replace(found.checkpoint, meta=dataclasses.replace(found.checkpoint.meta, accuracy=accuracy))
    return dataclasses.replace(found, checkpoint=packed(made) if compact else made)
