"""Other looks at a line whose reading left doubt: the same pixels narrower, and closer.

A network reads a picture a little differently at another size, and errs elsewhere (test-time augmentation). Of a few
looks the surest is right more often than the first one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from ..pictures.image import WIDTH_STEP, ImageSpec
from .confidence import LineText

NARROWER_WIDTH = 0.9  # × the width of the first look
CLOSER_MARGIN = 1 / 16  # × the height, which is left out above and as much below


def narrower(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """uint8 pixels (H,W,3) of a line with its letters narrower; H as before, W another that the network takes."""
    return _resized(pixels, NARROWER_WIDTH * pixels.shape[1], 0, spec)


def closer(pixels: np.ndarray, spec: ImageSpec) -> np.ndarray:
    """uint8 pixels (H,W,3) of a line with its letters larger, less what is at the upper and the lower edge."""
    left_out = round(CLOSER_MARGIN * len(pixels))
    return _resized(pixels, pixels.shape[1] * len(pixels) / (len(pixels) - 2 * left_out), left_out, spec)


#: In the order in which they are taken.
LOOKS: tuple[Callable[[np.ndarray, ImageSpec], np.ndarray], ...] = (narrower, closer)


def surest(looks: Sequence[LineText]) -> LineText:
    """The text of the surest of several looks at one line.

    Its certainty and confidence are the means over all looks; a look that read another text has none in this one.
    """
    text = max(looks, key=lambda look: look.certainty).text
    agreeing = [look for look in looks if look.text == text]
    return LineText(
        text,
        sum(look.certainty for look in agreeing) / len(looks),
        sum(look.confidence for look in agreeing) / len(looks),
    )


def _resized(pixels: np.ndarray, width: float, left_out: int, spec: ImageSpec) -> np.ndarray:
    width = min(max(math.ceil(width / WIDTH_STEP) * WIDTH_STEP, spec.min_width), spec.max_width)
    box = 0, left_out, pixels.shape[1], len(pixels) - left_out
    return np.array(Image.fromarray(pixels).resize((width, len(pixels)), Image.Resampling.BICUBIC, box))
