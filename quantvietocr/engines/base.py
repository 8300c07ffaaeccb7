"""What an engine is: pixels in, encoder memory out. Decoding is the same code for every engine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import ModuleType
from typing import Protocol

import numpy as np

from ..common import packages
from ..errors import UserError


class EngineError(UserError):
    """An engine cannot run here or cannot run this file; the message says why and what to do."""


#: What an encoder gives of N lines of one width, float32: its outputs at every position ("memory", N,S,M) and, of
#: seq2seq networks, its last state for the decoder ("hidden", N,D).
Encoded = tuple[np.ndarray, ...]
#: Outputs of an exported graph up to the decoder, in the order in which engines give them.
STAGES = ("features", "memory", "hidden")


class Encoder(Protocol):
    """Runs the CNN and the encoder of one network."""

    def encode(self, pixels: np.ndarray) -> Encoded:
        """Run the CNN and the encoder on lines of one width.

        Args:
            pixels: The lines, uint8 (N,H,W,3).

        Returns:
            The encoder's outputs. Each line's do not depend on the others in its batch.
        """
        ...


class Engine(Encoder, Protocol):
    """An encoder of a checkpoint, made for reading many lines.

    Attributes:
        name: Of the package that computes.
        version: Of that package.
        precision: What it computes in, for people.
    """

    name: str
    version: str
    precision: str

    @property
    def threads(self) -> int:
        """CPU threads that one call uses."""
        ...

    def side_by_side(self, count: int) -> AbstractContextManager[Sequence[Engine]]:
        """Engines on the same weights that may run at once, each called by one thread and using one CPU thread.

        Lines are small: a core for each batch does more than all cores for one batch after the other.

        Args:
            count: How many.
        """
        ...


def cores() -> int:
    """CPU threads that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def need(package: str, purpose: str) -> ModuleType:
    """Import an optional package.

    Raises:
        EngineError: It is missing; the message names `purpose` and how to install it.
    """
    return packages.need(package, purpose, EngineError)
