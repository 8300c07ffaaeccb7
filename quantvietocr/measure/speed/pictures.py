"""The pictures that `bench` times: the same on every machine, drawn with the DejaVu fonts that come with matplotlib."""

from __future__ import annotations

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from ...synth.lines import LineGenerator, SynthConfig

#: Width in px at height 32 → text of one line alone: 10, 25 and 40 characters, 12.8 px each, as printed lines have.
TEXTS = {128: "Hà Nội 197", 320: "Cộng hòa xã hội chủ nghĩa", 512: "Ủy ban nhân dân thành phố Hồ Chí Minh 12"}
SCALE = 2  # pictures are drawn larger than the network reads them, so that resizing is part of the time
HEIGHT, MARGIN = 32 * SCALE, 4 * SCALE
LONGEST = 45  # characters in a mixed line: past about that the picture is squeezed into 512 px
SEED = 0


def line_of(width: int) -> Image.Image:
    """The line of `TEXTS` for a width in px at height 32: black on white, RGB, drawn at `SCALE` times that size."""
    text, size = TEXTS[width], (width * SCALE, HEIGHT)
    points = HEIGHT
    while True:  # the largest print that fits
        font = ImageFont.truetype(_font("Sans"), points)
        left, top, right, bottom = font.getbbox(text)
        if right - left <= size[0] - 2 * MARGIN and bottom - top <= size[1] - 2 * MARGIN:
            break
        points -= 1
    picture = Image.new("RGB", size, "white")
    place = (size[0] - right - left) / 2, (size[1] - bottom - top) / 2
    ImageDraw.Draw(picture).text(place, text, fill="black", font=font)
    return picture


def mixed_lines(count: int) -> list[Image.Image]:
    """`count` generated lines of all kinds and widths, up to `LONGEST` characters, clean print."""
    config = SynthConfig(fonts=(_font("Sans"), _font("Serif")), max_chars=LONGEST, degrade=0.0)
    generator = LineGenerator(config, SEED)
    return [Image.fromarray(generator.line(index).image) for index in range(count)]


def _font(name: str) -> str:
    return f"{get_data_path()}/fonts/ttf/DejaVu{name}.ttf"
