"""The greedy attention decoder of `decode.py` as an ONNX Loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..checkpoint.layout import DECODER
from ..reading.decode import EOS, GO
from .onnx_graph import Graph


@dataclass(frozen=True)
class _Constants:
    """Names of the values that do not depend on the step. D: hidden size, A: size of the memory's vectors, V: classes.

    Attributes:
        from_hidden: (D, 3D + D): the hidden state's gates, and the attention's query.
        from_context: (A, 3D + V): the gates and the logits that the context adds.
        output_hidden: (D, V): the logits that the new hidden state adds.
        token_gates: (V, 3D): the gates that the last character adds, with their bias.
        token_output: (V, V): the logits that the last character adds, with their bias.
        score: (D, 1): what makes attention scores of energies.
        keys: (N, S, D): what attention compares the query with.
        hidden_bias: (3D,): bias of the hidden state's gates.
    """

    from_hidden: str
    from_context: str
    output_hidden: str
    token_gates: str
    token_output: str
    score: str
    keys: str
    hidden_bias: str


def add_decoder(graph: Graph, memory: str, hidden: str) -> None:
    """Add the decoder, with the outputs `ids` and `probabilities` (N, L); see `onnx.py`.

    What does not depend on the step stands before the loop, as in `decode.Decoder`, or follows from weights alone, so
    that runtimes compute it when they load the file.

    Args:
        graph: the graph to add to; it gets an input `max_length`.
        memory: name of the encoder's outputs (N, S, 2E).
        hidden: name of the decoder's first hidden state (N, D).
    """
    constants = _add_constants(graph, memory)
    d = graph.tensors[DECODER + "rnn.weight_hh_l0"].shape[1]
    end = graph.constant("end", np.int64(EOS))
    lines = graph.op("Slice", [graph.op("Shape", [memory]), graph.integers([0]), graph.integers([1])])
    tensor = graph.onnx.helper.make_tensor
    start = graph.op("ConstantOfShape", [lines], value=tensor("go", 7, [1], [GO]))
    ended = graph.op("ConstantOfShape", [lines], value=tensor("no", 9, [1], [False]))

    body = Graph(graph.tensors, graph)
    body.input("step", np.int64, ())
    body.input("going", np.bool_, ())
    tokens = body.input("tokens", np.int64, ("N",))
    state = body.input("state", np.float32, ("N", d))
    done = body.input("done", np.bool_, ("N",))
    following, logits = _add_step(body, constants, memory, tokens, state)
    _add_choice(body, logits, following, done, end, d)

    graph.input("max_length", np.int64, ())
    true = graph.constant("true", np.bool_(True))
    *_, ids, chances = graph.ops("Loop", ["max_length", true, start, hidden, ended], 5, body=body.build("step"))
    graph.output("ids", graph.op("Transpose", [ids], perm=[1, 0]), np.int64, ("N", "L"))
    graph.output("probabilities", graph.op("Transpose", [chances], perm=[1, 0]), np.float32, ("N", "L"))


def _add_constants(graph: Graph, memory: str) -> _Constants:
    """Add what stands before the loop."""
    d = graph.tensors[DECODER + "rnn.weight_hh_l0"].shape[1]
    embedded = graph.tensors[DECODER + "embedding.weight"].shape[1]
    context = graph.tensors[DECODER + "rnn.weight_ih_l0"].shape[1] - embedded

    def columns(weight: str, first: int, count: int) -> str:
        """Columns of a weight, transposed: what a product takes on its right."""
        bounds = [graph.weight(DECODER + weight), graph.integers([first]), graph.integers([first + count])]
        return graph.op("Transpose", [graph.op("Slice", [*bounds, graph.integers([1])])], perm=[1, 0])

    attention, inputs, output = "attention.attn.weight", "rnn.weight_ih_l0", "fc_out.weight"
    whole = graph.op("Transpose", [graph.weight(DECODER + "rnn.weight_hh_l0")], perm=[1, 0])
    from_hidden = graph.op("Concat", [whole, columns(attention, 0, d)], axis=1)
    from_context = graph.op("Concat", [columns(inputs, embedded, context), columns(output, d, context)], axis=1)
    output_hidden = columns(output, 0, d)
    embedding = graph.weight(DECODER + "embedding.weight")
    token_gates = graph.op("MatMul", [embedding, columns(inputs, 0, embedded)])
    token_gates = graph.op("Add", [token_gates, graph.named(DECODER + "rnn.bias_ih_l0")])
    token_output = graph.op("MatMul", [embedding, columns(output, d + context, embedded)])
    token_output = graph.op("Add", [token_output, graph.named(DECODER + "fc_out.bias")])
    score = graph.op("Transpose", [graph.weight(DECODER + "attention.v.weight")], perm=[1, 0])
    keys = graph.op("MatMul", [memory, columns(attention, d, context)])
    keys = graph.op("Add", [keys, graph.named(DECODER + "attention.attn.bias")])
    hidden_bias = graph.named(DECODER + "rnn.bias_hh_l0")
    return _Constants(from_hidden, from_context, output_hidden, token_gates, token_output, score, keys, hidden_bias)


def _add_step(body: Graph, constants: _Constants, memory: str, tokens: str, state: str) -> tuple[str, str]:
    """Add one step of attention and GRU; returns the next hidden state (N, D) and the logits (N, V)."""
    d = body.tensors[DECODER + "rnn.weight_hh_l0"].shape[1]
    classes = len(body.tensors[DECODER + "embedding.weight"])
    own = body.op("MatMul", [state, constants.from_hidden])
    split = body.integers([3 * d, d])
    outer, query = body.ops("Split", [own, split], 2, axis=1)
    energy = body.op("Add", [constants.keys, body.op("Unsqueeze", [query, body.integers([1])])])
    energy = body.op("Tanh", [energy])
    weights = body.op("Softmax", [body.op("MatMul", [energy, constants.score])], axis=1)  # (N,S,1)
    weights = body.op("Transpose", [weights], perm=[0, 2, 1])
    context = body.op("Squeeze", [body.op("MatMul", [weights, memory]), body.integers([1])])
    sides = body.op("MatMul", [context, constants.from_context])
    inner, outward = body.ops("Split", [sides, body.integers([3 * d, classes])], 2, axis=1)
    inner = body.op("Add", [inner, body.op("Gather", [constants.token_gates, tokens])])
    outer = body.op("Add", [outer, constants.hidden_bias])
    gates = body.integers([2 * d, d])
    inner_switches, inner_new = body.ops("Split", [inner, gates], 2, axis=1)
    outer_switches, outer_new = body.ops("Split", [outer, gates], 2, axis=1)
    switches = body.op("Sigmoid", [body.op("Add", [inner_switches, outer_switches])])
    reset, update = body.ops("Split", [switches, body.integers([d, d])], 2, axis=1)
    new = body.op("Tanh", [body.op("Add", [inner_new, body.op("Mul", [reset, outer_new])])])
    following = body.op("Add", [new, body.op("Mul", [update, body.op("Sub", [state, new])])])
    logits = body.op("Add", [body.op("MatMul", [following, constants.output_hidden]), outward])
    return following, body.op("Add", [logits, body.op("Gather", [constants.token_output, tokens])])


def _add_choice(body: Graph, logits: str, following: str, done: str, end: str, d: int) -> None:
    """Add the choice of the most probable character, and the outputs of the loop's body."""
    best = body.op("ArgMax", [logits], axis=1, keepdims=0)
    chosen = body.op("Where", [done, end, best])
    top = body.op("ReduceMax", [body.op("Softmax", [logits], axis=1)], axes=[1], keepdims=0)
    chance = body.op("Where", [done, body.constant("zero", np.float32(0)), top])
    over = body.op("Or", [done, body.op("Equal", [chosen, end])])
    left = body.op("ReduceMin", [body.op("Cast", [over], to=6)], keepdims=0)
    body.output("go_on", body.op("Equal", [left, body.constant("int32.0", np.int32(0))]), np.bool_, ())
    body.output("next_tokens", chosen, np.int64, ("N",))
    body.output("next_state", following, np.float32, ("N", d))
    body.output("next_done", over, np.bool_, ("N",))
    body.output("id", chosen, np.int64, ("N",))
    body.output("probability", chance, np.float32, ("N",))
