"""ONNX graphs of checkpoints, which ONNX Runtime and OpenVINO run."""

from __future__ import annotations

from pathlib import Path

from ...checkpoint.types import Checkpoint


def graph_of(checkpoint: Checkpoint) -> Path | bytes:
    """What ONNX Runtime and OpenVINO open: an `.onnx` file where the checkpoint comes from one, else its graph.

    Raises:
        CheckpointError: The checkpoint cannot be used.
        EngineError: Its graph is needed, and the package `onnx` is missing.
    """
    origin = Path(checkpoint.origin)
    if origin.suffix == ".onnx":
        return origin
    from .network import to_onnx

    return to_onnx(checkpoint)
