"""The greedy attention decoder of `decode.py` as an ONNX Loop."""

from __future__ import annotations

import numpy as np

from ..reading.decode import EOS, GO
from .onnx_graph import Graph


def add_decoder(graph: Graph, memory: str, hidden: str) -> None:
    """Outputs `ids` and `probabilities` (N,L) of memory (N,S,2E) and hidden (N,D); see `onnx_export`.

    What does not depend on the step stands before the loop, as in `decode.Decoder`, or follows from weights alone, so
    that runtimes compute it when they load the file.
    """
    prefix = "transformer.decoder."
    d = graph.tensors[prefix + "rnn.weight_hh_l0"].shape[1]
    embedded = graph.tensors[prefix + "embedding.weight"].shape[1]
    context = graph.tensors[prefix + "rnn.weight_ih_l0"].shape[1] - embedded

    def columns(weight: str, first: int, count: int) -> str:
        """Columns of a weight, transposed: what a product takes on its right."""
        part = graph.op(
            "Slice",
            [
                graph.weight(prefix + weight),
                graph.integers([first]),
                graph.integers([first + count]),
                graph.integers([1]),
            ],
        )
        return graph.op("Transpose", [part], perm=[1, 0])

    attention, inputs, output = "attention.attn.weight", "rnn.weight_ih_l0", "fc_out.weight"
    whole = graph.op("Transpose", [graph.weight(prefix + "rnn.weight_hh_l0")], perm=[1, 0])
    from_hidden = graph.op("Concat", [whole, columns(attention, 0, d)], axis=1)
    from_context = graph.op("Concat", [columns(inputs, embedded, context), columns(output, d, context)], axis=1)
    output_hidden = columns(output, 0, d)
    embedding = graph.weight(prefix + "embedding.weight")
    token_gates = graph.op("MatMul", [embedding, columns(inputs, 0, embedded)])
    token_gates = graph.op("Add", [token_gates, graph.named(prefix + "rnn.bias_ih_l0")])
    token_output = graph.op("MatMul", [embedding, columns(output, d + context, embedded)])
    token_output = graph.op("Add", [token_output, graph.named(prefix + "fc_out.bias")])
    score = graph.op("Transpose", [graph.weight(prefix + "attention.v.weight")], perm=[1, 0])
    keys = graph.op("MatMul", [memory, columns(attention, d, context)])
    keys = graph.op("Add", [keys, graph.named(prefix + "attention.attn.bias")])
    hidden_bias = graph.named(prefix + "rnn.bias_hh_l0")

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

    own = body.op("MatMul", [state, from_hidden])
    split = graph.integers([3 * d, d])
    outer, query = body.ops("Split", [own, split], 2, axis=1)
    energy = body.op("Tanh", [body.op("Add", [keys, body.op("Unsqueeze", [query, graph.integers([1])])])])
    weights = body.op("Softmax", [body.op("MatMul", [energy, score])], axis=1)  # (N,S,1)
    weights = body.op("Transpose", [weights], perm=[0, 2, 1])
    found = body.op("Squeeze", [body.op("MatMul", [weights, memory]), graph.integers([1])])
    classes = len(graph.tensors[prefix + "embedding.weight"])
    inner, outward = body.ops(
        "Split", [body.op("MatMul", [found, from_context]), graph.integers([3 * d, classes])], 2, axis=1
    )
    inner = body.op("Add", [inner, body.op("Gather", [token_gates, tokens])])
    outer = body.op("Add", [outer, hidden_bias])
    gates = graph.integers([2 * d, d])
    inner_switches, inner_new = body.ops("Split", [inner, gates], 2, axis=1)
    outer_switches, outer_new = body.ops("Split", [outer, gates], 2, axis=1)
    switches = body.op("Sigmoid", [body.op("Add", [inner_switches, outer_switches])])
    reset, update = body.ops("Split", [switches, graph.integers([d, d])], 2, axis=1)
    new = body.op("Tanh", [body.op("Add", [inner_new, body.op("Mul", [reset, outer_new])])])
    following = body.op("Add", [new, body.op("Mul", [update, body.op("Sub", [state, new])])])
    logits = body.op("Add", [body.op("MatMul", [following, output_hidden]), outward])
    logits = body.op("Add", [logits, body.op("Gather", [token_output, tokens])])
    best = body.op("ArgMax", [logits], axis=1, keepdims=0)
    chosen = body.op("Where", [done, end, best])
    top = body.op("ReduceMax", [body.op("Softmax", [logits], axis=1)], axes=[1], keepdims=0)
    chance = body.op("Where", [done, graph.constant("zero", np.float32(0)), top])
    over = body.op("Or", [done, body.op("Equal", [chosen, end])])
    left = body.op("ReduceMin", [body.op("Cast", [over], to=6)], keepdims=0)
    body.output("go_on", body.op("Equal", [left, graph.constant("int32.0", np.int32(0))]), np.bool_, ())
    body.output("next_tokens", chosen, np.int64, ("N",))
    body.output("next_state", following, np.float32, ("N", d))
    body.output("next_done", over, np.bool_, ("N",))
    body.output("id", chosen, np.int64, ("N",))
    body.output("probability", chance, np.float32, ("N",))

    graph.input("max_length", np.int64, ())
    true = graph.constant("true", np.bool_(True))
    *_, ids, chances = graph.ops("Loop", ["max_length", true, start, hidden, ended], 5, body=body.build("step"))
    graph.output("ids", graph.op("Transpose", [ids], perm=[1, 0]), np.int64, ("N", "L"))
    graph.output("probabilities", graph.op("Transpose", [chances], perm=[1, 0]), np.float32, ("N", "L"))
