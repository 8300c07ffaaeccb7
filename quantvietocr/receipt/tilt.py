"""Pages that lie tilted, neither upright nor on a side: by how much, and the picture set straight."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..pictures.boxes import TURNS, Box, size_of
from .page import Page

MIN_TILT = 20.0  # degrees from level: less costs nothing in reading; at 30, 4 % of the lines are lost
# The same of pages that stand: there, only what is nearly upright is told from what lies (`upright.turn_of`).
MIN_TILT_STANDING = 8.0
MIN_ELONGATION = 3.0  # × its shorter side: a box this long says which way its line runs
MIN_LINES = 3  # such boxes, from which on they say it of the page
MIN_AGREEMENT = 0.9  # of the boxes' directions, 1 where all are equal; at 0.9 they differ by about 7 degrees
SURROUNDINGS = 5.0  # × the usual line height: so far around the text it is looked for again, for what was missed


def tilt_of(boxes: Sequence[Box]) -> float:
    """Find how far a page is tilted: the direction of its long boxes, weighted by their width.

    Args:
        boxes: the lines of the page, as they lie.

    Returns:
        Degrees clockwise, between -90 and 90, by which the picture has to be turned for its lines to lie level,
        rounded to a tenth. They may then be upside down. 0 where the lines are within MIN_TILT of level, are within
        MIN_TILT_STANDING of standing, or do not agree.
    """
    directions = np.array([_direction(box) for box in boxes if _is_long(box)])
    if len(directions) < MIN_LINES:
        return 0.0
    weights = np.abs(directions)
    units = directions / weights
    # Multiplying a direction's angle makes equal what differs by a half turn (twice) or by a quarter (four times).
    if abs(np.sum(weights * units**4)) < MIN_AGREEMENT * weights.sum():
        return 0.0
    rise = math.degrees(float(np.angle(np.sum(weights * units**2)))) / 2
    off = abs(rise - 90 * round(rise / 90))
    return round(-rise, 1) if off >= (MIN_TILT if abs(rise) <= 45 else MIN_TILT_STANDING) else 0.0


def _is_long(box: Box) -> bool:
    wide, high = size_of(box)
    return max(wide, high) >= MIN_ELONGATION * max(min(wide, high), 1.0)


def _direction(box: Box) -> complex:
    """Return a box's longer side, x + iy in pixels."""
    first, second, third, fourth = (complex(*point) for point in box.points)
    wide, high = size_of(box)
    return ((second - first) + (third - fourth)) / 2 if wide >= high else ((fourth - first) + (third - second)) / 2


def straightened(picture: Image.Image, tilt: float) -> Image.Image:
    """Turn a picture clockwise about its middle.

    Args:
        picture: in RGB.
        tilt: degrees.

    Returns:
        The picture, enlarged to hold its corners. What it did not cover has the usual colour of its edge.
    """
    pixels = np.asarray(picture)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = (int(level) for level in np.median(edge, axis=0))
    return picture.rotate(-tilt, Image.Resampling.BICUBIC, expand=True, fillcolor=(red, green, blue))


def surroundings(boxes: Sequence[Box], width: int, height: int) -> Box:
    """Return the part of a picture that holds boxes, of which there is at least one, and SURROUNDINGS."""
    left, top, right, bottom = Box.around(boxes).bounds
    margin = SURROUNDINGS * float(np.median([min(size_of(box)) for box in boxes]))
    return Box.of(
        max(0, math.floor(left - margin)),
        max(0, math.floor(top - margin)),
        min(width, math.ceil(right + margin)),
        min(height, math.ceil(bottom + margin)),
    )


def upright(picture: Image.Image, page: Page) -> Image.Image:
    """Return the picture that a page's coordinates are of.

    Args:
        picture: as it was given to `read.read_page`, in RGB.
        page: what was read on it.

    Returns:
        The picture set straight and upright, `page.width` × `page.height` pixels.
    """
    straight = straightened(picture, page.tilt) if page.tilt else picture
    return straight.transpose(TURNS[page.turned]) if page.turned else straight
