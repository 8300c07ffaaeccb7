"""4-bit weights after training, on the grid of `grouped`, errors compensated (GPTQ), and the compact file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import closing

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ...checkpoint.folding import float_layers
from ...checkpoint.packing import GROUP, packings
from ...checkpoint.types import Checkpoint, Layer
from ...dataset.annotation import Sample
from ...dataset.batches import eval_batches
from ..grouped import LEVELS, TOP, multipliers, round_grouped
from ..scheme import PREFIX, Scheme
from ..static import quantize_static

# A convolution with a smaller share of the CNN's weights gains little from 4 bits, and the first ones bear them badly.
MIN_SHARE = 0.01
MOMENT_LINES = 64  # lines that second moments are taken on
MAX_POSITIONS = 16_384  # of a layer's output that its second moments are taken at
DAMPING = 0.01  # × mean of the moments' diagonal, added to it so that it can be inverted (as GPTQ does)
BLOCK = 4 * GROUP  # columns that are corrected one by one before the rest is, all at once

Quantized = tuple[np.ndarray, np.ndarray]  # int8 (O,I,kh,kw), float32 scales (O)


def compact_scheme(checkpoint: Checkpoint, scheme: Scheme = Scheme()) -> Scheme:
    """The scheme with 4-bit weights for each convolution that holds `MIN_SHARE` of the CNN's weights.

    A scheme that chooses bits of weights itself stays as it is.
    """
    if scheme.weight_bits != 8 or any("weight_bits" in changes for changes in scheme.overrides.values()):
        return scheme
    layers, folded = float_layers(checkpoint)
    sizes = {
        layer.name.removeprefix(PREFIX): folded[f"{layer.name}.weight"].size for layer in layers if layer.op == "conv"
    }
    large = [name for name, size in sizes.items() if size >= MIN_SHARE * sum(sizes.values())]
    own = {name: {"weight_bits": 4} | dict(scheme.overrides.get(name, {})) for name in large}
    return dataclasses.replace(scheme, overrides=dict(scheme.overrides) | own)


def quantize_compact(
    checkpoint: Checkpoint,
    samples: Sequence[Sample],
    scheme: Scheme = Scheme(),
    decoder: str = "int8",
    lines: int = 256,
    seed: int = 0,
) -> Checkpoint:
    """As `quantize_static`, and raising as it does, with the 4-bit layers of `compact_scheme` grouped, and packed."""
    scheme = dataclasses.replace(compact_scheme(checkpoint, scheme), weights="grouped")
    weights = four_bit_weights(checkpoint, samples, four_bit_layers(checkpoint, scheme), seed)
    # Ranges are measured on the network that will run, with its 4-bit weights.
    static = quantize_static(with_weights(checkpoint, weights), samples, scheme, decoder, lines, seed)
    return packed(
        dataclasses.replace(static, tensors=dict(static.tensors) | tensors_of(weights), origin=checkpoint.origin)
    )


def packed(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, to be written in the compact form; its numbers are the same."""
    return dataclasses.replace(
        checkpoint, meta=dataclasses.replace(checkpoint.meta, packed=packings(checkpoint.tensors))
    )


def four_bit_layers(checkpoint: Checkpoint, scheme: Scheme) -> list[str]:
    """Full names of the convolutions that a scheme gives 4-bit weights. Raises LayerNameError."""
    names = [layer.name.removeprefix(PREFIX) for layer in float_layers(checkpoint)[0] if layer.op == "conv"]
    return [PREFIX + name for name, bits in scheme.layers(names).items() if bits.weight_bits == 4 and not bits.float]


def tensors_of(weights: Mapping[str, Quantized]) -> dict[str, np.ndarray]:
    """As the checkpoint file names them."""
    return {f"{name}.weight": integers for name, (integers, _) in weights.items()} | {
        f"{name}.weight.scale": scale for name, (_, scale) in weights.items()
    }


def with_weights(checkpoint: Checkpoint, weights: Mapping[str, Quantized]) -> Checkpoint:
    """A float checkpoint whose batch norms fold into these weights."""
    _, folded = float_layers(checkpoint)
    state = dict(checkpoint.tensors)
    for name, (integers, scale) in weights.items():
        wanted = integers * scale[:, None, None, None]
        original, now = state[f"{name}.weight"].astype(np.float32), folded[f"{name}.weight"]
        # A channel that its batch norm multiplies by 0 stays as it is.
        factor = np.abs(now).reshape(len(now), -1).max(1) / np.maximum(
            np.abs(original).reshape(len(now), -1).max(1), 1e-30
        )
        signs = np.sign((now * original).reshape(len(now), -1).sum(1))
        factor = (factor * signs)[:, None, None, None]
        unfolded = np.where(factor == 0, original, wanted / np.where(factor == 0, 1, factor))
        state[f"{name}.weight"] = unfolded.astype(np.float32)
    return dataclasses.replace(checkpoint, tensors=state)


@torch.no_grad()
def four_bit_weights(
    checkpoint: Checkpoint, samples: Sequence[Sample], names: Sequence[str], seed: int = 0
) -> dict[str, Quantized]:
    """int8 weights and scales of the named convolutions, on 4-bit grids that disturb their outputs least.

    Layer by layer: the second moments of its inputs on `MOMENT_LINES` of the samples, the layers before it quantized
    already, then `four_bit`.

    Raises:
        ImageError: a line cannot be read.
    """
    if not names:
        return {}
    layers, folded = float_layers(checkpoint)
    chosen = sorted(np.random.default_rng(seed).permutation(len(samples))[:MOMENT_LINES])
    with closing(eval_batches([samples[i] for i in chosen], checkpoint.meta.image, batch_size=8)) as batches:
        inputs = [batch.images.float() / 255 for batch in batches]
    last = max(place for place, layer in enumerate(layers) if layer.name in names)
    found: dict[str, Quantized] = {}
    for layer in tqdm(layers[: last + 1], desc="4-bit weights", unit="layer"):
        weight = folded.get(f"{layer.name}.weight")
        if weight is not None and layer.name in names:
            integers, scale = found[layer.name] = four_bit(weight, second_moment(layer, inputs, seed))
            weight = (integers * scale[:, None, None, None]).astype(np.float32)
        inputs = [_run(layer, weight, folded.get(f"{layer.name}.bias"), x) for x in inputs]
    return found


def _run(layer: Layer, weight: np.ndarray | None, bias: np.ndarray | None, x: Tensor) -> Tensor:
    if layer.op == "avgpool":
        return F.avg_pool2d(x, layer.kernel, layer.stride)
    x = F.conv2d(x, torch.from_numpy(weight), torch.from_numpy(bias), layer.stride, layer.padding)
    return x.relu_() if layer.relu else x


def second_moment(layer: Layer, inputs: Sequence[Tensor], seed: int = 0) -> Tensor:
    """Second moments of what the kernel of a convolution sees, at `MAX_POSITIONS` of its outputs at most.

    Args:
        layer: the convolution.
        inputs: (N, I, H, W) each.
        seed: draws the positions.

    Returns:
        E[x xᵀ], (K, K), for x of K = I·kh·kw numbers.
    """
    generator = torch.Generator().manual_seed(seed)
    outputs = [x.shape[0] * x.shape[2] * x.shape[3] for x in inputs]  # stride 1, same size; near enough for a share
    share = min(1.0, MAX_POSITIONS / sum(outputs))
    total = torch.zeros(())  # takes the shape of what is added to it
    count = 0
    for x in inputs:
        columns = F.unfold(x, layer.kernel, padding=layer.padding, stride=layer.stride).transpose(1, 2).flatten(0, 1)
        kept = columns[torch.rand(len(columns), generator=generator) < share]
        total, count = total + kept.T @ kept, count + len(kept)
    return total / max(count, 1)


def four_bit(weight: np.ndarray, moment: Tensor | None = None, group: int = GROUP) -> Quantized:
    """The int8 tensor and the scales of 4-bit weights in groups along each row.

    Args:
        weight: (O, I, kh, kw), float.
        moment: second moments (K, K) of the inputs. With them the error in the outputs is made small: columns are
            rounded one after the other, and the columns after one take back what its rounding adds to the output, as
            far as they can, by the inverse of the moments. None: the squared error in the weights is made small.
        group: weights that share a multiplier.

    Source:
        Frantar et al. 2023, "GPTQ", arXiv 2210.17323
    """
    rows = torch.from_numpy(np.array(weight.reshape(len(weight), -1), np.float32))
    columns = rows.shape[1]
    padded = F.pad(rows, (0, -columns % group))
    scale = _scales(padded, group)
    if moment is None:
        integers = round_grouped(padded, scale, group)
    else:
        extra = padded.shape[1] - columns
        integers = _compensate(padded, F.pad(moment, (0, extra, 0, extra)), scale, group)
    return integers[:, :columns].to(torch.int8).numpy().reshape(weight.shape), scale.numpy()


def _scales(rows: Tensor, group: int) -> Tensor:
    """For each row the scale (O) whose best multipliers leave the least squared error."""
    largest = rows.abs().amax(1).clamp_min(torch.finfo(torch.float32).tiny * 1e6) / TOP
    best, least = largest, torch.full_like(largest, torch.inf)
    for share in (1.0, 0.9, 0.8, 0.7):
        scale = largest * share
        error = (round_grouped(rows, scale, group) * scale[:, None] - rows).square().sum(1)
        best, least = torch.where(error < least, scale, best), torch.minimum(error, least)
    return best


def _compensate(rows: Tensor, moment: Tensor, scale: Tensor, group: int) -> Tensor:
    rows, integers = rows.clone(), torch.zeros_like(rows)
    diagonal = moment.diagonal()
    diagonal += DAMPING * diagonal.mean().clamp_min(1e-12)
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(moment)), upper=True)
    block = max(BLOCK // group, 1) * group
    for start in range(0, rows.shape[1], block):
        part, errors = rows[:, start : start + block].clone(), torch.zeros_like(rows[:, start : start + block])
        near = inverse[start : start + block, start : start + block]
        for column in range(part.shape[1]):
            if column % group == 0:
                steps = multipliers(part[:, None, column : column + group], scale)[:, 0]
            nibbles = (part[:, column] / (steps * scale)).round().clamp(-LEVELS, LEVELS)
            integers[:, start + column] = nibbles * steps
            errors[:, column] = (part[:, column] - nibbles * steps * scale) / near[column, column]
            part[:, column:] -= errors[:, column, None] * near[column, None, column:]
        rows[:, start + block :] -= errors @ inverse[start : start + block, start + block :]
    return integers
