"""The sizes of a network's layers, as the shapes of its tensors tell them, by VietOCR's names in its YAML."""

from __future__ import annotations

from . import layout, transformer_layout
from .types import Checkpoint

#: By the network's `seq_modeling`.
SIZES = {"seq2seq": layout.sizes_of, "transformer": transformer_layout.sizes_of}


def sizes_of(checkpoint: Checkpoint) -> dict[str, int]:
    """The sizes in VietOCR's `transformer` settings, whatever the head."""
    return SIZES[checkpoint.meta.seq_modeling](checkpoint.tensors)


def stated_sizes_of(checkpoint: Checkpoint) -> dict[str, int | str]:
    """What VietOCR's YAML may say of a float checkpoint's sizes."""
    tensors = checkpoint.tensors
    hidden = tensors[f"{layout.LAST_CONVOLUTION}.weight"].shape[0]
    return sizes_of(checkpoint) | {"hidden": hidden, "backbone": layout.backbone_of(tensors)}
