"""The layout of VietOCR's `vgg_seq2seq`: what its tensors are called, where its layers stand, what their shapes say.

Names are those of VietOCR's state dict (https://github.com/pbcquoc/vietocr, model/transformerocr.py); a quantized file
keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

CNN = "cnn.model."
FEATURES = CNN + "features."  # the VGG's layers, numbered through
LAST_CONVOLUTION = CNN + "last_conv_1x1"
INPUT = "cnn.input"  # names the range of the picture, as a layer names that of its output
TRANSFORMER = "transformer."  # the recurrent half, whatever VietOCR calls it
ENCODER = TRANSFORMER + "encoder."
ENCODER_RNN = ENCODER + "rnn."
ENCODER_FC = ENCODER + "fc."
DECODER = TRANSFORMER + "decoder."
DECODER_RNN = DECODER + "rnn."
EMBEDDING = DECODER + "embedding.weight"
ATTENTION = DECODER + "attention.attn."
ATTENTION_SCORE = DECODER + "attention.v.weight"
OUTPUT = DECODER + "fc_out."

SCALE = ".scale"  # follows the name of an int8 tensor: its scales per output channel
RANGE_SCALE, RANGE_ZERO = ".output.scale", ".output.zero_point"  # follow a layer's name: the range of its output

NORM_PARTS = ("weight", "bias", "running_mean", "running_var")

#: Convolutions before each pool, of the two VGGs that VietOCR builds.
STAGES = {"vgg19_bn": (2, 2, 4, 4, 4), "vgg11_bn": (1, 1, 2, 2, 2)}
STAGE_CHANNELS = (64, 128, 256, 512, 512)  # of each stage, in both
POOLS = 5


def operations(backbone: str) -> Iterator[tuple[str, int]]:
    """The convolutions (`conv`) and pools (`pool`) of a VGG in order, each with its index among `FEATURES`.

    A convolution takes three indices: its own, the next for its batch norm (`norm_of`), and one for its ReLU. A pool
    takes one.
    """
    index = 0
    for count in STAGES[backbone]:
        for _ in range(count):
            yield "conv", index
            index += 3
        yield "pool", index
        index += 1


def operations_of(tensors: Mapping[str, np.ndarray]) -> Iterator[tuple[str, int]]:
    """The same of any network with VietOCR's names, whatever its stages, as the names of its tensors tell them."""
    names = [name for name in tensors if name.startswith(FEATURES) and tensors[name].ndim == 4]
    expected = 0
    for index in sorted(int(name[len(FEATURES) :].split(".")[0]) for name in names):
        if index != expected:
            yield "pool", index - 1
        yield "conv", index
        expected = index + 3
    yield "pool", expected


def feature(index: int) -> str:
    """The name of the VGG's layer at an index."""
    return f"{FEATURES}{index}"


def norm_of(index: int) -> str:
    """The name of the batch norm of the convolution at an index."""
    return feature(index + 1)


def backbone_of(tensors: Mapping[str, np.ndarray]) -> str:
    """The VGG whose convolutions a float state dict has most of."""

    def present(backbone: str) -> int:
        return sum(f"{feature(index)}.weight" in tensors for op, index in operations(backbone) if op == "conv")

    return max(STAGES, key=present)


def channels_of(tensors: Mapping[str, np.ndarray]) -> tuple[int, ...]:
    """The channels that each convolution of the VGG puts out, in order, as a state dict's shapes tell them."""
    return tuple(tensors[f"{feature(index)}.weight"].shape[0] for op, index in operations_of(tensors) if op == "conv")


def has_own_widths(tensors: Mapping[str, np.ndarray]) -> bool:
    """Whether a network is as wide as VietOCR builds it, and reads its last map row by row."""
    stages = STAGES[backbone_of(tensors)]
    own = tuple(width for width, count in zip(STAGE_CHANNELS, stages) for _ in range(count))
    return channels_of(tensors)[: len(own)] == own and rows_at_once(tensors) == 1


def rows_of_map(height: int, pools: Iterable[tuple[int, int]]) -> int:
    """Rows of the VGG's last map, for images of a height in pixels."""
    for down, _ in pools:
        height //= down
    return height


def rows_at_once(tensors: Mapping[str, np.ndarray]) -> int:
    """Rows of the VGG's last map that its last convolution reads at once: 1 in VietOCR's own network."""
    return tensors[f"{LAST_CONVOLUTION}.weight"].shape[2]


def sizes_of(tensors: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The sizes of VietOCR's `transformer` settings, as the shapes of a state dict tell them."""
    return {
        "encoder_hidden": tensors[f"{ENCODER_RNN}weight_hh_l0"].shape[1],
        "decoder_hidden": tensors[f"{DECODER_RNN}weight_hh_l0"].shape[1],
        "img_channel": tensors[f"{ENCODER_RNN}weight_ih_l0"].shape[1],
        "decoder_embedded": tensors[EMBEDDING].shape[1],
    }
