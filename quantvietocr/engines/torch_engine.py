"""The torch engine: packs the numbers of a checkpoint into torch's float or int8 kernels."""

from __future__ import annotations

import threading

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import Checkpoint, Layer, float_layers
from ..image import line_tensor
from .base import EngineError

# oneDNN's and FBGEMM's int8 convolutions want the channels innermost.
LAYOUT = torch.channels_last


def select_backend() -> str:
    """Choose and set torch's int8 kernels for this CPU: `x86` where it exists, `qnnpack` on ARM.

    Raises EngineError when this torch has neither.
    """
    available = torch.backends.quantized.supported_engines
    for name in ("x86", "qnnpack"):
        if name in available:
            torch.backends.quantized.engine = name
            return name
    raise EngineError(f"This torch has no int8 kernels (it lists {available}): install torch's CPU build, or read a float file.")


class TorchEngine:
    """CNN and encoder of `checkpoint` on the CPU. `threads` 0 leaves torch's setting (one per core) alone."""

    name = "torch"

    def __init__(self, checkpoint: Checkpoint, threads: int = 0) -> None:
        self.threads = threads
        meta = checkpoint.meta
        if checkpoint.is_float:
            layers, folded = float_layers(checkpoint)
            checkpoint = Checkpoint(dict(checkpoint.tensors) | folded, meta, checkpoint.origin)
        else:
            layers = meta.layers
        integers = any(layer.precision == "int8" for layer in layers)
        self.backend = select_backend() if integers else None
        self.precision = "float32"
        if integers:
            self.precision = f"int8 CNN ({self.backend}, {meta.activation_bits}-bit activations), float32 arithmetic elsewhere"
        elif meta.decoder == "int8":
            self.precision = "float32 CNN, int8-stored encoder and decoder"
        self._input = _output_range(checkpoint, "cnn.input") if integers and layers[0].precision == "int8" else None
        self._layers = [_build(layer, checkpoint) for layer in layers]
        self._encoder, self._to_hidden = _encoder(checkpoint)
        self._lock = threading.Lock()

    def features(self, images: Tensor) -> Tensor:
        """float32 images (N,3,H,W) in [0,1] → CNN features (N,C,H',W'), dequantized."""
        x = images.contiguous(memory_format=LAYOUT)
        if self._input is not None:
            x = torch.quantize_per_tensor(x, *self._input, torch.quint8)
        for layer in self._layers:
            x = layer(x)
        return x.dequantize() if x.is_quantized else x

    @torch.inference_mode()
    def encode(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 pixels (N,H,W,3) of one width → memory (N,S,2E), hidden (N,D), float32."""
        images = torch.from_numpy(np.stack([line_tensor(line) for line in pixels]))
        with self._lock:  # the thread count is torch-wide
            before = torch.get_num_threads()
            if self.threads:
                torch.set_num_threads(self.threads)
            try:
                x = self.features(images)
                # VietOCR reads column by column: (W', H') flattened in that order, then sequence first.
                sequence = x.transpose(-1, -2).flatten(2).permute(2, 0, 1).contiguous()
                memory, hidden = self._encoder(sequence)
                hidden = torch.tanh(self._to_hidden(torch.cat([hidden[0], hidden[1]], dim=1)))
            finally:
                torch.set_num_threads(before)
        return memory.transpose(0, 1).contiguous().numpy(), hidden.numpy()


def _output_range(checkpoint: Checkpoint, name: str) -> tuple[float, int] | None:
    scale = checkpoint.tensors.get(name + ".output.scale")
    if scale is None:
        return None
    return float(scale), int(checkpoint.tensors[name + ".output.zero_point"])


def _build(layer: Layer, checkpoint: Checkpoint):
    if layer.op == "avgpool":
        if layer.kernel == (1, 1) and layer.stride == (1, 1):
            return nn.Identity()  # VietOCR's last pool does nothing, and qnnpack refuses it
        return nn.AvgPool2d(layer.kernel, layer.stride)
    if layer.op != "conv":
        raise EngineError(f"{checkpoint.origin}: the torch engine does not know the operation {layer.op!r}; update quantvietocr.")
    after = _output_range(checkpoint, layer.name)
    bias = torch.from_numpy(np.array(checkpoint.weight(layer.name + ".bias")))
    if layer.precision == "int8":
        if after is None:
            raise EngineError(f"{checkpoint.origin} lacks {layer.name}.output.scale: make the file again.")
        weight = torch._make_per_channel_quantized_tensor(
            torch.from_numpy(np.array(checkpoint.tensors[layer.name + ".weight"])),
            torch.from_numpy(np.array(checkpoint.tensors[layer.name + ".weight.scale"])).double(),
            torch.zeros(len(bias), dtype=torch.long),
            0,
        )
        packed = torch.ops.quantized.conv2d_prepack(weight, bias, layer.stride, layer.padding, (1, 1), 1)
        kernel = torch.ops.quantized.conv2d_relu if layer.relu else torch.ops.quantized.conv2d
        return lambda x: kernel(x, packed, *after)
    weight = torch.from_numpy(np.array(checkpoint.weight(layer.name + ".weight"))).contiguous(memory_format=LAYOUT)

    def convolve(x: Tensor) -> Tensor:
        x = F.conv2d(x.dequantize() if x.is_quantized else x, weight, bias, layer.stride, layer.padding)
        if layer.relu:
            x = x.relu_()
        return x if after is None else torch.quantize_per_tensor(x, *after, torch.quint8)

    return convolve


def _encoder(checkpoint: Checkpoint) -> tuple[nn.GRU, nn.Linear]:
    prefix = "transformer.encoder."
    hidden = checkpoint.tensors[prefix + "rnn.weight_hh_l0"].shape[1]
    gru = nn.GRU(checkpoint.tensors[prefix + "rnn.weight_ih_l0"].shape[1], hidden, bidirectional=True)
    gru.load_state_dict({name: torch.from_numpy(np.array(checkpoint.weight(f"{prefix}rnn.{name}"))) for name in gru.state_dict()})
    linear = nn.Linear(2 * hidden, checkpoint.tensors[prefix + "fc.weight"].shape[0])
    linear.load_state_dict({name: torch.from_numpy(np.array(checkpoint.weight(f"{prefix}fc.{name}"))) for name in ("weight", "bias")})
    return gru.eval(), linear.eval()
