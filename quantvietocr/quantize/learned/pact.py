"""PACT: the clip of an activation is a parameter (Choi et al. 2018, arXiv 1805.06085)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.ao.quantization import QConfig

from ..scheme import LayerBits, QuantizeError, Scheme
from .ranges import LearnedActivation, activation_observer

SMALLEST = 1e-4  # of the upper clip: a range must stay one


class PACTFakeQuantize(LearnedActivation):
    """y = clip(x, β, α), then b bits over [β, α].

    Through the clip dy/dα = 1 where x ≥ α and 0 elsewhere, dy/dβ = 1 where x < β; the rounding passes gradients
    straight (equation 3). After a ReLU β is 0 and stays: nothing lies below it. α is pulled down by λ·α, the gradient
    of an L2 penalty λ/2·α² (section 3).

    Args:
        observer: of the calibrated range to start from.
        alpha: α to start from instead.
        decay: λ.

    Source:
        Choi et al. 2018, equations 1 and 2, with a lower clip beside theirs
    """

    def __init__(self, observer: Any, alpha: float | None = None, decay: float = 2e-5) -> None:
        super().__init__(observer)
        self.alpha, self.decay = alpha, decay
        self.learned_clip = nn.Parameter(torch.tensor([0.0, 20.0 if alpha is None else alpha]))  # β, α

    @torch.no_grad()
    def adopt(self) -> None:
        scale, zero_point = self.observed()
        low, high = -zero_point * scale, (self.levels - zero_point) * scale
        if self.alpha is not None:
            low, high = -self.alpha * (zero_point > 0), torch.tensor(self.alpha)
        self.learned_clip.copy_(torch.stack([low.to(high), high]))

    def bounds(self) -> tuple[Tensor, Tensor]:
        """β and α as they apply, whatever a step made of them: β ≤ 0 < α."""
        low, high = self.learned_clip
        return low.clamp(max=0.0), high.clamp(min=SMALLEST)

    def quantize(self, x: Tensor) -> Tensor:
        low, high = _Pulled.apply(self.learned_clip, self.decay)
        low, high = low.clamp(max=0.0), high.clamp(min=SMALLEST)
        clipped = torch.where(x >= high, high, torch.where(x < low, low, x))
        scale, zero_point = self.calculate_qparams()
        rounded = torch.fake_quantize_per_tensor_affine(clipped.detach(), scale, zero_point.int(), 0, 255)
        return clipped + (rounded - clipped).detach()

    @torch.no_grad()
    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        low, high = self.bounds()
        scale = (high - low) / self.levels
        return scale.reshape(1), (self.bottom + torch.round(-low / scale)).reshape(1).long()


class _Pulled(torch.autograd.Function):
    """The parameter itself, its gradient with that of decay/2·p² added."""

    @staticmethod
    def forward(ctx: Any, parameter: Tensor, decay: float) -> Tensor:
        ctx.save_for_backward(parameter)
        ctx.decay = decay
        return parameter.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (parameter,) = ctx.saved_tensors
        return grad + ctx.decay * parameter, None


def pact_qconfig(scheme: Scheme, layer: LayerBits | None, alpha: float | None, decay: float) -> QConfig:
    """PACT for activations, plain fake quantization for weights. Raises QuantizeError for symmetric activations."""
    if scheme.activations != "affine":
        raise QuantizeError("PACT learns either end of a range for itself: take quant.activations=affine.")
    activation = PACTFakeQuantize.with_args(observer=activation_observer(scheme, layer), alpha=alpha, decay=decay)
    return QConfig(activation=activation, weight=scheme.training_qconfig(layer).weight)
