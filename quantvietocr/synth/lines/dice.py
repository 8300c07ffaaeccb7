"""Cheap random choices over one NumPy generator (``Generator.choice`` costs 20 times as much)."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Weighted(Sequence[T]):
    """Items with weights, prepared once so that a draw is one bisection."""

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
    """Random numbers of one line: everything random in a line comes from ``rng`` in a fixed order."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.random = rng.random

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.random() * (high - low + 1))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.random()

    def log_uniform(self, low: float, high: float) -> float:
        return low * (high / low) ** self.random()

    def pick(self, items: Sequence[T]) -> T:
        if isinstance(items, Weighted):
            return items.items[bisect(items.steps, self.random() * items.steps[-1])]
        return items[int(self.random() * len(items))]

    def digits(self, count: int, first_nonzero: bool = False) -> str:
        number = int(self.random() * 10**count)
        text = str(number).zfill(count)
        return str(self.integer(1, 9)) + text[1:] if first_nonzero and text[0] == "0" else text
