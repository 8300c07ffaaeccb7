"""A checkpoint as an `.onnx` file; `engines.graphs.network` says what is in it."""

from __future__ import annotations

import os
from pathlib import Path

from ..checkpoint.types import Checkpoint, CheckpointError
from ..common.files import write_bytes
from ..engines.graphs.network import to_onnx


def export_onnx(checkpoint: Checkpoint, path: str | os.PathLike) -> Path:
    """Write a checkpoint as an `.onnx` file, whole or not at all; the same numbers give the same bytes.

    Args:
        checkpoint: float or quantized.
        path: file to write; its name ends in .onnx.

    Returns:
        The path.

    Raises:
        CheckpointError: the name ends otherwise, or the checkpoint cannot be used.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise CheckpointError(f"{path}: ONNX files end in .onnx; give a name that ends so.")
    write_bytes(path, to_onnx(checkpoint))
    return path
