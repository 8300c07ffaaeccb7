"""Paper in space: bent along two axes, seen by a camera; every point of the paper is carried to the picture exactly."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageChops, ImageDraw

from ..lines.dice import Dice

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Bend:
    """How paper runs along one axis. It is straight between knots, so that lengths on the paper are kept.

    Attributes:
        knots: where the paper bends, in pixels of the paper.
        along: how far along the table each knot stands, in pixels.
        up: how far above the table each knot stands, in pixels.
        slopes: of each stretch between two knots, in radians.
        creases: where sharp folds are, in pixels of the paper.
    """

    knots: tuple[float, ...]
    along: tuple[float, ...]
    up: tuple[float, ...]
    slopes: tuple[float, ...]
    creases: tuple[float, ...] = ()

    @classmethod
    def of(cls, knots: Sequence[float], slopes: Sequence[float], creases: Sequence[float] = ()) -> Bend:
        """Make a bend from its knots and the slope of each stretch between two of them."""
        along, up = [0.0], [0.0]
        for (a, b), slope in zip(pairwise(knots), slopes):
            along.append(along[-1] + (b - a) * math.cos(slope))
            up.append(up[-1] + (b - a) * math.sin(slope))
        return cls(tuple(knots), tuple(along), tuple(up), tuple(slopes), tuple(creases))

    def at(self, position: float) -> Point:
        """Return (along, up) of a position on the paper; beyond its ends the paper goes on straight."""
        k = min(max(bisect_right(self.knots, position) - 1, 0), len(self.knots) - 2)
        share = (position - self.knots[k]) / (self.knots[k + 1] - self.knots[k])
        along = self.along[k] + share * (self.along[k + 1] - self.along[k])
        return along, self.up[k] + share * (self.up[k + 1] - self.up[k])


def make_bend(dice: Dice, length: float, folds: int, curl: float) -> Bend:
    """Draw how paper bends along one axis.

    Args:
        dice: source of everything random.
        length: of the paper, in pixels.
        folds: number of sharp folds, at about even distances.
        curl: the paper bends overall by up to so many radians.

    Returns:
        The bend.
    """
    creases = [length * (k + dice.uniform(0.8, 1.2)) / (folds + 1) for k in range(folds)]
    steps = 10 if curl else 1
    knots = sorted({0.0, float(length), *creases, *(length * k / steps for k in range(1, steps))})
    knots = [a for a, b in zip(knots, [*knots[1:], math.inf]) if b - a > 2 or b == math.inf]
    start, bow = dice.uniform(-1, 1) * curl, dice.uniform(-1, 1) * curl
    tilt = [dice.uniform(-0.09, 0.09) for _ in range(folds + 1)] if folds else [0.0]
    slopes = []
    for a, b in pairwise(knots):
        middle = (a + b) / 2
        slopes.append(
            tilt[sum(crease <= middle for crease in creases)]
            + start * (1 - 2 * middle / length)
            + bow * (middle / length) ** 2 * 0.5
        )
    return Bend.of(knots, slopes, creases)


class Camera:
    """Looks down at a paper of two bends.

    Args:
        across: how the paper runs from left to right.
        down: how it runs from top to bottom.
        roll: turns the paper on the table, in radians.
        tilt: turns it around the horizontal axis, in radians.
        pan: turns it around the vertical axis, in radians.
        near: distance of the camera, in lengths of the paper.
        margins: table around the paper, left, top, right, bottom, in shares of its width; a negative one cuts it.

    Attributes:
        size: width and height of the picture, in pixels.
    """

    def __init__(
        self,
        across: Bend,
        down: Bend,
        roll: float,
        tilt: float,
        pan: float,
        near: float,
        margins: tuple[float, float, float, float],
    ) -> None:
        self.across, self.down = across, down
        self._centre = (across.along[-1] / 2, down.along[-1] / 2)
        self._turns = [(math.cos(angle), math.sin(angle)) for angle in (roll, tilt, pan)]
        self._far = near * max(across.knots[-1], down.knots[-1])
        self._shift = (0.0, 0.0)
        seen = [self.see((x, y)) for x in across.knots for y in down.knots]
        (left, right), (top, bottom) = ((min(axis), max(axis)) for axis in zip(*seen))
        unit = across.knots[-1]
        self._shift = (left - margins[0] * unit, top - margins[1] * unit)
        self.size = (
            round(right - left + (margins[0] + margins[2]) * unit),
            round(bottom - top + (margins[1] + margins[3]) * unit),
        )

    def see(self, point: Point) -> Point:
        """Return where a point of the paper stands in the picture."""
        (x, up_x), (y, up_y) = self.across.at(point[0]), self.down.at(point[1])
        x, y, z = x - self._centre[0], y - self._centre[1], up_x + up_y
        (cos_r, sin_r), (cos_t, sin_t), (cos_p, sin_p) = self._turns
        x, y = x * cos_r - y * sin_r, x * sin_r + y * cos_r
        y, z = y * cos_t - z * sin_t, y * sin_t + z * cos_t
        x, z = x * cos_p + z * sin_p, -x * sin_p + z * cos_p
        scale = self._far / (self._far - z)
        return x * scale - self._shift[0], y * scale - self._shift[1]

    def take(self, paper: Image.Image, outline: Image.Image, table: Image.Image) -> tuple[Image.Image, Image.Image]:
        """Take the picture.

        Args:
            paper: the inked paper, RGB.
            outline: where there is paper, mode "L".
            table: what the paper lies on, RGB, as large as the picture.

        Returns:
            The picture, RGB, and where the paper shows in it, mode "L".
        """
        picture, cover = table.copy(), Image.new("L", self.size)
        xs, ys = self.across.knots, self.down.knots
        for top, bottom in pairwise(ys):
            for left, right in pairwise(xs):
                corners = ((left, top), (right, top), (right, bottom), (left, bottom))
                self._paste(paper, outline, corners, picture, cover)
        return picture, cover

    def _paste(
        self, paper: Image.Image, outline: Image.Image, corners: Quad, picture: Image.Image, cover: Image.Image
    ) -> None:
        """Paste one flat part of the paper: a plane seen by a camera is a homography of its rectangle."""
        seen = tuple(self.see(point) for point in corners)
        xs, ys = zip(*seen)
        left, top = max(0, math.floor(min(xs)) - 1), max(0, math.floor(min(ys)) - 1)
        right, bottom = min(self.size[0], math.ceil(max(xs)) + 2), min(self.size[1], math.ceil(max(ys)) + 2)
        if right <= left or bottom <= top:
            return
        moved = tuple((x - left, y - top) for x, y in seen)
        back = inverse(moved, corners)
        # Apart: of an RGBA picture Pillow would multiply all colours by alpha anew for each part.
        size = right - left, bottom - top
        part, edge = (
            layer.transform(size, Image.Transform.PERSPECTIVE, back, Image.Resampling.BICUBIC)
            for layer in (paper, outline)
        )
        polygon = Image.new("L", part.size)
        ImageDraw.Draw(polygon).polygon(moved, fill=255, outline=255)
        mask = ImageChops.multiply(polygon, edge)
        picture.paste(part, (left, top), mask)
        cover.paste(255, (left, top), mask)


def inverse(seen: Sequence[Point], corners: Sequence[Point]) -> tuple[float, ...]:
    """Find the projection from a quadrilateral back to a rectangle.

    It is in closed form, so that the last bit is the same everywhere.

    Args:
        seen: the quadrilateral, from the upper left corner clockwise.
        corners: the rectangle, in the same order.

    Returns:
        Pillow's eight coefficients.

    Source:
        Heckbert 1989, Fundamentals of Texture Mapping and Image Warping.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = seen
    (left, top), _, (right, bottom), _ = corners
    # Unit square → seen.
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    under = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / under, (dx1 * sy - sx * dy1) / under
    a, b, c = x1 - x0 + g * x1, x3 - x0 + h * x3, x0
    d, e, f = y1 - y0 + g * y1, y3 - y0 + h * y3, y0
    # Its adjugate leads back to the unit square, which is then stretched to the rectangle.
    back = (
        (e - f * h, c * h - b, b * f - c * e),
        (f * g - d, a - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    wide, tall = right - left, bottom - top
    xs, ys = (
        [wide * u + left * w for u, w in zip(back[0], back[2])],
        [tall * v + top * w for v, w in zip(back[1], back[2])],
    )
    return tuple(value / back[2][2] for value in (*xs, *ys, back[2][0], back[2][1]))
