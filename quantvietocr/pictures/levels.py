"""Grey levels of pictures that are wider than 8 bits."""

from __future__ import annotations

import math

import numpy as np

DEPTHS = (8, 10, 12, 14, 16)  # bits of a grey value, in scanners and cameras


def to_8bit(values: np.ndarray, mode: str) -> np.ndarray:
    """Scale grey values wider than 8 bits to uint8; clipping, as Pillow does, would leave a white page.

    No mode states the range of its values. Cameras and scanners of 10, 12 or 14 bits write 16-bit files that use a part
    of their range alone, so it is the smallest of those of 8, 10, 12, 14 and 16 bits that holds every value. Mode F may
    hold values from 0 to 1 too. Modes I and F may hold others: their range is the picture's own minimum to maximum.

    Args:
        values: grey levels (H, W).
        mode: Pillow's mode of the picture: F, I, or one of I;16.

    Returns:
        uint8 array (H, W).
    """
    if mode.startswith("I;16"):
        top = _range_of(int(values.max()))
        return ((values.astype(np.uint32) * 255 + top // 2) // top).astype(np.uint8)
    values = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 65535:
        low, high = 0.0, 1.0 if mode == "F" and high <= 1 else float(_range_of(math.ceil(high)))
    return np.rint((values - low) * (255 / ((high - low) or 1.0))).astype(np.uint8)


def _range_of(highest: int) -> int:
    """Return the greatest value of the smallest usual depth that holds this value, at most 65535."""
    return next(2**bits - 1 for bits in DEPTHS if highest < 2**bits)
