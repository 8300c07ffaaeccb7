"""What happens to slips and to pictures of them: stamps, pens, crumples, the back's ink, dim light, unsteady hands."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from ..lines.degrade import clouds, grain
from ..lines.dice import Dice

STAMPS = ("ĐÃ THANH TOÁN", "PAID", "USED", "ĐÃ THU TIỀN", "COPY", "VAT", "HỦY", "KIỂM TRA")
INKS = ((196, 40, 52), (40, 60, 160), (30, 90, 60), (60, 60, 66))  # RGB of stamps and pens


def spoil_paper(paper: np.ndarray, dice: Dice, damage: float) -> np.ndarray:
    """Stamp, write on and crumple paper.

    Args:
        paper: uint8 RGB (H, W, 3).
        dice: source of everything random.
        damage: 0 to 1, how much happens.

    Returns:
        The paper afterwards, of the same shape.
    """
    if dice.chance(0.35 * damage):
        paper = _crumpled(paper, dice)
    if dice.chance(0.2 * damage):
        back = np.roll(paper[:, ::-1], (dice.integer(-40, 40), dice.integer(-60, 60)), (0, 1)).astype(np.float32)
        soft = np.asarray(Image.fromarray(back.astype(np.uint8)).filter(ImageFilter.GaussianBlur(1.2)), np.float32)
        paper = (paper * (1 - dice.uniform(0.05, 0.22) * (255 - soft) * (1 / 255))).astype(np.uint8)
    if dice.chance(0.18 * damage):
        paper = _stamped(paper, dice)
    if dice.chance(0.15 * damage):
        paper = _written_on(paper, dice)
    return paper


def spoil_photo(photo: np.ndarray, dice: Dice, damage: float) -> np.ndarray:
    """Take a picture badly: out of focus, in motion, in dim light, from a screen, compressed again and again.

    Args:
        photo: uint8 RGB (H, W, 3).
        dice: source of everything random.
        damage: 0 to 1, how much happens.

    Returns:
        The picture, of the same shape.
    """
    picture = Image.fromarray(photo)
    form = dice.random()
    if form < 0.12 * damage:
        picture = picture.filter(ImageFilter.GaussianBlur(dice.uniform(0.8, 1.7)))
    elif form < 0.22 * damage:
        picture = _moved(picture, dice)
    elif form < 0.42 * damage:  # taken from afar, or sent small
        factor = dice.uniform(0.45, 0.8)
        small = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        picture = picture.resize(small, Image.Resampling.BILINEAR).resize(picture.size, Image.Resampling.BICUBIC)
    array: np.ndarray = np.asarray(picture, dtype=np.float32)
    if dice.chance(0.15 * damage):
        array = array * dice.uniform(0.35, 0.7) + dice.uniform(4, 12) * grain(dice, array.shape[:2])[..., None]
    if dice.chance(0.06 * damage):
        array = array + _moire(array.shape[:2], dice)[..., None]
    if dice.chance(0.25 * damage):  # a scanner or an app that stretches the contrast
        low, high = dice.uniform(0, 70), dice.uniform(185, 250)
        array = (array - low) * (255 / (high - low))
    flat = np.clip(array, 0, 255).astype(np.uint8)
    for _ in range(dice.integer(1, 3) if dice.chance(0.3 * damage) else 0):
        buffer = io.BytesIO()
        Image.fromarray(flat).save(buffer, "JPEG", quality=dice.integer(30, 75))
        flat = np.asarray(Image.open(buffer).convert("RGB"))
    return flat


def _crumpled(paper: np.ndarray, dice: Dice) -> np.ndarray:
    """Shade paper as a ball of it that was flattened again: many facets, each lit a little differently."""
    height, width, _ = paper.shape
    facets = Image.new("L", (width, height), 128)
    pen = ImageDraw.Draw(facets)
    for _ in range(dice.integer(25, 90)):
        x, y, reach = dice.uniform(0, width), dice.uniform(0, height), dice.uniform(0.1, 0.45) * width
        corners = [(x + dice.uniform(-1, 1) * reach, y + dice.uniform(-1, 1) * reach) for _ in range(3)]
        pen.polygon(corners, fill=128 + dice.integer(-26, 22))
    soft = np.asarray(facets.filter(ImageFilter.GaussianBlur(dice.uniform(1.5, 5))), np.float32)
    shade = 1 + dice.uniform(0.4, 1.0) * (soft - 128) * (1 / 128)
    return np.clip(paper * shade[..., None], 0, 255).astype(np.uint8)


def _stamped(paper: np.ndarray, dice: Dice) -> np.ndarray:
    """Press a stamp on paper: a frame or ring with a word, worn in places. What is below still shows."""
    height, width, _ = paper.shape
    wide = round(dice.uniform(0.25, 0.5) * width)
    high = wide if dice.chance(0.3) else round(0.4 * wide)
    stamp = Image.new("L", (wide, high))
    pen = ImageDraw.Draw(stamp)
    thick = max(2, wide // 40)
    outline = pen.ellipse if high == wide else pen.rectangle
    outline((0, 0, wide - 1, high - 1), outline=255, width=thick)
    word = dice.pick(STAMPS)
    font = _lettering(round(0.7 * wide / max(4, 0.6 * len(word))))
    pen.text((wide / 2, high / 2), word, fill=255, font=font, anchor="mm")
    stamp = stamp.rotate(dice.uniform(-40, 40), Image.Resampling.BICUBIC, expand=True)
    worn = np.asarray(stamp, np.float32) * (1 / 255)
    worn *= np.clip(0.75 + 0.5 * clouds(dice, stamp.height, stamp.width, 0.15), 0, 1) * dice.uniform(0.35, 0.8)
    cover = Image.new("L", (width, height))
    corner = dice.integer(-wide // 4, max(1, width - wide)), dice.integer(0, max(1, height - stamp.height))
    cover.paste(Image.fromarray((worn * 255).astype(np.uint8)), corner)
    return _inked(paper, np.asarray(cover, np.float32) * (1 / 255), dice)


def _written_on(paper: np.ndarray, dice: Dice) -> np.ndarray:
    """Draw with a pen: a tick, a ring around an amount, or a stroke through a row."""
    height, width, _ = paper.shape
    cover = Image.new("L", (width, height))
    pen, thick = ImageDraw.Draw(cover), max(2, round(width * dice.uniform(0.003, 0.007)))
    x, y, reach = dice.uniform(0.1, 0.9) * width, dice.uniform(0.1, 0.9) * height, dice.uniform(0.05, 0.2) * width
    form = dice.pick(("tick", "ring", "stroke"))
    if form == "tick":
        pen.line([(x - reach / 2, y), (x, y + reach / 2), (x + reach, y - reach)], fill=255, width=thick, joint="curve")
    elif form == "ring":
        pen.ellipse((x - reach, y - reach / 3, x + reach, y + reach / 3), outline=255, width=thick)
    else:
        pen.line([(x - reach, y + dice.uniform(-4, 4)), (x + reach, y + dice.uniform(-4, 4))], fill=255, width=thick)
    soft = np.asarray(cover.filter(ImageFilter.GaussianBlur(0.7)), np.float32) * (dice.uniform(0.5, 0.9) / 255)
    return _inked(paper, soft, dice)


def _inked(paper: np.ndarray, cover: np.ndarray, dice: Dice) -> np.ndarray:
    """Lay coloured ink over paper, as a filter: dark print below stays dark."""
    colour = np.array(dice.pick(INKS), np.float32) * (1 / 255)
    return (paper * (1 - cover[..., None] * (1 - colour))).astype(np.uint8)


def _lettering(size: int) -> ImageFont.FreeTypeFont:
    from matplotlib import get_data_path  # only for the font it carries; heavy, so not at the top

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf", max(8, size))


def _moved(picture: Image.Image, dice: Dice) -> Image.Image:
    """Blur along a short straight movement of the hand."""
    length, angle = dice.uniform(1.5, 4.5), dice.uniform(0, np.pi)
    steps = 5
    total = np.zeros((picture.height, picture.width, 3), np.float32)
    for step in range(steps):
        shift = length * (step / (steps - 1) - 0.5)
        matrix = (1, 0, shift * float(np.cos(angle)), 0, 1, shift * float(np.sin(angle)))
        total += np.asarray(picture.transform(picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))
    return Image.fromarray((total / steps).astype(np.uint8))


def _moire(shape: tuple[int, int], dice: Dice) -> np.ndarray:
    """Make the bands that a screen's pixels leave in a photo of it, (H, W) float32 of grey levels."""
    down, across = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle, period = dice.uniform(0, np.pi), dice.uniform(3, 40)
    wave = np.cos((across * np.cos(angle) + down * np.sin(angle)) * (2 * np.pi / period))
    return dice.uniform(3, 10) * wave
