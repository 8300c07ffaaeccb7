"""int8 weights for the encoder and the decoder (GRU, Linear, attention, embedding), of either network."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ..checkpoint.layout import SCALE, TRANSFORMER
from ..checkpoint.matrices import matrices_of


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


def quantize_decoder(state: Mapping[str, np.ndarray], kept: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Every matrix of encoder and decoder as int8 with scales; the layers `kept` and all else as float32."""
    chosen = {tensor for layer, tensor in matrices_of(state).items() if layer not in kept}
    tensors: dict[str, np.ndarray] = {}
    for name, tensor in state.items():
        if not name.startswith(TRANSFORMER):
            continue
        if name in chosen:
            tensors[name], tensors[name + SCALE] = quantize_rows(tensor.astype(np.float32))
        else:
            tensors[name] = tensor.astype(np.float32)
    return tensors


def float_decoder(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same tensors, left as float32."""
    return {name: t.astype(np.float32) for name, t in state.items() if name.startswith(TRANSFORMER)}
