"""What an engine is: pixels in, encoder memory out. Decoding is the same NumPy code for every engine."""

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


class Encoder(Protocol):
    """Runs the CNN and the encoder of one network."""

    def encode(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 pixels (N,H,W,3) of one width → memory (N,S,2E) and first hidden state (N,D), float32.

        Each line's result does not depend on the others in its batch.
        """
        ...


class Engine(Encoder, Protocol):
    """An encoder of a checkpoint, made for reading many lines."""

    name: str
    precision: str
    threads: int  # CPU threads that one call uses

    def side_by_side(self, count: int) -> AbstractContextManager[Sequence[Engine]]:
        """`count` engines on the same weights that may run at once, each called by one thread and using one CPU thread.

        Lines are small: a core for each batch does more than all cores for one batch after the other.
        """
        ...


def cores() -> int:
    """CPU threads that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def need_onnx(purpose: str) -> ModuleType:
    """The package `onnx`. Raises EngineError, naming `purpose`, where it is not installed."""
    return need("onnx", purpose)


def need(package: str, purpose: str) -> ModuleType:
    """An optional package. Raises EngineError, naming `purpose` and how to install it, where it is missing."""
    return packages.need(package, purpose, EngineError)
