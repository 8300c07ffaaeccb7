"""The encoder of seq2seq networks, and the decoder of `seq2seq_decoder.py` as an ONNX Loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...checkpoint import layout
from ...checkpoint.layout import DECODER
from ...checkpoint.types import Meta
from .builder import Graph
from .choice import Carried, add_loop


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


def add_seq2seq(graph: Graph, sequence: str, meta: Meta) -> None:
    """Add encoder and decoder of a seq2seq network; see `network.py` for their outputs.

    Args:
        graph: the graph to add to. With the decoder, which one that is `prepared` does without, it gets an input
            `max_length`.
        sequence: name of the CNN's features (N, S, C).
        meta: what the network is.
    """
    memory, hidden = _add_encoder(graph, sequence)
    if not graph.prepared:
        _add_decoder(graph, memory, hidden)


def _add_decoder(graph: Graph, memory: str, hidden: str) -> None:
    """Add the decoder.

    What does not depend on the step stands before the loop, as in `Seq2SeqDecoder`, or follows from weights alone, so
    that runtimes compute it when they load the file.

    Args:
        graph: the graph to add to.
        memory: name of the encoder's outputs (N, S, 2E).
        hidden: name of the decoder's first hidden state (N, D).
    """
    constants = _add_constants(graph, memory)
    d = graph.tensors[DECODER + "rnn.weight_hh_l0"].shape[1]

    def step(body: Graph, number: str, tokens: str, states: list[str]) -> tuple[str, list[str]]:
        following, logits = _add_step(body, constants, memory, tokens, states[0])
        return logits, [following]

    add_loop(graph, memory, [Carried("state", hidden, ("N", d))], step)


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


def _add_encoder(graph: Graph, sequence: str) -> tuple[str, str]:
    """Add the bidirectional GRU over (N,S,C): ONNX's gates (update, reset, new) from torch's (reset, update, new).

    Returns memory (N,S,2E) and the decoder's first hidden state (N,D).
    """
    prefix = layout.ENCODER
    sizes = graph.tensors[prefix + "rnn.weight_hh_l0"].shape[1]

    def both(kind: str) -> str:
        if graph.prepared:  # a runtime needs twice the memory for it, and as long as for all convolutions
            weights = [np.split(graph.numbers(f"{prefix}rnn.{kind}_l0{side}"), 3) for side in ("", "_reverse")]
            reordered = [np.concatenate([update, reset, new]) for reset, update, new in weights]
            return graph.constant(f"gru.{kind}", np.stack(reordered))
        sides = []
        for side in ("", "_reverse"):
            thirds = graph.ops("Split", [graph.weight(f"{prefix}rnn.{kind}_l0{side}")], 3, axis=0)
            sides.append(graph.op("Concat", [thirds[1], thirds[0], thirds[2]], axis=0))
        return graph.op("Concat", [graph.op("Unsqueeze", [side, graph.integers([0])]) for side in sides], axis=0)

    biases = graph.op("Concat", [both("bias_ih"), both("bias_hh")], axis=1)
    steps = graph.op("Transpose", [sequence], perm=[1, 0, 2])
    outputs, last = graph.ops(
        "GRU",
        [steps, both("weight_ih"), both("weight_hh"), biases],
        2,
        hidden_size=sizes,
        direction="bidirectional",
        linear_before_reset=1,
    )
    outputs = graph.op("Transpose", [outputs], perm=[2, 0, 1, 3])  # (S,2,N,E) → (N,S,2,E)
    outputs = graph.op("Reshape", [outputs, graph.integers([0, 0, 2 * sizes])])
    memory = graph.output("memory", outputs, np.float32, ("N", "S", 2 * sizes))
    last = graph.op("Reshape", [graph.op("Transpose", [last], perm=[1, 0, 2]), graph.integers([0, 2 * sizes])])
    fc = graph.op("Gemm", [last, graph.weight(prefix + "fc.weight"), graph.named(prefix + "fc.bias")], transB=1)
    width = graph.tensors[prefix + "fc.bias"].size
    return memory, graph.output("hidden", graph.op("Tanh", [fc]), np.float32, ("N", width))
