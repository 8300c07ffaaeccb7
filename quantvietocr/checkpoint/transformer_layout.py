"""The layout of VietOCR's transformer head: what its tensors are called and what their shapes say.

Names are those of VietOCR's state dict (https://github.com/pbcquoc/vietocr, model/seqmodel/transformer.py), which are
those of `torch.nn.Transformer`; a quantized file keeps them. The CNN before it is that of `layout`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np

from .layout import TRANSFORMER

LAYERS = TRANSFORMER + "transformer."  # of encoder and decoder
ENCODER = LAYERS + "encoder."
DECODER = LAYERS + "decoder."
EMBEDDING = TRANSFORMER + "embed_tgt.weight"
POSITIONS = TRANSFORMER + "pos_enc.pe"  # (positions, 1, width), sines and cosines that are not trained
OUTPUT = TRANSFORMER + "fc."
#: Begin the names of all tensors that decoding needs.
DECODING = (DECODER, EMBEDDING, POSITIONS, OUTPUT)

HEADS = 8  # of attention in VietOCR's own; no tensor tells it
EPSILON = 1e-5  # added to a variance before its root; torch's default, which VietOCR leaves

SELF_ATTENTION, CROSS_ATTENTION = "self_attn.", "multihead_attn."
INPUT_WEIGHT, INPUT_BIAS, OUT = "in_proj_weight", "in_proj_bias", "out_proj."  # of an attention
FIRST, SECOND = "linear1.", "linear2."  # of a feed-forward network


def layer(part: str, index: int) -> str:
    """What the names of a layer's tensors begin with.

    Args:
        part: `ENCODER` or `DECODER`.
        index: The layer's.
    """
    return f"{part}layers.{index}."


def layers_in(names: Iterable[str], part: str) -> int:
    """How many layers `ENCODER` or `DECODER` has, as the names of the tensors tell; gaps count."""
    pattern = re.compile(re.escape(part) + r"layers\.(\d+)\.")
    return max((int(found[1]) + 1 for name in names if (found := pattern.match(name))), default=0)


def sizes_of(tensors: Mapping[str, np.ndarray]) -> dict[str, int]:
    """The sizes of VietOCR's `transformer` settings, as the shapes of a state dict tell them."""
    return {
        "d_model": tensors[EMBEDDING].shape[1],
        "num_encoder_layers": layers_in(tensors, ENCODER),
        "num_decoder_layers": layers_in(tensors, DECODER),
        "dim_feedforward": tensors[f"{layer(DECODER, 0)}{FIRST}weight"].shape[0],
        "max_seq_length": len(tensors[POSITIONS]),
    }
