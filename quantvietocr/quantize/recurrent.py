"""int8 weights for the encoder and the decoder (GRU, Linear, attention, embedding), of either network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..checkpoint.layout import ATTENTION_SCORE, SCALE, TRANSFORMER

# The attention's score vector is 256 numbers in one row: one scale for all would save 768 bytes.
KEPT_FLOAT = (ATTENTION_SCORE,)


def quantize_rows(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric int8 per output channel: scale = max|w| / 127, q = round(w / scale), zero point 0.

    Args:
        weight: (O, …), float.

    Returns:
        int8 of the same shape, and float32 scales (O,); a channel of zeros gets scale 1.

    Source:
        Jacob et al. 2018, section 2.1, with the symmetric narrow range
    """
    flat = np.abs(weight.reshape(len(weight), -1)).max(axis=1).astype(np.float32)
    scale = np.where(flat > 0, flat / np.float32(127), np.float32(1)).astype(np.float32)
    quantized = np.rint(weight / scale.reshape(-1, *[1] * (weight.ndim - 1)))
    return np.clip(quantized, -127, 127).astype(np.int8), scale


def quantize_decoder(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every weight matrix under `transformer.` as int8 with scales; biases and `KEPT_FLOAT` as float32."""
    tensors: dict[str, np.ndarray] = {}
    for name, tensor in state.items():
        if not name.startswith(TRANSFORMER):
            continue
        if tensor.ndim == 2 and name not in KEPT_FLOAT:
            tensors[name], tensors[name + SCALE] = quantize_rows(tensor.astype(np.float32))
        else:
            tensors[name] = tensor.astype(np.float32)
    return tensors


def float_decoder(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same tensors, left as float32."""
    return {name: t.astype(np.float32) for name, t in state.items() if name.startswith(TRANSFORMER)}
