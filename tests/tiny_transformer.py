"""Networks like VietOCR's `vgg_transformer` at a few channels: every kind of tensor of real ones, random numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tiny
import torch
from torch import nn

from quantvietocr.checkpoint import Checkpoint, Meta
from quantvietocr.quantize.recurrent import quantize_decoder
from quantvietocr.vietocr_bridge.network import import_vietocr

WIDTH, HEADS, PLACES = 8, 2, 260
SEED = 29  # of weights whose readings differ from line to line and end at several places
SIZES = {
    "d_model": WIDTH,
    "nhead": HEADS,
    "num_encoder_layers": 2,
    "num_decoder_layers": 3,
    "dim_feedforward": 20,
    "max_seq_length": PLACES,
    "pos_dropout": 0.1,
    "trans_dropout": 0.1,
}


def head(classes: int = len(tiny.CHARS) + 4, seed: int = SEED, **changes: Any) -> nn.Module:
    """VietOCR's `LanguageTransformer`, whose steps differ and whose lines end now and then."""
    import_vietocr()
    from vietocr.model.seqmodel.transformer import LanguageTransformer

    torch.manual_seed(seed)
    made = LanguageTransformer(classes, **SIZES | changes).eval()
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(3 if name == "fc.weight" else 1.5)
            else:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def transformer(seed: int = SEED, **changes: Any) -> dict[str, np.ndarray]:
    """Its state dict as VietOCR's whole network has it."""
    return {f"transformer.{name}": tensor.numpy() for name, tensor in head(seed=seed, **changes).state_dict().items()}


def float_state(stages: tuple[int, ...] = (2, 2, 4, 4, 4), seed: int = SEED) -> dict[str, np.ndarray]:
    """VietOCR's whole state dict with a VGG of a few channels; stages: convolutions before each pool."""
    cnn = {name: t for name, t in tiny.float_state(stages=stages).items() if name.startswith("cnn.")}
    rng = np.random.default_rng(5)
    last = cnn[f"{tiny.PREFIX}last_conv_1x1.weight"]
    cnn[f"{tiny.PREFIX}last_conv_1x1.weight"] = rng.normal(size=(WIDTH, *last.shape[1:])).astype(np.float32)
    cnn[f"{tiny.PREFIX}last_conv_1x1.bias"] = rng.normal(size=WIDTH).astype(np.float32)
    return cnn | transformer(seed)


def meta(**changes: Any) -> Meta:
    return Meta(chars=tiny.CHARS, seq_modeling="transformer", heads=HEADS, **changes)


def float_checkpoint(stages: tuple[int, ...] = (2, 2, 4, 4, 4)) -> Checkpoint:
    """`float_state` as it is read from a file."""
    return Checkpoint(float_state(stages), meta())


def int8_checkpoint(seed: int = SEED) -> Checkpoint:
    """`tiny.int8_checkpoint` with another head: two int8 convolutions, images 8 pixels high."""
    cnn = tiny.int8_checkpoint()
    tensors = {name: t for name, t in cnn.tensors.items() if not name.startswith("transformer.")}
    last = f"{tiny.PREFIX}last_conv_1x1"
    tensors[f"{last}.weight"] = np.resize(tensors[f"{last}.weight"], (WIDTH, 5, 1, 1))
    tensors[f"{last}.weight.scale"] = np.resize(tensors[f"{last}.weight.scale"], WIDTH)
    tensors[f"{last}.bias"] = np.resize(tensors[f"{last}.bias"], WIDTH)
    about = dataclasses.replace(cnn.meta, seq_modeling="transformer", heads=HEADS)
    return Checkpoint(tensors | quantize_decoder(transformer(seed)), about)
