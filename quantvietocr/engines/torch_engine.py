"""The torch engine: packs the numbers of a checkpoint into torch's float or int8 kernels."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import layout
from ..checkpoint.folding import float_layers
from ..checkpoint.types import Checkpoint, Layer
from ..pictures.image import line_tensor
from .base import Encoded, EngineError
from .torch_encoders import ENCODERS

# torch's quantized tensors are deprecated without a replacement that its CPU convolutions take; torch is pinned.
warnings.filterwarnings("ignore", message="torch.quantize_per_tensor, torch.quantize_per_channel")

# oneDNN's and FBGEMM's int8 convolutions want the channels innermost.
LAYOUT = torch.channels_last


def select_backend() -> str:
    """Choose and set torch's int8 kernels for this CPU.

    Returns:
        `x86` (oneDNN with VNNI, else FBGEMM), `fbgemm`, or `qnnpack` on ARM.

    Raises:
        EngineError: Where this torch has none of them.
    """
    available = torch.backends.quantized.supported_engines
    for name in ("x86", "fbgemm", "qnnpack"):
        if name in available:
            torch.backends.quantized.engine = name
            return name
    raise EngineError(
        f"This torch has no int8 kernels (it lists {available}): install torch's CPU build, or read a float file."
    )


class TorchEngine:
    """CNN and encoder of a checkpoint on torch's CPU kernels.

    Args:
        checkpoint: A float or quantized checkpoint.
        threads: CPU threads; 0 leaves torch's setting alone, which is one per core.

    Raises:
        EngineError: Where torch lacks int8 kernels, or the checkpoint a range.
    """

    name = "torch"
    version: str = torch.__version__

    def __init__(self, checkpoint: Checkpoint, threads: int = 0) -> None:
        self._threads = threads
        meta = checkpoint.meta
        if checkpoint.is_float:
            layers, folded = float_layers(checkpoint)
            checkpoint = Checkpoint(dict(checkpoint.tensors) | folded, meta, checkpoint.origin)
        else:
            layers = meta.layers
        integers = any(layer.precision == "int8" for layer in layers)
        self.backend = select_backend() if integers or meta.decoder == "int8" else None
        cnn = f"int8 CNN ({self.backend}, {meta.activation_bits}-bit activations)" if integers else "float32 CNN"
        self._encoder = ENCODERS[meta.seq_modeling](checkpoint, self.backend)
        self.precision = f"{cnn}, {self._encoder.precision}, float32 decoder steps"
        self._input = output_range(checkpoint, layout.INPUT) if integers and layers[0].precision == "int8" else None
        self._layers: list[Callable[[Tensor], Tensor]] = []
        source = layout.INPUT
        for layer in layers:
            self._layers.append(operation(layer, checkpoint, source))
            source = layer.name if layer.op == "conv" else source
        self._lock = threading.Lock()

    @property
    def threads(self) -> int:
        """CPU threads that one call uses."""
        return self._threads or torch.get_num_threads()

    @contextmanager
    def side_by_side(self, count: int) -> Iterator[list[TorchEngine]]:
        """See `base.Engine`. They share the packed weights."""
        before = torch.get_num_threads()
        encoders = [copy.copy(self) for _ in range(count)]
        for encoder in encoders:
            encoder._threads, encoder._lock = 1, threading.Lock()
        try:
            yield encoders
        finally:
            # A thread's count is its own, but the last one set is also what new threads start with.
            torch.set_num_threads(before)

    def features(self, images: Tensor) -> Tensor:
        """The CNN's features (N,C,H',W'), float32, of images (N,3,H,W), float32 in [0,1]."""
        x = images.contiguous(memory_format=LAYOUT)
        if self._input is not None:
            x = torch.quantize_per_tensor(x, *self._input, torch.quint8)
        for layer in self._layers:
            x = layer(x)
        return x.dequantize() if x.is_quantized else x

    def encode(self, pixels: np.ndarray) -> Encoded:
        """See `base.Encoder`."""
        return self.stages(pixels)[1:]

    @torch.inference_mode()
    def stages(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
        """Run as `encode` does, and return the CNN's features (N,S,C), float32, before what that returns."""
        images = torch.from_numpy(np.stack([line_tensor(line) for line in pixels]))
        with self._lock:
            before = torch.get_num_threads()
            if self._threads:
                torch.set_num_threads(self._threads)
            try:
                features = self.features(images)
                if self._encoder.in_steps:
                    torch.set_num_threads(1)  # a step of the GRU is over sooner than it is shared out
                sequence, *encoded = self.encode_features(features)
            finally:
                torch.set_num_threads(before)
        return sequence.transpose(0, 1).numpy(), *(part.numpy() for part in encoded)

    def encode_features(self, features: Tensor) -> tuple[Tensor, ...]:
        """Encode the CNN's features.

        Args:
            features: float32 (N,C,H',W').

        Returns:
            The features as a sequence (S,N,C), and what the encoder makes of it (`base.Encoded`), float32.
        """
        sequence = sequence_of(features)
        return sequence, *self._encoder(sequence)


def sequence_of(features: Tensor) -> Tensor:
    """The CNN's features (N,C,H',W') as encoders take them (S,N,C)."""
    # VietOCR reads column by column: (W', H') flattened in that order, then sequence first.
    return features.transpose(-1, -2).flatten(2).permute(2, 0, 1).contiguous()


def output_range(checkpoint: Checkpoint, name: str) -> tuple[float, int] | None:
    """Scale and zero point of a layer's output, or of `cnn.input`; None where it has none."""
    scale = checkpoint.tensors.get(name + layout.RANGE_SCALE)
    if scale is None:
        return None
    return float(scale), int(checkpoint.tensors[name + layout.RANGE_ZERO])


def operation(layer: Layer, checkpoint: Checkpoint, source: str) -> Callable[[Tensor], Tensor]:
    """Make one operation of the CNN.

    Args:
        layer: The operation.
        checkpoint: Holds its tensors.
        source: The layer on whose output range the input of an int8 operation is.

    Returns:
        A function of the operation's input, float32 or quantized.

    Raises:
        EngineError: For an unknown operation, or an int8 one without the output's range.
    """
    if layer.op == "avgpool":
        if layer.kernel == (1, 1) and layer.stride == (1, 1):
            return nn.Identity()  # VietOCR's last pool does nothing, and qnnpack refuses it
        pool = nn.AvgPool2d(layer.kernel, layer.stride)
        return pool if layer.precision == "int8" else lambda x: pool(x.dequantize() if x.is_quantized else x)
    if layer.op != "conv":
        raise EngineError(
            f"{checkpoint.origin}: the torch engine does not know the operation {layer.op!r}; update quantvietocr."
        )
    if layer.precision == "int8":
        packed, own_range = packed_convolution(layer, checkpoint, source)
        kernel = torch.ops.quantized.conv2d_relu if layer.relu else torch.ops.quantized.conv2d
        return lambda x: kernel(x, packed, *own_range)
    after = output_range(checkpoint, layer.name)
    bias = torch.from_numpy(np.array(checkpoint.weight(layer.name + ".bias")))
    weight = torch.from_numpy(np.array(checkpoint.weight(layer.name + ".weight"))).contiguous(memory_format=LAYOUT)

    def convolve(x: Tensor) -> Tensor:
        x = F.conv2d(x.dequantize() if x.is_quantized else x, weight, bias, layer.stride, layer.padding)
        if layer.relu:
            x = x.relu_()
        return x if after is None else torch.quantize_per_tensor(x, *after, torch.quint8)

    return convolve


def packed_convolution(layer: Layer, checkpoint: Checkpoint, source: str) -> tuple[Any, tuple[float, int]]:
    """Make an int8 convolution as torch's kernels take it.

    Args:
        layer: The convolution.
        checkpoint: Holds its tensors.
        source: The layer on whose output range its input is.

    Returns:
        The packed weights and bias; scale and zero point of the output.

    Raises:
        EngineError: For a file without the output's range.
    """
    after = output_range(checkpoint, layer.name)
    if after is None:
        raise EngineError(f"{checkpoint.origin} lacks {layer.name}{layout.RANGE_SCALE}: make the file again.")
    scale = checkpoint.tensors[layer.name + ".weight" + layout.SCALE]
    weight = _per_channel(checkpoint.tensors[layer.name + ".weight"], scale)
    # Other int8 kernels add biases as int32, in units of a product: rounded likewise, all engines give the same bytes.
    unit = (checkpoint.tensors[source + layout.RANGE_SCALE] * scale).astype(np.float64)
    bias = torch.from_numpy((np.rint(checkpoint.weight(layer.name + ".bias") / unit) * unit).astype(np.float32))
    return torch.ops.quantized.conv2d_prepack(weight, bias, layer.stride, layer.padding, (1, 1), 1), after


def _per_channel(weight: np.ndarray, scale: np.ndarray) -> Tensor:
    """An int8 weight with its per-output-channel scales as torch's quantized tensor."""
    return torch._make_per_channel_quantized_tensor(
        torch.from_numpy(np.array(weight)),
        torch.from_numpy(np.array(scale)).double(),
        torch.zeros(len(scale), dtype=torch.long),
        0,
    )
