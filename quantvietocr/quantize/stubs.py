"""`QuantizedCNN`: VietOCR's VGG between QuantStub and DeQuantStub, ready for observers or fake-quant modules."""

from __future__ import annotations

import fnmatch
from typing import Sequence

import torch
from torch import Tensor, nn
from torch.ao.quantization import DeQuantStub, QuantStub

from ..errors import UserError

PREFIX = "cnn.model."


class LayerNameError(UserError):
    """A layer named in the settings does not exist; the message lists those that do."""


class AveragePool(nn.Module):
    """Average pooling whose output is rounded as the int8 kernel will round it.

    torch's eager QAT leaves pooling alone, but the quantized kernel rounds the mean to the grid of its input. During
    fake quantization the same rounding is applied here, on the range of `source`, the fake-quant module before it.
    """

    def __init__(self, pool: nn.AvgPool2d) -> None:
        super().__init__()
        self.pool = pool
        self._source: list[nn.Module] = []  # in a list: a registered module would be counted (and observed) twice

    def round_like(self, source: nn.Module) -> None:
        self._source = [source]

    def forward(self, x: Tensor) -> Tensor:
        if x.is_quantized or not self._source:
            return self.pool(x)
        (source,) = self._source
        if not int(source.fake_quant_enabled[0]):
            return self.pool(x)
        # The kernel averages integers. So does this: means of multiples of the scale would put the many exact halves
        # on a random side. The gradient passes straight through the rounding.
        pooled = self.pool(x)
        scale = source.scale.float()
        rounded = torch.round(self.pool(torch.round(x.detach().float() / scale))) * scale
        return pooled + (rounded.to(pooled.dtype) - pooled).detach()


class QuantizedCNN(nn.Module):
    """VietOCR's CNN with quantization stubs. forward: float images (N,3,H,W) → float features (S,N,C), as VietOCR's.

    vgg: VietOCR's `Vgg`, already fused. float_layers: names or patterns of convolutions that stay float
    (`features.0`, `features.4*`, `last_conv_1x1`). A DeQuantStub stands where an int8 layer meets a float one, a
    QuantStub where it goes back; pools work in the precision of the convolution after them.
    Raises LayerNameError for a pattern that matches nothing.
    """

    def __init__(self, vgg: nn.Module, float_layers: Sequence[str] = ()) -> None:
        super().__init__()
        units = [(f"features.{name}", module) for name, module in vgg.features.named_children()
                 if not isinstance(module, nn.Identity)]
        units.append(("last_conv_1x1", vgg.last_conv_1x1))
        convolutions = [name for name, module in units if not isinstance(module, nn.AvgPool2d)]
        self.float_names = match_layers(float_layers, convolutions)
        self.body = nn.Sequential()
        integer = False
        for place, (name, module) in enumerate(units):
            following = next(other for other, unit in units[place:] if not isinstance(unit, nn.AvgPool2d))
            wanted = following not in self.float_names
            key = name.replace(".", "_")
            if wanted and not integer:
                self.body.add_module(f"quant_before_{key}", QuantStub())
            elif integer and not wanted:
                self.body.add_module(f"dequant_before_{key}", DeQuantStub())
            integer = wanted
            if isinstance(module, nn.AvgPool2d):
                if tuple(module.kernel_size) == tuple(module.stride) == (1, 1):
                    continue  # does nothing, and qnnpack refuses it
                module = AveragePool(module)
            self.body.add_module(key, module)
        if integer:
            self.body.add_module("dequant_after", DeQuantStub())

    def features(self, images: Tensor) -> Tensor:
        """Images (N,3,H,W) → (N,C,H',W'), float."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images).transpose(-1, -2).flatten(2).permute(2, 0, 1)

    def set_qconfig(self, qconfig: object) -> None:
        """Give every convolution and stub that is to be int8 its qconfig, and float ones none."""
        for key, module in self.body.named_children():
            module.qconfig = None if key in {name.replace(".", "_") for name in self.float_names} else qconfig

    def link_pools(self) -> None:
        """After prepare_qat: let each pool round on the range of the fake-quant module before it."""
        source: nn.Module | None = None
        for module in self.body.children():
            if isinstance(module, AveragePool):
                if source is not None:
                    module.round_like(source)
            elif isinstance(module, DeQuantStub):
                source = None
            else:
                source = getattr(module, "activation_post_process", None)


def match_layers(patterns: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The names that any pattern (shell style) matches. Raises LayerNameError for a pattern that matches none."""
    chosen: list[str] = []
    for pattern in patterns:
        found = [name for name in names if fnmatch.fnmatch(name, pattern.removeprefix(PREFIX))]
        if not found:
            raise LayerNameError(f"Float layers: no layer matches {pattern!r}; layers are {', '.join(names)}.")
        chosen += found
    return tuple(name for name in names if name in chosen)
