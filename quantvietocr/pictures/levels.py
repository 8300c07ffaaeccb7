"""Grey levels of pictures that are wider than 8 bits."""

from __future__ import annotations

import math

import numpy as np

DEPTHS = (8, 10, 12, 14, 16)  # bits of a grey value, in scanners and cameras
STRAYS = 0.1  # percent of the pixels, at either end, that say nothing of a picture's range: hot and dead ones
MIN_RANGE = 1 / 16  # of the full scale; a picture with less between its darkest and lightest is stretched


def to_8bit(values: np.ndarray, mode: str) -> np.ndarray:
    """Scale grey values wider than 8 bits to uint8; clipping, as Pillow does, would leave a white page.

    No mode states the range of its values. Cameras and scanners of 10, 12 or 14 bits write 16-bit files that use a part
    of their range alone, so it is the smallest of those of 8, 10, 12, 14 and 16 bits that holds all values but for a
    few hot pixels. Where the values take a small part of more than 8 bits, 8 bits of the whole would lose the print, so
    that part is stretched. Mode F may hold values from 0 to 1 too. Modes I and F may hold others: their range is the
    picture's own minimum to maximum.

    Args:
        values: grey levels (H, W).
        mode: Pillow's mode of the picture: F, I, or one of I;16.

    Returns:
        uint8 array (H, W).
    """
    low: float
    high: float
    if mode.startswith("I;16"):
        low, high = _range(values)
        if low == 0:
            return np.minimum((values.astype(np.uint32) * 255 + int(high) // 2) // int(high), 255).astype(np.uint8)
        values = values.astype(np.float64)
    else:
        values = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
        low, high = float(values.min()), float(values.max())
        if low >= 0 and high <= 1 and mode == "F":
            low, high = 0, 1
        elif low >= 0 and high <= 65535:
            low, high = _range(values)
    return np.rint(np.clip((values - low) * (255 / ((high - low) or 1)), 0, 255)).astype(np.uint8)


def _range(values: np.ndarray) -> tuple[int, int]:
    """Return the values from 0 to 65535 that become black and white."""
    darkest, lightest = np.percentile(values, (STRAYS, 100 - STRAYS))
    low, high, top = math.floor(darkest), math.ceil(lightest), _range_of(math.ceil(lightest))
    whole = top < 2 ** DEPTHS[0] or low == high or high - low >= MIN_RANGE * top
    return (0, top) if whole else (low, high)


def _range_of(highest: int) -> int:
    """Return the greatest value of the smallest usual depth that holds this value, at most 65535."""
    return next(2**bits - 1 for bits in DEPTHS if highest < 2**bits)
