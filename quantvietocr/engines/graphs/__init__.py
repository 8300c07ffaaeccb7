"""ONNX graphs of checkpoints, which ONNX Runtime and OpenVINO run."""

from __future__ import annotations

from pathlib import Path

from ...checkpoint.onnx_file import UNUSABLE, part_of
from ...checkpoint.types import Checkpoint, CheckpointError
from ..base import STAGES


def encoder_graph(checkpoint: Checkpoint) -> bytes:
    """What ONNX Runtime and OpenVINO open: of an `.onnx` file, or else of the checkpoint's graph, all but the decoder.

    A runtime prepares whatever it is given: the decoder, which is not asked for, took as long as all else together.

    Raises:
        CheckpointError: The checkpoint cannot be used.
    """
    origin = Path(checkpoint.origin)
    if origin.suffix == ".onnx":
        try:
            return part_of(origin.read_bytes(), STAGES)
        except OSError as error:
            raise CheckpointError(f"{origin} cannot be opened: {error.strerror}.") from error
        except UNUSABLE as error:
            raise CheckpointError(
                f"{origin}: its graph is none that `quantvietocr export` writes ({error}): export it again."
            ) from error
    from .network import to_onnx

    return to_onnx(checkpoint, prepared=True)
