"""A small builder of ONNX graphs over the tensors of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..base import need_onnx


class Graph:
    """A graph under construction: nodes in order, and the tensors that they use as initializers.

    Args:
        tensors: of a checkpoint; those that are used become initializers under their own names.
        parent: the graph around a loop's body, whose values and initializers the body may use.

    Attributes:
        onnx: the package `onnx`.
        tensors: as given.
        last: name of the first output of the node that was added last.

    Raises:
        EngineError: the package `onnx` is missing.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], parent: Graph | None = None) -> None:
        self.onnx = need_onnx("exporting to ONNX")
        self.tensors = tensors
        self.parent = parent
        self.last = ""
        self._prefix = "" if parent is None else "step."
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._initializers: dict[str, np.ndarray] = {}
        self._weights: dict[str, str] = {}

    def input(self, name: str, dtype: type, shape: Sequence[int | str] | None) -> str:
        """Declare an input; letters are dimensions known when it runs."""
        self._inputs.append(self._value(name, dtype, shape))
        return name

    def output(self, name: str, value: str, dtype: type, shape: Sequence[int | str] | None) -> str:
        """Declare `value` an output under `name`."""
        self._outputs.append(self._value(name, dtype, shape))
        return self._add("Identity", [value], [name], {})[0]

    def _value(self, name: str, dtype: type, shape: Sequence[int | str] | None) -> Any:
        return self.onnx.helper.make_tensor_value_info(
            name, self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape
        )

    def op(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output, and return that."""
        return self.ops(kind, inputs, 1, **attributes)[0]

    def ops(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Add a node, and return its outputs."""
        stem = f"{self._prefix}{kind}_{len(self._nodes)}"
        return self._add(kind, inputs, [stem if outputs == 1 else f"{stem}.{i}" for i in range(outputs)], attributes)

    def _add(self, kind: str, inputs: Sequence[str], outputs: list[str], attributes: Mapping[str, Any]) -> list[str]:
        self._nodes.append(self.onnx.helper.make_node(kind, list(inputs), outputs, name=outputs[0], **attributes))
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
                values = self.op("Cast", [self.named(name)], to=self.onnx.TensorProto.FLOAT)
                self._weights[name] = self.op("Mul", [values, self.op("Unsqueeze", [scale, self.integers([1])])])
        return self._weights[name]

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
        (bytes_in,) = (node.input[0] for node in self._nodes if node.output[0] == x)
        pooled = self.op("AveragePool", [self.op("DequantizeLinear", [bytes_in, *steps])], **attributes)
        return self.op("DequantizeLinear", [self.op("QuantizeLinear", [pooled, *steps]), *self.range_of(layer)])

    def build(self, name: str) -> Any:
        """Return the graph as a GraphProto."""
        tensors = [self.onnx.numpy_helper.from_array(value, key) for key, value in self._initializers.items()]
        return self.onnx.helper.make_graph(self._nodes, name, self._inputs, self._outputs, tensors)
