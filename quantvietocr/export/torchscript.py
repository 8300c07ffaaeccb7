"""A checkpoint's CNN and encoder as one TorchScript module, for programs that have torch but not this package.

    import torch
    module = torch.jit.load("weights.pt")
    features, memory, hidden = module(pixels)

The module takes uint8 pixels (N,H,W,3): RGB at the network's height, lines of one width. It gives float32 CNN features
(N,S,C), memory (N,S,2E) and the first hidden state (N,D), as `TorchEngine.stages` gives them and as ONNX files name
them. The decoder's steps stay outside: its weights are in the checkpoint and in ONNX files.

int8 convolutions run on whichever int8 kernels `torch.backends.quantized.engine` names when the file is loaded: it must
be set before (`qnnpack` on ARM). A file with qnnpack's ranges holds a float32 encoder, because qnnpack has no kernels
for float16 weights. Other files hold float16 weights where the checkpoint's are int8, as the torch engine runs them.

Loading a TorchScript file runs what is in it: that is what the format is for. Nothing here ever loads one but
`quantvietocr time`, which says so.
"""

from __future__ import annotations

import io
import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import layout
from ..checkpoint.folding import float_layers
from ..checkpoint.types import METADATA_KEY, Checkpoint, CheckpointError, Layer
from ..checkpoint.validation import validate
from ..common.files import write_bytes
from ..engines.torch_encoders import float_gru, gru_is_int8, gru_weights, half_cells
from ..engines.torch_engine import output_range, packed_convolution, select_backend

SCRIPTED = ("seq2seq",)  # heads that there is a module for
METADATA_FILE = f"{METADATA_KEY}.json"  # among the file's extra files: `Meta.to_json()`


class _Quantize(nn.Module):
    def __init__(self, scale: float, zero_point: int) -> None:
        super().__init__()
        self.scale, self.zero_point = scale, zero_point

    def forward(self, x: Tensor) -> Tensor:
        return torch.quantize_per_tensor(x, self.scale, self.zero_point, torch.quint8)


class _Dequantize(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.dequantize()


class _IntegerConvolution(nn.Module):
    def __init__(self, layer: Layer, checkpoint: Checkpoint, source: str) -> None:
        super().__init__()
        self.packed, (self.scale, self.zero_point) = packed_convolution(layer, checkpoint, source)
        self.relu = layer.relu

    def forward(self, x: Tensor) -> Tensor:
        if self.relu:
            return torch.ops.quantized.conv2d_relu(x, self.packed, self.scale, self.zero_point)
        return torch.ops.quantized.conv2d(x, self.packed, self.scale, self.zero_point)


class _HalfGRU(nn.Module):
    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.forth, self.back = half_cells(weights)
        self.width = int(weights["weight_hh_l0"].shape[1])

    def forward(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        start = torch.zeros([2, sequence.size(1), self.width])
        return torch.quantized_gru(sequence, start, [self.forth, self.back], True, 1, 0.0, False, True, False)


class Stages(nn.Module):
    """CNN and encoder of a checkpoint as a module; see the top of this file for what goes in and comes out."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        meta, layers = checkpoint.meta, checkpoint.meta.layers
        if checkpoint.is_float:
            layers, folded = float_layers(checkpoint)
            checkpoint = Checkpoint(dict(checkpoint.tensors) | folded, meta, checkpoint.origin)
        self.cnn = _cnn(checkpoint, layers)
        weights = gru_weights(checkpoint)
        half = gru_is_int8(checkpoint) and meta.backend != "qnnpack"
        self.encoder = _HalfGRU(weights) if half else float_gru(weights)
        for part in ("weight", "bias"):
            tensor = np.array(checkpoint.weight(layout.ENCODER_FC + part))
            self.register_buffer(f"to_hidden_{part}", torch.from_numpy(tensor))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        images = pixels.permute(0, 3, 1, 2).float() / 255
        x = self.cnn(images.contiguous(memory_format=torch.channels_last))
        # VietOCR reads column by column: (W', H') flattened in that order, then sequence first.
        sequence = x.transpose(-1, -2).flatten(2).permute(2, 0, 1).contiguous()
        memory, last = self.encoder(sequence)
        both = torch.cat([last[0], last[1]], dim=1)
        hidden = torch.tanh(F.linear(both, self.to_hidden_weight, self.to_hidden_bias))  # type: ignore[arg-type]
        return sequence.transpose(0, 1), memory.transpose(0, 1).contiguous(), hidden


def _cnn(checkpoint: Checkpoint, layers: tuple[Layer, ...]) -> nn.Sequential:
    """Return the operations in order, with a change between bytes and floats wherever one is due."""
    steps: list[nn.Module] = []
    integer = False
    source = layout.INPUT  # on whose output range an int8 operation's input is
    for layer in layers:
        wanted = layer.precision == "int8"
        if wanted and not integer:
            scale_and_zero = output_range(checkpoint, source)
            if scale_and_zero is None:
                raise CheckpointError(f"{checkpoint.origin} lacks {source}{layout.RANGE_SCALE}: make the file again.")
            steps.append(_Quantize(*scale_and_zero))
        elif integer and not wanted:
            steps.append(_Dequantize())
        integer = wanted
        if layer.op == "avgpool":
            if layer.kernel != (1, 1) or layer.stride != (1, 1):  # which does nothing, and qnnpack refuses it
                steps.append(nn.AvgPool2d(layer.kernel, layer.stride))
        elif wanted:
            steps.append(_IntegerConvolution(layer, checkpoint, source))
        else:
            numbers = {
                part: torch.from_numpy(np.array(checkpoint.weight(f"{layer.name}.{part}")))
                for part in ("weight", "bias")
            }
            outputs, inputs = numbers["weight"].shape[:2]
            convolution = nn.Conv2d(inputs, outputs, layer.kernel, layer.stride, layer.padding)
            convolution.load_state_dict(numbers)
            last = convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
            steps += [last] + [nn.ReLU()] * layer.relu
        source = layer.name if layer.op == "conv" else source
    return nn.Sequential(*steps, *[_Dequantize()] * integer)


def to_torchscript(checkpoint: Checkpoint) -> bytes:
    """Return the TorchScript file of a checkpoint, float or quantized, as bytes.

    Raises:
        CheckpointError: the checkpoint cannot be used.
        EngineError: this torch has no int8 kernels.
    """
    validate(checkpoint)
    if checkpoint.meta.seq_modeling not in SCRIPTED:
        raise CheckpointError(
            f"{checkpoint.origin} is a vgg_{checkpoint.meta.seq_modeling} network, and TorchScript files are made of "
            "vgg_seq2seq alone: use --format onnx."
        )
    if not checkpoint.is_float:
        select_backend()
    with warnings.catch_warnings():  # torch.jit is deprecated in favour of formats that do not hold packed int8 weights
        warnings.simplefilter("ignore")
        module = torch.jit.script(Stages(checkpoint).eval().requires_grad_(False))
        written = io.BytesIO()
        torch.jit.save(module, written, _extra_files={METADATA_FILE: checkpoint.meta.to_json()})
    return written.getvalue()


def export_torchscript(checkpoint: Checkpoint, path: str | os.PathLike) -> Path:
    """Write a checkpoint as a `.pt` file, whole or not at all.

    Args:
        checkpoint: float or quantized.
        path: file to write; its name ends in .pt.

    Returns:
        The path.

    Raises:
        CheckpointError: the name ends otherwise, or the checkpoint cannot be used.
        EngineError: this torch has no int8 kernels.
    """
    path = Path(path)
    if path.suffix != ".pt":
        raise CheckpointError(f"{path}: TorchScript files end in .pt; give a name that ends so.")
    content = to_torchscript(checkpoint)
    write_bytes(path, content)
    return path


def metadata_of(path: str | os.PathLike) -> str:
    """Read the metadata of a TorchScript file of ours without loading it: the file is a zip archive.

    Args:
        path: the file.

    Returns:
        The metadata as JSON.

    Raises:
        CheckpointError: there is no such file, or `quantvietocr export` did not write it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith(f"/extra/{METADATA_FILE}"))
            return archive.read(name).decode()
    except FileNotFoundError as error:
        raise CheckpointError(
            f"No such file: {path}; `quantvietocr export --format torchscript` makes one of a checkpoint."
        ) from error
    except (zipfile.BadZipFile, StopIteration, OSError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} is no TorchScript file that `quantvietocr export` wrote, or it is damaged: export it again."
        ) from error
