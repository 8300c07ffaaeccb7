"""One step of the encoder for each column of the last map, in place of one for each row of each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..checkpoint import layout


def merge_rows(
    features: Sequence[Tensor], encoder: Mapping[str, np.ndarray]
) -> tuple[list[Tensor], dict[str, np.ndarray]]:
    """Put the rows of each column into one vector of as many channels, and let the encoder take it.

    The vector holds the principal components of the rows beside each other. The encoder's input weights are turned into
    that basis, so that it is given the mean of what the rows gave it one after the other. That is where its training
    starts, not where it reads well.

    Args:
        features: Of the wide network, (N,C,H,W) each.
        encoder: Weights of the encoder's GRU by their names.

    Returns:
        Maps (N,C,1,W), and the GRU's weights by the same names.
    """
    rows, channels = features[0].shape[2], features[0].shape[1]
    beside = [x.transpose(1, 2).flatten(1, 2) for x in features]  # (N, H·C, W)
    values = torch.cat([x.transpose(0, 1).flatten(1) for x in beside], dim=1).double()  # (H·C, positions)
    mean = values.mean(1)
    _, vectors = torch.linalg.eigh((values - mean[:, None]) @ (values - mean[:, None]).T)
    basis = vectors[:, -channels:].flip(1)  # (H·C, C), the strongest first
    merged = [(basis.T.float() @ (x - mean[:, None].float())).unsqueeze(2) for x in beside]
    changed = dict(encoder)
    for side in ("", "_reverse"):
        weight, bias = (
            torch.from_numpy(encoder[f"{layout.ENCODER_RNN}{part}_ih_l0{side}"]) for part in ("weight", "bias")
        )
        together = torch.cat([weight.double() / rows] * rows, dim=1)
        changed[f"{layout.ENCODER_RNN}weight_ih_l0{side}"] = (together @ basis).float().numpy()
        changed[f"{layout.ENCODER_RNN}bias_ih_l0{side}"] = (bias.double() + together @ mean).float().numpy()
    return merged, changed
