"""The encoders of the networks on torch's CPU kernels, from plain numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import layout
from ..checkpoint import transformer_layout as transformer
from ..checkpoint.matrices import matrices_of
from ..checkpoint.types import Checkpoint


class TorchEncoder(Protocol):
    """Encodes the CNN's features.

    Attributes:
        precision: What it computes in, for people.
        in_steps: Whether it works position after position, in pieces too small to share out among threads.
    """

    precision: str
    in_steps: bool

    def __call__(self, sequence: Tensor) -> tuple[Tensor, ...]:
        """Features (S,N,C) to what the decoder takes (`base.Encoded`), float32."""
        ...


class RecurrentEncoder:
    """The bidirectional GRU of seq2seq networks.

    Args:
        checkpoint: Holds its tensors.
        backend: Torch's int8 kernels; None where nothing is int8.
    """

    in_steps: bool = True

    def __init__(self, checkpoint: Checkpoint, backend: str | None) -> None:
        half = gru_is_int8(checkpoint) and backend != "qnnpack"  # which has no such kernels
        self.precision = "float32 encoder with float16 weights" if half else "float32 encoder"
        self._gru = (half_gru if half else float_gru)(gru_weights(checkpoint))
        self._to_hidden = [_tensor(checkpoint, layout.ENCODER_FC + part) for part in ("weight", "bias")]

    def __call__(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        """Memory (N,S,2E) and hidden (N,D)."""
        memory, hidden = self._gru(sequence)
        hidden = torch.tanh(F.linear(torch.cat([hidden[0], hidden[1]], dim=1), *self._to_hidden))
        return memory.transpose(0, 1).contiguous(), hidden


class _AttentionLayer(nn.Module):
    """One layer of `torch.nn.TransformerEncoder` with the normalization after each part, lines first."""

    def __init__(self, checkpoint: Checkpoint, name: str) -> None:
        super().__init__()
        attention = f"{name}{transformer.SELF_ATTENTION}"
        self.own_weight = _tensor(checkpoint, attention + transformer.INPUT_WEIGHT)
        self.own_bias = _tensor(checkpoint, attention + transformer.INPUT_BIAS)
        self.out_weight, self.out_bias = _pair(checkpoint, attention + transformer.OUT)
        self.first_weight, self.first_bias = _pair(checkpoint, name + transformer.FIRST)
        self.second_weight, self.second_bias = _pair(checkpoint, name + transformer.SECOND)
        self.norm1_weight, self.norm1_bias = _pair(checkpoint, name + "norm1.")
        self.norm2_weight, self.norm2_bias = _pair(checkpoint, name + "norm2.")
        self.heads, self.epsilon = checkpoint.meta.heads, transformer.EPSILON

    def forward(self, x: Tensor) -> Tensor:
        lines, places, width = x.shape
        own = F.linear(x, self.own_weight, self.own_bias).reshape(lines, places, 3, self.heads, width // self.heads)
        query, key, value = own.permute(2, 0, 3, 1, 4).unbind(0)
        looked = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(lines, places, width)
        x = x + F.linear(looked, self.out_weight, self.out_bias)
        x = F.layer_norm(x, [width], self.norm1_weight, self.norm1_bias, self.epsilon)
        inner = F.linear(x, self.first_weight, self.first_bias).relu_()
        x = x + F.linear(inner, self.second_weight, self.second_bias)
        return F.layer_norm(x, [width], self.norm2_weight, self.norm2_bias, self.epsilon)


class TransformerEncoder(nn.Module):
    """The encoder of transformer networks.

    Args:
        checkpoint: Holds its tensors; int8 weights are multiplied out, so that lines read the same in any company.
        backend: Torch's int8 kernels; none are used.
    """

    in_steps: bool = False
    precision: str = "float32 encoder"

    def __init__(self, checkpoint: Checkpoint, backend: str | None = None) -> None:
        super().__init__()
        self.positions = _tensor(checkpoint, transformer.POSITIONS)  # (positions,1,width)
        self.factor = math.sqrt(self.positions.shape[2])
        count = transformer.layers_in(checkpoint.tensors, transformer.ENCODER)
        names = [transformer.layer(transformer.ENCODER, index) for index in range(count)]
        self.layers = nn.ModuleList([_AttentionLayer(checkpoint, name) for name in names])
        self.norm_weight, self.norm_bias = _pair(checkpoint, transformer.ENCODER + "norm.")
        self.epsilon = transformer.EPSILON

    def forward(self, sequence: Tensor) -> tuple[Tensor]:
        """Memory (N,S,C)."""
        x = (sequence * self.factor + self.positions[: sequence.shape[0]]).transpose(0, 1).contiguous()
        for layer in self.layers:
            x = layer(x)
        return (F.layer_norm(x, [x.shape[2]], self.norm_weight, self.norm_bias, self.epsilon),)


#: By the network's `seq_modeling`.
ENCODERS: dict[str, Callable[[Checkpoint, str | None], TorchEncoder]] = {
    "seq2seq": RecurrentEncoder,
    "transformer": TransformerEncoder,
}


def gru_weights(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """The float32 weights of the encoder's GRU, by torch's names."""
    prefix = layout.ENCODER_RNN
    return {name.removeprefix(prefix): weight for name, weight in checkpoint.weights(prefix).items()}


def gru_is_int8(checkpoint: Checkpoint) -> bool:
    """Whether all matrices of the encoder's GRU are int8, so that half precision holds what they are."""
    names = [name for name in matrices_of(checkpoint.tensors).values() if name.startswith(layout.ENCODER_RNN)]
    return all(checkpoint.tensors[name].dtype == np.int8 for name in names)


def float_gru(weights: dict[str, np.ndarray]) -> nn.GRU:
    """The bidirectional GRU of the weights' names, in float32."""
    gru = nn.GRU(weights["weight_ih_l0"].shape[1], weights["weight_hh_l0"].shape[1], bidirectional=True)
    gru.load_state_dict({name: torch.from_numpy(np.array(tensor)) for name, tensor in weights.items()})
    return gru.eval()


def half_gru(weights: dict[str, np.ndarray]) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """The bidirectional GRU with weights in half precision, activations and sums in float32.

    8-bit weights lose nothing that counts. It is faster than `nn.GRU`. Torch's dynamic int8 takes one 7-bit activation
    range for a whole product; this reads as the float encoders of the other engines do, and keeps the lines of a batch
    apart.
    """
    cells = half_cells(weights)
    width = weights["weight_hh_l0"].shape[1]

    def run(sequence: Tensor) -> tuple[Tensor, Tensor]:
        start = torch.zeros(2, sequence.shape[1], width)
        return torch.quantized_gru(sequence, start, cells, True, 1, 0.0, False, True, False)

    return run


def half_cells(weights: dict[str, np.ndarray]) -> list[Any]:
    """The parameters of a bidirectional GRU, forth and back, packed for `torch.quantized_gru` in half precision."""

    def pack(kind: str, side: str):
        name = f"{kind}_l0{side}"
        return torch.ops.quantized.linear_prepack_fp16(
            torch.from_numpy(np.array(weights["weight_" + name])), torch.from_numpy(np.array(weights["bias_" + name]))
        )

    return [
        torch.ops.quantized.make_quantized_cell_params_fp16(pack("ih", side), pack("hh", side))
        for side in ("", "_reverse")
    ]


def _tensor(checkpoint: Checkpoint, name: str) -> Tensor:
    return torch.from_numpy(np.array(checkpoint.weight(name)))


def _pair(checkpoint: Checkpoint, name: str) -> tuple[Tensor, Tensor]:
    return _tensor(checkpoint, f"{name}weight"), _tensor(checkpoint, f"{name}bias")
