"""Where training lines come from: folders of pictures, and generators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..pictures.image import ImageSpec, line_pixels, open_line
from .annotation import Sample


@dataclass(frozen=True)
class Item:
    """One line ready for the network: uint8 pixels height x width x 3, its text, and a name for messages."""

    pixels: np.ndarray
    text: str
    name: str


class Source(Protocol):
    """Where lines come from."""

    def size(self) -> int | None:
        """Number of lines, or None if they never end."""

    def get(self, i: int, rng: np.random.Generator) -> Item:
        """Line `i`, from 0; whatever is random about it comes from `rng`."""


class FolderSource:
    """Pictures of an annotation, each augmented (raw, before the resize) and resized.

    Args:
        samples: lines of an annotation.
        spec: the network's input size.
        augment: maps a uint8 RGB array H x W x 3 to another (any size), with randomness from the generator.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        spec: ImageSpec = ImageSpec(),
        augment: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    ) -> None:
        if not samples:
            raise ValueError("A folder source needs at least one sample.")
        self.samples, self.spec, self.augment = samples, spec, augment

    def size(self) -> int:
        return len(self.samples)

    def get(self, i: int, rng: np.random.Generator) -> Item:
        sample = self.samples[i]
        image: Any = open_line(sample.path)
        if self.augment is not None:
            image = self.augment(np.array(image), rng)
        return Item(line_pixels(image, self.spec), sample.text, str(sample.path))


class SynthSource:
    """Generated lines without end: ``generator.line(i)`` gives `.image` (uint8 H x W x 3) and `.text`."""

    def __init__(self, generator: Any, spec: ImageSpec = ImageSpec()) -> None:
        self.generator, self.spec = generator, spec

    def size(self) -> None:
        return None

    def get(self, i: int, rng: np.random.Generator) -> Item:
        line = self.generator.line(i)
        return Item(line_pixels(line.image, self.spec), line.text, f"generated line {i}")
