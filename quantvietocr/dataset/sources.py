"""Where training lines come from: folders of pictures, and generators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..pictures.image import ImageSpec, line_pixels, open_line
from .annotation import Sample


@dataclass(frozen=True)
class Item:
    """One line ready for the network.

    Attributes:
        pixels: uint8 array (height, width, 3).
        text: its label.
        name: what messages call it.
    """

    pixels: np.ndarray
    text: str
    name: str


class Source(Protocol):
    """Where lines come from."""

    def size(self) -> int | None:
        """Return the number of lines, or None if they never end."""

    def get(self, i: int, rng: np.random.Generator) -> Item:
        """Return line `i`, from 0; whatever is random about it comes from `rng`."""


class FolderSource:
    """Pictures of an annotation, each augmented before it is resized.

    Args:
        samples: lines of an annotation.
        spec: the network's input size.
        augment: maps a uint8 RGB array (H, W, 3) to another of any size, with randomness from the generator.

    Raises:
        ValueError: there are no samples.
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
        """Return the number of lines."""
        return len(self.samples)

    def get(self, i: int, rng: np.random.Generator) -> Item:
        """Return line `i`, augmented with `rng` and resized. Raises ImageError where it cannot be read."""
        sample = self.samples[i]
        image: Any = open_line(sample.path)
        if self.augment is not None:
            image = self.augment(np.array(image), rng)
        return Item(line_pixels(image, self.spec), sample.text, str(sample.path))


class SynthSource:
    """Generated lines without end.

    Args:
        generator: `generator.line(i)` gives `.image` (uint8, (H, W, 3)) and `.text`.
        spec: the network's input size.
    """

    def __init__(self, generator: Any, spec: ImageSpec = ImageSpec()) -> None:
        self.generator, self.spec = generator, spec

    def size(self) -> None:
        """Return None: the lines never end."""
        return

    def get(self, i: int, rng: np.random.Generator) -> Item:
        """Return generated line `i`, resized; nothing random is left to `rng`."""
        line = self.generator.line(i)
        return Item(line_pixels(line.image, self.spec), line.text, f"generated line {i}")
