"""4-bit weights in groups that share a scale, exact in the int8 grid of the kernels.

A row of a convolution's weights (one output channel) is cut into groups of 32. A weight is nibble × multiplier × scale:
the nibble lies between -7 and 7, the multiplier is a whole number from 1 to 18 for the group, and the scale is one
float for the channel. nibble × multiplier is at most 126, so the file's int8 tensor holds it exactly, and `packing`
stores it in 4 bits again.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.ao.quantization import FakeQuantize

from ..checkpoint.packing import GROUP

LEVELS = 7  # of a nibble, on either side of 0
MULTIPLIERS = 127 // LEVELS  # 1 to this many, so that the product fits an int8
TOP = LEVELS * MULTIPLIERS  # the largest product
SEARCHED = 8  # multipliers tried below the one that clips nothing
SEARCHED_IN_TRAINING = 2  # at every step


def round_grouped(rows: Tensor, scale: Tensor, group: int = GROUP, searched: int = SEARCHED) -> Tensor:
    """nibble × multiplier (O,K) of rows (O,K) at scales (O), K a multiple of `group`."""
    parts = rows.reshape(len(rows), -1, group)
    steps = multipliers(parts, scale, searched)[:, :, None]
    return ((parts / (steps * scale[:, None, None])).round().clamp(-LEVELS, LEVELS) * steps).reshape(rows.shape)


def multipliers(parts: Tensor, scale: Tensor, searched: int = SEARCHED) -> Tensor:
    """For each group (O,G,group) the multiplier (O,G) that leaves the least squared error."""
    whole = (parts.abs().amax(2) / (LEVELS * scale[:, None])).ceil()  # clips nothing
    best, least = whole.clamp(1, MULTIPLIERS), torch.full_like(whole, torch.inf)
    for less in range(searched):
        tried = (whole - less).clamp(1, MULTIPLIERS)
        step = (tried * scale[:, None])[:, :, None]
        error = ((parts / step).round().clamp(-LEVELS, LEVELS) * step - parts).square().sum(2)
        best, least = torch.where(error < least, tried, best), torch.minimum(error, least)
    return best


def on_grid(integers: Tensor) -> Tensor:
    """Weights in steps of their channel's scale (O, …), whole numbers up to `TOP` in float, on the 4-bit grid."""
    rows = integers.flatten(1)
    padded = F.pad(rows, (0, -rows.shape[1] % GROUP))
    found = round_grouped(padded, torch.ones_like(rows[:, 0]), searched=SEARCHED_IN_TRAINING)
    return found[:, : rows.shape[1]].reshape(integers.shape)


def on_grid_int8(integers: np.ndarray) -> np.ndarray:
    """`on_grid` of the int8 tensor that conversion makes, as training saw it."""
    return on_grid(torch.from_numpy(np.array(integers)).float()).to(torch.int8).numpy()


class GroupedFakeQuantize(FakeQuantize):
    """Fake quantization of a weight (O, …) on the 4-bit grid. The gradient passes straight through (Jacob et al. 2018).

    It rounds to the channel's int8 grid first, as conversion will: both then find the same multipliers and nibbles.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.observer_enabled[0]:
            self.activation_post_process(x.detach())
            scale, zero_point = self.calculate_qparams()
            self.scale.resize_(scale.shape).copy_(scale)
            self.zero_point.resize_(zero_point.shape).copy_(zero_point)
        if not self.fake_quant_enabled[0]:
            return x
        with torch.no_grad():
            scale = self.scale.float().reshape(-1, *[1] * (x.ndim - 1))
            wanted = on_grid((x.float() / scale).round().clamp(-TOP, TOP)) * scale
        return x + (wanted.to(x.dtype) - x).detach()
