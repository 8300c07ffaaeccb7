"""The annotated picture: boxes on the scan, coloured by confidence, and what was read beside it at the same places."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from ..common.wording import counted, on_one_line
from ..pictures.boxes import Box, Point, size_of
from .page import Line, Page

LONGEST_SIDE = 1800  # pixels of the scan in the picture
# Confidence from which on a line takes the colour, the colour, and what the legend says of it.
COLOURS = ((0.9, "#1a7f37", "90 % sure or more"), (0.5, "#c77700", "50 to 90 %"), (0.0, "#c62828", "below 50 %"))
FIELD = "#1e4fd0"
FIELD_TINT = (30, 79, 208, 48)  # RGBA over the lines of a field or item
FRAME = "#cccccc"
MARGIN, TITLE, LEGEND = 12, 20, 15  # pixels: white around everything; size of the title's and the legend's letters
TAG_PITCH = LEGEND + 5  # pixels from one tag to the next
MIN_LEADER = 24  # pixels between the scan and its tags, so that leaders to tags that had to move are not too steep
LETTERS = 0.66  # × a box's height: the font size of its text
INSIDE = 0.5  # pixels by which a line may stand out of its field's box, which is rounded


def annotated(page: Page, picture: Image.Image) -> Image.Image:
    """Draw what was read on a page and where.

    Around every line of the scan stands a box. The lines of fields and items are tinted, and lead to the name of the
    field or item, right of the scan. Right of the names stands every line's text at its place, no wider than its box.

    Args:
        page: the page.
        picture: of the page, upright.

    Returns:
        The drawing, in RGB.
    """
    scale = min(1.0, LONGEST_SIDE / max(page.width, page.height))
    width, height = max(1, round(page.width * scale)), max(1, round(page.height * scale))
    top = MARGIN + TITLE + LEGEND + 2 * MARGIN
    named = [(field.name if field.sure else f"{field.name}?", field.box) for field in page.fields]
    named += [(f"item {number}", item.box) for number, item in enumerate(page.items, 1)]
    tags = max((round(_font(LEGEND).getlength(name)) + MIN_LEADER + 6 for name, _ in named), default=0)
    right = MARGIN + width + tags + MARGIN  # where the text begins
    canvas = Image.new("RGB", (right + width + MARGIN, height + top + MARGIN), "white")
    canvas.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (MARGIN, top))
    pen = ImageDraw.Draw(canvas, "RGBA")
    pen.rectangle((right, top, right + width - 1, top + height - 1), outline=FRAME)
    _draw_head(pen, page, canvas.width)

    def on_canvas(point: Point) -> Point:
        return MARGIN + point[0] * scale, top + point[1] * scale

    in_fields = [(name, [line for line in page.lines if _is_inside(line.box, box)]) for name, box in named]
    tinted = {id(line): line for _, lines in in_fields for line in lines}
    for line in tinted.values():
        pen.polygon([on_canvas(point) for point in line.box.points], fill=FIELD_TINT)
    for line in page.lines:
        pen.polygon([on_canvas(point) for point in line.box.points], outline=_colour(line.confidence), width=2)
        _write(pen, line, on_canvas(line.box.points[0]), scale, right - MARGIN)
    anchors = [(name, on_canvas(_anchor(lines))) for name, lines in in_fields if lines]
    _draw_tags(pen, anchors, MARGIN + width, (top, top + height))
    return canvas


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Open DejaVu Sans, which matplotlib brings and which has every Vietnamese letter."""
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def _draw_head(pen: ImageDraw.ImageDraw, page: Page, width: int) -> None:
    """Draw the title and the legend."""
    of = f", page {page.number} of {page.count}" if page.count > 1 else ""
    degrees = page.tilt + page.turned
    turned = f", turned by {degrees:g}°" if degrees else ""
    name = on_one_line(page.source.rpartition("/")[2])  # Pillow cannot measure text of several lines
    title = f"{name}{of}: {counted(len(page.lines), 'line')}{turned}"
    size = TITLE
    while size > 8 and _font(size).getlength(title) > width - 2 * MARGIN:
        size -= 1
    pen.text((MARGIN, MARGIN), title, "black", _font(size))
    x, y = MARGIN, MARGIN + TITLE + MARGIN
    for text, colour, fill in [(meaning, colour, None) for _, colour, meaning in COLOURS] + [
        ("field or item", None, FIELD_TINT)
    ]:
        pen.rectangle((x, y + 2, x + LEGEND - 2, y + LEGEND), outline=colour, fill=fill, width=2)
        pen.text((x + LEGEND + 4, y), text, "black", _font(LEGEND - 2))
        x += round(LEGEND + 4 + _font(LEGEND - 2).getlength(text)) + 2 * MARGIN


def _is_inside(line: Box, field: Box) -> bool:
    """Whether a line stands within the box around a field's lines."""
    left, top, right, bottom = field.bounds
    return all(left - INSIDE <= x <= right + INSIDE and top - INSIDE <= y <= bottom + INSIDE for x, y in line.points)


def _anchor(lines: Sequence[Line]) -> Point:
    """Return where a leader begins on the page: half way down the right side of the line that ends furthest right."""
    _, (x1, y1), (x2, y2), _ = max(lines, key=lambda line: line.box.bounds[2]).box.points
    return (x1 + x2) / 2, (y1 + y2) / 2


def _draw_tags(
    pen: ImageDraw.ImageDraw, anchors: Sequence[tuple[str, Point]], edge: int, between: tuple[int, int]
) -> None:
    """Write the names of fields and items beside the scan, each with a leader to its lines.

    Args:
        pen: draws.
        anchors: name and beginning of each leader, in pixels of the drawing.
        edge: right edge of the scan.
        between: top and bottom of the scan. Tags that would cover each other move apart within it.
    """
    anchors = sorted(anchors, key=lambda anchor: anchor[1][1])
    heights: list[float] = []
    for _, (_, y) in anchors:
        heights.append(max(y, heights[-1] + TAG_PITCH if heights else between[0] + TAG_PITCH / 2))
    lowest = between[1] - TAG_PITCH / 2
    for index in range(len(heights) - 1, -1, -1):  # what ran over the end moves up again
        heights[index] = min(heights[index], lowest)
        lowest = heights[index] - TAG_PITCH
    for (name, (x, y)), height in zip(anchors, heights):
        pen.line([(x, y), (edge, y), (edge + MIN_LEADER, height)], fill=FIELD)
        box = pen.textbbox((edge + MIN_LEADER + 3, height), name, _font(LEGEND), anchor="lm")
        pen.rectangle((box[0] - 3, height - LEGEND / 2 - 1, box[2] + 3, height + LEGEND / 2 + 1), fill=FIELD)
        pen.text((edge + MIN_LEADER + 3, height), name, "white", _font(LEGEND), anchor="lm")


def _colour(confidence: float) -> str:
    return next(colour for lower, colour, _ in COLOURS if confidence >= lower)


def _write(pen: ImageDraw.ImageDraw, line: Line, corner: Point, scale: float, aside: int) -> None:
    """Write a line's text beside the scan, no wider than its box.

    Args:
        pen: draws.
        line: the line.
        corner: its upper left corner on the scan, in pixels of the drawing.
        scale: pixels of the drawing for one of the page.
        aside: pixels from a place on the scan to the same place beside it.
    """
    wide, high = (side * scale for side in size_of(line.box))
    size = max(6, round(high * LETTERS))
    text = on_one_line(line.text)
    natural = _font(size).getlength(text)
    size = max(5, int(size * min(1.0, wide / max(natural, 1))))
    pen.text((corner[0] + aside, corner[1] + high / 2), text, _colour(line.confidence), _font(size), anchor="lm")
