"""The CNN with some of its layers in few bits, computed from the first operation on that differs from another one's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ...checkpoint import layout
from ...checkpoint.types import Checkpoint
from ...engines.torch_engine import operation, select_backend
from .mixed import Alternatives

#: What an operation is, so that two programs can share it; and the thing itself.
Operation = tuple[tuple, Callable[[Tensor], Tensor]]


class Programs:
    """The operations of one CNN; equal ones are the same object.

    Args:
        numbers: of its layers in every precision.
    """

    def __init__(self, numbers: Alternatives) -> None:
        select_backend()
        self._numbers = numbers
        self._built: dict[tuple, Callable[[Tensor], Tensor]] = {}

    def of(self, bits: Mapping[str, int]) -> list[Operation]:
        """The operations with each layer in 4, 8 or `FLOAT` bits, in order."""
        checkpoint = self._numbers.compose(bits)
        first = checkpoint.meta.layers[0].precision == "int8"
        found: list[Operation] = [(("input", first), _input(checkpoint) if first else lambda x: x)]
        source = layout.INPUT
        for layer in checkpoint.meta.layers:
            ranged = f"{layer.name}{layout.RANGE_SCALE}" in checkpoint.tensors
            key = (layer.name, layer.precision, bits.get(layer.name), ranged)
            if key not in self._built:
                self._built[key] = operation(layer, checkpoint, source)
            found.append((key, self._built[key]))
            source = layer.name if layer.op == "conv" else source
        return found


def _input(checkpoint: Checkpoint) -> Callable[[Tensor], Tensor]:
    scale, zero = (
        float(checkpoint.tensors[layout.INPUT + layout.RANGE_SCALE]),
        int(checkpoint.tensors[layout.INPUT + layout.RANGE_ZERO]),
    )
    return lambda x: torch.quantize_per_tensor(x, scale, zero, torch.quint8)


class Features:
    """The CNN's features of a batch by one program after the other, each computed from where it differs from others.

    Args:
        images: float32 in [0,1], (N,3,H,W).
    """

    def __init__(self, images: Tensor) -> None:
        self._start = images
        #: Of whole networks: the keys of the operations, and what each operation was given.
        self._traces: list[tuple[list[tuple], list[Tensor]]] = []

    def of(self, program: list[Operation]) -> Tensor:
        """Features (N,C,H',W'), float32."""
        keys = [key for key, _ in program]
        shared, begin = 0, self._start
        for other, inputs in self._traces:
            common = next((place for place, pair in enumerate(zip(keys, other)) if pair[0] != pair[1]), len(keys) - 1)
            if common > shared:
                shared, begin = common, inputs[common]
        x, inputs = begin, []
        whole = len({key[1] for key in keys[1:]}) == 1  # float or integer throughout: others begin like it
        for _, compute in program[shared:]:
            if whole:
                inputs.append(x)
            # A float convolution applies its ReLU in place, on its own output: what it was given stays.
            x = compute(x)
        if whole:
            before = next((known[:shared] for other, known in self._traces if other[:shared] == keys[:shared]), [])
            self._traces.append((keys, before + inputs))
        return x.dequantize() if x.is_quantized else x
