"""Lines cut out of a page, straight; and which way up the page is."""

from __future__ import annotations

import math
from typing import Any, Sequence

import numpy as np
from PIL import Image

from .page import Box, Point

PROBES = 5  # lines that are read to tell up from down
SURE = 0.5  # mean confidence at which they are not read upside down too
TALL = 1.5  # times higher than wide: a line that runs up or down the picture
PROBE_SHAPES = 3.0, 14.0  # widths over heights of lines that the recogniser reads best

TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}  # clockwise


def size_of(box: Box) -> tuple[float, float]:
    """Width along the text and height across it, in pixels: the longer of each pair of sides."""
    upper_left, upper_right, lower_right, lower_left = box.points
    width = max(math.dist(upper_left, upper_right), math.dist(lower_left, lower_right))
    return width, max(math.dist(upper_left, lower_left), math.dist(upper_right, lower_right))


def crop(page: Image.Image, box: Box) -> Image.Image:
    """The box's part of the page as an upright rectangle of its own size; what lies outside the page repeats its edge."""
    width, height = (max(1, round(side)) for side in size_of(box))
    corners = [(0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height))]
    left, top, right, bottom = box.bounds
    inside = left >= 1 and top >= 1 and right <= page.width - 1 and bottom <= page.height - 1
    part = page.crop((math.floor(left) - 2, math.floor(top) - 2, math.ceil(right) + 2, math.ceil(bottom) + 2))
    if not inside:
        part = _with_edge(page, math.floor(left) - 2, math.floor(top) - 2, math.ceil(right) + 2, math.ceil(bottom) + 2)
    local = [(x - math.floor(left) + 2, y - math.floor(top) + 2) for x, y in box.points]
    return part.transform((width, height), Image.Transform.PERSPECTIVE, _projection(corners, local),
        Image.Resampling.BICUBIC)


def _with_edge(page: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    ys, xs = np.arange(top, bottom).clip(0, page.height - 1), np.arange(left, right).clip(0, page.width - 1)
    low, high, first, last = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
    part = np.asarray(page.crop((first, low, last, high)))
    return Image.fromarray(part[(ys - low)[:, None], (xs - first)[None, :]])


def _projection(corners: Sequence[Point], places: Sequence[Point]) -> list[float]:
    """a … h of x' = (ax+by+c)/(gx+hy+1), y' = (dx+ey+f)/(gx+hy+1) that take four corners to four places."""
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, places):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows, dtype=np.float64), np.array(values)).tolist()


def turn_of(page: Image.Image, boxes: Sequence[Box], predictor: Any) -> tuple[int, dict[Box, tuple[str, float]]]:
    """Degrees clockwise (0, 90, 180, 270) that set a page upright; and what was read on the way, where they are 0.

    The boxes' shapes tell lying lines from standing ones; which end is up is where the recogniser is surer of a few
    lines. It reads them the other way up only where it is not sure at once.
    """
    if not boxes:
        return 0, {}
    standing = sum(max(wide, high) * (1 if high > wide else -1) for wide, high in map(size_of, boxes)
                   if max(wide, high) > TALL * min(wide, high))  # fmt: skip
    turn = 90 if standing > 0 else 0
    corner = -turn // 90  # the upper left one of text that runs up
    probes = _probes([box.starting(corner) for box in boxes])
    crops = [crop(page, box) for box in probes]
    texts, confidences = predictor.predict_batch(crops, return_prob=True)
    if np.mean(confidences) < SURE:
        flipped = predictor.predict_batch([line.transpose(TURNS[180]) for line in crops], return_prob=True)[1]
        if np.mean(flipped) > np.mean(confidences):
            turn += 180
    return turn, {} if turn else dict(zip(probes, zip(texts, confidences)))


def _probes(boxes: Sequence[Box]) -> list[Box]:
    """The widest boxes among those of a shape that reads well; of all, where there is none."""
    shortest, longest = PROBE_SHAPES
    sizes = {box: size_of(box) for box in boxes}
    good = [box for box, (wide, high) in sizes.items() if shortest <= wide / max(high, 1) <= longest]
    return sorted(good or boxes, key=lambda box: -sizes[box][0])[:PROBES]
