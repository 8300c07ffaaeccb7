"""The YAML that a VietOCR model was trained with: vocabulary, architecture, image size."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..common.files import ReadErrors, read_text
from ..errors import UserError
from ..pictures.image import ImageSpec
from .vocab import DEFAULT_CHARS, Vocab

#: The architecture of VietOCR's `vgg-seq2seq.yml` (https://github.com/pbcquoc/vietocr, config/).
VGG_SEQ2SEQ: dict[str, Any] = {
    "backbone": "vgg19_bn",
    "seq_modeling": "seq2seq",
    "cnn": {
        "ss": [[2, 2], [2, 2], [2, 1], [2, 1], [1, 1]],
        "ks": [[2, 2], [2, 2], [2, 1], [2, 1], [1, 1]],
        "hidden": 256,
    },
    "transformer": {
        "encoder_hidden": 256,
        "decoder_hidden": 256,
        "img_channel": 256,
        "decoder_embedded": 256,
        "dropout": 0.1,
    },
}

SIZES = ("encoder_hidden", "decoder_hidden", "img_channel", "decoder_embedded")  # of layers, in `transformer`


class BridgeError(UserError):
    """A VietOCR file or installation cannot be used; the message says which, where and what to do."""


_READ_ERRORS = ReadErrors(
    BridgeError,
    missing="No such file: {path} (expected the YAML the VietOCR model was trained with).",
    unreadable="{path} cannot be read ({reason}): name the YAML the VietOCR model was trained with.",
)


@dataclass(frozen=True)
class VietOCRConfig:
    """What is needed to build a VietOCR `seq2seq` network and to feed it.

    Attributes:
        chars: The vocabulary, in the order of the network's classes.
        architecture: VietOCR's settings `backbone`, `seq_modeling`, `cnn` and `transformer`.
        image: The sizes of picture that the network takes.
        stated: What the YAML itself says of sizes that tensors have, by the names of `layout.sizes_of`.
    """

    chars: str = DEFAULT_CHARS
    architecture: Mapping[str, Any] = field(default_factory=lambda: copy.deepcopy(VGG_SEQ2SEQ))
    image: ImageSpec = ImageSpec()
    stated: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """Characters plus VietOCR's four special tokens (pad, go, end, mask)."""
        return len(self.chars) + len(Vocab.specials)


def read_yaml(path: str | os.PathLike) -> VietOCRConfig:
    """Read the YAML a VietOCR model was trained with (`Cfg.save` or hand-written).

    Keys that are absent take VietOCR's `base.yml`/`vgg-seq2seq.yml` values.

    Raises:
        BridgeError: For a model that is not `seq2seq` on a VGG, for values that no such model can have, and for a file
            that is not VietOCR's YAML.
    """
    path = Path(path)
    text = read_text(path, _READ_ERRORS)
    try:
        raw = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: 2024-13-01 looks like a date and is none
        raise BridgeError(
            f"{path} is not readable as YAML ({str(error).splitlines()[0]}): save it with VietOCR's `config.save`."
        ) from error
    if not isinstance(raw, dict):
        raise BridgeError(f"{path} holds {type(raw).__name__}, not VietOCR's key: value settings.")
    seq_modeling = raw.get("seq_modeling", "seq2seq")
    backbone = raw.get("backbone", "vgg19_bn")
    if seq_modeling != "seq2seq" or backbone not in ("vgg19_bn", "vgg11_bn"):
        raise BridgeError(
            f"{path} describes backbone {backbone!r} with {seq_modeling!r}: only a VGG with 'seq2seq' "
            "(VietOCR's vgg_seq2seq) can be quantized here."
        )
    for part in ("cnn", "transformer", "dataset"):
        if not isinstance(raw.get(part) or {}, dict):
            raise BridgeError(f"{path}: {part} must hold key: value settings, not {raw[part]!r}.")
    architecture = copy.deepcopy(VGG_SEQ2SEQ) | {"backbone": backbone}
    for part in ("cnn", "transformer"):
        known = set(VGG_SEQ2SEQ[part])
        architecture[part].update({k: v for k, v in (raw.get(part) or {}).items() if k in known})
        for key, value in architecture[part].items():
            _check_architecture(f"{path}: {part}.{key}", key, value)
    sizes = {"image_height": 32, "image_min_width": 32, "image_max_width": 512}
    sizes |= {key: value for key, value in (raw.get("dataset") or {}).items() if key in sizes}
    for key, value in sizes.items():
        if type(value) is not int:
            raise BridgeError(f"{path}: dataset.{key} must be a whole number of pixels, not {value!r}.")
    try:
        image = ImageSpec(*sizes.values())
    except ValueError as error:
        raise BridgeError(f"{path}: dataset: {error}") from error
    chars = raw.get("vocab", DEFAULT_CHARS)
    if not isinstance(chars, str) or len(set(chars)) != len(chars) or not chars:
        raise BridgeError(f"{path}: vocab must be a string of distinct characters.")
    stated = {key: value for key, value in (raw.get("transformer") or {}).items() if key in SIZES}
    stated |= {key: value for key, value in (raw.get("cnn") or {}).items() if key == "hidden"}
    stated |= {key: raw[key] for key in ("backbone",) if key in raw}
    return VietOCRConfig(chars, architecture, image, stated)


def _check_architecture(where: str, key: str, value: Any) -> None:
    pools = len(VGG_SEQ2SEQ["cnn"]["ks"])
    if key in ("ks", "ss"):
        pairs = value if isinstance(value, list) else []
        numbers = [number for pair in pairs if isinstance(pair, list) and len(pair) == 2 for number in pair]
        if len(pairs) != pools or len(numbers) != 2 * pools or not all(type(n) is int and n > 0 for n in numbers):
            raise BridgeError(
                f"{where} must be {pools} pairs of whole numbers above 0, one for each pool, not {value!r}."
            )
    elif key == "dropout":
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise BridgeError(f"{where} must be a number from 0 to 1, not {value!r}.")
    elif type(value) is not int or value < 1:
        raise BridgeError(f"{where} must be a whole number above 0, not {value!r}.")
