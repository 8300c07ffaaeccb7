"""Post-training quantization: a float checkpoint goes in, a quantized one comes out, nothing is trained."""

from __future__ import annotations

import dataclasses
import os
from contextlib import closing
from typing import Sequence

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from ..checkpoint import Checkpoint, Meta
from ..dataset.annotation import Sample
from ..dataset.batches import eval_batches
from ..vietocr_bridge import float_network
from . import qat
from .export import quantized_checkpoint
from .qat import QuantizeError


def quantize_dynamic(checkpoint: Checkpoint) -> Checkpoint:
    """int8 weights for the encoder and the decoder, the CNN float with its batch norms folded. Needs no data.

    Raises QuantizeError for a checkpoint that is quantized already.
    """
    _must_be_float(checkpoint)
    meta = dataclasses.replace(_fresh(checkpoint), method="dynamic", decoder="int8")
    return quantized_checkpoint(None, checkpoint.tensors, meta, checkpoint.origin)


def quantize_static(
    checkpoint: Checkpoint,
    samples: Sequence[Sample],
    backend: str = "x86",
    decoder: str = "int8",
    float_layers: Sequence[str] = (),
    lines: int = 256,
    vietocr_yaml: str | os.PathLike | None = None,
) -> Checkpoint:
    """An int8 CNN whose activation ranges are measured on `lines` of `samples`, drawn once with seed 0.

    backend: the qconfig by name (`qat.ACTIVATION_BITS`). decoder: `int8` or `float`. float_layers: names or patterns of
    convolutions that stay float. vietocr_yaml: the YAML the network was trained with, where it is not VietOCR's own.
    Raises QuantizeError (already quantized, nothing to calibrate on), LayerNameError, BridgeError, ImageError.
    """
    _must_be_float(checkpoint)
    if decoder not in ("int8", "float"):
        raise QuantizeError(f"The decoder is {decoder!r}; it must be int8 or float.")
    if not samples or lines < 1:
        raise QuantizeError(f"Static quantization measures activation ranges on real lines; {len(samples)} lines were given "
                            f"and {lines} asked for: give an annotation with at least one line (a few hundred are good).")
    network = float_network(checkpoint, vietocr_yaml)
    cnn = qat.prepare_cnn(network, backend, list(float_layers), qat=False)
    chosen = sorted(np.random.default_rng(0).permutation(len(samples))[:lines])
    _calibrate(cnn, [samples[i] for i in chosen], checkpoint.meta)
    meta = dataclasses.replace(
        _fresh(checkpoint), method="static", decoder=decoder, backend=backend,
        activation_bits=qat.ACTIVATION_BITS[backend],
        float_reasons={f"cnn.model.{name}": "kept float on request" for name in cnn.float_names},
    )  # fmt: skip
    return quantized_checkpoint(qat.convert_cnn(cnn), checkpoint.tensors, meta, checkpoint.origin)


@torch.no_grad()
def _calibrate(cnn: nn.Module, samples: Sequence[Sample], meta: Meta) -> None:
    with closing(eval_batches(samples, meta.image, batch_size=16)) as batches:
        with tqdm(total=len(samples), desc="calibrate", unit="line") as bar:
            for batch in batches:
                cnn(batch.images.float() / 255)
                bar.update(len(batch.names))


def _must_be_float(checkpoint: Checkpoint) -> None:
    if not checkpoint.is_float:
        raise QuantizeError(f"{checkpoint.origin} is already quantized ({checkpoint.meta.method}); give the float checkpoint "
                            "it was made from.")


def _fresh(checkpoint: Checkpoint) -> Meta:
    """What carries over from the float file: not its accuracy, which the new one must earn itself."""
    return dataclasses.replace(checkpoint.meta, accuracy={}, made_with=None, source_sha256=None)
