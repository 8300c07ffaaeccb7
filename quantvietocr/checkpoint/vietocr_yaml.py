"""The YAML that a VietOCR model was trained with: vocabulary, architecture, image size."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.files import ReadErrors, read_text
from ..common.parsing import yaml_of
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

#: The same of its `vgg-transformer.yml` and the `base.yml` under that.
VGG_TRANSFORMER: dict[str, Any] = VGG_SEQ2SEQ | {
    "seq_modeling": "transformer",
    "transformer": {
        "d_model": 256,
        "nhead": 8,
        "num_encoder_layers": 6,
        "num_decoder_layers": 6,
        "dim_feedforward": 2048,
        "max_seq_length": 1024,
        "pos_dropout": 0.1,
        "trans_dropout": 0.1,
    },
}
ARCHITECTURES = {config["seq_modeling"]: config for config in (VGG_SEQ2SEQ, VGG_TRANSFORMER)}
NOT_IN_TENSORS = ("dropout", "pos_dropout", "trans_dropout", "nhead")  # of `transformer`


class BridgeError(UserError):
    """A VietOCR file or installation cannot be used; the message says which, where and what to do."""


_READ_ERRORS = ReadErrors(
    BridgeError,
    missing="No such file: {path} (expected the YAML the VietOCR model was trained with).",
    unreadable="{path} cannot be read ({reason}): name the YAML the VietOCR model was trained with.",
)


@dataclass(frozen=True)
class VietOCRConfig:
    """What is needed to build a VietOCR network and to feed it.

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
    def seq_modeling(self) -> str:
        """VietOCR's name of what follows the CNN, `seq2seq` or `transformer`."""
        return self.architecture["seq_modeling"]

    @property
    def dropout(self) -> dict[str, float]:
        """The probabilities of dropping a value in the encoder and the decoder, by VietOCR's names."""
        return {key: value for key, value in self.architecture["transformer"].items() if key.endswith("dropout")}

    @property
    def classes(self) -> int:
        """Characters plus VietOCR's four special tokens (pad, go, end, mask)."""
        return len(self.chars) + len(Vocab.specials)


def read_yaml(path: str | os.PathLike, head: str | None = None) -> VietOCRConfig:
    """Read the YAML a VietOCR model was trained with (`Cfg.save` or hand-written).

    Keys that are absent take the values of VietOCR's `base.yml` and `vgg-seq2seq.yml` or `vgg-transformer.yml`.

    Args:
        path: The YAML.
        head: The `seq_modeling` that its weights have; None for the YAML's own, or else `seq2seq`.

    Raises:
        BridgeError: For a model that is not `seq2seq` or `transformer` on a VGG, or not what its weights have, for
            values that no such model can have, and for a file that is not VietOCR's YAML.
    """
    path = Path(path)
    text = read_text(path, _READ_ERRORS)
    try:
        raw = yaml_of(text)
    except ValueError as error:
        raise BridgeError(
            f"{path} is not readable as YAML ({str(error).splitlines()[0]}): save it with VietOCR's `config.save`."
        ) from error
    if not isinstance(raw, dict):
        raise BridgeError(f"{path} holds {type(raw).__name__}, not VietOCR's key: value settings.")
    seq_modeling = raw.get("seq_modeling", head or "seq2seq")
    backbone = raw.get("backbone", "vgg19_bn")
    if seq_modeling not in tuple(ARCHITECTURES) or backbone not in ("vgg19_bn", "vgg11_bn"):
        raise BridgeError(
            f"{path} describes backbone {backbone!r} with {seq_modeling!r}: only a VGG with 'seq2seq' or 'transformer' "
            "(VietOCR's vgg_seq2seq and vgg_transformer) can be quantized here."
        )
    if head not in (None, seq_modeling):
        raise BridgeError(
            f"{path} describes the head {seq_modeling!r} and the weights have the head {head!r}: pass the YAML they "
            "were trained with."
        )
    for part in ("cnn", "transformer", "dataset"):
        if not isinstance(raw.get(part) or {}, dict):
            raise BridgeError(f"{path}: {part} must hold key: value settings, not {raw[part]!r}.")
    published = ARCHITECTURES[seq_modeling]
    architecture = copy.deepcopy(published) | {"backbone": backbone}
    for part in ("cnn", "transformer"):
        known = set(published[part])
        architecture[part].update({k: v for k, v in (raw.get(part) or {}).items() if k in known})
        for key, value in architecture[part].items():
            _check_architecture(f"{path}: {part}.{key}", key, value)
    if architecture["transformer"].get("d_model", 0) % architecture["transformer"].get("nhead", 1):
        raise BridgeError(
            f"{path}: transformer.nhead is {architecture['transformer']['nhead']}, which must divide d_model "
            f"({architecture['transformer']['d_model']})."
        )
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
    in_tensors = set(published["transformer"]) - set(NOT_IN_TENSORS)
    stated = {key: value for key, value in (raw.get("transformer") or {}).items() if key in in_tensors}
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
    elif key.endswith("dropout"):
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise BridgeError(f"{where} must be a number from 0 to 1, not {value!r}.")
    elif type(value) is not int or value < 1:
        raise BridgeError(f"{where} must be a whole number above 0, not {value!r}.")
