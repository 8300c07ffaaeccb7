"""Draw line pictures with what was read in them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from PIL import Image

from ..common.figures import save_figure

CELL_WIDTH, PICTURE_HEIGHT, TEXT_HEIGHT, GAP = 7.0, 0.36, 0.24, 0.16  # inches
MARGIN, TITLE_HEIGHT, COLUMN_GAP = 0.25, 0.45, 0.4  # inches
TEXT_BELOW = 0.05  # inches between a picture and its text
CONFIDENCE_WIDTH = 0.5  # inches
TITLE_POINTS, TEXT_POINTS, CONFIDENCE_POINTS = 13, 10.5, 8
DPI = 110
MAX_IN_ONE_COLUMN = 12  # lines; more stand in two columns


def draw_lines(lines: Sequence[tuple[Image.Image, str, float]], path: str | os.PathLike, title: str) -> Path:
    """Write a PNG that shows each line's picture with its text and confidence under it, in one or two columns.

    It is written whole or not at all.

    Args:
        lines: (picture, text, confidence in [0,1]) each, in the order to show them.
        path: The PNG to write.
        title: Stands above.

    Returns:
        The path.

    Raises:
        OSError: Where it cannot be written.
    """
    columns = 1 if len(lines) <= MAX_IN_ONE_COLUMN else 2
    rows = math.ceil(len(lines) / columns)
    cell_height = PICTURE_HEIGHT + TEXT_HEIGHT + GAP
    width = 2 * MARGIN + columns * CELL_WIDTH + (columns - 1) * COLUMN_GAP
    height = 2 * MARGIN + TITLE_HEIGHT + rows * cell_height
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    renderer = FigureCanvasAgg(figure).get_renderer()
    _text(
        figure,
        renderer,
        MARGIN / width,
        1 - MARGIN / height,
        title,
        TITLE_POINTS,
        width - 2 * MARGIN,
        va="top",
        weight="bold",
    )
    for index, line in enumerate(lines):
        column, row = divmod(index, rows)
        left = MARGIN + column * (CELL_WIDTH + COLUMN_GAP)
        _draw_cell(figure, renderer, left, height - MARGIN - TITLE_HEIGHT - row * cell_height, *line)
    return save_figure(figure, path)


def _draw_cell(
    figure: Figure, renderer: RendererAgg, left: float, top: float, picture: Image.Image, text: str, confidence: float
) -> None:
    """Draw a line's picture, its upper left corner `left` and `top` inches from the lower left, its text under it."""
    width, height = figure.get_size_inches()
    scale = min(PICTURE_HEIGHT / picture.height, CELL_WIDTH / picture.width)
    shown_width, shown_height = picture.width * scale, picture.height * scale
    axes = figure.add_axes((left / width, (top - shown_height) / height, shown_width / width, shown_height / height))
    axes.imshow(picture, aspect="auto", interpolation="lanczos")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="0.75", linewidth=0.6)
    base = (top - shown_height - TEXT_BELOW) / height
    text_width, right = CELL_WIDTH - CONFIDENCE_WIDTH, (left + CELL_WIDTH) / width
    _text(figure, renderer, left / width, base, text, TEXT_POINTS, text_width, va="top", color="#0b3d91")
    chance, style = f"{confidence:.0%}", {"va": "top", "ha": "right", "color": "0.45"}
    _text(figure, renderer, right, base, chance, CONFIDENCE_POINTS, CONFIDENCE_WIDTH, **style)


def _text(
    figure: Figure, renderer: RendererAgg, x: float, y: float, text: str, points: float, width: float, **style: Any
) -> None:
    """Write `text` no wider than `width` inches, smaller than `points` if it must be."""
    # A text may hold $: it is not a formula.
    written = figure.text(x, y, text, fontsize=points, family="DejaVu Sans", parse_math=False, **style)
    taken = written.get_window_extent(renderer).width / figure.dpi
    if taken > width:
        written.set_fontsize(points * width / taken)
