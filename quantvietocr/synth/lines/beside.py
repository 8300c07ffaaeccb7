"""What stands in a crop beside its line: strokes of the lines above and below, and rules."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import ImageDraw, ImageFont

from .dice import Dice
from .fonts import Face

Bounds = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the canvas


def draw_neighbours(
    dice: Dice,
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    base: int,
    size: int,
    face: Face,
    bounds: Bounds,
    snippets: Sequence[str],
) -> None:
    """Draw lines above and below at the pitch of running text: their strokes reach into a crop that is not tight."""
    # Closer than this, marks and tails of the two lines would run into each other.
    pitch = max(dice.uniform(1.12, 1.5), face.ascent + face.descent + 0.02) * size
    width = bounds[2] - bounds[0]
    for y in (base - pitch, base + pitch):
        if dice.chance(0.75):
            text = dice.pick(snippets)
            while len(text) * size * 0.3 < width:
                text += " " + dice.pick(snippets)
            share = 1.0 if dice.chance(0.7) else dice.uniform(0.2, 1.0)
            text = text[: max(3, int(share * width / (0.36 * size)))]
            pen.text((bounds[0] + dice.uniform(-0.5, 0.5) * size, y), text, fill=255, font=font, anchor="ls")


def draw_rules(dice: Dice, pen: ImageDraw.ImageDraw, box: Bounds, base: int, size: int, bounds: Bounds) -> None:
    """Draw lines that are not text: underline, dotted line of a form, table rules beside, above or below the text."""
    thick = max(1, round(dice.uniform(0.03, 0.06) * size))
    form = dice.random()
    if form < 0.25:
        # Just under the baseline or under the tails: in between it would swallow the dot of a nặng.
        y = base + round((dice.uniform(0.06, 0.1) if dice.chance(0.5) else dice.uniform(0.22, 0.3)) * size)
        pen.rectangle((box[0], y, box[2], y + thick - 1), fill=255)
    elif form < 0.45:
        y, step = base + round(dice.uniform(0.2, 0.3) * size), max(3, round(dice.uniform(0.12, 0.3) * size))
        for x in range(bounds[0], bounds[2], step):
            pen.rectangle((x, y, x + thick - 1, y + thick - 1), fill=255)
    if form >= 0.45 or dice.chance(0.1):
        if dice.chance(0.6):
            x = bounds[0] + max(0, (box[0] - bounds[0]) // 3)
            pen.rectangle((x, 0, x + thick - 1, base + 2 * size), fill=255)
        if dice.chance(0.35):
            x = bounds[2] - 1 - max(0, (bounds[2] - box[2]) // 3)
            pen.rectangle((x, 0, x + thick - 1, base + 2 * size), fill=255)
        for y, there in ((bounds[1], 0.3), (bounds[3] - thick, 0.45)):
            if dice.chance(there) and not box[1] - 1 <= y <= box[3]:
                pen.rectangle((bounds[0], y, bounds[2], y + thick - 1), fill=255)
