"""`QuantizedCNN`: VietOCR's VGG between QuantStub and DeQuantStub, ready for observers or fake-quant modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.ao.quantization import DeQuantStub, QConfig, QuantStub, convert

from ..vietocr_bridge.types import Vgg
from .scheme import PREFIX, LayerBits, Scheme


def grid_of(fake: nn.Module) -> tuple[Tensor, Tensor]:
    """Scale (float32) and zero point of a fake-quant module."""
    return cast(Tensor, fake.scale).float(), cast(Tensor, fake.zero_point)


def quantizes(fake: nn.Module) -> bool:
    """Whether a fake-quant module rounds now; before training it only observes."""
    return bool(cast(Tensor, fake.fake_quant_enabled)[0])


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
        if not quantizes(source):
            return self.pool(x)
        # The kernel averages integers. So does this: means of multiples of the scale would put the many exact halves
        # on a random side. The gradient passes straight through the rounding.
        pooled = self.pool(x)
        scale, zero_point = grid_of(source)
        levels = torch.round(x.detach().float() / scale) + zero_point
        rounded = (torch.round(self.pool(levels)) - zero_point) * scale
        return pooled + (rounded.to(pooled.dtype) - pooled).detach()


class QuantizedCNN(nn.Module):
    """VietOCR's CNN with quantization stubs: float images (N,3,H,W) to float features (S,N,C), as VietOCR's.

    A DeQuantStub stands where an int8 layer meets a float one, a QuantStub where it goes back; pools work in the
    precision of the convolution after them.

    Args:
        vgg: VietOCR's `Vgg`, already fused.
        scheme: which convolutions stay float, and the bits of the others.

    Attributes:
        layers: what each convolution gets, by its name in VietOCR (`features.0` … `last_conv_1x1`).

    Raises:
        LayerNameError: a pattern of the scheme matches nothing.
    """

    def __init__(self, vgg: Vgg, scheme: Scheme) -> None:
        super().__init__()
        units = [
            (f"features.{name}", module)
            for name, module in vgg.features.named_children()
            if not isinstance(module, nn.Identity)
        ]
        units.append(("last_conv_1x1", vgg.last_conv_1x1))
        convolutions = [name for name, module in units if not isinstance(module, nn.AvgPool2d)]
        self.layers: dict[str, LayerBits] = scheme.layers(convolutions)
        self.body = nn.Sequential()
        integer = False
        self._bits: dict[str, LayerBits] = {}  # by key in `body`
        for index, (name, module) in enumerate(units):
            following = next(other for other, unit in units[index:] if not isinstance(unit, nn.AvgPool2d))
            wanted = not self.layers[following].float
            key = name.replace(".", "_")
            if wanted and not integer:
                self._add(f"quant_before_{key}", QuantStub(), self.layers[following])
            elif integer and not wanted:
                self._add(f"dequant_before_{key}", DeQuantStub(), scheme.everywhere)
            integer = wanted
            if isinstance(module, nn.AvgPool2d):
                if _pair(module.kernel_size) == _pair(module.stride) == (1, 1):
                    continue  # does nothing, and qnnpack refuses it
                module = AveragePool(module)
            self._add(key, module, self.layers[following])
        if integer:
            self._add("dequant_after", DeQuantStub(), scheme.everywhere)

    def _add(self, key: str, module: nn.Module, bits: LayerBits) -> None:
        self.body.add_module(key, module)
        self._bits[key] = bits

    def features(self, images: Tensor) -> Tensor:
        """Images (N,3,H,W) → (N,C,H',W'), float."""
        return self.body(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images).transpose(-1, -2).flatten(2).permute(2, 0, 1)

    @property
    def float_names(self) -> tuple[str, ...]:
        return tuple(name for name, bits in self.layers.items() if bits.float)

    def set_qconfigs(self, make: Callable[[LayerBits], QConfig]) -> None:
        """Give every convolution and stub that is to be int8 its qconfig, a QuantStub that of the layer it feeds."""
        for key, module in self.body.named_children():
            bits = self._bits[key]
            # torch.ao keeps it as a plain attribute, which nn.Module's stub does not know of.
            module.qconfig = None if bits.float else make(bits)  # type: ignore[assignment]

    def observers(self) -> dict[str, nn.Module]:
        """Activation observers before conversion, by whose output they see: `input`, then layers."""
        observers: dict[str, nn.Module] = {}
        name = "input"
        for key, module in self.body.named_children():
            name = name if key.startswith("quant_") else key.replace("features_", "features.")
            if isinstance(observer := getattr(module, "activation_post_process", None), nn.Module):
                observers[name] = observer
        return observers

    def replace_input_observer(self, module: nn.Module) -> None:
        """Quantize the picture by `module`; nothing to do where the first convolution stays float."""
        first = self.body[0]
        if isinstance(first, QuantStub):
            first.activation_post_process = module

    def convert(self) -> QuantizedCNN:
        """Swap observed modules for int8 ones, in place."""
        return convert(self, inplace=True)

    def operations(self) -> Iterator[tuple[str, nn.Module]]:
        """What a converted CNN does, in order: names as VietOCR's, modules of torch.ao and pools."""
        for key, module in self.body.named_children():
            yield PREFIX + key.replace("features_", "features."), module

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


def _pair(size: int | tuple[int, ...]) -> tuple[int, ...]:
    """A pool's size, which torch keeps as it was given: one number for both directions, or two."""
    return (size, size) if isinstance(size, int) else tuple(size)
