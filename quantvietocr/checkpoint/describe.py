"""What a checkpoint file is, for people."""

from __future__ import annotations

import os

from . import layout
from .costs import CHARACTERS, LINE_WIDTH, Costs, costs_of
from .files import read
from .matrices import float_and_all
from .packing import summary
from .types import Checkpoint


def describe(path: str | os.PathLike, vietocr_yaml: str | os.PathLike | None = None) -> str:
    """Say what a checkpoint file is, in lines for a person.

    Args:
        path: The file.
        vietocr_yaml: The YAML that a float model was trained with, as `files.read` takes it.

    Raises:
        CheckpointError: For an unusable file.
        BridgeError: For an unusable YAML.
    """
    checkpoint = read(path, vietocr_yaml)
    meta = checkpoint.meta
    sizes: dict[str, int] = {}
    for tensor in checkpoint.tensors.values():
        sizes[str(tensor.dtype)] = sizes.get(str(tensor.dtype), 0) + tensor.nbytes
    lines = [
        f"file        {path} ({os.path.getsize(path) / 1e6:.1f} MB)",
        f"network     vgg_{meta.seq_modeling}",
        f"method      {meta.method}",
        f"contents    {', '.join(f'{size / 1e6:.2f} MB {kind}' for kind, size in sorted(sizes.items()))}",
        f"vocabulary  {len(meta.chars)} characters",
        f"image       height {meta.image.height} px, width {meta.image.min_width} to {meta.image.max_width} px",
    ]
    folded = f"{layout.norm_of(0)}.weight" not in checkpoint.tensors  # as in a float .onnx
    if not checkpoint.is_float or not folded:
        lines += _sizes(costs_of(checkpoint))
    if not checkpoint.is_float:
        convolutions = [layer for layer in meta.layers if layer.op == "conv"]
        quantized = [layer for layer in convolutions if layer.precision == "int8"]
        lines += [
            f"CNN         {len(quantized)} of {len(convolutions)} convolutions int8 (weights per channel)",
            f"decoder     {_decoder(checkpoint)}",
        ]
        if quantized:
            weights = meta.scheme.get("weight_bits", 8)  # bits of most layers; `scheme` names those that differ
            ranges = (
                f"{meta.backend}: {meta.activation_bits}-bit activations{f', {weights}-bit weights' * (weights != 8)}"
            )
            lines.append(f"ranges      {ranges}")
            if meta.scheme.get("scales") == "power-of-two":
                lines.append("scales      powers of two: every engine computes the same integers")
        if meta.packed:
            lines.append(f"packed      {summary(checkpoint.tensors, meta.packed)}")
        lines += [f"float       {name}: {why}" for name, why in meta.float_reasons.items()]
    for label, value in (("source", meta.source_sha256), ("torch", meta.torch_version), ("made with", meta.made_with)):
        if value:
            lines.append(f"{label:<12}{'sha256 ' if label == 'source' else ''}{value}")
    if meta.accuracy:
        lines.append("accuracy    " + ", ".join(f"{key} {value}" for key, value in meta.accuracy.items()))
    lines += [f"note        {note}" for note in checkpoint.notes]
    return "\n".join(lines)


def _decoder(checkpoint: Checkpoint) -> str:
    """How the matrices of encoder and decoder are stored."""
    kept, count = float_and_all(checkpoint)
    mixed = f", {kept} of {count} matrices float" if 0 < kept < count else ""
    return checkpoint.meta.decoder + mixed


def _sizes(costs: Costs) -> list[str]:
    """Lines on how wide a network is and what a line costs."""
    line = f"a line of {LINE_WIDTH} px and {CHARACTERS} characters"
    return [
        f"widths      {' '.join(map(str, costs.channels))} channels; {costs.head}",
        f"size        {costs.parameters / 1e6:.2f} M parameters; {line}: {costs.positions} positions, "
        f"{costs.cnn / 1e6:,.0f} M multiplications in the CNN, {costs.rest / 1e6:,.0f} M after it",
    ]
