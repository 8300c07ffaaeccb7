"""What a decoder is: the encoder's outputs in, one character of every line a step. Each kind of network has its own."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np

from ..engines.base import Encoded


class State(Protocol):
    """Where the decoding of L lines of one width stands.

    Each line has W paths, one at first. The rows of a step are the paths line by line, N = L × W.
    """

    def follow(self, rows: np.ndarray) -> None:
        """Go on with other paths.

        Args:
            rows: The rows to go on with, line by line and equally many of each line; a row may come up several times.
        """
        ...

    def keep(self, lines: np.ndarray) -> None:
        """Go on with some of the lines, bool (L) or int: the others have ended."""
        ...


S = TypeVar("S", bound=State)


class Decoder(Protocol[S]):
    """Chooses no character: says how likely each is to come next.

    Attributes:
        classes: How many classes of characters there are.
        limit: The most steps that the network can take.
        about: A sentence that says what computes the steps; "" where NumPy always does.
    """

    classes: int
    limit: int
    about: str

    def start(self, encoded: Encoded, greedy: bool = False) -> S:
        """Compute what does not depend on the step.

        Args:
            encoded: What `engines.base.Encoder.encode` gives of N lines of one width.
            greedy: Whether each line will most likely go on with the most probable character of each step.
        """
        ...

    def step(self, tokens: np.ndarray, state: S) -> tuple[np.ndarray, np.ndarray | None]:
        """Take one step.

        Args:
            tokens: The class numbers that came last, int (N).
            state: Where the decoding stands; it moves on.

        Returns:
            Logits (N,classes), and attention (N,S) of networks that look at one place for one character, else None.
        """
        ...
