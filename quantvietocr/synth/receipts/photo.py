"""From ink to photo or scan: faded thermal print, bent paper on a table, shadow, blur, noise; boxes go along."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ..lines.degrade import clouds, grain
from ..lines.dice import Dice
from .accidents import spoil_paper, spoil_photo
from .ink import Bounds, Printed
from .surface import Bend, Camera, Point, Quad, make_bend

# RGB levels of tables: of wood, and of plain tops.
WOODS = (150, 104, 66), (118, 78, 48), (186, 146, 104), (84, 58, 42), (206, 178, 142)
TOPS = (52, 54, 60), (120, 124, 128), (176, 172, 166), (44, 70, 92), (92, 50, 46), (205, 205, 200)
EDGE = 6  # pixels of nothing around the paper, so that its edge is smooth
MIN_INK = 0.5  # share of the ink that fading always leaves


@dataclass
class Photo:
    """A picture of a printed sheet.

    Attributes:
        image: uint8 RGB (H, W, 3), before compression.
        quality: quality of its JPEG file.
        quads: where the sheet's texts stand in it.
        marked: where the sheet's marks stand in it.
    """

    image: np.ndarray
    quality: int
    quads: list[Quad]
    marked: list[Quad]


def take_photo(
    printed: Printed, thermal: bool, damage: float, dice: Dice, turned: int = 0, accidents: Dice | None = None
) -> Photo:
    """Photograph or scan a printed sheet.

    Args:
        printed: the sheet.
        thermal: whether it is a till's thermal paper.
        damage: 0 gives an upright, clean scan; 1 is as people send them.
        dice: source of everything random.
        turned: degrees by which the picture is turned counterclockwise: 0, 90, 180 or 270.
        accidents: source of what `accidents` adds; None adds nothing.

    Returns:
        The picture and where the texts and marks stand in it.
    """
    scanned = dice.chance(1 - 0.85 * min(1.0, damage) if thermal else 1 - 0.5 * min(1.0, damage))
    width, height = printed.ink.width + 2 * EDGE, printed.ink.height + 2 * EDGE
    bent = 0.35 if scanned else min(1.0, damage)
    down_folds = dice.pick((0, 0, 1, 2, 3)) if dice.chance(damage) else 0
    across_folds = int(dice.chance(0.15 * damage))
    down = make_bend(dice, height, down_folds, 0.0 if scanned else dice.uniform(0, 0.16) * damage)
    across = make_bend(dice, width, across_folds, 0.0 if scanned else dice.uniform(0, 0.1) * damage)
    paper, outline = _paper(printed, across, down, thermal, bent, damage, dice)
    if accidents is not None:
        paper = Image.fromarray(spoil_paper(np.asarray(paper), accidents, damage))
    turn, lean = (0.012, 0.0) if scanned else (0.06, 0.09)
    left, top, right, bottom = (dice.uniform(0.005, 0.04) if scanned else dice.uniform(0.02, 0.16) for _ in range(4))
    camera = Camera(
        across,
        down,
        dice.uniform(-turn, turn) * damage,
        dice.uniform(-lean, lean) * damage,
        dice.uniform(-lean, lean) * damage,
        8.0 if scanned else dice.uniform(1.6, 3.0),
        (left, top, right, bottom),
    )
    table = _table(dice, camera.size, scanned)
    picture, cover = camera.take(paper, outline, table)
    image = _light(picture, cover, scanned, damage, dice)
    if accidents is not None:
        image = spoil_photo(image, accidents, damage)

    def seen(x: float, y: float) -> Point:
        return _turn(camera.see((x + EDGE, y + EDGE)), turned, camera.size)

    def carried(box: Bounds) -> Quad:
        return seen(box[0], box[1]), seen(box[2], box[1]), seen(box[2], box[3]), seen(box[0], box[3])

    quality = 95 if damage == 0 else dice.integer(max(40, round(92 - 42 * damage)), 93)
    if turned:
        image = np.ascontiguousarray(np.rot90(image, turned // 90))
    return Photo(image, quality, [carried(box) for box in printed.boxes], [carried(box) for box in printed.marked])


def _turn(point: Point, degrees: int, size: tuple[int, int]) -> Point:
    """Return where a point goes when a picture of `size` is turned counterclockwise."""
    (x, y), (width, height) = point, size
    return {0: point, 90: (y, width - x), 180: (width - x, height - y), 270: (height - y, x)}[degrees]


def _paper(
    printed: Printed, across: Bend, down: Bend, thermal: bool, bent: float, damage: float, dice: Dice
) -> tuple[Image.Image, Image.Image]:
    """Make the inked paper with its shading, RGB, EDGE pixels wider on each side; and where there is paper, "L"."""
    ink = np.pad(np.asarray(printed.ink, dtype=np.float32) * (1 / 255), EDGE)
    height, width = ink.shape
    if thermal and dice.chance(0.8 * damage):
        ink = _worn(ink, dice, damage)
    shade = np.ones((height, width), np.float32)
    light = dice.uniform(0.5, 1.1) * dice.pick((-1, 1)) * bent
    shade *= _shading(down, height, light)[:, None] * _shading(across, width, light)
    for bend, axis in ((down, 0), (across, 1)):
        for crease in bend.creases:
            _crease(shade, ink, crease, axis, dice)
    if dice.chance(0.5 * damage):
        shade += 0.018 * clouds(dice, height, width, 0.12)
    warm, pale = dice.uniform(-4, 10), 250 - dice.uniform(0, 22) * damage
    white = np.array((pale, pale - 0.3 * abs(warm), pale - warm), np.float32)
    dark = dice.uniform(15, 70) if thermal else dice.uniform(10, 45)
    black = np.array((dark, dark, dark + (dice.uniform(0, 30) if thermal else 0)), np.float32)
    rgb = (white + (black - white) * np.clip(ink, 0, 1)[..., None]) * shade[..., None]
    flat = np.clip(rgb, 0, 255).astype(np.uint8)
    return Image.fromarray(flat), _outline(width, height, thermal and dice.chance(0.7), dice)


def _worn(ink: np.ndarray, dice: Dice, damage: float) -> np.ndarray:
    """Wear thermal print as weeks in a purse do: pale in places, pale columns from a worn head, rough dots."""
    height, width = ink.shape
    patches = 0.5 + 0.5 * clouds(dice, height, width, dice.uniform(0.06, 0.4))
    ink = ink * np.clip(1 - dice.uniform(0.0, 0.5) * damage * patches, MIN_INK, 1)
    if dice.chance(0.4):
        ink = ink * np.clip(1 - 0.22 * damage * np.abs(grain(dice, (height, width))), MIN_INK, 1)
    if dice.chance(0.25):
        for _ in range(dice.integer(1, 3)):
            at = dice.integer(0, width - 3)
            ink[:, at : at + dice.integer(1, 2)] *= dice.uniform(0.3, 0.7)
    return ink


def _shading(bend: Bend, length: int, light: float) -> np.ndarray:
    """Return the brightness along one axis, (length,) float32: stretches turned to the light are brighter."""
    middles = [(a + b) / 2 for a, b in pairwise(bend.knots)]
    bright = np.interp(np.arange(length), middles, [1 + light * slope for slope in bend.slopes])
    return np.clip(bright, 0.8, 1.08).astype(np.float32)


def _crease(shade: np.ndarray, ink: np.ndarray, position: float, axis: int, dice: Dice) -> None:
    """Draw a fold in place: dark on one side, bright on the other, ink rubbed off on its ridge."""
    length = shade.shape[axis]
    away = np.arange(length, dtype=np.float32) - position
    reach, depth = dice.uniform(6, 18), dice.uniform(0.04, 0.13) * dice.pick((-1, 1))
    near = np.maximum(0, 1 - np.abs(away) / reach)
    line = 1 + depth * np.sign(away) * near * near
    rubbed = 1 - dice.uniform(0.0, 0.35) * (np.abs(away) < 1.6)
    shape = (-1, 1) if axis == 0 else (1, -1)
    shade *= line.reshape(shape)
    ink *= rubbed.astype(np.float32).reshape(shape)


def _outline(width: int, height: int, torn: bool, dice: Dice) -> Image.Image:
    """Draw where there is paper: a rectangle, its lower end with the teeth of a tear-off edge where `torn`."""
    outline = Image.new("L", (width, height))
    pen = ImageDraw.Draw(outline)
    low = height - EDGE
    points: list[Point] = [(EDGE, EDGE), (width - EDGE, EDGE)]
    if torn:
        step = dice.uniform(5, 10)
        count = int((width - 2 * EDGE) / step)
        points += [(width - EDGE - k * step, low - (0 if k % 2 else 0.6 * step)) for k in range(count + 1)]
    points += [(EDGE, low)] if torn else [(width - EDGE, low), (EDGE, low)]
    pen.polygon(points, fill=255)
    return outline


def _table(dice: Dice, size: tuple[int, int], scanned: bool) -> Image.Image:
    """Draw what the paper lies on, RGB: a scanner's lid, or wood, stone, cloth or a plain top."""
    width, height = size
    if scanned:
        level = dice.pick((252, 244, 236, 60))
        return Image.new("RGB", size, (level, level, level))
    form = dice.pick(("wood", "wood", "plain", "stone", "cloth"))
    if form == "wood":
        colour = np.array(dice.pick(WOODS), np.float32)
        # Grain: noise of a few rows, stretched along the board, and rings.
        streaks = np.asarray(
            Image.fromarray(dice.rng.random((max(4, height // 5), 5), dtype=np.float32) * 2 - 1).resize(
                (width, height), Image.Resampling.BICUBIC
            )
        )
        pattern = 0.10 * streaks + 0.06 * clouds(dice, height, width, 0.4)
    elif form == "plain":
        colour = np.array(dice.pick(TOPS), np.float32)
        pattern = 0.03 * clouds(dice, height, width, 0.5) + 0.012 * grain(dice, (height, width))
    elif form == "stone":
        colour = np.array(dice.pick(((96, 96, 98), (164, 158, 150), (60, 62, 66))), np.float32)
        pattern = 0.08 * clouds(dice, height, width, 0.15) + 0.10 * clouds(dice, height, width, 0.02)
        pattern = pattern + 0.05 * grain(dice, (height, width))
    else:
        colour = np.array(dice.pick(((150, 60, 58), (66, 96, 134), (120, 132, 96), (190, 180, 168))), np.float32)
        step = dice.integer(3, 6)
        threads = np.add.outer(np.arange(height), np.arange(width)) // step % 2
        weave = np.where(threads == 0, 0.04, -0.04).astype(np.float32)
        pattern = weave + 0.05 * clouds(dice, height, width, 0.3)
    return Image.fromarray(np.clip(colour * (1 + pattern[..., None]), 0, 255).astype(np.uint8))


def _light(picture: Image.Image, cover: Image.Image, scanned: bool, damage: float, dice: Dice) -> np.ndarray:
    """Add shadows, uneven light, blur and noise; returns uint8 (H, W, 3)."""
    width, height = picture.size
    blur = dice.uniform(0.3, 0.95) * min(1.0, damage) * (0.7 if scanned else 1.0)
    if blur > 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    shade = np.ones((height, width), np.float32)
    if not scanned:
        shade *= _cast(cover, dice)
        slope = dice.uniform(-0.14, 0.14) * damage, dice.uniform(-0.14, 0.14) * damage
        down, across = (np.linspace(-1, 1, length, dtype=np.float32) for length in (height, width))
        shade *= 1 + slope[0] * down[:, None] + slope[1] * across
        if dice.chance(0.4 * damage):
            shade *= _shadow(width, height, dice, damage)
        shade *= dice.uniform(0.82, 1.0) if dice.chance(damage) else 1.0
    rgb = np.asarray(picture, dtype=np.float32) * np.minimum(shade, 1.06)[..., None]
    if not scanned and damage:
        rgb *= np.array((1 + dice.uniform(-0.02, 0.05), 1.0, 1 + dice.uniform(-0.08, 0.03)), np.float32)
    if dice.chance(0.8 * damage):
        rgb += dice.uniform(1, 6) * damage * grain(dice, (height, width))[..., None]
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _cast(cover: Image.Image, dice: Dice) -> np.ndarray:
    """Draw the paper's own shadow on the table, as a factor (H, W) float32."""
    shift = dice.integer(-7, 7), dice.integer(3, 9)
    moved = Image.new("L", cover.size)
    moved.paste(cover, shift)
    soft = np.asarray(moved.filter(ImageFilter.GaussianBlur(dice.uniform(4, 10))), dtype=np.float32)
    return 1 - dice.uniform(0.2, 0.5) * soft * (255 - np.asarray(cover, dtype=np.float32)) * (1 / 255 / 255)


def _shadow(width: int, height: int, dice: Dice, damage: float) -> np.ndarray:
    """Draw the photographer's shadow: a soft-edged half of the picture, or a blob, as a factor (H, W) float32."""
    small = Image.new("L", (96, 128))
    pen = ImageDraw.Draw(small)
    if dice.chance(0.6):
        a, b = dice.uniform(-0.2, 1.2) * 96, dice.uniform(-0.2, 1.2) * 96
        side = 200 if dice.chance(0.5) else -100
        pen.polygon([(a, -1), (b, 129), (side, 129), (side, -1)], fill=255)
    else:
        x, y, radius = dice.uniform(0, 96), dice.uniform(30, 140), dice.uniform(25, 55)
        pen.ellipse((x - radius, y - radius, x + radius, y + 1.5 * radius), fill=255)
    soft = small.filter(ImageFilter.GaussianBlur(dice.uniform(1.5, 9))).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return 1 - dice.uniform(0.15, 0.45) * min(1.0, damage) * np.asarray(soft, dtype=np.float32) * (1 / 255)
