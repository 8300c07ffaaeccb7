"""Quantization-aware training of the CNN on torch's eager path (Jacob et al. 2018).

prepare → (calibrate) → train with fake quantization → freeze → convert. `prepare` is also what static calibration
needs, with observers instead of fake-quant modules.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.ao.nn.intrinsic import qat as fused_qat
from torch.ao.quantization import (
    FakeQuantize,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    QConfig,
    convert,
    default_per_channel_weight_observer,
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


class ActivationFakeQuantize(FakeQuantize):
    """Per-tensor fake quantization into an unsigned byte, whatever range set the scale.

    A 7-bit range sets the scale; a later value past it still fits the byte, and no int8 kernel clips it at 127. torch's
    FakeQuantize does clip there, which trains for a network that nobody runs.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.observer_enabled[0]:
            self.activation_post_process(x.detach())
            scale, zero_point = self.calculate_qparams()
            self.scale.resize_(scale.shape).copy_(scale)
            self.zero_point.resize_(zero_point.shape).copy_(zero_point)
        if self.fake_quant_enabled[0]:
            x = torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero_point, 0, 255)
        return x


def qat_qconfig(backend: str) -> QConfig:
    """The QAT qconfig of a backend by name: per-tensor affine activations, per-channel symmetric int8 weights.

    The ranges are those of torch's `get_default_qat_qconfig`. (`get_default_qconfig` is not for QAT: its weights pass through unchanged.)
    """
    if backend not in ACTIVATION_BITS:
        raise QuantizeError(f"quant.backend is {backend!r}; it must be one of {', '.join(ACTIVATION_BITS)}.")
    activation = ActivationFakeQuantize.with_args(
        observer=MovingAverageMinMaxObserver, quant_min=0, quant_max=255, reduce_range=ACTIVATION_BITS[backend] == 7
    )
    weight = FakeQuantize.with_args(
        observer=MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8,
        qscheme=torch.per_channel_symmetric, averaging_constant=1.0,
    )  # fmt: skip
    return QConfig(activation=activation, weight=weight)


def static_qconfig(backend: str) -> QConfig:
    """torch's calibration qconfig of a backend, with per-channel weights for all (qnnpack's default is per tensor)."""
    return QConfig(activation=get_default_qconfig(backend).activation, weight=default_per_channel_weight_observer)


def prepare_cnn(network: nn.Module, backend: str, float_layers: list[str], qat: bool) -> QuantizedCNN:
    """Replace `network.cnn` (VietOCR's) by a fused, stubbed `QuantizedCNN` with observers; returns it.

    qat: fake-quant modules in training mode; otherwise calibration observers in eval mode.
    """
    if backend not in ACTIVATION_BITS:
        raise QuantizeError(f"quant.backend is {backend!r}; it must be one of {', '.join(ACTIVATION_BITS)}.")
    cnn = QuantizedCNN(fuse_vgg(network.cnn.model, qat), float_layers)
    cnn.set_qconfig(qat_qconfig(backend) if qat else static_qconfig(backend))
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
    for module in cnn.modules():
        if isinstance(module, ActivationFakeQuantize):
            disable_observer(module)


def freeze_batch_norm(cnn: QuantizedCNN) -> None:
    """Use the stored batch statistics from here on, so that training sees the weights conversion will fold."""
    cnn.apply(fused_qat.freeze_bn_stats)


def convert_cnn(cnn: QuantizedCNN) -> QuantizedCNN:
    """A converted int8 copy on the CPU, whatever `cnn` was trained on; `cnn` itself is untouched."""
    copied = copy.deepcopy(cnn).cpu().float().eval()
    return convert(copied, inplace=True)
