"""Quadrilaterals on a page, and the crops inside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A quadrilateral on a page.

    Attributes:
        points: upper left, upper right, lower right and lower left corner of its text, (x, y) in pixels of the page.
    """

    points: tuple[Point, Point, Point, Point]

    @classmethod
    def of(cls, left: float, top: float, right: float, bottom: float) -> Box:
        """Make an upright rectangle of its sides, in pixels."""
        return cls(((left, top), (right, top), (right, bottom), (left, bottom)))

    @classmethod
    def around(cls, boxes: Iterable[Box]) -> Box:
        """Return the upright rectangle around boxes, of which there is at least one."""
        xs, ys = zip(*(point for box in boxes for point in box.points))
        return cls.of(min(xs), min(ys), max(xs), max(ys))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the upright rectangle around it, in pixels."""
        xs, ys = zip(*self.points)
        return min(xs), min(ys), max(xs), max(ys)

    def turned(self, degrees: int, width: float, height: float) -> Box:
        """Return the same box after the picture is turned clockwise.

        The corners keep their order. So the first is the upper left one of the text as it then stands only where it was
        that before.

        Args:
            degrees: 0, 90, 180 or 270.
            width: of the picture before it is turned, in pixels.
            height: likewise.

        Returns:
            The box on the turned picture.
        """
        turn: Callable[[float, float], Point] = {
            0: lambda x, y: (x, y),
            90: lambda x, y: (height - y, x),
            180: lambda x, y: (width - x, height - y),
            270: lambda x, y: (y, width - x),
        }[degrees]
        first, second, third, fourth = self.points
        return Box((turn(*first), turn(*second), turn(*third), turn(*fourth)))

    def rotated(self, degrees: float, size: tuple[float, float], new_size: tuple[float, float]) -> Box:
        """Return the same box after the picture is turned clockwise about its middle, onto one of another size.

        Args:
            degrees: any angle.
            size: width and height of the picture before it is turned, in pixels.
            new_size: those of the picture after it.

        Returns:
            The box on the turned picture; its corners keep their order.
        """
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

        def turn(point: Point) -> Point:
            x, y = point[0] - size[0] / 2, point[1] - size[1] / 2
            return x * cosine - y * sine + new_size[0] / 2, x * sine + y * cosine + new_size[1] / 2

        first, second, third, fourth = self.points
        return Box((turn(first), turn(second), turn(third), turn(fourth)))

    def moved(self, right: float, down: float) -> Box:
        """Return the box so many pixels further right and down."""
        first, second, third, fourth = ((x + right, y + down) for x, y in self.points)
        return Box((first, second, third, fourth))

    def starting(self, corner: int) -> Box:
        """Return the same quadrilateral with that one of its four corners first."""
        first, second, third, fourth = (self.points[(corner + index) % 4] for index in range(4))
        return Box((first, second, third, fourth))

    def to_json(self) -> list[list[float]]:
        """Return [[x, y] × 4], rounded to a tenth of a pixel."""
        return [[round(x, 1), round(y, 1)] for x, y in self.points]


TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}  # clockwise


def size_of(box: Box) -> tuple[float, float]:
    """Return a box's width along the text and its height across it, in pixels: the longer of each pair of sides."""
    upper_left, upper_right, lower_right, lower_left = box.points
    width = max(math.dist(upper_left, upper_right), math.dist(lower_left, lower_right))
    return width, max(math.dist(upper_left, lower_left), math.dist(upper_right, lower_right))


def crop(page: Image.Image, box: Box) -> Image.Image:
    """Cut a box out of a page, as an upright rectangle of the box's size.

    Args:
        page: the picture of the page.
        box: what to cut out. What lies outside the page repeats the page's edge.

    Returns:
        The picture inside the box.
    """
    width, height = (max(1, round(side)) for side in size_of(box))
    corners = [(0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height))]
    left, top, right, bottom = box.bounds
    inside = left >= 1 and top >= 1 and right <= page.width - 1 and bottom <= page.height - 1
    part = page.crop((math.floor(left) - 2, math.floor(top) - 2, math.ceil(right) + 2, math.ceil(bottom) + 2))
    if not inside:
        part = _with_edge(page, math.floor(left) - 2, math.floor(top) - 2, math.ceil(right) + 2, math.ceil(bottom) + 2)
    local = [(x - math.floor(left) + 2, y - math.floor(top) + 2) for x, y in box.points]
    return part.transform(
        (width, height), Image.Transform.PERSPECTIVE, _projection(corners, local), Image.Resampling.BICUBIC
    )


def _with_edge(page: Image.Image, left: int, top: int, right: int, bottom: int) -> Image.Image:
    """Return a rectangle of the page, with the page's edge repeated where it lies outside."""
    ys, xs = np.arange(top, bottom).clip(0, page.height - 1), np.arange(left, right).clip(0, page.width - 1)
    low, high, first, last = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
    part = np.asarray(page.crop((first, low, last, high)))
    return Image.fromarray(part[(ys - low)[:, None], (xs - first)[None, :]])


def _projection(corners: Sequence[Point], targets: Sequence[Point]) -> list[float]:
    """Find a … h of x' = (ax+by+c)/(gx+hy+1), y' = (dx+ey+f)/(gx+hy+1) that take four corners to four targets."""
    rows: list[list[float]] = []
    values: list[float] = []
    for (x, y), (u, v) in zip(corners, targets):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows, dtype=np.float64), np.array(values)).tolist()
