"""Whether a checkpoint's metadata and tensors are whole and fit together, so that no engine fails later in a riddle."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import layout
from .head_validation import check_seq2seq, check_transformer
from .recognise import SIGNS, SUPPORTED
from .types import METHODS, Checkpoint, CheckpointError, Layer
from .vocab import Vocab, VocabError

MAX_SIDE = 65_535  # pixels or positions of a picture, kernel or stride; far above any network's, far below an overflow


def validate(checkpoint: Checkpoint) -> None:
    """Raise CheckpointError for the first thing that is missing, of another shape or type, or not a usable number."""
    Check(checkpoint).run()


class Check:
    """One checkpoint under examination. Every method raises CheckpointError at the first thing that is wrong."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.tensors, self.meta, self.origin = checkpoint.tensors, checkpoint.meta, checkpoint.origin
        self.is_float = checkpoint.is_float
        self.remedy = "make or download it again" if checkpoint.is_float else "make it again"
        self.damaged = f"it is damaged; {self.remedy}"

    def run(self) -> None:
        self.metadata()
        check_head = {"seq2seq": check_seq2seq, "transformer": check_transformer}[self.meta.seq_modeling]
        if self.is_float:
            check_head(self)
            self.float_cnn()
        else:
            self.quantized_cnn()
            check_head(self)
        self.numbers()

    def failure(self, what: str, remedy: str | None = None) -> CheckpointError:
        return CheckpointError(f"{self.origin}: {what}: {remedy or self.remedy}.")

    def need(self, name: str) -> np.ndarray:
        if name not in self.tensors:
            raise CheckpointError(
                f"{self.origin} lacks the tensor {name}: it is not a VietOCR vgg_{self.meta.seq_modeling} checkpoint, "
                "or it is incomplete; make or download it again."
            )
        return self.tensors[name]

    def expect(self, name: str, shape: Sequence[int], integer: bool | None = False) -> None:
        """Tensor `name` has `shape` and holds floats, int8 if `integer`, or either if that is None."""
        tensor = self.need(name)
        if tensor.shape != tuple(shape):
            raise self.failure(
                f"tensor {name} has shape {list(tensor.shape)}, the tensors around it need {list(shape)}",
                f"it is damaged or of another architecture; {self.remedy}",
            )
        kinds = [kind for kind, allowed in (("float", integer is not True), ("int8", integer is not False)) if allowed]
        if ("float" if tensor.dtype.kind == "f" else str(tensor.dtype)) not in kinds:
            raise self.failure(f"tensor {name} holds {tensor.dtype}, not {' or '.join(kinds)}")

    def width(self, name: str, axis: int, dimensions: int = 2) -> int:
        """A size that other tensors follow from."""
        tensor = self.need(name)
        if tensor.ndim != dimensions or not tensor.size:
            raise self.failure(
                f"tensor {name} has shape {list(tensor.shape)}, {dimensions} dimensions above 0 are needed"
            )
        return tensor.shape[axis]

    def metadata(self) -> None:
        meta = self.meta
        if meta.method not in METHODS:
            raise self.failure(f"unknown method {meta.method!r}; known: {', '.join(METHODS)}", "update quantvietocr")
        if meta.seq_modeling not in SIGNS:
            raise self.failure(f"unknown head {meta.seq_modeling!r}; known: {', '.join(SIGNS)}", "update quantvietocr")
        if not isinstance(meta.chars, str):
            raise self.failure(f"its vocabulary must be text, not {meta.chars!r}")
        try:
            Vocab(meta.chars)
        except VocabError as error:
            raise CheckpointError(f"{self.origin}: {error}") from error
        sizes = dataclasses.astuple(meta.image)  # ImageSpec itself checks their order
        if not all(type(size) is int and size <= MAX_SIDE for size in sizes):
            raise self.failure(f"its image sizes must be whole numbers of pixels up to {MAX_SIDE:,}, not {sizes}")
        if len(meta.pools) != layout.POOLS or not all(_is_pair(pool, 1) for pool in meta.pools):
            raise self.failure(f"its pools must be {layout.POOLS} pairs of whole numbers above 0, not {meta.pools}")
        if not isinstance(meta.accuracy, Mapping) or not isinstance(meta.float_reasons, Mapping):
            raise self.failure("its accuracy and its reasons for float layers must be key: value pairs")
        if not isinstance(meta.scheme, Mapping):
            raise self.failure(f"its quantization scheme must be key: value pairs, not {meta.scheme!r}")
        if not isinstance(meta.confidence, Mapping) or (meta.confidence and not _is_calibration(meta.confidence)):
            raise self.failure(f"its confidence must be a slope above 0 and an offset, not {meta.confidence!r}")
        if meta.decoder not in ("float", "int8"):
            raise self.failure(f"its decoder is {meta.decoder!r}, not float or int8")

    @property
    def classes(self) -> int:
        """Classes that the vocabulary needs."""
        return len(self.meta.chars) + len(Vocab.specials)

    @property
    def channels(self) -> int:
        """Channels that the CNN gives the encoder."""
        last = layout.LAST_CONVOLUTION if self.is_float else self.meta.layers[-1].name
        return self.width(f"{last}.weight", 0, 4)

    def vocabulary(self, *names: str) -> None:
        """Tensors with a row for each class have as many rows as the vocabulary needs."""
        classes = self.classes
        for name in names:
            rows, columns = self.width(name, 0), self.width(name, 1)
            if rows != classes:
                remedy = "pass the YAML it was trained with" if self.is_float else self.remedy
                raise self.failure(
                    f"tensor {name} has shape [{rows}, {columns}], a vocabulary of {len(self.meta.chars)} characters "
                    f"needs [{classes}, {columns}]: a vocabulary of {rows - len(Vocab.specials)} characters fits this "
                    "file",
                    remedy,
                )

    def linear(self, name: str, outputs: int, inputs: int) -> None:
        """A weight, float or int8, and its bias."""
        self.expect(f"{name}weight", (outputs, inputs), None)
        self.expect(f"{name}bias", (outputs,))

    def float_cnn(self) -> None:
        """Every convolution and batch norm of the VGG that the file's names fit best."""
        channels = 3
        backbone = layout.backbone_of(self.tensors)
        known = {index for op, index in layout.operations(backbone) if op == "conv"}
        for op, index in layout.operations_of(self.tensors):
            if op == "conv" and index not in known:
                raise self.failure(
                    f"the tensor {layout.feature(index)}.weight is a convolution where a {backbone} has none", SUPPORTED
                )
        for op, index in layout.operations(backbone):
            if op != "conv":
                continue
            name, norm = layout.feature(index), layout.norm_of(index)
            width = self.width(f"{name}.weight", 0, 4)
            self.expect(f"{name}.weight", (width, channels, 3, 3))
            self.expect(f"{name}.bias", (width,))
            for part in layout.NORM_PARTS:
                self.expect(f"{norm}.{part}", (width,))
            if np.any(self.tensors[f"{norm}.running_var"] < 0):
                raise self.failure(f"{norm}.running_var holds a negative variance", self.damaged)
            channels = width
        last = layout.LAST_CONVOLUTION
        width, rows = self.width(f"{last}.weight", 0, 4), self.width(f"{last}.weight", 2, 4)
        high = layout.rows_of_map(self.meta.image.height, self.meta.pools)
        if rows not in (1, high):
            raise self.failure(
                f"tensor {last}.weight reads {rows} rows at once, and the map before it has {high} at images of height "
                f"{self.meta.image.height}: only 1 or all {high} fit",
                "pass the YAML it was trained with, or make it again",
            )
        self.expect(f"{last}.weight", (width, channels, rows, 1))
        self.expect(f"{last}.bias", (width,))

    def quantized_cnn(self) -> None:
        """The operations that the metadata list, each with its tensors, from 3 channels on."""
        layers = self.meta.layers
        if not layers or layers[-1].op != "conv":
            raise self.failure("its metadata list no CNN that ends in a convolution")
        channels, source = 3, layout.INPUT  # whose output range an int8 operation takes in
        for layer in layers:
            self.layer(layer)
            if layer.precision == "int8":
                self.output_range(source)
            if layer.op == "conv":
                width = self.width(f"{layer.name}.weight", 0, 4)
                self.expect(f"{layer.name}.weight", (width, channels, *layer.kernel), layer.precision == "int8")
                self.expect(f"{layer.name}.bias", (width,))
                if layer.precision == "int8" or (layer.name + layout.RANGE_SCALE) in self.tensors:
                    self.output_range(layer.name)
                channels, source = width, layer.name

    def layer(self, layer: Layer) -> None:
        if layer.op not in ("conv", "avgpool"):
            raise self.failure(f"{layer.name} is the unknown operation {layer.op!r}", "update quantvietocr")
        if layer.precision not in ("float", "int8"):
            raise self.failure(f"{layer.name} has the unknown precision {layer.precision!r}", "update quantvietocr")
        if not (_is_pair(layer.kernel, 1) and _is_pair(layer.stride, 1) and _is_pair(layer.padding, 0)):
            raise self.failure(
                f"{layer.name} has kernel {layer.kernel}, stride {layer.stride} and padding {layer.padding}, "
                "which must be pairs of whole numbers"
            )

    def output_range(self, name: str) -> None:
        """The scale and zero point of what `name` puts out."""
        scale_name, zero_name = name + layout.RANGE_SCALE, name + layout.RANGE_ZERO
        scale, zero = self.need(scale_name), self.need(zero_name)
        if scale.shape != () or scale.dtype.kind != "f" or not 0 < scale < np.inf:
            raise self.failure(f"{scale_name} must be one positive number, not {scale.tolist()}", self.damaged)
        if zero.shape != () or zero.dtype.kind not in "iu" or not 0 <= zero <= 255:
            raise self.failure(f"{zero_name} must be one whole number from 0 to 255, not {zero.tolist()}", self.damaged)

    def numbers(self) -> None:
        """What holds for every tensor: int8 ones have scales, others hold finite numbers."""
        for name, tensor in self.tensors.items():
            if tensor.dtype == np.int8:
                scale = self.need(name + layout.SCALE)
                if (
                    scale.shape != tensor.shape[:1]
                    or scale.dtype.kind != "f"
                    or not np.all((scale > 0) & (scale < np.inf))
                ):
                    raise self.failure(
                        f"{name}{layout.SCALE} must be {math.prod(tensor.shape[:1])} positive numbers", self.damaged
                    )
            elif tensor.dtype.kind == "f" and not np.all(np.isfinite(tensor)):
                raise CheckpointError(
                    f"{self.origin}: {name} holds NaN or infinity: training diverged or the file is damaged; "
                    "use an earlier one or make it again."
                )


def _is_calibration(stored: Mapping[str, Any]) -> bool:
    return set(stored) == {"slope", "offset"} and all(map(_is_finite, stored.values())) and stored["slope"] > 0


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_pair(value: Any, minimum: int) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(type(number) is int and minimum <= number <= MAX_SIDE for number in value)
    )
