"""How a till's print head puts dots on paper: struck by pins through a ribbon, or burnt by a thermal head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from ..lines.degrade import clouds
from ..lines.dice import Dice

CELL = 5  # pixels a dot is drawn in, before the picture is made as large as the photo needs it


@dataclass(frozen=True)
class Head:
    """A print head.

    Attributes:
        pins: whether pins strike through a ribbon; a thermal head burns square dots that touch.
        radius: of a pin's mark, in dots from middle to middle; over 0.71 neighbours leave no paper between them.
        stretch: width of a dot relative to its height.
        overstrike: how often a line is struck, 1 or 2; the second time half a dot to the right makes it bold.
        jitter: pixels of CELL by which rows of dots stand apart, as a head that prints both ways leaves them.
        dead: rows of dots, of those a pass of the head prints, that print nothing.
        fade: share of the ink that a worn ribbon or a cool head loses where it prints least.
    """

    pins: bool
    radius: float
    stretch: float
    overstrike: int
    jitter: float
    dead: int
    fade: float


def choose_head(dice: Dice, strike: int) -> Head:
    """Draw a head for a face of `strike` dots; faces of few dots are those of pins."""
    pins = dice.chance(0.75 if strike <= 10 else 0.45 if strike <= 18 else 0.15)
    return Head(
        pins,
        radius=dice.uniform(0.5, 0.85) if pins else 0.0,
        stretch=dice.uniform(0.7, 1.25) if pins else dice.uniform(0.8, 1.15),
        overstrike=2 if dice.chance(0.2) else 1,
        jitter=dice.uniform(0, 1.6) if pins and dice.chance(0.4) else 0.0,
        dead=int(dice.chance(0.08)),
        fade=dice.uniform(0.1, 0.6) if dice.chance(0.45) else 0.0,
    )


def strike_dots(ink: Image.Image, head: Head, dice: Dice) -> Image.Image:
    """Put dots on paper.

    Args:
        ink: a pixel a dot, mode "L", 255 where one is struck.
        head: what strikes.
        dice: source of everything random.

    Returns:
        The ink, mode "L", CELL times as high and CELL × stretch times as wide.
    """
    dots = np.asarray(ink, dtype=np.float32) * (1 / 255)
    rows, columns = dots.shape
    if head.dead:
        period = dice.integer(12, 24)
        dots = dots.copy()
        dots[dice.integer(0, period - 1) :: period] *= dice.uniform(0.0, 0.5)
    if head.fade:
        dots = dots * (1 - head.fade * (0.5 + 0.5 * clouds(dice, rows, columns, dice.uniform(0.1, 0.8))))
    if head.pins:
        dots = dots * (1 - 0.25 * dice.random() * dice.rng.random((rows, columns), dtype=np.float32))
    large = np.kron(dots, _mark(head))
    if head.pins and head.radius > 0.5:
        large = _spread(dots, head, large)
    if head.jitter:
        shifts = np.repeat((np.arange(rows) // 2 % 2) * round(head.jitter), CELL)
        large = np.where(shifts[:, None] > 0, np.roll(large, round(head.jitter), axis=1), large)
    if head.overstrike > 1:
        large = np.maximum(large, np.roll(large, CELL // 2 + 1, axis=1))
    picture = Image.fromarray((np.clip(large, 0, 1) * 255).astype(np.uint8))
    if not head.pins and dice.chance(0.5):
        picture = picture.filter(ImageFilter.GaussianBlur(dice.uniform(0.5, 1.8)))
    return picture.resize((max(1, round(picture.width * head.stretch)), picture.height), Image.Resampling.BILINEAR)


def _mark(head: Head) -> np.ndarray:
    """Draw one dot, (CELL, CELL) float32."""
    if not head.pins:
        return np.ones((CELL, CELL), np.float32)
    middle = (CELL - 1) / 2
    y, x = np.mgrid[:CELL, :CELL] - middle
    return np.clip(head.radius * CELL - np.hypot(x, y) + 0.5, 0, 1).astype(np.float32)


def _spread(dots: np.ndarray, head: Head, large: np.ndarray) -> np.ndarray:
    """Add what a pin's mark covers of the cells around its own."""
    middle = (CELL - 1) / 2
    y, x = np.mgrid[:CELL, :CELL] - middle
    for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        part = np.clip(head.radius * CELL - np.hypot(x - across * CELL, y - down * CELL) + 0.5, 0, 1)
        neighbours = np.roll(dots, (-down, -across), (0, 1))
        large = np.maximum(large, np.kron(neighbours, part.astype(np.float32)))
    return large
