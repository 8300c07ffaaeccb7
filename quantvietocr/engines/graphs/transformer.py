"""The encoder of transformer networks, and the decoder of `transformer_decoder.py` as an ONNX Loop.

The loop hands on the keys and values of the characters so far; those of the encoder's outputs are computed once.
"""

from __future__ import annotations

import math

import numpy as np

from ...checkpoint import transformer_layout as layout
from ...checkpoint.types import Meta
from .builder import Graph
from .choice import Carried, add_loop

SCALE = "attention_scale"  # the name of what queries are multiplied by


def add_transformer(graph: Graph, sequence: str, meta: Meta) -> None:
    """Add encoder and decoder of a transformer network; see `network.py` for their outputs.

    Args:
        graph: the graph to add to. With the decoder, which one that is `prepared` does without, it gets an input
            `max_length`.
        sequence: name of the CNN's features (N, S, C).
        meta: what the network is.
    """
    width = graph.tensors[layout.EMBEDDING].shape[1]
    positions = graph.op("Squeeze", [graph.named(layout.POSITIONS), graph.integers([1])])
    factor = graph.constant("root_of_width", np.float32(math.sqrt(width)))
    graph.constant(SCALE, np.float32((width // meta.heads) ** -0.5))
    memory = _add_encoder(graph, sequence, positions, factor, meta.heads)
    memory = graph.output("memory", memory, np.float32, ("N", "S", width))
    if not graph.prepared:
        _add_decoder(graph, memory, positions, factor, meta.heads)


def _add_encoder(graph: Graph, sequence: str, positions: str, factor: str, heads: int) -> str:
    """Add the encoder; returns memory (N, S, C)."""
    places = graph.op("Slice", [graph.op("Shape", [sequence]), graph.integers([1]), graph.integers([2])])
    own = graph.op("Slice", [positions, graph.integers([0]), places, graph.integers([0])])
    x = graph.op("Add", [graph.op("Mul", [sequence, factor]), own])
    for index in range(layout.layers_in(graph.tensors, layout.ENCODER)):
        name = layout.layer(layout.ENCODER, index)
        query, key, value = _heads(graph, _projected(graph, x, name + layout.SELF_ATTENTION, (0, 3)), 3, heads)
        x = _joined(graph, x, query, key, value, name + layout.SELF_ATTENTION, f"{name}norm1.")
        x = _fed_forward(graph, x, name, f"{name}norm2.")
    return _norm(graph, x, f"{layout.ENCODER}norm.")


def _add_decoder(graph: Graph, memory: str, positions: str, factor: str, heads: int) -> None:
    """Add the decoder. Every value of a step is (N, 1, …): the last character alone."""
    count = layout.layers_in(graph.tensors, layout.DECODER)
    names = [layout.layer(layout.DECODER, index) for index in range(count)]
    # Keys and values of the memory, for each layer (N, heads, S, width).
    seen = [_heads(graph, _projected(graph, memory, name + layout.CROSS_ATTENTION, (1, 3)), 2, heads) for name in names]
    embedding = graph.op("Mul", [graph.weight(layout.EMBEDDING), factor])

    def step(body: Graph, number: str, tokens: str, states: list[str]) -> tuple[str, list[str]]:
        x = body.op("Add", [body.op("Gather", [embedding, tokens]), body.op("Gather", [positions, number])])
        x = body.op("Unsqueeze", [x, body.integers([1])])
        following: list[list[str]] = [[], []]
        for index, (name, (keys, values)) in enumerate(zip(names, seen)):
            own = _projected(body, x, name + layout.SELF_ATTENTION, (0, 3))
            query, *new = _heads(body, own, 3, heads)
            at = body.constant(f"layer.{index}", np.int64(index))
            kept = [body.op("Concat", [body.op("Gather", [state, at]), one], axis=2) for state, one in zip(states, new)]
            for stack, one in zip(following, kept):
                stack.append(body.op("Unsqueeze", [one, body.integers([0])]))
            x = _joined(body, x, query, kept[0], kept[1], name + layout.SELF_ATTENTION, f"{name}norm1.")
            (query,) = _heads(body, _projected(body, x, name + layout.CROSS_ATTENTION, (0, 1)), 1, heads)
            x = _joined(body, x, query, keys, values, name + layout.CROSS_ATTENTION, f"{name}norm2.")
            x = _fed_forward(body, x, name, f"{name}norm3.")
        x = body.op("Squeeze", [_norm(body, x, f"{layout.DECODER}norm."), body.integers([1])])
        return _linear(body, x, layout.OUTPUT), [body.op("Concat", stack, axis=0) for stack in following]

    lines = graph.op("Slice", [graph.op("Shape", [memory]), graph.integers([0]), graph.integers([1])])
    width = graph.tensors[layout.EMBEDDING].shape[1] // heads
    nothing = graph.op("Concat", [graph.integers([count]), lines, graph.integers([heads, 0, width])], axis=0)
    empty = graph.op("ConstantOfShape", [nothing])
    shape = (count, "N", heads, "T", width)
    carried = [Carried("keys", empty, shape), Carried("values", empty, shape)]
    add_loop(graph, memory, carried, step, len(graph.tensors[layout.POSITIONS]))


def _product(graph: Graph, x: str, weight: str, bias: str) -> str:
    """x Wᵀ + b, from the names of values: W (outputs, inputs) and b."""
    return graph.op("Add", [graph.op("MatMul", [x, graph.op("Transpose", [weight], perm=[1, 0])]), bias])


def _linear(graph: Graph, x: str, name: str) -> str:
    return _product(graph, x, graph.weight(f"{name}weight"), graph.named(f"{name}bias"))


def _projected(graph: Graph, x: str, attention: str, thirds: tuple[int, int]) -> str:
    """Queries, keys and values of x (N, S, C), one after the other, or some of the three: (N, S, C × that many)."""
    width = graph.tensors[layout.EMBEDDING].shape[1]
    first, end = (graph.integers([third * width]) for third in thirds)
    weight, bias = graph.weight(attention + layout.INPUT_WEIGHT), graph.named(attention + layout.INPUT_BIAS)
    if thirds != (0, 3):
        weight, bias = (graph.op("Slice", [one, first, end, graph.integers([0])]) for one in (weight, bias))
    return _product(graph, x, weight, bias)


def _heads(graph: Graph, x: str, parts: int, heads: int) -> list[str]:
    """Take x (N, S, parts × C) apart: for each part (N, heads, S, width)."""
    width = graph.tensors[layout.EMBEDDING].shape[1] // heads
    split = graph.op("Reshape", [x, graph.integers([0, 0, parts, heads, width])])
    split = graph.op("Transpose", [split], perm=[2, 0, 3, 1, 4])
    ones = graph.ops("Split", [split], parts, axis=0) if parts > 1 else [split]
    return [graph.op("Squeeze", [one, graph.integers([0])]) for one in ones]


def _joined(graph: Graph, x: str, query: str, key: str, value: str, attention: str, norm: str) -> str:
    """What heads find, put together, added to x and normalized."""
    width = graph.tensors[layout.EMBEDDING].shape[1]
    query = graph.op("Mul", [query, SCALE])
    scores = graph.op("MatMul", [query, graph.op("Transpose", [key], perm=[0, 1, 3, 2])])
    looked = graph.op("MatMul", [graph.op("Softmax", [scores], axis=3), value])
    looked = graph.op("Reshape", [graph.op("Transpose", [looked], perm=[0, 2, 1, 3]), graph.integers([0, 0, width])])
    return _norm(graph, graph.op("Add", [x, _linear(graph, looked, attention + layout.OUT)]), norm)


def _fed_forward(graph: Graph, x: str, name: str, norm: str) -> str:
    inner = graph.op("Relu", [_linear(graph, x, name + layout.FIRST)])
    return _norm(graph, graph.op("Add", [x, _linear(graph, inner, name + layout.SECOND)]), norm)


def _norm(graph: Graph, x: str, name: str) -> str:
    inputs = [x, graph.named(f"{name}weight"), graph.named(f"{name}bias")]
    return graph.op("LayerNormalization", inputs, axis=-1, epsilon=layout.EPSILON)
