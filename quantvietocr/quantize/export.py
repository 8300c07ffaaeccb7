"""From torch modules to the plain numbers of the checkpoint file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..checkpoint import layout
from ..checkpoint.folding import float_layers
from ..checkpoint.types import Checkpoint, Layer, Meta
from .fx import TracedCNN
from .grouped import on_grid_int8
from .powers import on_grid
from .recurrent import float_decoder, quantize_decoder
from .scheme import PREFIX, Scheme
from .stubs import AveragePool, QuantizedCNN


def numbers_of(
    converted: QuantizedCNN | TracedCNN, exact: bool = False
) -> tuple[tuple[Layer, ...], dict[str, np.ndarray]]:
    """Operations and tensors of a converted CNN, as the checkpoint file holds them.

    Args:
        converted: of torch.ao's quantized modules.
        exact: scales are powers of two, and biases are rounded to where adding them is exact too.
    """
    layers: list[Layer] = []
    tensors: dict[str, np.ndarray] = {}
    place = layout.INPUT  # whose output a QuantStub would quantize
    integer = False
    for name, module in converted.operations():
        if isinstance(module, torch.ao.nn.quantized.Quantize):
            tensors[f"{place}.output.scale"] = module.scale.reshape(()).numpy().astype(np.float32)
            tensors[f"{place}.output.zero_point"] = module.zero_point.reshape(()).numpy().astype(np.int32)
            integer = True
        elif isinstance(module, torch.ao.nn.quantized.DeQuantize):
            integer = False
        elif isinstance(module, AveragePool):
            size = _pair(module.pool.kernel_size)
            precision = "int8" if integer else "float"
            layers.append(Layer(name, "avgpool", size, _pair(module.pool.stride), precision=precision))
        elif isinstance(module, torch.ao.nn.quantized.Conv2d):
            weight = module.weight()
            tensors[f"{name}.weight"] = weight.int_repr().numpy()
            tensors[f"{name}.weight.scale"] = scales_of(weight)
            bias = module.bias().detach().numpy()
            scale = float(tensors[f"{place}.output.scale"])  # of the input
            tensors[f"{name}.bias"] = on_grid(bias, scale, tensors[f"{name}.weight.scale"]) if exact else bias
            tensors[f"{name}.output.scale"] = np.array(module.scale, dtype=np.float32)
            tensors[f"{name}.output.zero_point"] = np.array(module.zero_point, dtype=np.int32)
            relu = isinstance(module, torch.ao.nn.intrinsic.quantized.ConvReLU2d)
            layers.append(_convolution(name, module, relu, "int8"))
            place = name
        else:
            convolution, relu = _float_convolution(module)
            assert convolution.bias is not None  # VietOCR's all have one
            tensors[f"{name}.weight"] = convolution.weight.detach().numpy()
            tensors[f"{name}.bias"] = convolution.bias.detach().numpy()
            layers.append(_convolution(name, convolution, relu, "float"))
            place = name
    return tuple(layers), tensors


def _float_convolution(module: nn.Module) -> tuple[nn.Conv2d, bool]:
    """The convolution (batch norm folded) of a float layer, and whether a ReLU follows."""
    if isinstance(module, nn.Conv2d):
        return module, False
    convolution, *rest = module.children()
    assert isinstance(convolution, nn.Conv2d)
    if isinstance(rest[0], nn.BatchNorm2d):
        return fuse_conv_bn_eval(convolution.eval(), rest[0].eval()), True
    return convolution, True


def _convolution(name: str, module: Any, relu: bool, precision: str) -> Layer:
    return Layer(name, "conv", _pair(module.kernel_size), _pair(module.stride), _pair(module.padding), relu, precision)


def scales_of(weight: torch.Tensor) -> np.ndarray:
    """Per output channel, as files hold them; all the same where the weight has one for the tensor."""
    if weight.qscheme() == torch.per_tensor_affine:
        return np.full(len(weight), weight.q_scale(), dtype=np.float32)
    return weight.q_per_channel_scales().numpy().astype(np.float32)


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _grouped(tensors: Mapping[str, np.ndarray], meta: Meta) -> dict[str, np.ndarray]:
    """The weights of the layers whose scheme is 4 bits in groups, on that grid."""
    if meta.scheme.get("weights") != "grouped":
        return {}
    names = [name.removeprefix(PREFIX).removesuffix(".weight") for name, t in tensors.items() if t.ndim == 4]
    chosen = Scheme(**meta.scheme).layers(names)
    weights = {name: f"{PREFIX}{name}.weight" for name, bits in chosen.items() if bits.grouped and not bits.float}
    return {weight: on_grid_int8(tensors[weight]) for weight in weights.values()}


def quantized_checkpoint(
    converted: QuantizedCNN | TracedCNN | None, state: Mapping[str, np.ndarray], meta: Meta, origin: str = "memory"
) -> Checkpoint:
    """Assemble the file's content.

    Args:
        converted: the int8 CNN; None keeps it float (method `dynamic`).
        state: VietOCR's state dict in numpy; its `transformer.` half is used, and its CNN where that stays float.
        meta: everything but `layers`; its `float_reasons` name the matrices of an int8 decoder that stay float.
        origin: the file's name, for messages.
    """
    if converted is None:
        layers, tensors = float_layers(Checkpoint(state, meta, origin))
    else:
        layers, tensors = numbers_of(converted, meta.scheme.get("scales") == "power-of-two")
        tensors |= _grouped(tensors, meta)
    tensors |= quantize_decoder(state, meta.float_reasons) if meta.decoder == "int8" else float_decoder(state)
    return Checkpoint(tensors, dataclasses.replace(meta, layers=layers, torch_version=torch.__version__), origin)
