"""What stands behind a transparent picture: the ground on which its ink can be seen."""

from __future__ import annotations

import numpy as np
from PIL import Image

MIN_VISIBLE = 128  # of 255: a pixel of this alpha counts as ink; fainter ones count where there are no others
MIN_LIGHT_INK = 128  # grey levels: ink of which all is lighter cannot be seen well on white
DARKEST_SHARE = 1.0  # percent of a page's visible pixels: what the darkest of them are, a few strays aside
MIN_PAGE = 0.5  # share of the picture that is visible: from here on it is a page with its ink, and less is ink alone


def on_ground(picture: Image.Image) -> Image.Image:
    """Lay a transparent picture on the ground that contrasts with its ink.

    The ground is white, as in viewers. It is black where most outlines of the ink are light, as white letters made for
    a dark page are, a dark logo beside them or not. What is visible in most of the picture is a page, which is laid on
    black only where all of it is light.

    Args:
        picture: with transparency, in any mode.

    Returns:
        The picture in RGB.
    """
    rgba = picture.convert("RGBA")
    ground = Image.new("RGBA", rgba.size, "black" if _is_light(rgba) else "white")
    ground.alpha_composite(rgba)
    return ground.convert("RGB")


def _is_light(rgba: Image.Image) -> bool:
    """Whether the ink of a picture is light; False where nothing of it is transparent, or nothing can be seen."""
    alpha = np.asarray(rgba.getchannel("A"))
    if alpha.min() == 255 or not alpha.max():
        return False
    visible = alpha >= min(MIN_VISIBLE, int(alpha.max()))
    levels = np.asarray(rgba.convert("RGB").convert("L"))
    if visible.mean() >= MIN_PAGE:
        return bool(np.percentile(levels[visible], DARKEST_SHARE) >= MIN_LIGHT_INK)
    return bool(np.median(levels[visible & _touching(~visible)]) >= MIN_LIGHT_INK)


def _touching(marked: np.ndarray) -> np.ndarray:
    """Return which pixels have a marked one above, below, left or right of them.

    Args:
        marked: bool array (H, W).

    Returns:
        bool array (H, W).
    """
    touching = np.zeros_like(marked)
    touching[1:] |= marked[:-1]
    touching[:-1] |= marked[1:]
    touching[:, 1:] |= marked[:, :-1]
    touching[:, :-1] |= marked[:, 1:]
    return touching
