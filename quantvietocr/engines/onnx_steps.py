"""Steps of a transformer's decoder on ONNX Runtime, whichever engine runs the encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ..checkpoint import transformer_layout as layout
from ..checkpoint.types import Checkpoint
from .base import need
from .choose import installed
from .graphs.decoder_steps import guesses_model, steps_model
from .onnx_engine import PURPOSE, open_session

#: Keys and values of each layer, float32 (`graphs.decoder_steps` says in which order).
Pairs = list[tuple[np.ndarray, np.ndarray]]


class OnnxSteps:
    """A decoder's steps, with one CPU thread. Any number of Python's threads may call them at once.

    Args:
        checkpoint: Holds the decoder's tensors, int8 or float.

    Attributes:
        version: Of onnxruntime.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        own = {name: tensor for name, tensor in checkpoint.tensors.items() if name.startswith(layout.DECODING)}
        self._checkpoint = dataclasses.replace(checkpoint, tensors=own)  # the others need not stay in memory
        self.version: str = need("onnxruntime", PURPOSE).__version__
        self._steps = open_session(steps_model(checkpoint), 1, checkpoint.origin)
        count = layout.layers_in(checkpoint.tensors, layout.DECODER)
        self._outputs = ["logits", *(f"next_{kind}.{index}" for index in range(count) for kind in ("keys", "values"))]
        width = checkpoint.tensors[layout.EMBEDDING].shape[1]
        self._last = (3, checkpoint.meta.heads, width // checkpoint.meta.heads)

    @cached_property
    def _guesses(self) -> Any:
        """Opened by the first guess: beams and words make none."""
        return open_session(guesses_model(self._checkpoint), 1, self._checkpoint.origin)

    def run(self, x: np.ndarray, later: np.ndarray, memory: Pairs, kept: Pairs) -> tuple[np.ndarray, Pairs]:
        """See `reading.transformer_steps.Steps`."""
        rows = np.array([*x.shape[:2], *self._last])
        given = {"x": x.reshape(-1, x.shape[2]), "rows": rows, "later": later} | _named(memory, kept)
        logits, *following = self._steps.run(self._outputs, given)
        return logits.reshape(*x.shape[:2], -1), list(zip(following[::2], following[1::2]))

    def guess(
        self, tokens: np.ndarray, at: int, steps: int, done: np.ndarray, memory: Pairs, kept: Pairs
    ) -> np.ndarray:
        """Guess what follows, each character from the one before, in 8 bits.

        Args:
            tokens: The characters that came last, int (N); each row is of another line.
            at: The number of the step that they are of.
            steps: How many characters to guess at most.
            done: The rows whose end does not count, bool (N).
            memory: Of the encoder's outputs.
            kept: Of the characters before.

        Returns:
            Characters, int (T,N), up to where all rows have ended.
        """
        given = {"tokens": tokens, "at": np.array(at), "steps": np.array(steps), "done": done}
        return self._guesses.run(["ids"], given | _named(memory, kept))[0]


def _named(memory: Pairs, kept: Pairs) -> dict[str, np.ndarray]:
    """Keys and values by the names of a graph's inputs."""
    names: Sequence[tuple[str, Pairs]] = (("memory_", memory), ("", kept))
    return {
        f"{before}{kind}.{index}": one
        for before, pairs in names
        for index, pair in enumerate(pairs)
        for kind, one in zip(("keys", "values"), pair)
    }


def onnx_steps(checkpoint: Checkpoint) -> OnnxSteps | None:
    """The steps of a checkpoint's decoder; None where ONNX Runtime is not installed."""
    return OnnxSteps(checkpoint) if installed("onnxruntime") else None
