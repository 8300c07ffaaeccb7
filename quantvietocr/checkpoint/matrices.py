"""The matrices of encoder and decoder, of either network: which there are, and which a file stores in 8 bits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import layout, transformer_layout
from .types import Checkpoint

ENCODERS = (layout.ENCODER, transformer_layout.ENCODER)  # begin the names of an encoder's tensors
# The attention's score vector is 256 numbers in one row: one scale for all would save 768 bytes.
ALWAYS_FLOAT = (layout.ATTENTION_SCORE,)


def matrices_of(tensors: Mapping[str, Any]) -> dict[str, str]:
    """Find the matrices that may be stored in 8 bits.

    Args:
        tensors: A state dict of either network, float or quantized, in NumPy or torch.

    Returns:
        Layer → tensor: a layer's name is its tensor's, less `.weight`. The encoder's come first, in order of number.
    """
    names = [
        name
        for name, tensor in tensors.items()
        if name.startswith(layout.TRANSFORMER) and tensor.ndim == 2 and name not in ALWAYS_FLOAT
    ]
    return {name.removesuffix(".weight"): name for name in sorted(names, key=_place)}


def _place(name: str) -> tuple[bool, list[str | int]]:
    parts = re.split(r"(\d+)", name)
    return not in_encoder(name), [int(part) if part.isdigit() else part for part in parts]


def in_encoder(name: str) -> bool:
    """Whether a layer or tensor is the encoder's."""
    return name.startswith(ENCODERS)


def float_and_all(checkpoint: Checkpoint) -> tuple[int, int]:
    """How many of a quantized checkpoint's matrices are float, and how many there are."""
    tensors = matrices_of(checkpoint.tensors).values()
    return sum(checkpoint.tensors[name].dtype != np.int8 for name in tensors), len(tensors)
