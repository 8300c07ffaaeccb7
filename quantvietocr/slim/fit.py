"""Weights of a narrow convolution: the least-squares fit of what the wide one puts out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError

HELD_OUT = 10  # every tenth position is left out of a fit, and shows what the fit misses
RIDGE = 1e-4  # of the mean square of an input, added to each: keeps weights of nearly equal inputs small
ROUNDS = 3  # of fitting where the ReLU passes; later ones change little


class SlimError(UserError):
    """A network cannot be made narrower as asked; the message says why and what to do."""


def patches(x: Tensor, kernel: tuple[int, int], padding: tuple[int, int], positions: Tensor) -> Tensor:
    """The inputs that a convolution sees where it puts out certain positions, with a one for its bias.

    Args:
        x: Its input, (N,C,H,W).
        kernel: Its height and width.
        padding: Zeros above and below, left and right.
        positions: Indices into the N·H'·W' positions that it puts out, (P).

    Returns:
        (P, C·height·width + 1).
    """
    padded = F.pad(x, [padding[1], padding[1], padding[0], padding[0]])
    height, width = padded.shape[2] - kernel[0] + 1, padded.shape[3] - kernel[1] + 1
    line, place = positions // (height * width), positions % (height * width)
    row, column = place // width, place % width
    parts = [padded[line, :, row + down, column + right] for down in range(kernel[0]) for right in range(kernel[1])]
    return torch.cat([torch.stack(parts, 2).flatten(1), x.new_ones(len(positions), 1)], dim=1)


def fit(inputs: Tensor, wanted: Tensor, relu: bool) -> tuple[Tensor, Tensor]:
    """Fit one linear layer.

    Where a ReLU follows, a value below 0 may be any below 0. So what is wanted there is replaced by what the fit gives,
    if that is below 0 too, and the fit is made again.

    Args:
        inputs: (P,I), with a last column of ones.
        wanted: (P,O), before the ReLU.
        relu: Whether one follows.

    Returns:
        Weights (I,O), and the share of the wanted variance that they miss at the positions held out, (), after the ReLU
        where one follows.

    Raises:
        SlimError: The inputs tell nothing, for all positions are alike.

    Source:
        Zhang, Zou, He and Sun 2016, arXiv 1505.06798, section 3.2 (the ReLU as part of the fit)
    """
    held = torch.arange(len(inputs)) % HELD_OUT == 0
    (others, shown), (unseen, expected) = (inputs[~held], wanted[~held]), (inputs[held], wanted[held])
    square = (others.T @ others).double()
    square.diagonal()[:-1] += RIDGE * square.diagonal()[:-1].mean()
    factor, failed = torch.linalg.cholesky_ex(square)
    if failed:
        raise SlimError(
            "The lines show too little to fit weights on, for all their pixels are alike: name lines with text."
        )
    target = shown
    for number in range(ROUNDS if relu else 1):
        weights = torch.cholesky_solve((others.T @ target).double(), factor).float()
        if number + 1 < ROUNDS and relu:
            target = torch.where(shown > 0, shown, (others @ weights).clamp_max(0))
    given = unseen @ weights
    if relu:
        given, expected = given.relu(), expected.relu()
    missed = (given - expected).square().sum() / (expected - expected.mean(0)).square().sum().clamp_min(1e-12)
    return weights, missed
