"""A transformer that reads short lines of clean print: the CNN of the shipped float weights and a small head behind it.

`networks/README.md` says how the head was trained, and what it is not for.
"""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.numpy import load_file

from quantvietocr.checkpoint import Checkpoint, Meta, read, write
from quantvietocr.checkpoint.layout import FEATURES
from quantvietocr.pictures.image import ImageSpec
from quantvietocr.shipped import weights_file
from quantvietocr.synth.lines import LineGenerator, SynthConfig

MAX_WIDTH = 192  # pixels, of the lines that it was trained on
LINES = SynthConfig(
    degrade=0.25, min_chars=1, max_chars=16, lengths=(1.0, 0.0, 0.0), style=("receipt", "form", "letter")
)
HEAD = Path(__file__).parent / "networks" / "transformer-head-float16.safetensors"


def float_checkpoint(shipped: Path) -> Checkpoint:
    """The whole float network.

    Args:
        shipped: The shipped float weights, whose convolutions it takes, all but the last one.
    """
    cnn = {name: tensor for name, tensor in read(shipped).tensors.items() if name.startswith(FEATURES)}
    meta = Meta(seq_modeling="transformer", image=ImageSpec(max_width=MAX_WIDTH))
    return Checkpoint(cnn | load_file(HEAD), meta, str(HEAD))


if __name__ == "__main__":  # the network and lines, into a folder
    folder = Path(sys.argv[1])
    print(write(float_checkpoint(weights_file("float")), folder / "float.safetensors"))
    for name, count, seed in (("train", 100, 8201), ("test", 400, 8202)):
        print(LineGenerator(LINES, seed).write(folder / name, count))
