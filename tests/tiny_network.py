"""VietOCR's network at a few channels, with own code where VietOCR's fixes the widths: milliseconds, not seconds."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import tiny
import tiny_transformer
import torch
from PIL import Image
from torch import Tensor, nn

from quantvietocr.checkpoint import VGG19_POOLS, Checkpoint, Meta
from quantvietocr.quantize.export import scales_of
from quantvietocr.vietocr_bridge.network import import_vietocr

STAGES = (2, 2, 4, 4, 4)


class Vgg(nn.Module):
    """VietOCR's `Vgg` (vgg19_bn), layer for layer, 4 to 8 channels wide; features: that it puts out."""

    def __init__(self, features: int = tiny.FEATURES) -> None:
        super().__init__()
        units: list[nn.Module] = []
        inputs = 3
        for stage, (count, pool) in enumerate(zip(STAGES, VGG19_POOLS, strict=True)):
            for _ in range(count):
                units += [nn.Conv2d(inputs, 4 + stage, 3, padding=1), nn.BatchNorm2d(4 + stage), nn.ReLU(inplace=True)]
                inputs = 4 + stage
            units.append(nn.AvgPool2d(pool, pool))
        self.features = nn.Sequential(*units)
        self.dropout = nn.Dropout(0.0)
        self.last_conv_1x1 = nn.Conv2d(inputs, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last_conv_1x1(self.dropout(self.features(x))).transpose(-1, -2).flatten(2).permute(-1, 0, 1)


class CNN(nn.Module):
    def __init__(self, features: int = tiny.FEATURES) -> None:
        super().__init__()
        self.model = Vgg(features)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class Network(nn.Module):
    """`cnn` and `transformer`, as VietOCR's module has them; head: `seq2seq` or `transformer`."""

    def __init__(self, head: str = "seq2seq") -> None:
        super().__init__()
        import_vietocr()
        self.seq_modeling = head
        if head == "transformer":
            self.cnn = CNN(tiny_transformer.WIDTH)
            self.transformer = tiny_transformer.head()
            return
        seq2seq = importlib.import_module("vietocr.model.seqmodel.seq2seq").Seq2Seq
        self.cnn = CNN()
        self.transformer = seq2seq(len(tiny.CHARS) + 4, tiny.HIDDEN, tiny.HIDDEN, tiny.FEATURES, tiny.HIDDEN, 0.0)


class HeadModel(nn.Module):
    """What VietOCR's `translate` asks of a model, with the CNN's output given as the image: (N, S, C)."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.transformer = head

    def cnn(self, features: Tensor) -> Tensor:
        return features.transpose(0, 1)


def pictures(count: int = 4, seed: int = 0) -> list[Tensor]:
    """Inputs (2,3,32,64) in [0,1]."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(2, 3, 32, 64, generator=generator) for _ in range(count)]


def float_checkpoint(head: str = "seq2seq") -> Checkpoint:
    """Random weights whose batch norms have seen pictures: every layer's output has a range worth quantizing."""
    torch.manual_seed(0)
    network = Network(head).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        for picture in pictures():
            network.cnn(picture)
    state = {name: t.numpy() for name, t in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    return Checkpoint(state, Meta(chars=tiny.CHARS) if head == "seq2seq" else tiny_transformer.meta())


def network_of(checkpoint: Checkpoint, *_: object) -> Network:
    """In place of `vietocr_bridge.float_network`."""
    network = Network(checkpoint.meta.seq_modeling)
    network.load_state_dict(
        {name: torch.from_numpy(np.array(t)) for name, t in checkpoint.tensors.items()}, strict=False
    )
    return network.eval()


def round_biases(converted) -> None:
    """Biases as int32, in units of a product: all int8 engines round them so; torch.ao leaves them float."""
    scale = None
    for _, module in converted.operations():
        if isinstance(module, torch.ao.nn.quantized.Conv2d):
            unit = np.float32(scale) * scales_of(module.weight())
            bias = np.rint(module.bias().detach().numpy() / unit.astype(np.float64)) * unit.astype(np.float64)
            module.set_weight_bias(module.weight(), torch.from_numpy(bias.astype(np.float32)))
        scale = getattr(module, "scale", scale)


def write_lines(folder: Path, count: int = 6) -> Path:
    """Pictures of noise with texts of `tiny.CHARS`; returns their annotation."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    names = [f"{index}.png" for index in range(count)]
    for name in names:
        Image.fromarray(rng.integers(0, 256, (32, 64, 3), dtype=np.uint8)).save(folder / name)
    path = folder / "annotation.txt"
    path.write_text("".join(f"{name}\tab đ{'c' * index}\n" for index, name in enumerate(names)), encoding="utf-8")
    return path
