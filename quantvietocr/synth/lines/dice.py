"""Cheap random choices over one NumPy generator (`Generator.choice` costs 20 times as much)."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Weighted(Sequence[T]):
    """Items with weights, prepared once so that a draw is one bisection.

    Args:
        pairs: (item, weight) each. Items without a positive weight are left out.

    Raises:
        ValueError: no item has a positive weight.
    """

    def __init__(self, pairs: Sequence[tuple[T, float]]) -> None:
        kept = [(item, weight) for item, weight in pairs if weight > 0]
        if not kept:
            raise ValueError("Weighted: nothing to choose from: give at least one item a positive weight")
        self.items = [item for item, _ in kept]
        self.steps = list(accumulate(weight for _, weight in kept))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Dice:
    """Random choices for one line. Everything random in a line comes from `rng`, in a fixed order.

    Args:
        rng: source of the random numbers.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.random = rng.random

    def chance(self, probability: float) -> bool:
        """Return True with that probability."""
        return self.random() < probability

    def integer(self, low: int, high: int) -> int:
        """Draw a whole number evenly, both ends included."""
        return low + int(self.random() * (high - low + 1))

    def uniform(self, low: float, high: float) -> float:
        """Draw a number evenly between the ends."""
        return low + (high - low) * self.random()

    def log_uniform(self, low: float, high: float) -> float:
        """Draw a number of which the logarithm is even between the ends; both must be positive."""
        return low * (high / low) ** self.random()

    def pick(self, items: Sequence[T]) -> T:
        """Draw an item: by weight from a `Weighted`, evenly from any other sequence."""
        if isinstance(items, Weighted):
            return items.items[bisect(items.steps, self.random() * items.steps[-1])]
        return items[int(self.random() * len(items))]

    def digits(self, count: int, first_nonzero: bool = False) -> str:
        """Draw a string of `count` digits; with `first_nonzero` it does not begin with 0."""
        number = int(self.random() * 10**count)
        text = str(number).zfill(count)
        return str(self.integer(1, 9)) + text[1:] if first_nonzero and text[0] == "0" else text
