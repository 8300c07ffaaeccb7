"""Which network a state dict is of, as the names of its tensors tell; and names as VietOCR writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from . import layout, transformer_layout

Tensor = TypeVar("Tensor")

#: Keys under which training programs keep the weights in what they save.
WRAPPERS = ("state_dict", "model", "model_state_dict", "net", "network")
#: What torch's wrappers put before every name: of `DataParallel`, of `torch.compile`; and programs' own.
PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
OWN = ("cnn.", layout.TRANSFORMER)  # begin every name in VietOCR's state dict

#: Begin the names of tensors that no other network of VietOCR's has, by its name for the head.
SIGNS = {
    "seq2seq": (layout.ENCODER_RNN, layout.DECODER_RNN, layout.ATTENTION),
    "transformer": (transformer_layout.LAYERS, transformer_layout.EMBEDDING),
}

#: Begin the names of tensors that tell another network of VietOCR's.
OTHERS = {
    "cnn.model.conv0_1.": "the ResNet backbone",
    "cnn.model.layer1.": "the ResNet backbone",
    "transformer.encoder.emb2hid.": "the head 'convseq2seq'",
    "transformer.decoder.tok_embedding.": "the head 'convseq2seq'",
}
SUPPORTED = "a VGG (vgg19_bn, vgg11_bn) with the head 'seq2seq' or 'transformer' is supported"


def unwrapped(content: object) -> tuple[object, tuple[str, ...]]:
    """Take weights out of what they were saved in.

    Args:
        content: What a file holds.

    Returns:
        What lies under the first of `WRAPPERS`, as deep as they go, and what was taken off, in words.
    """
    notes: list[str] = []
    while isinstance(content, dict):
        key = next((key for key in WRAPPERS if isinstance(content.get(key), dict)), None)
        if key is None:
            break
        left = len(content) - 1
        beside = f" ({left} other entr{'y' if left == 1 else 'ies'} beside them not used)" if left else ""
        notes.append(f"its weights lie under {key!r}{beside}")
        content = content[key]
    return content, tuple(notes)


def without_prefixes(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Take off what wrappers put before the names of tensors, where it stands before all of them.

    Args:
        tensors: By their names.

    Returns:
        The tensors by VietOCR's names, and what was taken off, in words.
    """
    notes: list[str] = []
    names = dict(tensors)
    while names and not any(name.startswith(OWN) for name in names):
        prefix = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in names)), None)
        if prefix is None:
            break
        names = {name.removeprefix(prefix): tensor for name, tensor in names.items()}
        notes.append(f"{prefix!r} was taken off the names of its {len(names)} tensors")
    return names, tuple(notes)


def seq_modeling_of(names: Mapping[str, object]) -> str | None:
    """`seq2seq` or `transformer`, VietOCR's names of its heads; None where a state dict has no tensor of either."""
    return next((head for head, signs in SIGNS.items() if any(name.startswith(signs) for name in names)), None)


def foreign(names: Mapping[str, object]) -> str | None:
    """Say what a state dict is that is of none of the networks here, by the tensor that tells it; None if none does."""
    for prefix, what in OTHERS.items():
        name = next((name for name in names if name.startswith(prefix)), None)
        if name is not None:
            return f"the tensor {name} is of {what}: {SUPPORTED}"
    if seq_modeling_of(names) is None:
        wanted = " nor ".join(f"{signs[0]}*" for signs in SIGNS.values())
        first = next(iter(names), "")
        return (
            f"it is not a VietOCR checkpoint, for it has no tensors {wanted} (the first of its {len(names)} is "
            f"{first!r}): {SUPPORTED}"
        )
    return None
