"""Quantization-aware training of the CNN on torch's eager path (Jacob et al. 2018).

prepare → (calibrate) → train with fake quantization → freeze → convert. `prepare` is also what static calibration
needs, with observers instead of fake-quant modules.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.ao.nn.intrinsic import qat as fused_qat
from torch.ao.quantization import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    QConfig,
    convert,
    disable_fake_quant,
    disable_observer,
    enable_fake_quant,
    enable_observer,
    get_default_qconfig,
    prepare,
    prepare_qat,
)

from ..errors import UserError
from .fuse import fuse_vgg
from .stubs import QuantizedCNN

#: Bits of an activation under each qconfig: x86 and FBGEMM keep to 7, because without VNNI their kernels add pairs of
#: u8×s8 products in 16 bits, which 8-bit activations can overflow.
ACTIVATION_BITS = {"x86": 7, "fbgemm": 7, "onednn": 8, "qnnpack": 8}


class QuantizeError(UserError):
    """Quantization cannot go on; the message says why and what to do."""


def qat_qconfig(backend: str) -> QConfig:
    """The QAT qconfig of a backend by name: per-tensor affine activations, per-channel symmetric int8 weights.

    torch's `get_default_qat_qconfig` gives the same ranges with a fused kernel that refuses bfloat16; these modules
    take both. (`get_default_qconfig` is not for QAT: its weights pass through unchanged.)
    """
    if backend not in ACTIVATION_BITS:
        raise QuantizeError(f"quant.backend is {backend!r}; it must be one of {', '.join(ACTIVATION_BITS)}.")
    activation = FakeQuantize.with_args(
        observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, reduce_range=ACTIVATION_BITS[backend] == 7
    )
    weight = FakeQuantize.with_args(
        observer=MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric, averaging_constant=1.0,
    )  # fmt: skip
    return QConfig(activation=activation, weight=weight)


def prepare_cnn(network: nn.Module, backend: str, float_layers: list[str], qat: bool) -> QuantizedCNN:
    """Replace `network.cnn` (VietOCR's) by a fused, stubbed `QuantizedCNN` with observers; returns it.

    qat: fake-quant modules in training mode; otherwise calibration observers in eval mode.
    """
    if backend not in ACTIVATION_BITS:
        raise QuantizeError(f"quant.backend is {backend!r}; it must be one of {', '.join(ACTIVATION_BITS)}.")
    cnn = QuantizedCNN(fuse_vgg(network.cnn.model, qat), float_layers)
    cnn.set_qconfig(qat_qconfig(backend) if qat else get_default_qconfig(backend))
    if qat:
        prepare_qat(cnn.train(), inplace=True)
        cnn.link_pools()
    else:
        prepare(cnn.eval(), inplace=True)
    network.cnn = cnn
    return cnn


def start_calibration(cnn: QuantizedCNN) -> None:
    """Observe only: ranges are measured on the float network, batch norm with its stored statistics."""
    cnn.eval()
    cnn.apply(enable_observer)
    cnn.apply(disable_fake_quant)


def start_training(cnn: QuantizedCNN) -> None:
    """Fake-quantize with the calibrated ranges, which go on moving."""
    cnn.train()
    cnn.apply(enable_observer)
    cnn.apply(enable_fake_quant)


def freeze_observers(cnn: QuantizedCNN) -> None:
    """Keep the activation ranges as they are from here on. Weight ranges follow the weights, as conversion will."""
    for name, module in cnn.named_modules():
        if isinstance(module, FakeQuantize) and not name.endswith("weight_fake_quant"):
            disable_observer(module)


def freeze_batch_norm(cnn: QuantizedCNN) -> None:
    """Use the stored batch statistics from here on, so that training sees the weights conversion will fold."""
    cnn.apply(fused_qat.freeze_bn_stats)


def convert_cnn(cnn: QuantizedCNN) -> QuantizedCNN:
    """A converted int8 copy on the CPU, whatever `cnn` was trained on; `cnn` itself is untouched."""
    copied = copy.deepcopy(cnn).cpu().float().eval()
    return convert(copied, inplace=True)
