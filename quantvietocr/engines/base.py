"""What an engine is: pixels in, encoder memory out. Decoding is the same NumPy code for every engine."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..errors import UserError


class EngineError(UserError):
    """An engine cannot run here or cannot run this file; the message says why and what to do."""


class Engine(Protocol):
    """Runs the CNN and the encoder of one checkpoint."""

    name: str
    precision: str

    def encode(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 pixels (N,H,W,3) of one width → memory (N,S,2E) and first hidden state (N,D), float32.

        Each line's result does not depend on the others in its batch.
        """
        ...
