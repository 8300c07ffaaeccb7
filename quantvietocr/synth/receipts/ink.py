"""From a sheet to ink: coverage (0 = paper, 255 = ink) and where on it each text and mark stands."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from ..lines.dice import Dice
from ..lines.fonts import FontPool
from .bitmap import DotFont, DotPool
from .heads import Head, strike_dots
from .layout import Mark, Sheet, Text

Bounds = tuple[float, float, float, float]  # left, top, right, bottom, in pixels
DOTS = 8.0  # per mm: the head of a thermal printer, 203 dpi
AROUND = 0.08  # em: a box stands this far from the ink
_FINDER = ("1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111")


@dataclass
class Printed:
    """A printed sheet.

    Attributes:
        ink: the ink, mode "L".
        boxes: of the sheet's texts.
        marked: boxes of its marks.
    """

    ink: Image.Image
    boxes: list[Bounds]
    marked: list[Bounds]


def print_sheet(
    sheet: Sheet, pool: FontPool | DotPool, dice: Dice, dots: bool, scale: float, head: Head | None = None
) -> Printed:
    """Draw a sheet.

    Args:
        sheet: what stands where.
        pool: opens fonts.
        dice: source of everything random.
        dots: whether to print in the one-bit dots of a thermal head.
        scale: what the sides of the drawn sheet are multiplied by.
        head: what strikes the dots of a sheet that is set in bitmap letters, a pixel a dot.

    Returns:
        The ink and its boxes, after scaling.
    """
    ink = Image.new("L", (sheet.width, sheet.height))
    pen = ImageDraw.Draw(ink)
    for mark in sheet.marks:
        _draw_mark(pen, mark, sheet, pool, dice)
    boxes = [_draw_text(ink, pen, text, pool) for text in sheet.texts]
    if dots:
        # Low, so that the marks over the vowels keep their strokes.
        ink = ink.point([255 if level > 92 else 0 for level in range(256)])
    if head is not None:
        struck = strike_dots(ink, head, dice)
        across = scale * struck.width / struck.height * ink.height / ink.width  # keeps the head's stretch
        ink = struck.resize((round(ink.width * across), round(ink.height * scale)), Image.Resampling.BOX)
    elif scale != 1:
        ink = ink.resize((round(ink.width * scale), round(ink.height * scale)), Image.Resampling.BICUBIC)
    across, down = ink.width / sheet.width, ink.height / sheet.height

    def scaled(box: Bounds) -> Bounds:
        return box[0] * across, box[1] * down, box[2] * across, box[3] * down

    return Printed(ink, [scaled(box) for box in boxes], [scaled(mark.box) for mark in sheet.marks])


def _draw_text(ink: Image.Image, pen: ImageDraw.ImageDraw, text: Text, pool: FontPool | DotPool) -> Bounds:
    """Draw one text; returns its box: around the ink, and at least from the baseline to the height of an x."""
    font = pool.open(text.face, text.size)
    left, top, right, bottom = font.getbbox(text.text, anchor="ls")
    left, right = left * text.wide, right * text.wide
    top, bottom = min(top, -text.face.x_height * text.size), max(bottom, 0)
    if isinstance(font, DotFont):
        piece, (across, down) = font.draw(text.text, round(text.wide), round(text.tall))
        ink.paste(255, (round(text.x + across), round(text.y + down)), piece)
    elif text.tall == 1:
        pen.text((text.x, text.y), text.text, fill=255, font=font, anchor="ls")
    else:
        above, below = int(-top) + 2, int(bottom) + 2
        piece = Image.new("L", (int(right) + 4, above + below))
        ImageDraw.Draw(piece).text((0, above), text.text, fill=255, font=font, anchor="ls")
        piece = piece.resize((piece.width, round(piece.height * text.tall)), Image.Resampling.BICUBIC)
        corner = round(text.x), round(text.y - above * text.tall)
        ink.paste(255, corner, piece)
    pad = AROUND * text.size
    return text.x + left - pad, text.y + top * text.tall - pad, text.x + right + pad, text.y + bottom * text.tall + pad


def _draw_mark(pen: ImageDraw.ImageDraw, mark: Mark, sheet: Sheet, pool: FontPool | DotPool, dice: Dice) -> None:
    left, top, right, bottom = mark.box
    if mark.dashes:
        font = pool.open(sheet.face, mark.size)
        if isinstance(font, DotFont):
            piece, (across, down) = font.draw(mark.dashes, 1, 1)
            pen.bitmap((round(left + across), round(bottom - 0.15 * mark.size + down)), piece, fill=255)
        else:
            pen.text((left, bottom - 0.15 * mark.size), mark.dashes, fill=255, font=font, anchor="ls")
    elif mark.kind in ("rule", "frame"):
        # Pillow draws both ends.
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), fill=255)
    elif mark.kind == "barcode":
        x, thin = left, (right - left) / 113
        while x < right:
            wide = thin * dice.integer(1, 4)
            pen.rectangle((x, top, min(x + wide, right), bottom), fill=255)
            x += wide + thin * dice.integer(1, 4)
    elif mark.kind == "qr":
        _draw_qr(pen, left, top, (right - left) / 25, dice)
    else:
        middle, half = (left + right) / 2, (bottom - top) / 2
        pen.ellipse((middle - half, top, middle + half, bottom), outline=255, width=max(2, round(0.5 * sheet.per_mm)))
        pen.polygon(
            [
                (middle, top + 0.3 * half),
                (middle + 0.6 * half, bottom - 0.5 * half),
                (middle - 0.6 * half, bottom - 0.5 * half),
            ],
            fill=255,
        )


def _draw_qr(pen: ImageDraw.ImageDraw, left: float, top: float, module: float, dice: Dice) -> None:
    """Draw 25 × 25 modules that look like a QR code; they say nothing."""
    dark = [[dice.chance(0.5) for _ in range(25)] for _ in range(25)]
    for row, column in ((0, 0), (0, 18), (18, 0)):
        for y in range(-1, 8):
            for x in range(-1, 8):
                if 0 <= row + y < 25 and 0 <= column + x < 25:
                    dark[row + y][column + x] = 0 <= x < 7 and 0 <= y < 7 and _FINDER[y][x] == "1"
    for y, cells in enumerate(dark):
        for x, on in enumerate(cells):
            if on:
                at, below = left + x * module, top + y * module
                pen.rectangle((at, below, at + module - 1, below + module - 1), fill=255)
