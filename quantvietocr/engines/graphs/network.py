"""A checkpoint as one ONNX file, written number by number; neither torch's exporter nor the package `onnx` is involved.

The graph takes bytes and gives class numbers, so that any language with an ONNX runtime can read lines with it.

Inputs:
    pixels: uint8 (N, H, W, 3), RGB at the network's height.
    max_length: int64 scalar, at most so many characters. `decode.greedy` takes 129; 0 stops after the encoder.

Outputs:
    ids: int64 (N, L), with the end token (2) at and after the end of each line.
    probabilities: float32 (N, L), of each of them, 0 after the end.
    features: float32 (N, S, C), what the CNN gives the encoder.
    memory: float32 (N, S, M), what the encoder gives the decoder.
    hidden: float32 (N, D), the decoder's first hidden state; of seq2seq networks alone.

int8 convolutions are in QDQ form (ONNX operators QuantizeLinear and DequantizeLinear around float ones, which runtimes
fuse): weights int8 symmetric per output channel, activations uint8, bias int32. Batch norms are folded. The
initializers bear the checkpoint's own tensor names, so that decoder and metadata can be read back
(`checkpoint.onnx_file`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable

import numpy as np

from ...checkpoint import layout
from ...checkpoint.folding import float_layers
from ...checkpoint.matrices import matrices_of
from ...checkpoint.onnx_file import DATA_TYPES, DIGEST_KEY
from ...checkpoint.types import METADATA_KEY, Checkpoint, CheckpointError, Layer, Meta
from ...checkpoint.validation import validate
from ...checkpoint.vocab import Vocab
from ...pictures.image import LEVELS
from .builder import Graph, model_of
from .seq2seq import add_seq2seq
from .transformer import add_transformer

#: Adds encoder and decoder, by the network's `seq_modeling`.
HEADS: dict[str, Callable[[Graph, str, Meta], None]] = {"seq2seq": add_seq2seq, "transformer": add_transformer}

OPSET = 17


def to_onnx(checkpoint: Checkpoint, prepared: bool = False) -> bytes:
    """Return the ONNX file of a checkpoint as bytes; the same numbers give the same bytes.

    Args:
        checkpoint: any.
        prepared: for a runtime that opens it now (`builder.Graph`): without the decoder, its inputs and outputs, and
            what a file says of itself.

    Raises:
        CheckpointError: the checkpoint cannot be used.
    """
    validate(checkpoint)
    layers, tensors = checkpoint.meta.layers, dict(checkpoint.tensors)
    if checkpoint.is_float:
        layers, folded = float_layers(checkpoint)
        tensors = {name: t for name, t in tensors.items() if name.startswith(layout.TRANSFORMER)} | folded
    graph = Graph(tensors, prepared=prepared)
    height = checkpoint.meta.image.height
    pixels = graph.input("pixels", np.uint8, ("N", height, "W", 3))
    _add_cnn(graph, pixels, layers)
    graph.op("Transpose", [graph.last], perm=[0, 3, 2, 1])  # VietOCR reads column by column: (N,W',H',C)
    channels = graph.tensors[layers[-1].name + ".bias"].size
    sequence = graph.op("Reshape", [graph.last, graph.integers([0, -1, channels])])
    graph.output("features", sequence, np.float32, ("N", "S", channels))
    HEADS[checkpoint.meta.seq_modeling](graph, "features", checkpoint.meta)
    built = graph.build("quantvietocr")
    # The digest is over the bytes that the file will hold: whoever changes a number or a node changes it.
    properties = {} if prepared else _properties(checkpoint, layers, hashlib.sha256(built).hexdigest())
    return model_of(built, {"": OPSET}, properties)


def _properties(checkpoint: Checkpoint, layers: tuple[Layer, ...], digest: str) -> dict[str, str]:
    """Return what the file says of itself: all of it as one JSON for us, the rest readable for everybody."""
    meta, tensors = checkpoint.meta, checkpoint.tensors
    ranges = {
        name.removesuffix(".output.scale"): [float(t), int(tensors[name.removesuffix("scale") + "zero_point"])]
        for name, t in sorted(tensors.items())
        if name.endswith(".output.scale")
    }
    float_matrices = [layer for layer, name in matrices_of(tensors).items() if tensors[name].dtype != np.int8]
    return {
        METADATA_KEY: dataclasses.replace(meta, packed={}).to_json(),  # ONNX holds plain int8
        DIGEST_KEY: digest,
        "opset": str(OPSET),
        "method": meta.method,
        "weights": "int8, symmetric, per output channel" if ranges else "float32",
        "activations": f"uint8, {meta.activation_bits}-bit ranges ({meta.backend})" if ranges else "float32",
        "ranges": json.dumps(ranges),  # layer: scale, zero point of its output
        "float_layers": json.dumps([layer.name for layer in layers if layer.precision == "float"] + float_matrices),
        "image": json.dumps(dataclasses.asdict(meta.image)),
        "vocabulary": json.dumps([*Vocab.specials, *meta.chars], ensure_ascii=False),
    }


def input_scale(scale: np.floating | np.ndarray, zero_point: int) -> np.float32:
    """Find the scale that quantizes bytes as `scale` quantizes byte / 255.

    255 × scale rounded to float32 may put one of the 256 levels on the other side of a tie; then a neighbour does not.

    Args:
        scale: a float32 scalar.
        zero_point: what 0 is quantized to.

    Returns:
        The scale for bytes.

    Raises:
        CheckpointError: no float32 scale does it.
    """
    wanted = np.rint(LEVELS * (np.float32(1) / scale)) + zero_point
    levels = np.arange(256, dtype=np.float32)
    start = np.float32(255 * float(scale))
    for steps in range(64):
        for towards in (np.float32(0), np.float32(np.inf)):
            tried = start
            for _ in range(steps):
                tried = np.nextafter(tried, towards)
            if np.array_equal(np.rint(levels / tried) + zero_point, wanted):
                return tried
    raise CheckpointError(
        f"No float32 scale quantizes bytes as {layout.INPUT}{layout.RANGE_SCALE} {scale} does: make the file again."
    )


def _add_cnn(graph: Graph, pixels: str, layers: tuple[Layer, ...]) -> None:
    """Add the operations of the CNN as the torch engine runs them; float features (N,C,H',W') are `graph.last`."""
    source: str | None = None  # whose range the current activations are on; None: they are float
    x = graph.op("Cast", [pixels], to=DATA_TYPES[np.float32])
    if layers[0].precision == "int8":
        source = layout.INPUT
        scale, zero = graph.range_of(source)
        bytes_scale = graph.constant(
            layout.INPUT + ".bytes.scale", input_scale(graph.tensors[scale], int(graph.tensors[zero]))
        )
        x = graph.op("QuantizeLinear", [x, bytes_scale, zero])
        x = graph.op("Transpose", [x], perm=[0, 3, 1, 2])
        x = graph.op("DequantizeLinear", [x, scale, zero])
    else:
        x = graph.op("Transpose", [x], perm=[0, 3, 1, 2])
        x = graph.op("Div", [x, graph.constant("levels", np.float32(255))])
    for layer in layers:
        integer = layer.precision == "int8"
        if layer.op == "avgpool":
            if layer.kernel == (1, 1) and layer.stride == (1, 1):
                continue
            pool = {"kernel_shape": layer.kernel, "strides": layer.stride}
            if integer and source is not None:
                x = graph.average(x, source, **pool)
            else:
                x, source = graph.op("AveragePool", [x], **pool), None
            continue
        if layer.op == "conv":
            x = _add_convolution(graph, x, layer, source)
            source = layer.name if f"{layer.name}.output.scale" in graph.tensors else None
            # An unsigned byte that starts at 0 is its own ReLU.
            if layer.relu and (source is None or int(graph.tensors[f"{layer.name}.output.zero_point"])):
                x = graph.op("Relu", [x])
        else:
            raise CheckpointError(
                f"{layer.name} is the operation {layer.op!r}, which the ONNX export does not know: update quantvietocr."
            )
        if source is not None:
            x = graph.requantize(x, source)


def _add_convolution(graph: Graph, x: str, layer: Layer, source: str | None) -> str:
    """Add a convolution; source: whose range its input is on, None where it is float."""
    weight, bias = f"{layer.name}.weight", f"{layer.name}.bias"
    pads = [*layer.padding, *layer.padding]
    if layer.precision == "int8":
        # int32 bias on the scale of the products, as every int8 kernel adds it.
        scale = graph.tensors[f"{source}.output.scale"] * graph.tensors[f"{weight}.scale"]
        steps = np.rint(graph.tensors[bias].astype(np.float64) / scale)
        if np.abs(steps).max() >= 2**31:
            raise CheckpointError(
                f"{layer.name}: its bias is too large for int32 beside weights this small: make the file "
                f"again with {layer.name} among the float layers."
            )
        integers = graph.constant(f"{bias}.int32", steps.astype(np.int32))
        scales = graph.constant(f"{bias}.scale", scale.astype(np.float32))
        zeros = graph.constant(f"{bias}.zero_point", np.zeros(scale.size, np.int32))
        bias = graph.op("DequantizeLinear", [integers, scales, zeros], axis=0)
    inputs = [x, graph.weight(weight), graph.named(bias)]
    return graph.op("Conv", inputs, kernel_shape=layer.kernel, strides=layer.stride, pads=pads)
