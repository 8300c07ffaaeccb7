"""Steps of a transformer's decoder as ONNX graphs, for ONNX Runtime alone.

`steps_model` runs characters that are given, in float32. `guesses_model` guesses characters, each from the one before,
with products of bytes: the operator DynamicQuantizeMatMul, ONNX Runtime's own (domain com.microsoft), rounds what it is
given to 8 bits, by one range for all rows, multiplies that by int8 weights as they lie in memory, and adds exactly. It
reads a quarter of the bytes that a product in float32 reads. What a line gets thus depends on its company, a little, so
it serves for guesses alone.

Both take, of every layer, the keys (L,heads,width,S) and values (L,heads,S,width) of the encoder's outputs of L lines,
`memory_keys.0`, `memory_values.0`, …, and those of the characters so far of N rows, `keys.0` (1,N,heads,width,T) and
`values.0` (1,N,heads,T,width), …
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...checkpoint import transformer_layout as layout
from ...checkpoint.layout import SCALE
from ...checkpoint.onnx_file import DATA_TYPES
from ...checkpoint.types import Checkpoint
from ...checkpoint.vocab import Vocab
from .builder import Graph, model_of

BYTE_ZERO = 128  # of a byte that stands for an int8 value: products of two unsigned bytes are exact on every CPU
MOST = np.float32(127)  # of an int8 weight
TINY = np.float32(1e-20)  # a scale above zero for rows of zeros
OPSET, CONTRIB_OPSET = 17, 1
#: Names of a layer's keys and values.
Pair = tuple[str, str]


@dataclass(frozen=True)
class Matrix:
    """Rows of a weight of the checkpoint, with their biases.

    Attributes:
        name: Of constants.
        weight: int8 or float (outputs, inputs).
        scale: What each row is multiplied by, float32 (outputs).
        bias: float32 (outputs).
    """

    name: str
    weight: np.ndarray
    scale: np.ndarray
    bias: np.ndarray


#: Adds the product of rows and a matrix: from the name of the rows to the name of the products.
Product = Callable[[Graph, str, Matrix], str]


def float_product(graph: Graph, x: str, matrix: Matrix) -> str:
    """Add x Wᵀ + b in float32."""
    columns = np.ascontiguousarray((matrix.weight.astype(np.float32) * matrix.scale[:, None]).T)
    product = graph.op("MatMul", [x, graph.constant(f"{matrix.name}columns", columns)])
    return graph.op("Add", [product, graph.constant(f"{matrix.name}sums", matrix.bias)])


def byte_product(graph: Graph, x: str, matrix: Matrix) -> str:
    """Add x Wᵀ + b with x rounded to 8 bits; float weights are rounded too."""
    weight, scale = matrix.weight, matrix.scale
    if weight.dtype != np.int8:
        weight = weight.astype(np.float32)
        step = np.maximum(np.abs(weight).max(axis=1), TINY) / MOST
        weight, scale = np.rint(weight / step[:, None]).astype(np.int8), scale * step
    inputs = [
        x,
        graph.constant(f"{matrix.name}bytes", (weight.T.astype(np.int16) + BYTE_ZERO).astype(np.uint8)),
        graph.constant(f"{matrix.name}scales", scale),
        graph.constant(f"{matrix.name}zeros", np.full(len(weight), BYTE_ZERO, np.uint8)),
        graph.constant(f"{matrix.name}sums", matrix.bias),
    ]
    return graph.op("DynamicQuantizeMatMul", inputs, domain="com.microsoft")


def steps_model(checkpoint: Checkpoint) -> bytes:
    """The model that runs T characters of N rows, N × T rows one row's after the other's.

    More inputs: `x` (N×T,C), the characters and their positions; `rows`, the integers N, T, 3, heads, width; `later`
    (T,all), what is added to what a step sees in each character: 0, or -∞ where it comes later.

    Outputs: `logits` (N×T,classes), and `next_keys.0`, `next_values.0`, … with these characters'.
    """
    graph, steps = Graph(checkpoint.tensors), _Steps(checkpoint, float_product)
    memory, kept = steps.inputs(graph)
    x = graph.input("x", np.float32, ("R", steps.width))
    rows, later = graph.input("rows", np.int64, (5,)), graph.input("later", np.float32, ("T", "all"))
    logits, following = steps.add(graph, x, rows, later, memory, kept)
    graph.output("logits", logits, np.float32, ("R", "V"))
    for index, pair in enumerate(following):
        steps.outputs(graph, pair, f".{index}")
    return _model(graph)


def guesses_model(checkpoint: Checkpoint) -> bytes:
    """The model that guesses characters, up to where all lines have ended.

    More inputs: `tokens` int64 (N), the characters that came last; `at` int64, the number of the step that they are of;
    `steps` int64, how many to guess at most; `done` bool (N), the rows whose end does not count.

    Output: `ids` int64 (T,N).
    """
    graph, steps = Graph(checkpoint.tensors), _Steps(checkpoint, byte_product)
    memory, kept = steps.inputs(graph)
    start, done = graph.input("tokens", np.int64, ("N",)), graph.input("done", np.bool_, ("N",))
    first, most = graph.input("at", np.int64, ()), graph.input("steps", np.int64, ())
    embedding = checkpoint.weight(layout.EMBEDDING) * np.float32(math.sqrt(steps.width))
    characters = graph.constant("characters", embedding)
    positions = graph.constant("positions", checkpoint.weight(layout.POSITIONS)[:, 0])

    body = Graph(checkpoint.tensors, graph)
    number = body.input("number", np.int64, ())
    body.input("going", np.bool_, ())
    tokens, ended = body.input("last", np.int64, ("N",)), body.input("ended", np.bool_, ("N",))
    carried = [steps.pair(body, "carried_", f".{index}") for index in range(len(kept))]
    place = body.op("Gather", [positions, body.op("Add", [number, first])])
    x = body.op("Add", [body.op("Gather", [characters, tokens]), place])
    rows = body.integers([-1, 1, 3, steps.heads, steps.width // steps.heads])
    logits, following = steps.add(body, x, rows, None, memory, carried)
    best = body.op("ArgMax", [logits], axis=1, keepdims=0)
    over = body.op("Or", [ended, body.op("Equal", [best, body.constant("end", np.int64(Vocab.eos))])])
    left = body.op("ReduceMin", [body.op("Cast", [over], to=DATA_TYPES[np.int32])], keepdims=0)
    body.output("go_on", body.op("Equal", [left, body.constant("none", np.int32(0))]), np.bool_, ())
    body.output("next", best, np.int64, ("N",))
    body.output("next_ended", over, np.bool_, ("N",))
    for index, pair in enumerate(following):
        steps.outputs(body, pair, f".{index}")
    body.output("id", best, np.int64, ("N",))

    names = [name for pair in kept for name in pair]
    inputs = [most, graph.constant("true", np.bool_(True)), start, done, *names]
    *_, ids = graph.ops("Loop", inputs, len(inputs) - 1, body=body.build("guess"))
    graph.output("ids", ids, np.int64, ("T", "N"))
    return _model(graph)


def _model(graph: Graph) -> bytes:
    return model_of(graph.build("steps"), {"": OPSET, "com.microsoft": CONTRIB_OPSET}, {})


class _Steps:
    """Adds the decoder to graphs.

    Args:
        checkpoint: Holds its tensors.
        product: Adds a product.
    """

    def __init__(self, checkpoint: Checkpoint, product: Product) -> None:
        self.checkpoint, self.product = checkpoint, product
        self.heads = checkpoint.meta.heads
        self.width = checkpoint.tensors[layout.EMBEDDING].shape[1]
        count = layout.layers_in(checkpoint.tensors, layout.DECODER)
        self.names = [layout.layer(layout.DECODER, index) for index in range(count)]

    def inputs(self, graph: Graph) -> tuple[list[Pair], list[Pair]]:
        """Declare each layer's keys and values of the encoder's outputs, and of the characters so far."""
        each, memory = self.width // self.heads, []
        for index in range(len(self.names)):
            keys = graph.input(f"memory_keys.{index}", np.float32, ("L", self.heads, each, "S"))
            memory.append((keys, graph.input(f"memory_values.{index}", np.float32, ("L", self.heads, "S", each))))
        return memory, [self.pair(graph, "", f".{index}") for index in range(len(self.names))]

    def pair(self, graph: Graph, before: str, after: str) -> Pair:
        """Declare a layer's keys and values of the characters so far."""
        keys, values = self._shapes()
        return (
            graph.input(f"{before}keys{after}", np.float32, keys),
            graph.input(f"{before}values{after}", np.float32, values),
        )

    def outputs(self, graph: Graph, pair: Pair, after: str) -> None:
        """Declare a layer's keys and values outputs."""
        for name, value, shape in zip(("keys", "values"), pair, self._shapes()):
            graph.output(f"next_{name}{after}", value, np.float32, shape)

    def _shapes(self) -> tuple[tuple[int | str, ...], tuple[int | str, ...]]:
        each = self.width // self.heads
        return (1, "N", self.heads, each, "T"), (1, "N", self.heads, "T", each)

    def add(
        self, graph: Graph, x: str, rows: str, later: str | None, memory: list[Pair], kept: list[Pair]
    ) -> tuple[str, list[Pair]]:
        """Add the layers; see `steps_model`. Returns logits, and the keys and values of all characters."""
        following = []
        for name, seen, pair in zip(self.names, memory, kept):
            found, pair = self._own(graph, x, rows, later, pair, name + layout.SELF_ATTENTION)
            following.append(pair)
            x = self._normalized(
                graph, x, self._linear(graph, found, name + layout.SELF_ATTENTION + layout.OUT), name, 1
            )
            found = self._cross(graph, x, seen, name + layout.CROSS_ATTENTION)
            x = self._normalized(
                graph, x, self._linear(graph, found, name + layout.CROSS_ATTENTION + layout.OUT), name, 2
            )
            inner = graph.op("Relu", [self._linear(graph, x, name + layout.FIRST)])
            x = self._normalized(graph, x, self._linear(graph, inner, name + layout.SECOND), name, 3)
        return self._linear(graph, self._norm(graph, x, f"{layout.DECODER}norm."), layout.OUTPUT), following

    def _own(self, graph: Graph, x: str, rows: str, later: str | None, kept: Pair, attention: str) -> tuple[str, Pair]:
        """Add the attention to the characters so far."""
        own = graph.op("Reshape", [self._projected(graph, x, attention, 3), rows])
        query, key, value = graph.ops("Split", [graph.op("Transpose", [own], perm=[2, 0, 3, 1, 4])], 3, axis=0)
        keys = graph.op("Concat", [kept[0], graph.op("Transpose", [key], perm=[0, 1, 2, 4, 3])], axis=4)
        values = graph.op("Concat", [kept[1], value], axis=3)
        scores = graph.op("MatMul", [query, keys])
        if later is not None:
            scores = graph.op("Add", [scores, later])
        found = graph.op("MatMul", [graph.op("Softmax", [scores], axis=4), values])
        found = graph.op("Transpose", [found], perm=[0, 1, 3, 2, 4])
        return graph.op("Reshape", [found, graph.integers([-1, self.width])]), (keys, values)

    def _cross(self, graph: Graph, x: str, memory: Pair, attention: str) -> str:
        """Add the attention to the encoder's outputs; a line's steps and paths look at the same: (L,heads,…,width)."""
        each = graph.integers([-1, self.heads, self.width // self.heads])
        lines = graph.op("Concat", [graph.op("Shape", [memory[0]], start=0, end=1), each], axis=0)
        query = graph.op("Reshape", [self._projected(graph, x, attention, 1), lines])
        query = graph.op("Transpose", [query], perm=[0, 2, 1, 3])
        chances = graph.op("Softmax", [graph.op("MatMul", [query, memory[0]])], axis=3)
        found = graph.op("Transpose", [graph.op("MatMul", [chances, memory[1]])], perm=[0, 2, 1, 3])
        return graph.op("Reshape", [found, graph.integers([-1, self.width])])

    def _linear(self, graph: Graph, x: str, name: str) -> str:
        weight, scale = self._rows(f"{name}weight")
        return self.product(graph, x, Matrix(name, weight, scale, self.checkpoint.weight(f"{name}bias")))

    def _projected(self, graph: Graph, x: str, attention: str, parts: int) -> str:
        """The first one, two or three of an attention's queries, which are scaled, keys and values."""
        weight, scale = self._rows(attention + layout.INPUT_WEIGHT)
        factor = np.ones(parts * self.width, np.float32)
        factor[: self.width] = (self.width // self.heads) ** -0.5  # of attention's products
        bias = self.checkpoint.weight(attention + layout.INPUT_BIAS)
        own = slice(0, len(factor))
        return self.product(graph, x, Matrix(attention, weight[own], scale[own] * factor, bias[own] * factor))

    def _rows(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A weight, and what each of its rows is multiplied by."""
        weight = self.checkpoint.tensors[name]
        if weight.dtype == np.int8:
            return weight, self.checkpoint.tensors[name + SCALE].astype(np.float32)
        return weight, np.ones(len(weight), np.float32)

    def _normalized(self, graph: Graph, x: str, added: str, layer: str, number: int) -> str:
        return self._norm(graph, graph.op("Add", [x, added]), f"{layer}norm{number}.")

    def _norm(self, graph: Graph, x: str, name: str) -> str:
        inputs = [x, *(graph.constant(name + part, self.checkpoint.weight(name + part)) for part in ("weight", "bias"))]
        return graph.op("LayerNormalization", inputs, axis=-1, epsilon=layout.EPSILON)
