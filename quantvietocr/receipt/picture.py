"""The annotated picture: boxes on the scan, coloured by confidence, and what was read beside it at the same places."""

from __future__ import annotations

from functools import cache

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from ..pictures.boxes import Point, size_of
from .page import Line, Page

LONGEST_SIDE = 1800  # pixels of the scan in the picture
# Confidence from which a line takes the colour, and what the legend says of it.
COLOURS = ((0.9, "#1a7f37", "90 % sure or more"), (0.5, "#c77700", "50 to 90 %"), (0.0, "#c62828", "below 50 %"))
FIELD = "#1e4fd0"
MARGIN, TITLE, LEGEND = 12, 20, 15  # pixels: around, and letters of title and legend
LETTERS = 0.66  # of a box's height: the font size of its text


def annotated(page: Page, picture: Image.Image) -> Image.Image:
    """The page (upright, as `page` has it) with a box around every line, a heavier one with its name around each field
    and item; to the right, every line's text where it stands, no wider than its box."""
    scale = min(1.0, LONGEST_SIDE / max(page.width, page.height))
    width, height = max(1, round(page.width * scale)), max(1, round(page.height * scale))
    top = MARGIN + TITLE + LEGEND + 2 * MARGIN
    canvas = Image.new("RGB", (2 * width + 3 * MARGIN, height + top + MARGIN), "white")
    canvas.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (MARGIN, top))
    pen = ImageDraw.Draw(canvas)
    right = width + 2 * MARGIN
    pen.rectangle((right, top, right + width - 1, top + height - 1), outline="#cccccc")
    _head(pen, page, canvas.width)

    def place(point: Point) -> Point:
        return MARGIN + point[0] * scale, top + point[1] * scale

    for line in page.lines:
        pen.polygon([place(point) for point in line.box.points], outline=_colour(line.confidence), width=2)
        _write(pen, line, place(line.box.points[0]), scale, width + MARGIN)
    named = [(field.name, field.box) for field in page.fields]
    named += [(f"item {number}", item.box) for number, item in enumerate(page.items, 1)]
    for name, box in named:
        left, upper, end, lower = box.bounds
        (x0, y0), (x1, y1) = place((left, upper)), place((end, lower))
        pen.rectangle((x0 - 3, y0 - 3, x1 + 3, y1 + 3), outline=FIELD, width=2)
        tag = pen.textbbox((x0 - 3, y0 - 3), name, font(LEGEND), anchor="lb")
        pen.rectangle(tag, fill=FIELD)
        pen.text((x0 - 3, y0 - 3), name, "white", font(LEGEND), anchor="lb")
    return canvas


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings and which has every Vietnamese letter."""
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def _head(pen: ImageDraw.ImageDraw, page: Page, width: int) -> None:
    of = f", page {page.number} of {page.count}" if page.count > 1 else ""
    turned = f", turned by {page.turned}°" if page.turned else ""
    title = f"{page.source.rpartition('/')[2]}{of}: {len(page.lines)} lines{turned}"
    size = TITLE
    while size > 8 and font(size).getlength(title) > width - 2 * MARGIN:
        size -= 1
    pen.text((MARGIN, MARGIN), title, "black", font(size))
    x, y = MARGIN, MARGIN + TITLE + MARGIN
    for text, colour in [(said, colour) for _, colour, said in COLOURS] + [("field or item", FIELD)]:
        pen.rectangle((x, y + 2, x + LEGEND - 2, y + LEGEND), outline=colour, width=2)
        pen.text((x + LEGEND + 4, y), text, "black", font(LEGEND - 2))
        x += round(LEGEND + 4 + font(LEGEND - 2).getlength(text)) + 2 * MARGIN


def _colour(confidence: float) -> str:
    return next(colour for least, colour, _ in COLOURS if confidence >= least)


def _write(pen: ImageDraw.ImageDraw, line: Line, place: Point, scale: float, aside: int) -> None:
    wide, high = (side * scale for side in size_of(line.box))
    size = max(6, round(high * LETTERS))
    taken = font(size).getlength(line.text)
    size = max(5, int(size * min(1.0, wide / max(taken, 1))))
    pen.text((place[0] + aside, place[1] + high / 2), line.text, _colour(line.confidence), font(size), anchor="lm")
