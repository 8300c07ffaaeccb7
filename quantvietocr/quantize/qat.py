"""Quantization-aware training of the CNN on torch's eager path (Jacob et al. 2018).

prepare → (calibrate) → train with fake quantization → freeze → convert. `prepare` is also what static calibration
needs, with observers instead of fake-quant modules.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.ao.nn.intrinsic import qat as fused_qat
from torch.ao.quantization import (
    FakeQuantizeBase,
    QConfig,
    disable_fake_quant,
    disable_observer,
    enable_fake_quant,
    enable_observer,
    prepare,
    prepare_qat,
)

from ..checkpoint.matrices import matrices_of
from ..checkpoint.types import Meta
from ..vietocr_bridge.types import CNN
from .fuse import fuse_vgg
from .fx import TracedCNN
from .learned.ranges import LearnedFakeQuantize
from .scheme import PREFIX, ActivationFakeQuantize, LayerBits, QuantizeError, Scheme
from .stubs import QuantizedCNN

PreparedCNN: TypeAlias = QuantizedCNN | TracedCNN  # with observers or fake-quant modules, by the eager or the fx path


def prepare_cnn(
    network: nn.Module,
    scheme: Scheme,
    qat: bool,
    path: str = "eager",
    qconfig: Callable[[LayerBits | None], QConfig] | None = None,
) -> PreparedCNN:
    """Replace VietOCR's `network.cnn` by one with observers.

    Args:
        network: VietOCR's network, which is changed.
        scheme: which layers get which bits and observers.
        qat: fake-quant modules in training mode; otherwise calibration observers in evaluation mode.
        path: `eager` (fused and stubbed by hand) or `fx` (traced).
        qconfig: makes the qconfig of a layer, where that is not the scheme's own.

    Returns:
        The new CNN.

    Raises:
        LayerNameError: a pattern of the scheme matches no layer.
        QuantizeError: another path is asked for.
    """
    scheme.float_matrices(tuple(matrices_of(network.state_dict())))  # a wrong name is told now, not after training
    vgg = cast(CNN, network.cnn).model
    make = qconfig or (scheme.training_qconfig if qat else scheme.calibration_qconfig)
    if path == "fx":
        traced = TracedCNN(vgg, scheme, make, qat)
        network.cnn = traced
        return traced
    if path != "eager":
        raise QuantizeError(f"quant.path is {path!r}; it must be eager or fx.")
    cnn = QuantizedCNN(fuse_vgg(vgg, qat), scheme)
    cnn.set_qconfigs(make)
    if qat:
        prepare_qat(cnn.train(), inplace=True)
        cnn.link_pools()
    else:
        prepare(cnn.eval(), inplace=True)
        for module in cnn.body:
            if isinstance(
                module, nn.Sequential
            ):  # its observer is among its parts, which run; the hook would count twice
                module._forward_hooks.clear()
    network.cnn = cnn
    return cnn


def start_calibration(cnn: PreparedCNN) -> None:
    """Observe only: ranges are measured on the float network, batch norm with its stored statistics."""
    cnn.eval()
    cnn.apply(enable_observer)
    cnn.apply(disable_fake_quant)


def start_training(cnn: PreparedCNN) -> None:
    """Fake-quantize with the calibrated ranges, which go on moving or, for PACT and LSQ, start as parameters."""
    cnn.train()
    for module in cnn.modules():
        if isinstance(module, LearnedFakeQuantize) and module.observed_anything:  # not in a run that is about to resume
            module.adopt()
    cnn.apply(enable_observer)
    cnn.apply(enable_fake_quant)


def freeze_observers(cnn: PreparedCNN) -> None:
    """Keep observed activation ranges from here on. Weight ranges follow the weights, as conversion will."""
    for module in cnn.modules():
        if isinstance(module, ActivationFakeQuantize):
            disable_observer(module)


def observer_switches(network: nn.Module) -> list[Tensor]:
    """The switch of each observer in a network with fake-quant modules: 1 while it moves its range, 0 while not."""
    fakes = [module for module in network.modules() if isinstance(module, FakeQuantizeBase)]
    return [cast(Tensor, module.observer_enabled) for module in fakes]


def freeze_batch_norm(cnn: PreparedCNN) -> None:
    """Use the stored batch statistics from here on, so that training sees the weights conversion will fold."""
    cnn.apply(fused_qat.freeze_bn_stats)
    for module in cnn.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # of layers that stay float, which torch's function passes over


def convert_cnn(cnn: PreparedCNN) -> PreparedCNN:
    """A converted int8 copy on the CPU, whatever `cnn` was trained on; `cnn` itself is untouched."""
    converted = copy.deepcopy(cnn).cpu().float().eval().convert()
    for name, module in converted.operations():
        if isinstance(module, torch.ao.nn.quantized.Conv2d):
            _clamp(module, converted.layers[name.removeprefix(PREFIX)].top)
    return converted


def _clamp(module: torch.ao.nn.quantized.Conv2d, top: int) -> None:
    """Levels past ±top, which a learned step clips, as torch's conversion does not in every place."""
    weight, bias = module.weight(), module.bias()
    levels = weight.int_repr()
    if -top <= int(levels.min()) and int(levels.max()) <= top:
        return
    kept = levels.clamp(-top, top)
    if weight.qscheme() == torch.per_tensor_affine:
        clamped = torch._make_per_tensor_quantized_tensor(kept, weight.q_scale(), 0)
    else:
        scales, zeros = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
        clamped = torch._make_per_channel_quantized_tensor(kept, scales, zeros, 0)
    module.set_weight_bias(clamped, bias)


def float_state(cnn: PreparedCNN) -> dict[str, Tensor]:
    """The float weights under the fake quantization of a network in training, by their names in VietOCR's `Vgg`.

    Batch norms come apart from their convolutions again: what `prepare_cnn` was given, as training has changed it.
    """
    state: dict[str, Tensor] = {}
    for path, module in cnn.named_modules():
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)):
            _, *place = path.replace("features_", "features.").split(
                "."
            )  # features, 7, and bn, or 0 and 1 in a float layer
            if len(place) == 3:
                place = [place[0], str(int(place[1]) + (place[2] != "0"))]
            state |= {".".join([*place, key]): value for key, value in module.state_dict().items() if "." not in key}
    return state


def described(
    meta: Meta,
    cnn: PreparedCNN,
    scheme: Scheme,
    method: str,
    decoder: str,
    why_float: str,
    matrices: Sequence[str] = (),
) -> Meta:
    """`meta` with how its network is quantized.

    Args:
        meta: of the float network.
        cnn: the quantized CNN, converted or not.
        scheme: which it follows.
        method: what the file is made by.
        decoder: `int8` or `float`.
        why_float: said of each layer that stays float.
        matrices: of encoder and decoder, by their layers' names.

    Raises:
        LayerNameError: a pattern of the scheme matches none of the matrices.
    """
    kept = scheme.float_matrices(matrices) if decoder == "int8" else ()
    if matrices and len(kept) == len(matrices):
        decoder = "float"
    reasons = dict.fromkeys([*(PREFIX + name for name in cnn.float_names), *kept], why_float)
    return dataclasses.replace(
        meta,
        method=method,
        decoder=decoder,
        backend=scheme.backend,
        activation_bits=scheme.bits,
        float_reasons=reasons,
        scheme=scheme.to_dict(),
    )
