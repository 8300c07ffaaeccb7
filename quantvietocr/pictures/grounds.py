"""What stands behind a transparent picture: the ground on which its ink can be seen."""

from __future__ import annotations

import numpy as np
from PIL import Image

MIN_VISIBLE = 128  # of 255: a pixel of this alpha counts as ink; fainter ones count where there are no others
MIN_LIGHT_INK = 128  # grey levels: ink of which all is lighter cannot be seen well on white
DARKEST_SHARE = 1.0  # percent of the visible pixels: what the darkest of them are, a few strays aside


def on_ground(picture: Image.Image) -> Image.Image:
    """Lay a transparent picture on the ground that contrasts with its ink.

    The ground is white, as in viewers. It is black where all that can be seen is light, as white letters made for a
    dark page are.

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
    """Whether all ink of a picture is light; False where nothing of it is transparent, or nothing can be seen."""
    alpha = np.asarray(rgba.getchannel("A"))
    if alpha.min() == 255 or not alpha.max():
        return False
    visible = alpha >= min(MIN_VISIBLE, int(alpha.max()))
    levels = np.asarray(rgba.convert("RGB").convert("L"))[visible]
    return bool(np.percentile(levels, DARKEST_SHARE) >= MIN_LIGHT_INK)
