"""How large a network is: its widths, its parameters, and the multiplications that a line costs."""

from __future__ import annotations

from dataclasses import dataclass

from . import layout
from .folding import float_layers
from .sizes import SIZES
from .types import Checkpoint
from .vocab import Vocab

LINE_WIDTH = 320  # pixels, at the network's height: the line that speed is stated for
CHARACTERS = 25  # that such a line holds


@dataclass(frozen=True)
class Costs:
    """What a network is made of.

    Attributes:
        channels: That each convolution puts out, in order.
        head: How wide and deep encoder and decoder are, in words.
        positions: Of the sequence that the encoder reads of the line.
        parameters: Weights and biases, batch norms folded.
        cnn, rest: Multiplications of the CNN, and of encoder and decoder together.
    """

    channels: tuple[int, ...]
    head: str
    positions: int
    parameters: int
    cnn: int
    rest: int


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
    head = checkpoint.meta.seq_modeling
    sizes, classes, positions = SIZES[head](tensors), len(checkpoint.meta.chars) + len(Vocab.specials), rows * columns
    say, count = HEADS[head]
    return Costs(
        tuple(channels),
        say(sizes),
        positions,
        sum(t.size for name, t in tensors.items() if not name.endswith((layout.SCALE, layout.RANGE_ZERO))),
        products,
        count(sizes, classes, positions, characters + 1),
    )


def _seq2seq_widths(sizes: dict[str, int]) -> str:
    return f"{sizes['encoder_hidden']} in each direction of the encoder, {sizes['decoder_hidden']} in the decoder"


def _transformer_widths(sizes: dict[str, int]) -> str:
    return (
        f"{sizes['num_encoder_layers']} encoder and {sizes['num_decoder_layers']} decoder layers of "
        f"{sizes['d_model']}, {sizes['dim_feedforward']} inside"
    )


def _seq2seq_products(sizes: dict[str, int], classes: int, positions: int, steps: int) -> int:
    """Multiplications of encoder and decoder; what does not depend on the step counts once (`seq2seq_decoder`)."""
    inner, outer, inputs = sizes["encoder_hidden"], sizes["decoder_hidden"], sizes["img_channel"]
    memory = 2 * inner
    encoder = positions * 2 * 3 * inner * (inputs + inner) + memory * outer
    keys = positions * memory * outer
    step = outer * (4 * outer + classes) + memory * (3 * outer + classes) + positions * (outer + memory)
    return encoder + keys + steps * step


def _transformer_products(sizes: dict[str, int], classes: int, positions: int, steps: int) -> int:
    """The same of a transformer, whose decoder keeps keys and values (`reading.transformer_decoder`)."""
    width, inner = sizes["d_model"], sizes["dim_feedforward"]
    attention, looked = 4 * width * width, 2 * width  # projections of a position; products with each place looked at
    encoder = sizes["num_encoder_layers"] * positions * (attention + 2 * width * inner + looked * positions)
    memory = sizes["num_decoder_layers"] * positions * 2 * width * width
    own = looked * (steps + 1) // 2  # the characters so far, on average
    layer = attention + 2 * width * width + 2 * width * inner + looked * positions + own
    return encoder + memory + steps * (sizes["num_decoder_layers"] * layer + width * classes)


#: What says how wide a head is, and what counts its products, by the network's `seq_modeling`.
HEADS = {"seq2seq": (_seq2seq_widths, _seq2seq_products), "transformer": (_transformer_widths, _transformer_products)}
