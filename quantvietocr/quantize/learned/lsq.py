"""LSQ: the step of a quantizer is a parameter (Esser et al. 2020, arXiv 1902.08153)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.ao.quantization import FakeQuantize, QConfig

from ..scheme import LayerBits, Scheme
from .ranges import LearnedActivation, LearnedFakeQuantize, activation_observer

SMALLEST = 1e-3  # of a step, relative to the calibrated one: it must stay above 0


class _LearnedStep(torch.autograd.Function):
    """Equations 1 to 3 of Esser et al. 2020: s·round(clip(x/s, low, high)), the gradient to s times `factor`.

    torch's own learnable fake quantization asks whether the rounded value is in range, not the value: half a step more.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: Tensor, high: Tensor, factor: float) -> Tensor:
        ctx.save_for_backward(x, step, low, high)
        ctx.factor = factor
        return torch.clamp(torch.round(x / step), low, high) * step

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, step, low, high = ctx.saved_tensors
        ratio = x / step
        below, above = ratio < low, ratio > high
        slope = torch.where(below, low, torch.where(above, high, torch.round(ratio) - ratio))
        return grad * ~(below | above), (grad * slope).sum_to_size(step.shape) * ctx.factor, None, None, None


class LSQActivation(LearnedActivation):
    """y = s·round(clip(x/s, -Q_N, Q_P)) (Esser et al. 2020, equations 1 and 2), the zero point as calibrated.

    dy/ds = round(x/s) - x/s within the clip, -Q_N or Q_P past it (their equation 3), times 1/√(N·Q_P) with N values to
    a picture and Q_P = 2^b - 1 (their section 2.2). The parameter is s over the calibrated step, so that one learning
    rate fits all layers: its gradient is the calibrated step times that.
    """

    start: Tensor
    zero: Tensor

    def __init__(self, observer: Any) -> None:
        super().__init__(observer)
        self.learned_step = nn.Parameter(torch.ones(1))
        self.register_buffer("start", torch.ones(1))
        self.register_buffer("zero", torch.full((1,), float(self.bottom)))

    @torch.no_grad()
    def adopt(self) -> None:
        scale, zero_point = self.observed()
        self.start.fill_(scale)
        self.zero.fill_(self.bottom + zero_point)
        self.learned_step.fill_(1.0)

    def quantize(self, x: Tensor) -> Tensor:
        step = self.start * self.learned_step.clamp(min=SMALLEST)
        factor = (x[0].numel() * self.levels) ** -0.5
        return _LearnedStep.apply(x, step, -self.zero, 255 - self.zero, factor)

    @torch.no_grad()
    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.start * self.learned_step.clamp(min=SMALLEST), self.zero.long()


class LSQWeight(LearnedFakeQuantize):
    """The same for a weight (O, …), symmetric, a step per output channel or one for all: Q_N = Q_P = 2^(b-1) - 1.

    N is the number of weights that share the step. `allocate` must be told O before the first forward pass.
    """

    start: Tensor
    zero: Tensor

    def __init__(self, observer: Any, factory_kwargs: dict[str, Any] | None = None) -> None:
        super().__init__(observer, factory_kwargs)
        self.allocate(1)

    def allocate(self, channels: int) -> None:
        """Parameters for a weight of so many output channels."""
        count = channels if self.is_per_channel else 1
        self.learned_step = nn.Parameter(torch.ones(count))
        self.register_buffer("start", torch.ones(count))
        self.register_buffer("zero", torch.zeros(count))

    @torch.no_grad()
    def adopt(self) -> None:
        self.start.copy_(self.activation_post_process.calculate_qparams()[0].expand_as(self.start))
        self.learned_step.fill_(1.0)

    def quantize(self, x: Tensor) -> Tensor:
        step = self.start * self.learned_step.clamp(min=SMALLEST)
        factor = (x.numel() // len(step) * self.quant_max) ** -0.5
        top = torch.full_like(self.zero[:1], self.quant_max)
        return _LearnedStep.apply(x, step.reshape(-1, *[1] * (x.ndim - 1)), -top, top, factor)

    @torch.no_grad()
    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.start * self.learned_step.clamp(min=SMALLEST), self.zero.long()


def lsq_qconfig(scheme: Scheme, layer: LayerBits | None, weights: bool) -> QConfig:
    """Learned steps for activations and, if `weights`, for weights; plain fake quantization for these otherwise."""
    layer = layer or scheme.everywhere
    observer = scheme.weight_observer(layer, training=True)
    weight = (LSQWeight if weights else FakeQuantize).with_args(observer=observer)
    return QConfig(activation=LSQActivation.with_args(observer=activation_observer(scheme, layer)), weight=weight)
