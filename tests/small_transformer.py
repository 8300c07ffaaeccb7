"""A transformer that reads short lines of clean print: the CNN of the shipped float weights and a small head behind it.

`networks/README.md` says how the head was trained, and what it is not for.
"""

from __future__ import annotations

from pathlib import Path

from safetensors.numpy import load_file

from quantvietocr.checkpoint import Checkpoint, Meta, read
from quantvietocr.checkpoint.layout import FEATURES
from quantvietocr.pictures.image import ImageSpec

MAX_WIDTH = 192  # pixels, of the lines that it was trained on
HEAD = Path(__file__).parent / "networks" / "transformer-head-float16.safetensors"


def float_checkpoint(shipped: Path) -> Checkpoint:
    """The whole float network.

    Args:
        shipped: The shipped float weights, whose convolutions it takes, all but the last one.
    """
    cnn = {name: tensor for name, tensor in read(shipped).tensors.items() if name.startswith(FEATURES)}
    meta = Meta(seq_modeling="transformer", image=ImageSpec(max_width=MAX_WIDTH))
    return Checkpoint(cnn | load_file(HEAD), meta, str(HEAD))
