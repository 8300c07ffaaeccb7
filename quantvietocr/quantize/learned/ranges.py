"""What PACT and LSQ share: a fake-quant module whose range is a parameter, started from a calibrated one."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor
from torch.ao.quantization import FakeQuantizeBase

from ..observers import HistogramRange
from ..scheme import ACTIVATION_BITS, LayerBits, QuantizeError, Scheme

SAFE_WEIGHT_BITS = 7


class LearnedFakeQuantize(FakeQuantizeBase):
    """Observes while it is calibrated, then quantizes by parameters named `learned_…` that training moves.

    Subclasses implement `adopt`, `quantize` and `calculate_qparams`, from which conversion reads plain ranges.

    Args:
        observer: a factory of the observer to start from.
        factory_kwargs: torch's, for the observer.
    """

    dtype: torch.dtype
    qscheme: torch.qscheme
    quant_min: int
    quant_max: int

    def __init__(self, observer: Any, factory_kwargs: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.activation_post_process = observer(factory_kwargs=factory_kwargs)
        for name in ("dtype", "qscheme", "quant_min", "quant_max"):
            setattr(self, name, getattr(self.activation_post_process, name))
        self.ch_axis = getattr(self.activation_post_process, "ch_axis", -1)
        self.is_per_channel = self.qscheme == torch.per_channel_symmetric

    @property
    def scale(self) -> Tensor:
        return self.calculate_qparams()[0].detach()

    @property
    def zero_point(self) -> Tensor:
        return self.calculate_qparams()[1]

    @property
    def observed_anything(self) -> bool:
        observer = self.activation_post_process
        if isinstance(observer, HistogramRange):
            return bool(observer.histogram.counts.any())
        return observer.min_val.numel() > 0 and bool((observer.min_val <= observer.max_val).all())

    def forward(self, x: Tensor) -> Tensor:
        if self.fake_quant_enabled[0]:
            return self.quantize(x.float())
        if self.observer_enabled[0]:
            self.activation_post_process(x.detach())
        return x

    def adopt(self) -> None:
        """Start from the range that was observed."""
        raise NotImplementedError

    def quantize(self, x: Tensor) -> Tensor:
        """Values of any shape, rounded to the levels of the range."""
        raise NotImplementedError


class LearnedActivation(LearnedFakeQuantize):
    """Per tensor, at the top of the unsigned byte: fewer than 8 bits take its highest levels (4 bits: 240 to 255).

    There the clip is the edge that every int8 kernel clips at, so that the converted network clips where the trained
    one did. After a ReLU the lower edge is the zero point; without one, values below the range go on to level 0.
    """

    def __init__(self, observer: Any) -> None:
        super().__init__(observer)
        self.levels = self.quant_max - self.quant_min
        self.bottom = 255 - self.levels

    def observed(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point (0 to `levels`) of the calibrated range, one number each."""
        scale, zero_point = self.activation_post_process.calculate_qparams()
        return scale.reshape(()).float(), zero_point.reshape(()).float()


def bits_for_learned_ranges(scheme: Scheme) -> Scheme:
    """The scheme with the bits that a learned clip needs.

    Activations get 8 bits, the byte's own edge, where no other number is asked for.
    x86 and FBGEMM without VNNI add pairs of products in 16 bits: 2 x 255 x 63 fits, so weights keep to 7 bits there.

    Raises:
        QuantizeError: the scheme asks for scales that are powers of two.
    """
    if scheme.scales != "any":
        raise QuantizeError(
            "PACT and LSQ learn their ranges, which then are no powers of two: set quant.scales=any, or use "
            "train.method=qat."
        )
    most = SAFE_WEIGHT_BITS if ACTIVATION_BITS[scheme.backend] < 8 else 8
    overrides = {pattern: dict(changes) for pattern, changes in scheme.overrides.items()}
    for changes in overrides.values():
        if "weight_bits" in changes:
            changes["weight_bits"] = min(changes["weight_bits"], most)
    return dataclasses.replace(
        scheme,
        activation_bits=scheme.activation_bits or 8,
        weight_bits=min(scheme.weight_bits, most),
        overrides=overrides,
    )


def activation_observer(scheme: Scheme, layer: LayerBits | None) -> Any:
    """The observer whose range a learned one starts from."""
    return scheme.activation_observer(layer or scheme.everywhere, scheme.observer or "moving-average")
