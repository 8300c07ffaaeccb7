"""From text to ink: one line drawn as a coverage mask (0 = paper, 255 = ink), cropped as a line detector would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from .beside import Bounds, draw_neighbours, draw_rules
from .config import SynthConfig
from .dice import Dice
from .fonts import Face, FontPool
from .profiles import Profile

EM_SIZES = (26, 30, 34, 38, 42, 48)  # pixels per em while drawing; few, so that open fonts are used again
MIN_X_HEIGHT = 6.5  # pixels of an x after resizing: smaller is not legible in Vietnamese
READER_HEIGHT = 32  # pixels: the reader's input height, which max_width refers to

Margins = tuple[float, float, float, float]  # above, below, left, right, in pixels


@dataclass
class Ink:
    """A drawn line.

    Attributes:
        mask: the ink, mode "L".
        text: the part of the label that fitted.
        x_height: height of an x after resizing by `scale`, in pixels.
        scale: factor by which the mask must still be resized to reach the wanted height of the crop.
        stretch: factor on the width on top of that, for narrow or wide letters.
    """

    mask: Image.Image
    text: str
    x_height: float
    scale: float
    stretch: float


@dataclass
class _Word:
    text: str
    font: ImageFont.FreeTypeFont
    width: float  # pixels, letter spacing included


@dataclass
class _Set:
    """Words on a canvas, mode "L". Numbers are its pixels: baseline, the line's ends, and the box around its ink."""

    canvas: Image.Image
    base: int
    start: int
    end: float
    box: Bounds


def draw(
    dice: Dice,
    text: str,
    is_long: bool,
    face: Face,
    pool: FontPool,
    profile: Profile,
    config: SynthConfig,
    snippets: Sequence[str],
) -> Ink:
    """Draw a text on one line.

    Words that do not fit the reader's width are cut off, and the label with them.

    Args:
        dice: source of everything random.
        text: the label.
        is_long: whether the line is meant to be long, so that letters become narrower before words are cut off.
        face: what to draw with.
        pool: opens fonts, and knows the other faces of the family.
        profile: the look of the page.
        config: lengths, widths and heights.
        snippets: texts for the lines above and below.

    Returns:
        The ink and the label of what was drawn.
    """
    size = dice.pick(EM_SIZES)
    font = pool.open(face, size)
    letter_gap, word_gap = _spacing(dice, profile, face, size)
    words = _measure(dice, text, face, font, pool, size, letter_gap)
    gaps = _gaps(dice, profile, len(words), font.getlength(" ") * word_gap, size)
    stretch = dice.uniform(0.82, 1.14) if dice.chance(0.2) else 1.0
    style = _crop_style(dice, profile, text)
    margins = _margins(dice, style, face, size)
    # The reader keeps max_width at height 32; long lines may be squeezed into it, as long printed lines are.
    squeeze = min(config.max_squeeze, dice.uniform(1.45, 1.95) if is_long else dice.uniform(1.0, 1.2))
    height = _line_height(style, margins, text, face, font)
    room = config.max_width / READER_HEIGHT * squeeze * height - margins[2] - margins[3]
    if is_long:
        # Narrower letters before fewer words: that is how a line comes to hold 100 characters.
        stretch = min(1.0, max(0.8, room / (sum(word.width for word in words) + sum(gaps))))
    room /= stretch
    words = _fit(words, gaps, room, config.min_chars)
    width = sum(word.width for word in words) + sum(gaps[: len(words) - 1])

    drift = _drift(dice, profile, config, width, size)
    line = _set_words(words, gaps, letter_gap, face, size, margins, width, abs(drift))
    bounds = _crop_bounds(style, margins, line, face.x_height * size)
    pen = ImageDraw.Draw(line.canvas)
    if dice.chance(profile.neighbours):
        draw_neighbours(dice, pen, font, line.base, size, face, bounds, snippets)
    if dice.chance(profile.rules):
        draw_rules(dice, pen, line.box, line.base, size, bounds)
    mask = _level(line.canvas, bounds, drift, dice) if drift else line.canvas.crop(bounds)

    low, high = config.height
    scale = high * (low / high) ** (dice.random() ** (1 / profile.height_bias)) / mask.height
    scale = min(max(scale, MIN_X_HEIGHT / (face.x_height * size)), 1.25 if size > 34 else 1.5, 120 / mask.height)
    return Ink(mask, " ".join(word.text for word in words), face.x_height * size * scale, scale, stretch)


def _crop_style(dice: Dice, profile: Profile, text: str) -> str:
    """Choose how the line is cropped: by its line box ("box"), "tight" around the ink, or "loose"."""
    drawn = dice.random()
    if len(text) <= 3 or drawn < profile.crops[0]:
        return "box"  # of every short text too: a tight crop of "o" or "," could be any of o, O, 0 or , ' .
    return "tight" if drawn < profile.crops[0] + profile.crops[1] else "loose"


def _line_height(style: str, margins: Margins, text: str, face: Face, font: ImageFont.FreeTypeFont) -> float:
    """Height of the crop in pixels, as far as it is known before the words are cut to the width."""
    height = margins[0] + margins[1]
    if style != "box":
        _, top, _, bottom = font.getbbox(text, anchor="ls")
        height += max(bottom, 0) - min(top, -face.x_height * font.size)
    return height


def _set_words(
    words: Sequence[_Word],
    gaps: Sequence[float],
    letter_gap: float,
    face: Face,
    size: int,
    margins: Margins,
    width: float,
    drift: int,
) -> _Set:
    """Draw the words on a canvas that has room around them, and for the line to drift by so many pixels."""
    _, _, left, right = margins
    pad = int(1.2 * size)
    base = int(face.ascent * size) + pad + drift
    canvas = Image.new("L", (int(width + left + right) + 2 * pad, base + int(face.descent * size) + pad + drift))
    pen = ImageDraw.Draw(canvas)
    start = pad + int(left)
    x = end = float(start)
    for word, gap in zip(words, gaps):
        _draw_word(pen, word, x, base, letter_gap)
        end = x + word.width
        x = end + gap
    return _Set(canvas, base, start, end, canvas.getbbox() or (start, base - size // 2, int(end) + 1, base))


def _crop_bounds(style: str, margins: Margins, line: _Set, x_height: float) -> Bounds:
    """Return what a line detector would cut out of the canvas."""
    up, down, left, right = margins
    box = line.box
    if style == "box":
        top, bottom = min(line.base - up, box[1] - 1), max(line.base + down, box[3] + 1)
    else:
        # At least from the baseline to the x-height, or a dash would fill the picture.
        top, bottom = min(box[1], line.base - x_height) - up, max(box[3], line.base) + down
    return (
        max(0, int(min(line.start, box[0]) - left)),
        max(0, int(top)),
        min(line.canvas.width, int(max(line.end, box[2]) + right) + 1),
        min(line.canvas.height, int(bottom) + 1),
    )


def _spacing(dice: Dice, profile: Profile, face: Face, size: int) -> tuple[float, float]:
    """Draw the pixels between letters and the factor on the width of a space."""
    if not dice.chance(profile.spacing):
        return 0.0, 1.0
    if dice.chance(0.3):
        return dice.uniform(-0.02, 0.12) * size, dice.uniform(1.0, 1.6)
    # Justified lines: most spaces a little off, some very wide.
    return 0.0, dice.uniform(0.75, 1.6) if dice.chance(0.8) else dice.uniform(1.6, 4.0)


def _gaps(dice: Dice, profile: Profile, count: int, space: float, size: int) -> list[float]:
    """Return the pixels after each of `count` words: spaces, and now and then the wide gap between two columns."""
    gaps = [space] * count
    if count > 1 and dice.chance(profile.columns):
        for _ in range(dice.integer(1, 2)):
            gaps[dice.integer(0, count - 2)] += dice.uniform(0.5, 5) * size
    return gaps


def _measure(
    dice: Dice, text: str, face: Face, font: ImageFont.FreeTypeFont, pool: FontPool, size: int, letter_gap: float
) -> list[_Word]:
    """Return the words with their fonts: in some lines the first few words stand in another weight or slant."""
    words = text.split(" ")
    fonts = [font] * len(words)
    if len(words) > 3 and dice.chance(0.08):
        other_weight = dice.chance(0.6)
        other = pool.sibling(face, face.bold != other_weight, face.italic == other_weight)
        if other is not None:
            count = dice.integer(1, min(4, len(words) - 1))
            fonts[:count] = [pool.open(other, size)] * count
    return [_Word(word, used, used.getlength(word) + letter_gap * len(word)) for word, used in zip(words, fonts)]


def _fit(words: list[_Word], gaps: list[float], room: float, min_chars: int) -> list[_Word]:
    """Keep as many leading words as fit into `room` pixels, at least one; of one long word, as many letters."""
    used, chars, count = 0.0, -1, 0
    for word, gap in zip(words, gaps):
        if count and used + word.width > room and chars >= min_chars:
            break
        used, chars, count = used + word.width + gap, chars + 1 + len(word.text), count + 1
    words = words[:count]
    if count == 1 and words[0].width > room:
        word = words[0]
        keep = max(min_chars, 1, int(len(word.text) * room / word.width))
        words = [_Word(word.text[:keep], word.font, word.width * keep / len(word.text))]
    return words


def _margins(dice: Dice, style: str, face: Face, size: int) -> Margins:
    """Draw the pixels above, below, left and right: from the baseline for "box", else from the ink."""
    if style == "box":
        side = dice.uniform(0.1, 0.4)
        up, down = max(face.ascent, 0.93) + dice.uniform(0.0, 0.15), face.descent + dice.uniform(0.02, 0.22)
        return up * size, down * size, side * size, side * dice.uniform(0.6, 1.3) * size
    low, high = (0.0, 0.12) if style == "tight" else (0.1, 0.45)
    sides = (low, 3 * high) if style == "loose" and dice.chance(0.25) else (low, 1.5 * high)
    return (
        dice.uniform(low, high) * size,
        dice.uniform(low, high) * size,
        dice.uniform(*sides) * size,
        dice.uniform(*sides) * size,
    )


def _drift(dice: Dice, profile: Profile, config: SynthConfig, width: float, size: int) -> int:
    """Draw the pixels by which the line climbs (+) or falls (-) from its left end to its right end."""
    if not dice.chance(profile.warp * min(1.0, config.degrade)):
        return 0
    # Bounded by the letters' size, not by an angle: a long line that drifts more runs out of any crop.
    return round(dice.uniform(-1, 1) * min(0.045 * width, 0.28 * size) * min(1.0, config.degrade))


def _draw_word(pen: ImageDraw.ImageDraw, word: _Word, x: float, base: int, letter_gap: float) -> None:
    if not letter_gap:
        pen.text((x, base), word.text, fill=255, font=word.font, anchor="ls")
        return
    for letter in word.text:
        pen.text((x, base), letter, fill=255, font=word.font, anchor="ls")
        x += word.font.getlength(letter) + letter_gap


def _level(canvas: Image.Image, bounds: Bounds, drift: int, dice: Dice) -> Image.Image:
    """Return the crop at `bounds`, widened by the drift, with the line climbing, curved, slanted and in perspective."""
    half = abs(drift) / 2
    top, bottom = max(0, bounds[1] - half), min(canvas.height, bounds[3] + half)
    tall = round(bottom - top)
    skew = dice.uniform(-0.15, 0.15) * tall
    # Wider by the slant, and the perspective mostly outwards: no letter may lose its edge.
    left, right = bounds[0] - abs(skew), bounds[2] + abs(skew)
    wide = round(right - left)
    sag = dice.uniform(-0.5, 0.5) * drift if wide > 5 * tall and dice.chance(0.3) else 0.0
    narrow, wider = (dice.uniform(-0.06, 0.01) * tall for _ in range(2))  # height lost at the left, at the right
    steps = 6 if sag else 1

    def edge(share: float) -> tuple[float, float]:
        """Source y of the top and bottom of the picture, at that share of the way from its left to its right."""
        shift = drift * (0.5 - share) + sag * (4 * share * (1 - share) - 0.5)
        lost = narrow + (wider - narrow) * share
        return top + shift + lost, bottom + shift - lost

    mesh = []
    for step in range(steps):
        a, b = step / steps, (step + 1) / steps
        (a_top, a_bottom), (b_top, b_bottom) = edge(a), edge(b)
        # Source corners in Pillow's order: upper left, lower left, lower right, upper right.
        mesh.append(
            (
                (round(a * wide), 0, round(b * wide), tall),
                (
                    left + a * wide + skew,
                    a_top,
                    left + a * wide - skew,
                    a_bottom,
                    left + b * wide - skew,
                    b_bottom,
                    left + b * wide + skew,
                    b_top,
                ),
            )
        )
    return canvas.transform((wide, tall), Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
