"""What a run would ship as it stands: its files, made from the network in training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ..checkpoint.layout import CNN
from ..checkpoint.matrices import matrices_of
from ..checkpoint.transformer_layout import POSITIONS  # sines that VietOCR computes anew, in single precision
from ..checkpoint.types import Checkpoint, Meta
from ..config import Config
from ..quantize import qat
from ..quantize.bits.compact import packed
from ..quantize.export import quantized_checkpoint
from ..quantize.methods import scheme_of

MAX_HALF = 6e4  # a batch-norm variance can lie past half precision's 65,504; such a tensor stays single


def float_checkpoint(network: nn.Module, cnn: qat.PreparedCNN | None, meta: Meta) -> Checkpoint:
    """The network's float weights as a half-precision file.

    Args:
        network: VietOCR's network in training.
        cnn: its quantized CNN; None where none is.
        meta: what the file says of itself.
    """
    state = _arrays(network.state_dict())
    if cnn is not None:
        others = {name: t for name, t in state.items() if not name.startswith("cnn.")}
        state = others | {f"{CNN}{name}": t for name, t in _arrays(qat.float_state(cnn)).items()}
    halves = {
        name: t.astype(np.float16 if np.abs(t).max() < MAX_HALF and name != POSITIONS else np.float32)
        for name, t in state.items()
    }
    return Checkpoint(halves, dataclasses.replace(meta, method="float", torch_version=torch.__version__))


def shipped_checkpoint(
    network: nn.Module, cnn: qat.PreparedCNN | None, config: Config, meta: Meta, method: str | None = None
) -> Checkpoint:
    """The file content that the network in training would ship as: half-precision float, or converted to int8.

    Args:
        network: VietOCR's network in training.
        cnn: its CNN with fake-quant modules; None for float.
        config: the run's settings.
        meta: what the file says of itself, but for how its CNN is quantized.
        method: what the file says it was made by, where that is not `train.method`.
    """
    if cnn is None:
        return float_checkpoint(network, None, meta)
    scheme = scheme_of(config.quant, config.train.method)
    state = _arrays(network.state_dict())
    made_by, decoder, matrices = method or config.train.method, config.quant.decoder, tuple(matrices_of(state))
    about = qat.described(meta, cnn, scheme, made_by, decoder, "quant.float_layers", matrices)
    shipped = quantized_checkpoint(qat.convert_cnn(cnn), state, about)
    return packed(shipped) if config.quant.compact else shipped


def _arrays(state: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {
        name: t.detach().float().cpu().numpy() for name, t in state.items() if not name.endswith("num_batches_tracked")
    }
