"""Post-training quantization: a float checkpoint goes in, a quantized one comes out, nothing is trained."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from contextlib import closing

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ..checkpoint.matrices import matrices_of
from ..checkpoint.types import Checkpoint, Meta
from ..dataset.annotation import Sample
from ..dataset.batches import eval_batches
from ..vietocr_bridge.network import float_network
from . import qat
from .export import quantized_checkpoint
from .range_picture import ranges_of, recorded, write_ranges
from .scheme import QuantizeError, Scheme

KEPT = "kept float on request"  # why a layer is


def quantize_dynamic(checkpoint: Checkpoint, scheme: Scheme | None = None) -> Checkpoint:
    """int8 weights for the encoder and the decoder, the CNN float with its batch norms folded. Needs no data.

    Args:
        checkpoint: the float network.
        scheme: which matrices stay float; None for none.

    Raises:
        QuantizeError: the checkpoint is quantized already.
        LayerNameError: a pattern of the scheme matches no matrix.
    """
    _must_be_float(checkpoint)
    meta = dataclasses.replace(_fresh(checkpoint), method="dynamic", decoder="int8")
    if scheme is not None:
        matrices = tuple(matrices_of(checkpoint.tensors))
        kept = scheme.float_matrices(matrices)
        if len(kept) == len(matrices):
            raise QuantizeError("Dynamic quantization is of encoder and decoder, and all of them are to stay float.")
        meta = dataclasses.replace(meta, scheme=scheme.to_dict(), float_reasons=dict.fromkeys(kept, KEPT))
    return quantized_checkpoint(None, checkpoint.tensors, meta, checkpoint.origin)


def quantize_static(
    checkpoint: Checkpoint,
    samples: Sequence[Sample],
    scheme: Scheme = Scheme(),
    decoder: str = "int8",
    lines: int = 256,
    seed: int = 0,
    path: str = "eager",
    ranges: str | os.PathLike | None = None,
) -> Checkpoint:
    """An int8 CNN whose activation ranges are measured on `lines` of `samples`, drawn once with `seed`.

    Args:
        checkpoint: the float network.
        samples: lines to calibrate on.
        scheme: observer, bits and what stays float.
        decoder: `int8` or `float`.
        lines: how many are used.
        seed: draws them.
        path: `eager` or `fx`.
        ranges: a folder for `ranges.json` and `ranges.png`.

    Raises:
        QuantizeError: the checkpoint is quantized already, or there is nothing to calibrate on.
        LayerNameError: a pattern of the scheme matches no layer.
        BridgeError, ImageError: the network or a line cannot be read.
    """
    _must_be_float(checkpoint)
    if decoder not in ("int8", "float"):
        raise QuantizeError(f"The decoder is {decoder!r}; it must be int8 or float.")
    if not samples or lines < 1:
        raise QuantizeError(
            f"Static quantization measures activation ranges on real lines; {len(samples)} lines were given "
            f"and {lines} asked for: give an annotation with at least one line (a few hundred are good)."
        )
    matrices = tuple(matrices_of(checkpoint.tensors))
    network = float_network(checkpoint)
    cnn = qat.prepare_cnn(network, scheme, qat=False, path=path)
    chosen = sorted(np.random.default_rng(seed).permutation(len(samples))[:lines])
    if ranges is None:
        _calibrate(cnn, [samples[i] for i in chosen], checkpoint.meta)
    else:
        observers = cnn.observers()
        with recorded(observers) as histograms:
            _calibrate(cnn, [samples[i] for i in chosen], checkpoint.meta)
        write_ranges(ranges_of(observers, histograms), histograms, scheme.observer or "histogram", ranges)
    meta = qat.described(_fresh(checkpoint), cnn, scheme, "static", decoder, KEPT, matrices)
    return quantized_checkpoint(qat.convert_cnn(cnn), checkpoint.tensors, meta, checkpoint.origin)


@torch.no_grad()
def _calibrate(cnn: nn.Module, samples: Sequence[Sample], meta: Meta) -> None:
    with (
        closing(eval_batches(samples, meta.image, batch_size=16)) as batches,
        tqdm(total=len(samples), desc="calibrate", unit="line") as bar,
    ):
        for batch in batches:
            cnn(batch.images.float() / 255)
            bar.update(len(batch.names))


def _must_be_float(checkpoint: Checkpoint) -> None:
    if not checkpoint.is_float:
        raise QuantizeError(
            f"{checkpoint.origin} is already quantized ({checkpoint.meta.method}); give the float checkpoint "
            "it was made from."
        )


def _fresh(checkpoint: Checkpoint) -> Meta:
    """What carries over from the float file: not its accuracy, which the new one must earn itself."""
    return dataclasses.replace(checkpoint.meta, accuracy={}, made_with=None, source_sha256=None)
