"""The CNN of a float VietOCR checkpoint as a list of operations, batch norms folded away."""

from __future__ import annotations

from typing import Any

import numpy as np

from .types import Checkpoint, Layer


def float_layers(checkpoint: Checkpoint) -> tuple[tuple[Layer, ...], dict[str, np.ndarray]]:
    """The CNN of a float VietOCR state dict with each BatchNorm folded into its convolution.

    Returns the operations in order and tensors `LAYER.weight` (O,I,kh,kw), `LAYER.bias` (O) in float32, computed in
    double: w' = w·γ/√(σ²+ε), b' = (b−μ)·γ/√(σ²+ε)+β (Jacob et al. 2018, section 3.2), ε = 1e-5 as torch's default.
    """
    state, prefix = checkpoint.tensors, "cnn.model.features."
    indices = sorted({int(name[len(prefix) :].split(".")[0]) for name in state if name.startswith(prefix)})
    layers: list[Layer] = []
    folded: dict[str, np.ndarray] = {}
    pools = iter(checkpoint.meta.pools)
    expected = 0
    for index in indices:
        name = f"{prefix}{index}"
        weight = state[f"{name}.weight"]
        if weight.ndim != 4:
            continue  # a BatchNorm, folded below
        if index != expected:  # conv, bn and relu take three places; a pool between stages takes one
            layers.append(_pool(f"{prefix}{index - 1}", next(pools)))
        norm = {
            key: state[f"{prefix}{index + 1}.{key}"].astype(np.float64)
            for key in ("weight", "bias", "running_mean", "running_var")
        }
        factor = norm["weight"] / np.sqrt(norm["running_var"] + 1e-5)
        folded[f"{name}.weight"] = (weight * factor[:, None, None, None]).astype(np.float32)
        folded[f"{name}.bias"] = ((state[f"{name}.bias"] - norm["running_mean"]) * factor + norm["bias"]).astype(
            np.float32
        )
        layers.append(Layer(name, "conv", _pair(weight.shape[2:]), padding=(1, 1), relu=True))
        expected = index + 3
    layers.append(_pool(f"{prefix}{expected}", next(pools)))
    last = "cnn.model.last_conv_1x1"
    for part in ("weight", "bias"):
        folded[f"{last}.{part}"] = state[f"{last}.{part}"].astype(np.float32)
    layers.append(Layer(last, "conv", (1, 1)))
    return tuple(layers), folded


def _pool(name: str, size: tuple[int, int]) -> Layer:
    return Layer(name, "avgpool", size, stride=size)


def _pair(values: Any) -> tuple[int, int]:
    first, second = (int(v) for v in values)
    return first, second
