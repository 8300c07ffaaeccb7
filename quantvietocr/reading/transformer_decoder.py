"""The decoder of VietOCR's transformer networks, in NumPy, so that one implementation serves every engine.

VietOCR runs all characters so far through the decoder again for each further one. A character's keys and values do not
change any more, so here they are kept: a step runs the last character alone, and looks at what is kept. The keys and
values of the encoder's outputs are computed once for a line. The layers are those of Vaswani et al. 2017 (arXiv
1706.03762) with the normalization after each of their parts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..checkpoint import transformer_layout as layout
from ..checkpoint.types import Checkpoint
from ..engines.base import Encoded
from .decode import softmax

FIRST_STEPS = 32  # steps that keys and values have room for at first; it is doubled as lines turn out longer


@dataclass
class TransformerState:
    """Where a decoding stands.

    Attributes:
        memory: Keys and values of the encoder's outputs for each layer, float32 (L,heads,S,width).
        kept: Keys and values of the characters so far for each layer, float32 (layers,2,N,heads,steps,width); there is
            room for more steps than have been taken.
        step: How many steps have been taken.
    """

    memory: list[tuple[np.ndarray, np.ndarray]]
    kept: np.ndarray
    step: int = 0

    def follow(self, rows: np.ndarray) -> None:
        """See `decoder.State`."""
        self.kept = self.kept[:, :, rows]

    def keep(self, lines: np.ndarray) -> None:
        """See `decoder.State`."""
        count = len(self.memory[0][0])
        self.memory = [(keys[lines], values[lines]) for keys, values in self.memory]
        rows = np.arange(self.kept.shape[2]).reshape(count, -1)[lines].reshape(-1)
        self.kept = self.kept[:, :, rows]

    def make_room(self) -> None:
        """Make room for one more step."""
        if self.step == self.kept.shape[4]:
            self.kept = np.concatenate([self.kept, np.empty_like(self.kept)], axis=4)


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
        def linear(part: str, factor: float = 1.0) -> _Linear:
            return _Linear(weights[f"{name}{part}weight"], weights[f"{name}{part}bias"], factor)

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
        self.memory = _Linear(np.concatenate(weight[1:]), np.concatenate(bias[1:]))


class TransformerDecoder:
    """VietOCR's `LanguageTransformer` after its encoder (see `decoder.Decoder`).

    Args:
        weights: float32, by their names in the state dict.
        heads: Of every attention.

    Attributes:
        classes: How many classes of characters there are.
        limit: Steps that there are positions for.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], heads: int = layout.HEADS) -> None:
        embedding = weights[layout.EMBEDDING]
        self.classes, self.width = embedding.shape
        self.heads = heads
        self.embedding = embedding * np.float32(math.sqrt(self.width))
        self.positions = weights[layout.POSITIONS][:, 0]
        self.limit = len(self.positions)
        count = layout.layers_in(weights, layout.DECODER)
        self.layers = [_Layer(weights, layout.layer(layout.DECODER, index), heads) for index in range(count)]
        self.norm = _Norm(weights[f"{layout.DECODER}norm.weight"], weights[f"{layout.DECODER}norm.bias"])
        self.output = _Linear(weights[f"{layout.OUTPUT}weight"], weights[f"{layout.OUTPUT}bias"])

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> TransformerDecoder:
        """The decoder of a checkpoint."""
        weights = {name: weight for prefix in layout.DECODING for name, weight in checkpoint.weights(prefix).items()}
        return cls(weights, checkpoint.meta.heads)

    def start(self, encoded: Encoded) -> TransformerState:
        """See `decoder.Decoder`."""
        (memory,) = encoded
        count, places = memory.shape[:2]
        pairs = []
        for layer in self.layers:
            both = layer.memory(memory.reshape(-1, self.width)).reshape(count, places, 2, self.heads, -1)
            keys, values = np.ascontiguousarray(both.transpose(2, 0, 3, 1, 4))
            pairs.append((keys, values))
        size = (len(self.layers), 2, count, self.heads, min(FIRST_STEPS, self.limit), self.width // self.heads)
        return TransformerState(pairs, np.empty(size, np.float32))

    def step(self, tokens: np.ndarray, state: TransformerState) -> tuple[np.ndarray, None]:
        """See `decoder.Decoder`. The heads of several layers look at many places at a time: no attention is told."""
        state.make_room()
        count, at = len(tokens), state.step
        x = self.embedding[tokens] + self.positions[at]
        for layer, (own_keys, own_values), (keys, values) in zip(self.layers, state.kept, state.memory):
            own = layer.own(x).reshape(count, 3, self.heads, -1)
            own_keys[:, :, at], own_values[:, :, at] = own[:, 1], own[:, 2]
            looked = _attended(own[:, 0, :, None], own_keys[:, :, : at + 1], own_values[:, :, : at + 1])
            x += layer.own_out(looked.reshape(count, -1))
            layer.norms[0](x)
            # The paths of a line look at the same memory: (L,heads,W,width).
            query = layer.query(x).reshape(len(keys), -1, self.heads, keys.shape[3]).transpose(0, 2, 1, 3)
            looked = _attended(query, keys, values).transpose(0, 2, 1, 3)
            x += layer.cross_out(looked.reshape(count, -1))
            layer.norms[1](x)
            inner = layer.first(x)
            np.maximum(inner, 0, out=inner)
            x += layer.second(inner)
            layer.norms[2](x)
        state.step += 1
        return self.output(self.norm(x)), None


def _attended(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What queries (…,Q,width) find among values (…,S,width) by their keys (…,S,width): (…,Q,width)."""
    return np.matmul(softmax(np.matmul(query, keys.swapaxes(-1, -2))), values)
