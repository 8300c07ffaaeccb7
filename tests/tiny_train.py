"""train_qat.py with a network of a few hundred weights: `python tests/tiny_train.py key=value …`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

import tiny_transformer
from tiny import CHARS, float_checkpoint

from quantvietocr.checkpoint import Meta
from quantvietocr.checkpoint.vietocr_yaml import ARCHITECTURES, VietOCRConfig
from quantvietocr.config import Config
from quantvietocr.pictures.image import ImageSpec
from quantvietocr.train import loop, ship
from quantvietocr.vietocr_bridge.network import build_float

HIDDEN = 8
SPEC = ImageSpec(8, 16, 64)


SIZES = {
    "seq2seq": dict.fromkeys(("encoder_hidden", "decoder_hidden", "img_channel", "decoder_embedded"), HIDDEN),
    "transformer": tiny_transformer.SIZES | {"d_model": HIDDEN},
}


def network(seed: int = 0, dropout: float = 0.0, head: str = "seq2seq") -> nn.Module:
    """VietOCR's network on two small convolutions; dropout: of its decoder."""
    torch.manual_seed(seed)
    rates = dict.fromkeys(VietOCRConfig(architecture=ARCHITECTURES[head]).dropout, dropout)
    architecture = ARCHITECTURES[head] | {"backbone": "vgg11_bn", "transformer": SIZES[head] | rates}
    architecture["cnn"] = architecture["cnn"] | {"hidden": HIDDEN}
    built = build_float(VietOCRConfig(CHARS, architecture, SPEC), 0.0)
    torch.manual_seed(seed)
    built.cnn.model.features = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AvgPool2d((2, 2), (2, 2)),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AvgPool2d((1, 1), (1, 1)),
    )
    built.cnn.model.last_conv_1x1 = nn.Conv2d(6, HIDDEN, 1)
    return built


def starting_point(config: Config) -> tuple[nn.Module, Meta]:
    """In place of the one that reads a file."""
    return network(dropout=config.model.cnn_dropout), Meta(chars=CHARS, image=SPEC)


def write_lines(folder: Path, count: int = 11) -> Path:
    """An annotation of `count` small pictures of a few widths and lengths."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows = []
    for number in range(count):
        width = 20 + 10 * (number % 3)
        Image.fromarray(rng.integers(0, 256, (8, width, 3), dtype=np.uint8)).save(folder / f"{number}.png")
        rows.append(f"{number}.png\t{''.join(rng.choice(list('abcđ'), 1 + number % 4))}\n")
    (folder / "annotation.txt").write_text("".join(rows), encoding="utf-8")
    return folder / "annotation.txt"


def patch(set_attribute: Callable[[Any, str, Any], None]) -> None:
    """Put the tiny network into the loop. Other float weights are written: such a file needs all of VGG's layers."""
    set_attribute(loop, "starting_point", starting_point)
    set_attribute(ship, "float_checkpoint", lambda *_: float_checkpoint())


if __name__ == "__main__":
    import train_qat

    patch(setattr)
    sys.exit(train_qat.main())
