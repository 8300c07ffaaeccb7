"""Scales that are powers of two, so that every engine computes the same integers.

An int8 convolution ends in one multiplication by (input scale x weight scale / output scale) and a rounding. Engines
multiply in different orders, and a value here and there then falls on the other side of a tie. Products by powers of
two are exact in float32, in any order, and so are ties, which all engines send to the even number. Zero points are
even, since some engines add them before rounding. Jain et al. 2019, arXiv 1903.08066, have such scales for both
operands, and learn them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.ao.quantization import ObserverBase


@cache
def power_of_two(kind: type) -> type:
    """The observer class `kind` with its scale rounded up to a power of two, and an even zero point."""
    return type(f"PowerOfTwo{kind.__name__}", (_PowerOfTwo, kind), {})


class _PowerOfTwo(ObserverBase):
    """Goes before an observer among the bases of a class."""

    quant_min: int
    quant_max: int
    qscheme: torch.qscheme

    def calculate_qparams(self, **kwargs: Any) -> tuple[Tensor, Tensor]:
        # An observer follows among the bases, whose method this is.
        scale, zero_point = super().calculate_qparams()  # type: ignore[safe-super]
        if self.dtype == torch.qint8:  # symmetric weights: every level has its mirror image
            return _round_up(scale), zero_point
        # An unsigned byte has room for one level more, 128 in 7 bits: pairs of products, 2 x 128 x 127, fit 16 bits.
        levels = self.quant_max - self.quant_min
        rounded = _round_up(scale * (levels / (levels + 1)))
        if self.qscheme == torch.per_tensor_affine:
            return rounded, (2 * torch.ceil(zero_point * scale / (2 * rounded) - 1e-6)).to(zero_point.dtype)
        return rounded, zero_point + zero_point % 2


def _round_up(scale: Tensor) -> Tensor:
    # A hair below: a scale that is a power of two already must not double.
    return torch.exp2(torch.ceil(torch.log2(scale.double()) - 1e-9)).to(scale.dtype)


def on_grid(bias: np.ndarray, input_scale: float, weight_scales: np.ndarray) -> np.ndarray:
    """A convolution's bias in whole steps of its sums, (input scale x weight scale): float32, to be added exactly."""
    steps = weight_scales.astype(np.float64) * input_scale
    return (np.round(bias / steps) * steps).astype(np.float32)
