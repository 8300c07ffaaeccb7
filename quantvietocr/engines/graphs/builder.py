"""A small builder of ONNX graphs over the tensors of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ... import __version__
from ...checkpoint.layout import SCALE
from ...checkpoint.onnx_file import (
    DATA_TYPES,
    GRAPH_INITIALIZER,
    GRAPH_INPUT,
    GRAPH_NODE,
    GRAPH_OUTPUT,
    MODEL_GRAPH,
    MODEL_PROPERTIES,
    NODE_INPUT,
    NODE_OUTPUT,
    TENSOR_DIMS,
    TENSOR_NAME,
    TENSOR_RAW,
    TENSOR_TYPE,
    VALUE_NAME,
)
from ...checkpoint.protobuf import message

# Numbers of fields, by the message that they stand in (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_MODEL_IR_VERSION, _MODEL_PRODUCER, _MODEL_PRODUCER_VERSION, _MODEL_OPSET = 1, 2, 3, 8
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_PROPERTY_KEY, _PROPERTY_VALUE = 1, 2
_GRAPH_NAME = 2
_NODE_NAME, _NODE_KIND, _NODE_ATTRIBUTE, _NODE_DOMAIN = 3, 4, 5, 7
_VALUE_TYPE, _TYPE_TENSOR, _TENSOR_ELEMENTS, _TENSOR_SHAPE, _SHAPE_SIZE, _SIZE_NUMBER, _SIZE_LETTER = (
    2,
    1,
    1,
    2,
    1,
    1,
    2,
)
_ATTRIBUTE_NAME, _ATTRIBUTE_KIND = 1, 20

IR_VERSION = 8


class Graph:
    """A graph under construction: nodes in order, and the tensors that they use as initializers.

    Args:
        tensors: of a checkpoint; those that are used become initializers under their own names.
        parent: the graph around a loop's body, whose values and initializers the body may use.
        prepared: whether it is for a runtime here, and not for a file. Then it holds no decoder, and weights that the
            runtime would have to turn into others are turned already.

    Attributes:
        tensors: as given.
        last: name of the first output of the node that was added last.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], parent: Graph | None = None, prepared: bool = False) -> None:
        self.tensors = tensors
        self.prepared = prepared
        self.parent = parent
        self.last = ""
        self._prefix = "" if parent is None else "step."
        self._nodes: list[bytes] = []
        self._first_input: dict[str, str] = {}  # of the node that gives a value
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []
        self._initializers: dict[str, np.ndarray] = {}
        self._weights: dict[str, str] = {}

    def input(self, name: str, dtype: type, shape: Sequence[int | str] | None) -> str:
        """Declare an input; letters are dimensions known when it runs."""
        self._inputs.append(_value(name, dtype, shape))
        return name

    def output(self, name: str, value: str, dtype: type, shape: Sequence[int | str] | None) -> str:
        """Declare `value` an output under `name`."""
        self._outputs.append(_value(name, dtype, shape))
        return self._add("Identity", [value], [name], {})[0]

    def op(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output, and return that."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Add a node, and return its outputs. An attribute `domain` is that of the operator; ONNX's own have none."""
        stem = f"{self._prefix}{kind}_{len(self._nodes)}"
        names = [stem if outputs == 1 else f"{stem}.{i}" for i in range(outputs)]
        return self._add(kind, inputs, names, attributes)

    def _add(self, kind: str, inputs: Sequence[str], outputs: list[str], attributes: dict[str, Any]) -> list[str]:
        domain = attributes.pop("domain", "")
        fields: list[tuple[int, str | bytes]] = [(NODE_INPUT, name) for name in inputs]
        fields += [(NODE_OUTPUT, name) for name in outputs]
        fields += [(_NODE_NAME, outputs[0]), (_NODE_KIND, kind)]
        fields += [(_NODE_ATTRIBUTE, _attribute(name, value)) for name, value in sorted(attributes.items())]
        fields += [(_NODE_DOMAIN, domain)] if domain else []
        self._nodes.append(message(fields))
        self._first_input |= dict.fromkeys(outputs, inputs[0])
        self.last = outputs[0]
        return outputs

    def constant(self, name: str, value: Any) -> str:
        """Add an initializer to the outermost graph, and return its name; one name must mean one value."""
        if self.parent is not None:
            return self.parent.constant(name, value)
        self._initializers[name] = np.asarray(value, order="C")
        return name

    def integers(self, values: Sequence[int]) -> str:
        """Add an int64 vector, as shapes and axes are given, and return its name."""
        return self.constant("int64." + "_".join(map(str, values)), np.array(values, np.int64))

    def named(self, name: str) -> str:
        """Return the name of a tensor of the checkpoint, or of a value that exists; half precision becomes float32."""
        if name in self.tensors:
            tensor = self.tensors[name]
            return self.constant(name, tensor.astype(np.float32) if tensor.dtype.kind == "f" else tensor)
        return name

    def weight(self, name: str) -> str:
        """Return a weight as float, dequantized per output channel (axis 0) where it is int8.

        Weights of convolutions are dequantized by DequantizeLinear, which int8 kernels take in. Matrices are
        dequantized by Cast and Mul, which runtimes compute once, when they load the file: ONNX Runtime would run a
        DequantizeLinear that it cannot fuse at every call.

        Args:
            name: the weight's name in the checkpoint.

        Returns:
            Name of the float value.
        """
        tensor = self.tensors[name]
        if tensor.dtype != np.int8:
            return self.named(name)
        if name not in self._weights:
            scale = self.named(name + ".scale")
            if tensor.ndim == 4:
                zeros = self.constant(f"int8.zeros_{len(tensor)}", np.zeros(len(tensor), np.int8))
                self._weights[name] = self.op("DequantizeLinear", [self.named(name), scale, zeros], axis=0)
            else:
                values = self.op("Cast", [self.named(name)], to=DATA_TYPES[np.float32])
                self._weights[name] = self.op("Mul", [values, self.op("Unsqueeze", [scale, self.integers([1])])])
        return self._weights[name]

    def numbers(self, name: str) -> np.ndarray:
        """Return a weight of the checkpoint in float32, as the nodes of `weight` compute it."""
        tensor = self.tensors[name].astype(np.float32)
        if self.tensors[name].dtype != np.int8:
            return tensor
        return tensor * self.tensors[name + SCALE].astype(np.float32).reshape(-1, *[1] * (tensor.ndim - 1))

    def range_of(self, layer: str) -> list[str]:
        """Return the names of the scale and the zero point (a byte, as QuantizeLinear takes it) of a layer's output."""
        zero = f"{layer}.output.zero_point"
        return [self.named(f"{layer}.output.scale"), self.constant(zero, self.tensors[zero].astype(np.uint8))]

    def requantize(self, x: str, layer: str) -> str:
        """Add QuantizeLinear and DequantizeLinear on the range of a layer's output."""
        pair = self.range_of(layer)
        return self.op("DequantizeLinear", [self.op("QuantizeLinear", [x, *pair]), *pair])

    def average(self, x: str, layer: str, **attributes: Any) -> str:
        """Add the AveragePool of a tensor on the range of a layer's output, rounded to that range, ties to even.

        It works on steps instead of values (scale 1), where means of bytes are exact: means of multiples of the scale
        would put the many ties on a random side.

        Args:
            x: name of the tensor, which DequantizeLinear gave.
            layer: whose range the tensor is on.
            **attributes: of AveragePool.

        Returns:
            Name of the result.
        """
        zero = self.range_of(layer)[1]
        steps = [self.constant("one_step", np.float32(1)), zero]
        pooled = self.op("AveragePool", [self.op("DequantizeLinear", [self._first_input[x], *steps])], **attributes)
        return self.op("DequantizeLinear", [self.op("QuantizeLinear", [pooled, *steps]), *self.range_of(layer)])

    def build(self, name: str) -> Subgraph:
        """Return the graph as a message of ONNX's kind GraphProto."""
        fields: list[tuple[int, str | bytes]] = [(GRAPH_NODE, node) for node in self._nodes]
        fields += [(_GRAPH_NAME, name)]
        fields += [(GRAPH_INITIALIZER, tensor_message(value, name)) for name, value in self._initializers.items()]
        fields += [(GRAPH_INPUT, value) for value in self._inputs]
        fields += [(GRAPH_OUTPUT, value) for value in self._outputs]
        return Subgraph(message(fields))


class Subgraph(bytes):
    """A graph as a message, as an attribute holds it."""


def model_of(graph: Subgraph, opsets: Mapping[str, int], properties: Mapping[str, str]) -> bytes:
    """An ONNX file.

    Args:
        graph: what it holds.
        opsets: the version of the operators of each domain; that of ONNX's own is "".
        properties: what it says of itself.
    """
    fields: list[tuple[int, int | str | bytes]] = [
        (_MODEL_IR_VERSION, IR_VERSION),
        (_MODEL_PRODUCER, "quantvietocr"),
        (_MODEL_PRODUCER_VERSION, __version__),
        (MODEL_GRAPH, graph),
    ]
    sets = [message([(_OPSET_DOMAIN, domain), (_OPSET_VERSION, version)]) for domain, version in opsets.items()]
    fields += [(_MODEL_OPSET, one) for one in sets]
    entries = [message([(_PROPERTY_KEY, key), (_PROPERTY_VALUE, value)]) for key, value in properties.items()]
    fields += [(MODEL_PROPERTIES, entry) for entry in entries]
    return message(fields)


def tensor_message(value: np.ndarray, name: str) -> bytes:
    """A tensor as a message of ONNX's kind TensorProto."""
    fields: list[tuple[int, int | str | memoryview]] = [(TENSOR_DIMS, size) for size in value.shape]
    fields += [
        (TENSOR_TYPE, DATA_TYPES[value.dtype.type]),
        (TENSOR_NAME, name),
        (TENSOR_RAW, value.reshape(-1).view(np.uint8).data),
    ]
    return message(fields)


def _value(name: str, dtype: type, shape: Sequence[int | str] | None) -> bytes:
    """An input or output as a message of ONNX's kind ValueInfoProto."""
    tensor: list[tuple[int, int | bytes]] = [(_TENSOR_ELEMENTS, DATA_TYPES[np.dtype(dtype).type])]
    if shape is not None:
        sizes = [message([(_SIZE_LETTER if isinstance(size, str) else _SIZE_NUMBER, size)]) for size in shape]
        tensor.append((_TENSOR_SHAPE, message([(_SHAPE_SIZE, size) for size in sizes])))
    return message([(VALUE_NAME, name), (_VALUE_TYPE, message([(_TYPE_TENSOR, message(tensor))]))])


def _attribute(name: str, value: Any) -> bytes:
    """An attribute as a message of ONNX's kind AttributeProto: its fields, and which of them counts."""
    held: list[tuple[int, int | float | str | bytes]]
    if isinstance(value, Subgraph):
        held, kind = [(6, value)], 5
    elif isinstance(value, np.ndarray):
        held, kind = [(5, tensor_message(value, name))], 4
    elif isinstance(value, str):
        held, kind = [(4, value)], 3
    elif isinstance(value, float):
        held, kind = [(2, value)], 1
    elif isinstance(value, int):
        held, kind = [(3, value)], 2
    else:
        held, kind = [(8, int(number)) for number in value], 7
    return message([(_ATTRIBUTE_NAME, name), *held, (_ATTRIBUTE_KIND, kind)])
