"""Steps of a transformer's decoder in NumPy, for where ONNX Runtime is not installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ..checkpoint import transformer_layout as layout
from ..engines.onnx_steps import Pairs
from .decode import softmax


class Steps(Protocol):
    """Runs steps of a decoder in float32."""

    def run(self, x: np.ndarray, later: np.ndarray, memory: Pairs, kept: Pairs) -> tuple[np.ndarray, Pairs]:
        """Run T steps of N rows at once.

        Args:
            x: The characters that came last at each, with their positions (N,T,C); the rows are L lines' paths, line by
                line.
            later: What is added to what each step sees in all characters (T,all): 0, or -∞ where they come later.
            memory: Of each layer, the keys (L,heads,width,S) and values (L,heads,S,width) of the encoder's outputs.
            kept: Of each layer, the keys (1,N,heads,width,before) and values (1,N,heads,before,width) of the characters
                before these.

        Returns:
            Logits (N,T,classes), and `kept` with these characters'.
        """
        ...


class _Linear:
    """x ↦ x Wᵀ + b of a weight (outputs, inputs), for rows x.

    Args:
        weight: W, float32.
        bias: b, float32.
        factor: Multiplies the whole.
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray, factor: float = 1.0) -> None:
        self.weight = np.ascontiguousarray(weight.T) * np.float32(factor)
        self.bias = bias * np.float32(factor)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        y = x @ self.weight
        y += self.bias
        return y


class _Norm:
    """Layer normalization over the last axis (Ba et al. 2016, arXiv 1607.06450)."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        self.weight, self.bias = weight, bias
        self.mean = np.full((len(weight), 1), 1 / len(weight), np.float32)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Normalize rows (N,width) in their place."""
        x -= x @ self.mean
        variance = np.square(x) @ self.mean
        variance += np.float32(layout.EPSILON)
        x /= np.sqrt(variance, out=variance)
        x *= self.weight
        x += self.bias
        return x


class _Layer:
    """The numbers of one layer, from float32 arrays whose names begin with `name`."""

    def __init__(self, weights: Mapping[str, np.ndarray], name: str, heads: int) -> None:
        def linear(part: str) -> _Linear:
            return _Linear(weights[f"{name}{part}weight"], weights[f"{name}{part}bias"])

        def thirds(attention: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
            parts = (weights[f"{name}{attention}{part}"] for part in (layout.INPUT_WEIGHT, layout.INPUT_BIAS))
            weight, bias = (np.split(part, 3) for part in parts)
            return weight, bias

        self.norms = [_Norm(weights[f"{name}norm{n}.weight"], weights[f"{name}norm{n}.bias"]) for n in (1, 2, 3)]
        self.first, self.second = linear(layout.FIRST), linear(layout.SECOND)
        self.own_out = linear(layout.SELF_ATTENTION + layout.OUT)
        self.cross_out = linear(layout.CROSS_ATTENTION + layout.OUT)
        weight, bias = thirds(layout.SELF_ATTENTION)
        scale = np.float32((len(bias[0]) // heads) ** -0.5)  # of attention's products, put into the queries
        self.own = _Linear(
            np.concatenate([weight[0] * scale, *weight[1:]]), np.concatenate([bias[0] * scale, *bias[1:]])
        )
        weight, bias = thirds(layout.CROSS_ATTENTION)
        self.query = _Linear(weight[0], bias[0], float(scale))


class NumpySteps:
    """See `Steps`.

    Args:
        weights: The decoder's, float32, by their names in the state dict.
        heads: Of every attention.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], heads: int) -> None:
        self.heads = heads
        count = layout.layers_in(weights, layout.DECODER)
        self.layers = [_Layer(weights, layout.layer(layout.DECODER, index), heads) for index in range(count)]
        self.norm = _Norm(weights[f"{layout.DECODER}norm.weight"], weights[f"{layout.DECODER}norm.bias"])
        self.output = _Linear(weights[f"{layout.OUTPUT}weight"], weights[f"{layout.OUTPUT}bias"])

    def run(self, x: np.ndarray, later: np.ndarray, memory: Pairs, kept: Pairs) -> tuple[np.ndarray, Pairs]:
        """See `Steps`."""
        count, steps = x.shape[:2]
        x = x.reshape(count * steps, -1)  # the caller's own: it was made for this
        following: Pairs = []
        for layer, (keys, values), (before_keys, before_values) in zip(self.layers, memory, kept):
            query, key, value = layer.own(x).reshape(count, steps, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
            own_keys = np.concatenate([before_keys, key[None].swapaxes(-1, -2)], axis=4)
            own_values = np.concatenate([before_values, value[None]], axis=3)
            following.append((own_keys, own_values))
            scores = np.matmul(query, own_keys[0])
            scores += later
            found = np.matmul(softmax(scores), own_values[0]).transpose(0, 2, 1, 3)
            x += layer.own_out(found.reshape(len(x), -1))
            layer.norms[0](x)
            # The steps and the paths of a line look at the same memory: (L,heads,W × T,width).
            query = layer.query(x).reshape(len(keys), -1, self.heads, keys.shape[2]).transpose(0, 2, 1, 3)
            found = np.matmul(softmax(np.matmul(query, keys)), values).transpose(0, 2, 1, 3)
            x += layer.cross_out(found.reshape(len(x), -1))
            layer.norms[1](x)
            inner = layer.first(x)
            np.maximum(inner, 0, out=inner)
            x += layer.second(inner)
            layer.norms[2](x)
        return self.output(self.norm(x)).reshape(count, steps, -1), following
