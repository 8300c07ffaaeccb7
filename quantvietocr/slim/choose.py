"""Which channels of a layer stay: those from which the layer after it can best be told."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_VARIANCE = 1e-6  # of a channel beside those chosen, as a share of the largest; less is rounding


def choose_channels(covariance: Tensor, uses: Tensor, count: int) -> list[int]:
    """Choose channels one by one, each time the one that takes most error off the layer after.

    The error is that of the linear prediction of all channels from those chosen, weighted as the next layer's weights
    use them. Channels that say the same as one chosen before take nothing off, however strong they are.

    Args:
        covariance: Of the channels' values, float64 (C,C).
        uses: The sum over the next layer's weights w (one for each output and kernel position) of w wᵀ, float64 (C,C).
        count: How many to keep, at most C.

    Returns:
        Indices of the channels, ascending.

    Source:
        Farahat, Ghodsi and Kamel 2011, "An efficient greedy method for unsupervised feature selection", section IV
    """
    left = covariance.clone()
    floor = MIN_VARIANCE * float(left.diagonal().max())
    chosen: list[int] = []
    for _ in range(count):
        gains = ((uses @ left) * left).sum(0)  # diagonal of leftᵀ uses left
        variances = left.diagonal().clone()
        gains = torch.where(variances > floor, gains / variances.clamp_min(floor), -torch.ones_like(gains))
        gains[chosen] = -torch.inf
        best = int(gains.argmax())
        chosen.append(best)
        if variances[best] > floor:
            column = left[:, best].clone()
            left -= torch.outer(column, column) / variances[best]
    return sorted(chosen)
