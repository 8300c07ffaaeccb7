"""From ink to picture: paper, light, scanner, camera, printer. Also light augmentation of real line images."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from .dice import Dice
from .profiles import Profile

RESIZERS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
MIN_CONTRAST = 70  # grey levels between ink and paper that always remain
_TILE = 1 << 19  # numbers in the tile of noise that windows are taken from


@lru_cache(maxsize=1)
def _noise_tile() -> np.ndarray:
    """Draw standard normal noise once, (2**19,) float32: a window of it costs a hundredth of drawing anew."""
    return np.random.default_rng(20240229).standard_normal(_TILE, dtype=np.float32)


def grain(dice: Dice, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal noise of `shape`, float32."""
    count = int(np.prod(shape))
    start = dice.integer(0, _TILE - 1)
    tile = _noise_tile()
    if start + count <= _TILE:
        return tile[start : start + count].reshape(shape)
    return np.take(tile, np.arange(start, start + count), mode="wrap").reshape(shape)


def clouds(dice: Dice, height: int, width: int, cell: float) -> np.ndarray:
    """Draw smooth noise.

    Args:
        dice: source of everything random.
        height: of the noise, in pixels.
        width: of the noise, in pixels.
        cell: size of a blob, as a multiple of the height.

    Returns:
        float32 array (height, width), values in about [-1, 1].
    """
    rows = max(2, round(1 / cell))
    columns = max(2, min(64, round(width / height / cell)))
    coarse = dice.rng.random((rows, columns), dtype=np.float32) * 2 - 1
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Compress a picture as JPEG and decode it again, in RGB."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def resize(image: Image.Image, width: float, height: float, dice: Dice) -> Image.Image:
    """Resize a picture to a size in pixels, at least 1 × 1, with a filter drawn from RESIZERS."""
    return image.resize((max(1, round(width)), max(1, round(height))), dice.pick(RESIZERS))


def degrade(
    mask: Image.Image, x_height: float, scale: float, stretch: float, profile: Profile, strength: float, dice: Dice
) -> np.ndarray:
    """Make a picture of an ink mask.

    Args:
        mask: coverage with ink, mode "L": 0 is paper, 255 is ink.
        x_height: height of an x after resizing, in pixels.
        scale: what the mask's sides are multiplied by.
        stretch: what its width is multiplied by on top of that.
        profile: the look, which says how likely each damage is.
        strength: of the damage: 0 leaves clean print, 1 is as in real use.
        dice: source of everything random.

    Returns:
        uint8 RGB array (H, W, 3).
    """

    def happens(probability: float) -> bool:
        return dice.chance(probability * min(1.0, strength))

    binary = happens(profile.binary) and x_height > 8.5  # at smaller sizes one bit loses the marks
    if happens(profile.ink):
        mask = _spread(mask, dice)
    width, height = mask.width * scale * stretch, mask.height * scale
    mask = resize(mask, width, height, dice)
    if happens(profile.lowres) and x_height > 8 and not binary:
        # Not below 6 pixels of x: the marks over the vowels must survive.
        factor = max(6.2 / x_height, 12 / mask.height, 1 - dice.uniform(0.2, 0.6) * strength)
        small = resize(mask, width * factor, height * factor, dice)
        mask = resize(small, width, height, dice) if dice.chance(0.6) else small
        x_height *= factor
    if happens(profile.blur):
        mask = mask.filter(ImageFilter.GaussianBlur(dice.uniform(0.2, 0.1 * min(x_height, 16)) * min(strength, 1.3)))

    ink = np.asarray(mask, dtype=np.float32) * (1 / 255)
    if happens(profile.thermal):
        ink = _thermal(ink, dice, strength)
    if happens(profile.fade) and not binary:
        rows, columns = ink.shape
        patches = 0.5 + 0.5 * clouds(dice, rows, columns, dice.uniform(0.3, 1.5))
        ink = ink * np.clip(1 - dice.uniform(0.1, 0.45) * strength * patches, 0.5, 1)
    if happens(profile.bleed):
        back = np.roll(ink[:, ::-1], (dice.integer(-6, 6), dice.integer(-40, 40)), (0, 1))
        ink = np.maximum(ink, back * dice.uniform(0.06, 0.22) * min(1.0, strength))
    if binary:
        return _one_bit(ink, dice)
    return _expose(ink, profile, strength, dice, happens)


def _spread(mask: Image.Image, dice: Dice) -> Image.Image:
    """Make strokes a little thicker (spread ink) or thinner (worn), with the edge of a bad copy."""
    soft = mask.filter(ImageFilter.GaussianBlur(dice.uniform(0.4, 1.0)))
    counts = np.cumsum(soft.histogram()[::-1])
    inked = np.dot(soft.histogram(), np.arange(256)) / 255
    # The edge lies where the inked area is this share of what it was: a fixed level would lose thin strokes whole.
    middle = max(40, 255 - int(np.searchsorted(counts, inked * dice.uniform(0.8, 1.5))))
    slope = dice.uniform(2.0, 6.0)
    return soft.point([min(255, max(0, round((level - middle) * slope + 128))) for level in range(256)])


def _one_bit(ink: np.ndarray, dice: Dice) -> np.ndarray:
    """Turn ink into black and white, (H, W, 3) uint8: the threshold keeps about the inked area, also thin strokes."""
    rough = ink + dice.uniform(0.01, 0.1) * grain(dice, ink.shape)
    share = min(0.9, float(ink.mean()) * dice.uniform(0.9, 1.5))
    level = max(0.22, float(np.quantile(rough, 1 - share)))
    return np.repeat(np.where(rough > level, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _thermal(ink: np.ndarray, dice: Dice, strength: float) -> np.ndarray:
    """Return ink with the dots of a print head, its pale columns, and uneven heat along the paper."""
    height, width = ink.shape
    form = dice.random()
    if form < 0.45:
        period = dice.uniform(1.8, 3.2)
        rows = 1 - 0.4 * strength * (0.5 + 0.5 * np.cos(np.arange(height, dtype=np.float32) * (2 * np.pi / period)))
        columns = 1 - 0.25 * strength * (0.5 + 0.5 * np.cos(np.arange(width, dtype=np.float32) * (2 * np.pi / period)))
        ink = ink * np.clip(rows[:, None] * columns, 0.3, 1)
    elif form < 0.7:
        ink = ink * np.clip(1 - 0.2 * strength * np.abs(grain(dice, (height, width))), 0.3, 1)
    if dice.chance(0.3):
        streaks = np.ones(width, np.float32)
        for _ in range(dice.integer(1, 4)):
            at = dice.integer(0, width - 1)
            streaks[at : at + dice.integer(1, 2)] = dice.uniform(0.35, 0.7)
        ink = ink * streaks
    return ink


def _colours(dice: Dice, profile: Profile, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw the colours of ink and paper, each (3,) float32 of 0 to 255, with a readable contrast between them."""
    damage = min(1.0, strength) if profile.paper or profile.fade else 0.0
    paper_grey = 255 - dice.uniform(0, 75) * damage * dice.random()
    ink_grey = dice.uniform(0, 110) * damage * dice.random()
    ink, paper = np.full(3, ink_grey, np.float32), np.full(3, paper_grey, np.float32)
    if dice.chance(profile.colour):
        paper -= dice.rng.random(3, dtype=np.float32) * dice.pick((12, 30, 70))
        if dice.chance(0.5):
            ink = dice.rng.random(3, dtype=np.float32) * dice.pick((60, 120, 170))
    if dice.chance(profile.invert):
        ink, paper = 255 - ink, 255 - paper
        if dice.chance(0.5):
            paper = paper + dice.rng.random(3, dtype=np.float32) * 70
    gap = float(paper.mean() - ink.mean())
    if abs(gap) < MIN_CONTRAST + 30:
        ink = np.full(3, 10.0 if paper.mean() > 128 else 245.0, np.float32)
    return ink, np.clip(paper, 0, 255)


def _expose(
    ink: np.ndarray, profile: Profile, strength: float, dice: Dice, happens: Callable[[float], bool]
) -> np.ndarray:
    """Add colour, paper, light, noise and compression to ink; returns (H, W, 3) uint8."""
    height, width = ink.shape
    ink_colour, paper_colour = _colours(dice, profile, strength)
    contrast = abs(float(paper_colour.mean() - ink_colour.mean()))
    # What the strokes have left after blur, fading and printer dots, where they are strong.
    peak = float(np.quantile(ink[::2, ::2], 0.97))
    if 0.02 < peak * contrast < MIN_CONTRAST:
        ink = np.minimum(ink * (MIN_CONTRAST / (peak * contrast)), 1)
    contrast *= min(1.0, max(peak, 0.3))
    light: np.ndarray | float = 0.0  # grey levels to add, (H, W)
    if happens(profile.paper):
        light = dice.uniform(3, 26) * strength * clouds(dice, height, width, dice.uniform(0.6, 4))
        if dice.chance(0.5):
            light = light + dice.uniform(-35, 35) * strength * np.linspace(-1, 1, width, dtype=np.float32)
        if dice.chance(0.3):
            light = light + dice.uniform(2, 9) * strength * clouds(dice, height, width, 0.08)
        # Light that pushes paper past white would take pale strokes with it.
        light = light - max(0.0, float(light.max()) + float(paper_colour.max()) - 258)
    shade = light
    if happens(profile.noise):
        shade = light + min(dice.uniform(1.5, 14) * strength, 0.09 * contrast) * grain(dice, (height, width))
    grey = bool((ink_colour == ink_colour[0]).all() and (paper_colour == paper_colour[0]).all())
    if grey:
        picture = paper_colour[0] + (ink_colour[0] - paper_colour[0]) * ink + shade
    else:
        picture = paper_colour + (ink_colour - paper_colour) * ink[..., None]
        picture = picture + (shade[..., None] if isinstance(shade, np.ndarray) else shade)
    flat = np.clip(picture, 0, 255).astype(np.uint8)
    if happens(profile.jpeg):
        return np.asarray(jpeg(Image.fromarray(flat), dice.integer(max(12, round(75 - 45 * strength)), 92)))
    return np.repeat(flat[..., None], 3, axis=2) if flat.ndim == 2 else flat


def augment(image: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Vary a real line image lightly, so that its label stays readable.

    Args:
        image: uint8 RGB array (H, W, 3).
        rng: source of everything random.
        strength: 0 returns the image unchanged, 1 is made for fine-tuning.

    Returns:
        An array of the same kind, of a slightly different size.

    Raises:
        ValueError: the array has another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ValueError(f"augment: got {image.dtype} {image.shape}: pass an RGB image (H, W, 3) of uint8")
    if strength <= 0:
        return image
    dice = Dice(rng)
    picture = Image.fromarray(image)
    edge = tuple(int(v) for v in np.median(np.concatenate((image[:, 0], image[:, -1])), axis=0))

    def happens(probability: float) -> bool:
        return dice.chance(probability * min(1.0, strength))

    if happens(0.5):
        picture = _reframe(picture, edge, strength, dice)
    if happens(0.3) and picture.height > 20:
        factor = max(18 / picture.height, 1 - dice.uniform(0.1, 0.5) * strength)
        picture = resize(picture, picture.width * factor, picture.height * factor, dice)
    if happens(0.25):
        radius = dice.uniform(0.2, 0.022 * min(picture.height, 40)) * strength
        picture = picture.filter(ImageFilter.GaussianBlur(radius))
    array: np.ndarray = np.asarray(picture, dtype=np.float32)
    if happens(0.5):
        middle = dice.uniform(90, 200)
        array = (array - middle) * (1 + dice.uniform(-0.3, 0.2) * strength) + middle + dice.uniform(-25, 20) * strength
    if happens(0.3):
        light = clouds(dice, array.shape[0], array.shape[1], dice.uniform(0.6, 4))
        array = array + (dice.uniform(-25, 25) * strength * light)[..., None]
    if happens(0.35):
        array = array + (dice.uniform(1, 10) * strength * grain(dice, array.shape[:2]))[..., None]
    result = np.clip(array, 0, 255).astype(np.uint8)
    if happens(0.35):
        result = np.asarray(jpeg(Image.fromarray(result), dice.integer(max(20, round(85 - 45 * strength)), 95)))
    return result


def _reframe(picture: Image.Image, edge: tuple[int, ...], strength: float, dice: Dice) -> Image.Image:
    """Shift the edges of a crop, pad it with the colour `edge` and tilt it a little, in one transform."""
    width, height = picture.size
    reach = 0.07 * height * strength
    tilt = dice.uniform(-1, 1) * min(0.02 * width, 0.08 * height) * strength
    bend = 0.03 * height * strength
    left, right = -dice.uniform(-0.02 * height, 2 * reach), width + dice.uniform(-0.02 * height, 2 * reach)
    # Outwards more than inwards: marks above and dots below must stay inside.
    top, bottom = -dice.uniform(-0.2, 1) * reach, height + dice.uniform(-0.2, 1) * reach
    quad = (
        left,
        top + tilt,
        left,
        bottom + tilt + dice.uniform(-bend, bend),
        right,
        bottom - tilt + dice.uniform(-bend, bend),
        right,
        top - tilt,
    )
    size = (max(4, round((right - left) * dice.uniform(0.95, 1.06))), max(4, round(bottom - top)))
    return picture.transform(size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC, fillcolor=edge)
