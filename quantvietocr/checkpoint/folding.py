"""The CNN of a float VietOCR checkpoint as a list of operations, batch norms folded away."""

from __future__ import annotations

import numpy as np

from . import layout
from .types import Checkpoint, Layer

EPSILON = 1e-5  # added to a variance before its root; torch's default, which VietOCR leaves


def float_layers(checkpoint: Checkpoint) -> tuple[tuple[Layer, ...], dict[str, np.ndarray]]:
    """The CNN of a float VietOCR state dict with each BatchNorm folded into its convolution.

    Computed in double: w' = w·γ/√(σ²+ε), b' = (b−μ)·γ/√(σ²+ε)+β.

    Args:
        checkpoint: A float checkpoint.

    Returns:
        The operations in order, and tensors `LAYER.weight` (O,I,kh,kw) and `LAYER.bias` (O), float32.

    Source:
        Jacob et al. 2018, section 3.2.
    """
    state = checkpoint.tensors
    layers: list[Layer] = []
    folded: dict[str, np.ndarray] = {}
    pools = iter(checkpoint.meta.pools)
    for op, index in layout.operations_of(state):
        name = layout.feature(index)
        if op == "pool":
            size = next(pools)
            layers.append(Layer(name, "avgpool", size, stride=size))
            continue
        norm = {part: state[f"{layout.norm_of(index)}.{part}"].astype(np.float64) for part in layout.NORM_PARTS}
        factor = norm["weight"] / np.sqrt(norm["running_var"] + EPSILON)
        weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
        folded[f"{name}.weight"] = (weight * factor[:, None, None, None]).astype(np.float32)
        folded[f"{name}.bias"] = ((bias - norm["running_mean"]) * factor + norm["bias"]).astype(np.float32)
        height, width = weight.shape[2:]
        layers.append(Layer(name, "conv", (height, width), padding=(1, 1), relu=True))
    last = layout.LAST_CONVOLUTION
    for part in ("weight", "bias"):
        folded[f"{last}.{part}"] = state[f"{last}.{part}"].astype(np.float32)
    layers.append(Layer(last, "conv", state[f"{last}.weight"].shape[2:]))
    return tuple(layers), folded
