"""A float network of fewer channels from a trained one, layer by layer, on calibration lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ..checkpoint import layout
from ..checkpoint.folding import EPSILON, float_layers
from ..checkpoint.types import Checkpoint
from .choose import choose_channels
from .fit import SlimError, fit, patches
from .rows import merge_rows

#: Positions on which a layer is fitted: about 13 for each weight of an output channel of half a VGG's widest layer.
POSITIONS = 30_000


@dataclass(frozen=True)
class SlimLayer:
    """What one convolution keeps.

    Attributes:
        name: VietOCR's.
        channels: That it put out before.
        kept: That it puts out now.
        missed: Share of the variance of what it put out that the fitted one misses, errors of the layers before it
            included, at positions that it was not fitted on.
    """

    name: str
    channels: int
    kept: int
    missed: float


def widths_for(checkpoint: Checkpoint, keep: Sequence[float]) -> list[int]:
    """Channels to keep of each convolution, rounded to the 8 that kernels take at once.

    Args:
        checkpoint: The float network.
        keep: Shares (above 0, at most 1), one for all stages of the VGG or one for each; a stage ends in a pool.

    Raises:
        SlimError: For another number of shares, or one out of range.
    """
    if len(keep) not in (1, layout.POOLS) or not all(0 < share <= 1 for share in keep):
        raise SlimError(
            f"The shares to keep are {', '.join(map(str, keep))}: give one, or {layout.POOLS} (one for each stage of "
            "the VGG), each above 0 and at most 1."
        )
    shares = list(keep) * (layout.POOLS if len(keep) == 1 else 1)
    stage, widths = 0, []
    for op, index in layout.operations_of(checkpoint.tensors):
        if op == "pool":
            stage += 1
            continue
        channels = checkpoint.tensors[f"{layout.feature(index)}.weight"].shape[0]
        widths.append(min(channels, max(8, 8 * round(shares[stage] * channels / 8))))
    return widths


@torch.no_grad()
def slim(
    checkpoint: Checkpoint, images: Sequence[Tensor], widths: Sequence[int], one_row: bool = False, seed: int = 0
) -> tuple[Checkpoint, list[SlimLayer]]:
    """Make a float network narrower.

    Each convolution keeps the channels that tell most of what the next layer computes, and its weights are fitted so
    that from the narrow network's own values they give what the wide one gave. The decoder stays as it is.

    Args:
        checkpoint: The float network.
        images: Calibration lines in batches of one width, float32 (N,3,H,W) in [0,1]. All maps of one layer are held
            at once: about 15 MB a line of 320 px, of VGG19.
        widths: Channels of each convolution of the VGG in order, at most those it has.
        one_row: Let the last convolution read all rows of a column at once, so that the encoder takes one step for
            each column in place of one for each row of it. The encoder must be trained for that (`one_row`).
        seed: Draws the positions that layers are fitted on.

    Returns:
        The narrow float network, and what each of its convolutions keeps.

    Raises:
        SlimError: For widths that do not fit the network, or one row for another head than `seq2seq`.
    """
    layers, folded = float_layers(checkpoint)
    channels = layout.channels_of(checkpoint.tensors)
    if len(widths) != len(channels) or not all(1 <= width <= most for width, most in zip(widths, channels)):
        raise SlimError(
            f"The widths {', '.join(map(str, widths))} do not fit {checkpoint.origin}: give {len(channels)}, at most "
            f"{', '.join(map(str, channels))}."
        )
    if one_row and checkpoint.meta.seq_modeling != "seq2seq":
        raise SlimError(
            f"{checkpoint.origin} has the head {checkpoint.meta.seq_modeling!r}, and one row of positions is for the "
            "encoder of 'seq2seq' alone: leave --one-row away."
        )
    generator = torch.Generator().manual_seed(seed)
    wide, narrow = list(images), list(images)
    remaining = iter(widths)
    state = {name: t for name, t in checkpoint.tensors.items() if name.startswith(layout.TRANSFORMER)}
    report: list[SlimLayer] = []
    *before_last, last = layers
    for number, layer in enumerate(tqdm(before_last, desc="slim", unit="layer")):
        if layer.op == "avgpool":
            wide, narrow = ([F.avg_pool2d(x, layer.kernel) for x in maps] for maps in (wide, narrow))
            continue
        weight, bias = (torch.from_numpy(folded[f"{layer.name}.{part}"]) for part in ("weight", "bias"))
        before = [F.conv2d(x, weight, bias, padding=layer.padding) for x in wide]
        following = next(other for other in layers[number + 1 :] if other.op == "conv")
        uses = _uses(torch.from_numpy(folded[f"{following.name}.weight"]))
        kept = choose_channels(_moments([x.relu() for x in before])[1], uses, next(remaining))
        inputs, wanted = _sampled(narrow, before, layer.kernel, layer.padding, generator)
        weights, missed = fit(inputs, wanted[:, kept], relu=True)
        fitted = weights[:-1].T.reshape(len(kept), -1, *layer.kernel)
        narrow = [F.conv2d(x, fitted, weights[-1], padding=layer.padding) for x in narrow]
        state |= _with_norm(layer.name, fitted, weights[-1], narrow)
        wide, narrow = ([x.relu_() for x in maps] for maps in (before, narrow))
        report.append(SlimLayer(layer.name, len(bias), len(kept), float(missed)))
    weight, bias = (torch.from_numpy(folded[f"{last.name}.{part}"]) for part in ("weight", "bias"))
    features = [F.conv2d(x, weight, bias) for x in wide]
    rows = narrow[0].shape[2] if one_row or last.kernel[0] > 1 else 1
    if rows > 1 and features[0].shape[2] > 1:
        features, encoder = merge_rows(features, checkpoint.weights(layout.ENCODER_RNN))
        state |= encoder
    weights, missed = fit(*_sampled(narrow, features, (rows, 1), (0, 0), generator), relu=False)
    state[f"{last.name}.weight"] = weights[:-1].T.reshape(-1, narrow[0].shape[1], rows, 1).numpy()
    state[f"{last.name}.bias"] = weights[-1].numpy()
    report.append(SlimLayer(last.name, len(bias), weights.shape[1], float(missed)))
    meta = dataclasses.replace(checkpoint.meta, accuracy={}, confidence={})
    return Checkpoint(state, meta, checkpoint.origin), report


def _moments(maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean (C) and covariance (C,C) of the channels of maps (N,C,H,W), float64."""
    count = sum(x.numel() // x.shape[1] for x in maps)
    mean = torch.stack([x.sum((0, 2, 3), dtype=torch.float64) for x in maps]).sum(0) / count
    square = torch.zeros(len(mean), len(mean), dtype=torch.float64)
    for x in maps:  # about the mean: float32 products of large values would drown the small differences between them
        values = x.transpose(0, 1).flatten(1) - mean.float()[:, None]
        square += (values @ values.T).double()
    return mean, square / count


def _uses(weight: Tensor) -> Tensor:
    """How a convolution (O,C,kh,kw) uses its inputs together: the sum of w wᵀ, float64 (C,C)."""
    rows = weight.transpose(1, 0).flatten(1).double()
    return rows @ rows.T


def _sampled(
    inputs: Sequence[Tensor],
    wanted: Sequence[Tensor],
    kernel: tuple[int, int],
    padding: tuple[int, int],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """What a convolution sees (P,I) and what it is to put out (P,O), at random positions of the calibration lines."""
    counts = [x.shape[0] * x.shape[2] * x.shape[3] for x in wanted]
    seen, goals = [], []
    for x, goal, count in zip(inputs, wanted, counts):
        taken = min(count, round(POSITIONS * count / sum(counts)))
        positions = torch.randperm(count, generator=generator)[:taken]
        seen.append(patches(x, kernel, padding, positions))
        goals.append(goal.flatten(2).transpose(1, 2).flatten(0, 1)[positions])
    return torch.cat(seen), torch.cat(goals)


def _with_norm(name: str, weight: Tensor, bias: Tensor, outputs: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """A fitted convolution as VietOCR stores it; its batch norm changes nothing, with the statistics of its outputs."""
    mean, covariance = _moments(outputs)
    mean, variance = mean.float(), covariance.diagonal().float()
    parts = {"weight": (variance + EPSILON).sqrt(), "bias": mean, "running_mean": mean, "running_var": variance}
    norm = layout.norm_of(int(name.removeprefix(layout.FEATURES)))
    convolution = {f"{name}.weight": weight.numpy(), f"{name}.bias": bias.numpy()}
    return convolution | {f"{norm}.{part}": value.numpy() for part, value in parts.items()}
