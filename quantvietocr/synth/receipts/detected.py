"""Lines of generated receipts as a detector cuts them, each with the text that its box holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...pictures.boxes import Box, size_of

MIN_INSIDE = 0.97  # share of a line's points that lie in the box that holds it: a cut letter at one end is too much
MAX_TOUCHED = 0.15  # share of another line's points that may lie in the box beside it
MAX_EXTRA = 1.6  # heights of the box by which it may be longer than what it holds
SAMPLES = 24, 3  # points of a line along and across it


def labelled(boxes: Sequence[Box], lines: Sequence[tuple[Box, str]]) -> Iterator[tuple[Box, str]]:
    """Find what boxes hold.

    A box that cuts a line through, or that holds parts of several rows, has no text anyone could read; it is left out.

    Args:
        boxes: that a detector found.
        lines: what is printed where.

    Yields:
        Each box that holds whole lines alone, and their text from left to right.
    """
    points = [_points(box) for box, _ in lines]
    for box in boxes:
        shares = [float(_inside(box, some).mean()) for some in points]
        held = [index for index, share in enumerate(shares) if share >= MIN_INSIDE]
        if not held or any(MAX_TOUCHED < share < MIN_INSIDE for share in shares):
            continue
        held.sort(key=lambda index: lines[index][0].bounds[0])
        around = Box.around(lines[index][0] for index in held)
        width, height = size_of(box)
        rows = {round(np.mean([y for _, y in lines[index][0].points]) / height) for index in held}
        one_row = len(held) == 1 or len(rows) == 1
        if one_row and width <= size_of(around)[0] + MAX_EXTRA * height:
            yield box, " ".join(lines[index][1] for index in held)


def _points(box: Box) -> np.ndarray:
    """Return points spread over a box but for its edges, (n, 2) float64."""
    upper_left, upper_right, lower_right, lower_left = (np.array(point) for point in box.points)
    along, down = np.linspace(0.01, 0.99, SAMPLES[0]), np.linspace(0.25, 0.75, SAMPLES[1])
    u, v = (grid.reshape(-1, 1) for grid in np.meshgrid(along, down))
    return (1 - v) * ((1 - u) * upper_left + u * upper_right) + v * ((1 - u) * lower_left + u * lower_right)


def _inside(box: Box, points: np.ndarray) -> np.ndarray:
    """Say which points lie in a box, (n,) bool."""
    corners = np.array(box.points)
    edges = np.roll(corners, -1, axis=0) - corners
    away = points[:, None, :] - corners[None, :, :]
    sides = edges[None, :, 0] * away[:, :, 1] - edges[None, :, 1] * away[:, :, 0]
    return np.asarray((sides >= 0).all(axis=1) | (sides <= 0).all(axis=1))
