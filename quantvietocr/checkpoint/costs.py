"""How large a network is: its widths, its parameters, and the multiplications that a line costs."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout
from .folding import float_layers
from .types import Checkpoint

LINE_WIDTH = 320  # pixels, at the network's height: the line that speed is stated for
CHARACTERS = 25  # that such a line holds


@dataclass(frozen=True)
class Costs:
    """What a network is made of.

    Attributes:
        channels: That each convolution puts out, in order.
        encoder: Values of the encoder's state in one direction.
        decoder: Values of the decoder's state.
        positions: Of the sequence that the encoder reads of the line.
        parameters: Weights and biases, batch norms folded.
        cnn, recurrent: Multiplications of the CNN, and of encoder and decoder together.
    """

    channels: tuple[int, ...]
    encoder: int
    decoder: int
    positions: int
    parameters: int
    cnn: int
    recurrent: int


def costs_of(checkpoint: Checkpoint, width: int = LINE_WIDTH, characters: int = CHARACTERS) -> Costs:
    """Count what a line costs.

    Args:
        checkpoint: A float or quantized one.
        width: Of the line in pixels.
        characters: That it holds; a step for each, and one for the end.
    """
    layers = checkpoint.meta.layers
    tensors = checkpoint.tensors
    if checkpoint.is_float:
        layers, folded = float_layers(checkpoint)
        tensors = {name: t for name, t in tensors.items() if name.startswith(layout.TRANSFORMER)} | folded
    rows, columns, products, channels = checkpoint.meta.image.height, width, 0, []
    for layer in layers:
        rows = (rows + 2 * layer.padding[0] - layer.kernel[0]) // layer.stride[0] + 1
        columns = (columns + 2 * layer.padding[1] - layer.kernel[1]) // layer.stride[1] + 1
        if layer.op == "conv":
            products += rows * columns * tensors[f"{layer.name}.weight"].size
            channels.append(tensors[f"{layer.name}.weight"].shape[0])
    sizes = layout.sizes_of(tensors)
    positions = rows * columns
    return Costs(
        tuple(channels),
        sizes["encoder_hidden"],
        sizes["decoder_hidden"],
        positions,
        sum(t.size for name, t in tensors.items() if not name.endswith((layout.SCALE, layout.RANGE_ZERO))),
        products,
        _recurrent(sizes, len(tensors[f"{layout.OUTPUT}bias"]), positions, characters + 1),
    )


def _recurrent(sizes: dict[str, int], classes: int, positions: int, steps: int) -> int:
    """Multiplications of encoder and decoder, what does not depend on the step counted once (`reading.decode`)."""
    inner, outer, inputs = sizes["encoder_hidden"], sizes["decoder_hidden"], sizes["img_channel"]
    memory = 2 * inner
    encoder = positions * 2 * 3 * inner * (inputs + inner) + memory * outer
    keys = positions * memory * outer
    step = outer * (4 * outer + classes) + memory * (3 * outer + classes) + positions * (outer + memory)
    return encoder + keys + steps * step
