"""What a checkpoint is in memory: its tensors, its layers and its metadata."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import UserError
from ..pictures.image import ImageSpec
from .layout import SCALE
from .vocab import DEFAULT_CHARS

FORMAT_VERSION = 1


PACKED_VERSION = 2  # of compact files, which the first readers cannot read


METADATA_KEY = "quantvietocr"


METHODS = ("float", "dynamic", "static", "qat", "pact", "lsq")


VGG19_POOLS = ((2, 2), (2, 2), (2, 1), (2, 1), (1, 1))


class CheckpointError(UserError):
    """A checkpoint file cannot be used; the message says which file, what is wrong and what to do."""


@dataclass(frozen=True)
class Layer:
    """One operation of the CNN. `op` is `conv` (bias always, ReLU if `relu`) or `avgpool` (no padding, floor)."""

    name: str
    op: str
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    relu: bool = False
    precision: str = "float"


@dataclass(frozen=True)
class Meta:
    """What the file is. `backend` names the qconfig whose ranges were trained (`x86` and `fbgemm`: 7-bit).

    `confidence` holds slope and offset of `confidence.Calibration`, or nothing where none was fitted. `scheme` holds the
    values of `quantize.scheme.Scheme`, or nothing in files made before there was a choice. `packed` says how the file
    stores each tensor that it packs (`packing`); in memory none is.
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

    def to_json(self) -> str:
        """As every file of ours holds it under `METADATA_KEY`."""
        values = {"format_version": PACKED_VERSION if self.packed else FORMAT_VERSION} | dataclasses.asdict(self)
        if not self.packed:
            del values["packed"]  # a file without it is as the first version has it
        return json.dumps(values, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory: numpy tensors by name, and what they are. `origin` is the file's name for messages."""

    tensors: Mapping[str, np.ndarray]
    meta: Meta
    origin: str = "memory"

    @property
    def is_float(self) -> bool:
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
    """Metadata from what `Meta.to_json` wrote; `path` is the file's name for messages. Raises CheckpointError."""
    try:
        raw = json.loads(text)
        version = raw.pop("format_version")
        if version not in (FORMAT_VERSION, PACKED_VERSION):
            raise CheckpointError(
                f"{path} has format version {version}; this quantvietocr reads {FORMAT_VERSION} and "
                f"{PACKED_VERSION}: update quantvietocr."
            )
        raw["layers"] = tuple(
            Layer(**{k: tuple(v) if isinstance(v, list) else v for k, v in layer.items()}) for layer in raw["layers"]
        )
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
