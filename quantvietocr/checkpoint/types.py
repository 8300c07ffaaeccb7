"""What a checkpoint is in memory: its tensors, its layers and its metadata."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..common.parsing import json_of
from ..errors import UserError
from ..pictures.image import ImageSpec
from .layout import SCALE
from .transformer_layout import HEADS
from .vocab import DEFAULT_CHARS

FORMAT_VERSION = 1
PACKED_VERSION = 2  # of compact files, which the first readers cannot read
TRANSFORMER_VERSION = 3  # of files of VietOCR's transformer networks, compact or not, which came after these
VERSIONS = (FORMAT_VERSION, PACKED_VERSION, TRANSFORMER_VERSION)
METADATA_KEY = "quantvietocr"  # under which a file of ours holds the JSON of its `Meta`
METHODS = ("float", "dynamic", "static", "qat", "pact", "lsq")
VGG19_POOLS = ((2, 2), (2, 2), (2, 1), (2, 1), (1, 1))  # height, width


class CheckpointError(UserError):
    """A checkpoint file cannot be used; the message says which file, what is wrong and what to do."""


@dataclass(frozen=True)
class Layer:
    """One operation of the CNN.

    Attributes:
        name: VietOCR's, which its tensors' names begin with.
        op: `conv` (always with a bias) or `avgpool` (no padding, sizes rounded down).
        kernel: Height and width, in positions of the layer's input.
        stride: Steps down and to the right.
        padding: Zeros above and below, left and right.
        relu: Whether a ReLU follows.
        precision: `float` or `int8`.
    """

    name: str
    op: str
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    relu: bool = False
    precision: str = "float"


@dataclass(frozen=True)
class Meta:
    """What a checkpoint is.

    Attributes:
        method: How its numbers were made, one of `METHODS`.
        layers: The operations of a quantized CNN, in order; empty for a float one.
        chars: The characters that the network knows, in the order of its classes.
        image: The sizes of picture that the network takes.
        decoder: How the matrices of encoder and decoder are stored, `float` or `int8`.
        backend: The qconfig whose ranges were trained (`x86` and `fbgemm`: 7-bit).
        activation_bits: Of the CNN's quantized activations.
        float_reasons: Why a layer stays float, by its name: a convolution, or a matrix of an int8 decoder.
        source_sha256: The digest of the float file it was made from.
        torch_version: Of the torch that made it.
        accuracy: What it was measured at.
        confidence: Slope and offset of `reading.confidence.Calibration`; empty where none was fitted.
        made_with: The command that made it.
        pools: Height and width of the float CNN's pools.
        scheme: The values of `quantize.scheme.Scheme`; empty in files made before there was a choice.
        packed: How the file stores each tensor that it packs (`packing`); in memory none is.
        seq_modeling: VietOCR's name of what follows the CNN, `seq2seq` or `transformer`.
        heads: Of a transformer's attention, which its tensors do not tell.
    """

    method: str = "float"
    layers: tuple[Layer, ...] = ()
    chars: str = DEFAULT_CHARS
    image: ImageSpec = ImageSpec()
    decoder: str = "float"
    backend: str | None = None
    activation_bits: int | None = None
    float_reasons: Mapping[str, str] = field(default_factory=dict)
    source_sha256: str | None = None
    torch_version: str | None = None
    accuracy: Mapping[str, Any] = field(default_factory=dict)
    confidence: Mapping[str, float] = field(default_factory=dict)
    made_with: str | None = None
    pools: tuple[tuple[int, int], ...] = VGG19_POOLS
    scheme: Mapping[str, Any] = field(default_factory=dict)
    packed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seq_modeling: str = "seq2seq"
    heads: int = HEADS

    def to_json(self) -> str:
        """The JSON that every file of ours holds under `METADATA_KEY`."""
        values = {"format_version": PACKED_VERSION if self.packed else FORMAT_VERSION} | dataclasses.asdict(self)
        if not self.packed:
            del values["packed"]  # a file without it is as the first version has it
        if self.seq_modeling == "transformer":
            values["format_version"] = TRANSFORMER_VERSION
        else:
            del values["seq_modeling"], values["heads"]  # likewise
        return json.dumps(values, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory.

    Attributes:
        tensors: By their names (`layout`).
        meta: What they are.
        origin: The file's name, for messages.
        notes: What was taken off its weights on reading, a sentence each.
    """

    tensors: Mapping[str, np.ndarray]
    meta: Meta
    origin: str = "memory"
    notes: tuple[str, ...] = ()

    @property
    def is_float(self) -> bool:
        """Whether it is VietOCR's float network, not a quantized one."""
        return self.meta.method == "float"

    def weight(self, name: str) -> np.ndarray:
        """Tensor `name` as float32; an int8 one is multiplied by its per-channel scales."""
        tensor = self.tensors[name]
        if tensor.dtype != np.int8:
            return tensor.astype(np.float32, copy=False)
        scale = self.tensors[name + SCALE]
        return tensor.astype(np.float32) * scale.reshape(-1, *[1] * (tensor.ndim - 1))

    def weights(self, prefix: str) -> dict[str, np.ndarray]:
        """Every `weight` whose name begins with `prefix`, by its whole name."""
        names = [name for name in self.tensors if name.startswith(prefix) and not name.endswith(SCALE)]
        return {name: self.weight(name) for name in names}


def meta_of_json(text: str, path: str | os.PathLike) -> Meta:
    """Read what `Meta.to_json` wrote.

    Args:
        text: The JSON.
        path: The file's name, for messages.

    Raises:
        CheckpointError: For another version, or what is no metadata of ours.
    """
    try:
        raw = json_of(text)
        version = raw.pop("format_version")
        if version not in VERSIONS:
            *others, last = map(str, VERSIONS)
            raise CheckpointError(
                f"{path} has format version {version}; this quantvietocr reads {', '.join(others)} and {last}: update "
                "quantvietocr."
            )
        raw["layers"] = tuple(_layer(layer) for layer in raw["layers"])
        raw["image"] = ImageSpec(**raw["image"])
        raw["pools"] = tuple(tuple(pool) for pool in raw["pools"])
        return Meta(**raw)
    except CheckpointError:
        raise
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
    ) as error:  # ValueError: no JSON, or sizes ImageSpec refuses
        raise CheckpointError(
            f"{path}: its metadata is not quantvietocr's ({error!r}): make the file again."
        ) from error


def _layer(raw: Mapping[str, Any]) -> Layer:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in raw.items()}
    return Layer(**values)
