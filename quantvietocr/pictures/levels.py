"""Grey levels of pictures that are wider than 8 bits."""

from __future__ import annotations

import numpy as np


def to_8bit(values: np.ndarray, mode: str) -> np.ndarray:
    """Scale grey values wider than 8 bits to uint8; clipping, as Pillow does, would leave a white page.

    16-bit modes use their full range. Modes I and F do not state theirs: it is the smallest of 0-1 (F alone), 0-255 and
    0-65535 that holds every value, else the picture's own minimum to maximum.

    Args:
        values: grey levels (H, W).
        mode: Pillow's mode of the picture: F, I, or one of I;16.

    Returns:
        uint8 array (H, W).
    """
    if mode.startswith("I;16"):
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    values = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 65535:
        low, high = 0.0, 1.0 if mode == "F" and high <= 1 else 255.0 if high <= 255 else 65535.0
    return np.rint((values - low) * (255 / ((high - low) or 1.0))).astype(np.uint8)
