"""Greedy decoding (`decode.greedy`) as an ONNX Loop around a decoder's step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...checkpoint.vocab import Vocab
from .builder import Graph

#: Adds a step to a loop's body: from its number, the last characters (N,) and the carried values to the logits
#: (N, classes) and what is carried on.
Step = Callable[[Graph, str, str, list[str]], tuple[str, list[str]]]


@dataclass(frozen=True)
class Carried:
    """A float32 value that each step hands to the next.

    Attributes:
        name: in the loop's body.
        start: name of its first value.
        shape: letters are dimensions known when it runs.
    """

    name: str
    start: str
    shape: tuple[int | str, ...]


def add_loop(graph: Graph, memory: str, carried: Sequence[Carried], step: Step, limit: int | None = None) -> None:
    """Add the loop, with the input `max_length` and the outputs `ids` and `probabilities` (N, L); see `network.py`.

    Args:
        graph: the graph to add to.
        memory: name of the encoder's outputs (N, S, M).
        carried: what steps hand on.
        step: adds one.
        limit: the most steps that the network can take; None for any number.
    """
    lines = graph.op("Slice", [graph.op("Shape", [memory]), graph.integers([0]), graph.integers([1])])
    start = graph.op("ConstantOfShape", [lines], value=np.array([Vocab.go], np.int64))
    ended = graph.op("ConstantOfShape", [lines], value=np.array([False]))

    body = Graph(graph.tensors, graph)
    number = body.input("step", np.int64, ())
    body.input("going", np.bool_, ())
    tokens = body.input("tokens", np.int64, ("N",))
    states = [body.input(one.name, np.float32, one.shape) for one in carried]
    done = body.input("done", np.bool_, ("N",))
    logits, following = step(body, number, tokens, states)
    _add_choice(body, logits, done, list(zip(carried, following, strict=True)))

    steps = graph.input("max_length", np.int64, ())
    if limit is not None:
        steps = graph.op("Min", [steps, graph.constant("limit", np.int64(limit))])
    true = graph.constant("true", np.bool_(True))
    inputs = [steps, true, start, *(one.start for one in carried), ended]
    *_, ids, chances = graph.ops("Loop", inputs, len(inputs), body=body.build("step"))
    graph.output("ids", graph.op("Transpose", [ids], perm=[1, 0]), np.int64, ("N", "L"))
    graph.output("probabilities", graph.op("Transpose", [chances], perm=[1, 0]), np.float32, ("N", "L"))


def _add_choice(body: Graph, logits: str, done: str, following: Sequence[tuple[Carried, str]]) -> None:
    """Add the choice of the most probable character, and the outputs of the loop's body."""
    end = body.constant("end", np.int64(Vocab.eos))
    best = body.op("ArgMax", [logits], axis=1, keepdims=0)
    chosen = body.op("Where", [done, end, best])
    top = body.op("ReduceMax", [body.op("Softmax", [logits], axis=1)], axes=[1], keepdims=0)
    chance = body.op("Where", [done, body.constant("zero", np.float32(0)), top])
    over = body.op("Or", [done, body.op("Equal", [chosen, end])])
    left = body.op("ReduceMin", [body.op("Cast", [over], to=6)], keepdims=0)
    body.output("go_on", body.op("Equal", [left, body.constant("int32.0", np.int32(0))]), np.bool_, ())
    body.output("next_tokens", chosen, np.int64, ("N",))
    for one, value in following:
        body.output(f"next_{one.name}", value, np.float32, one.shape)
    body.output("next_done", over, np.bool_, ("N",))
    body.output("id", chosen, np.int64, ("N",))
    body.output("probability", chance, np.float32, ("N",))
