"""Lines of a clean scan from projection profiles: skew, then bands of ink cut at white gaps, across and along in turn.

It needs NumPy and Pillow alone. It takes a page for flat and evenly lit; a photograph needs a trained detector.

Source:
    The recursive X-Y cut of Nagy, Seth and Viswanathan 1992, with the skew that makes the row profile sharpest
    (Baird 1987).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter

from ..pictures.boxes import Box

LONGEST_SIDE = 1800  # pixels at which the cuts are made
MIN_CONTRAST = 24  # grey levels by which ink is darker than its surroundings
SKEWS = np.arange(-6, 6.01, 0.5)  # degrees that are tried, then refined in tenths
MIN_PAPER = 0.6  # × the page's light grey: darker surroundings are what the paper lies on
# A run of ink longer than both is a rule or a bar of a code.
RULE, MIN_RULE = 0.045, 60  # × the page's side; pixels
MIN_LYING = 1.3  # × the white between ink across the rows: with more along them, the page lies on its side
# The page is one line where its ink is wide, and where what no white column parts is about as wide as letters are:
# within a single line, letters have more white in them than between them.
MIN_LINE_WIDTH, MIN_LETTER_WIDTH = 2.0, 0.2  # × the ink's height, both
MAX_STROKE = 40  # pixels; longer runs, as of a code's bars, say nothing of the rows' direction
WORD_GAP = 1.3  # × a band's height: white this wide parts two lines in it
MAX_MARK_GAP = 0.3  # × the letters' height: lower white lies between a letter and its mark
MIN_HEIGHT = 5  # pixels; flatter ink is a rule or dirt
MARGIN = 0.12  # × the ink's height: what is added around it

Region = tuple[int, int, int, int]  # left, top, right, bottom


def find_lines(page: Image.Image) -> list[Box]:
    """Find the lines of a page, top to bottom.

    Rows may run across or, on a page that lies on its side, upwards or downwards; boxes are then higher than wide.

    Args:
        page: an RGB picture.

    Returns:
        The lines, in pixels of the picture.
    """
    scale = min(1.0, LONGEST_SIDE / max(page.size))
    grey = page.convert("L").resize([max(1, round(side * scale)) for side in page.size], Image.Resampling.BOX)
    ink = ink_of(grey)
    strokes = _without_runs(ink, MAX_STROKE, MAX_STROKE)
    if _is_line(strokes) or _white(strokes) <= MIN_LYING * _white(strokes.T):
        return _find(ink, skew_of(strokes), scale)
    boxes = _find(np.ascontiguousarray(ink[::-1].T), skew_of(strokes[::-1].T), scale)  # turned clockwise by a quarter
    return [box.turned(270, page.height, page.width).starting(1) for box in boxes]


def _find(ink: np.ndarray, angle: float, scale: float) -> list[Box]:
    """Find lines whose rows fall to the right by `angle` degrees, in pixels of the page before it was scaled."""
    turned = np.asarray(Image.fromarray(ink).rotate(angle, Image.Resampling.NEAREST)) > 0
    regions = [
        trimmed
        for part in _cut(turned, (0, 0, turned.shape[1], turned.shape[0]), 0)
        if (trimmed := _trim(turned, part)) is not None
    ]
    # The dashes of a dashed rule do not count.
    heights = [bottom - top for _, top, _, bottom in regions if bottom - top >= MIN_HEIGHT]
    usual = float(np.median(heights)) if heights else 0.0
    centre = ink.shape[1] / 2, ink.shape[0] / 2
    return [_box(region, angle, centre, scale) for region in regions if _is_text(turned, region, usual)]


def ink_of(grey: Image.Image) -> np.ndarray:
    """Find the ink of a page: pixels clearly darker than the mean of their surroundings, less ruled lines.

    Args:
        grey: the page, mode "L".

    Returns:
        bool array (H, W).
    """
    radius = max(8, max(grey.size) // 60)
    local = np.asarray(grey.filter(ImageFilter.BoxBlur(radius)), dtype=np.int16)
    values = np.asarray(grey, dtype=np.int16)
    paper = local > MIN_PAPER * np.percentile(values, 90)  # or the desk's edge around it is ink
    ink = (local - values > MIN_CONTRAST) & paper
    high, wide = (max(MIN_RULE, round(RULE * side)) for side in ink.shape)
    return _without_runs(ink, wide, high)


def _without_runs(ink: np.ndarray, wide: int, high: int) -> np.ndarray:
    """Return ink less unbroken runs of at least so many pixels along its row or its column."""
    return ink & ~(_in_runs(ink, wide) | _in_runs(ink.T, high).T)


def _in_runs(ink: np.ndarray, length: int) -> np.ndarray:
    """Return the ink that belongs to an unbroken run of at least that many pixels along its row."""
    columns = np.broadcast_to(np.arange(ink.shape[1], dtype=np.int32), ink.shape)
    before = np.maximum.accumulate(np.where(ink, -1, columns), axis=1)
    after = np.minimum.accumulate(np.where(ink, ink.shape[1], columns)[:, ::-1], axis=1)[:, ::-1]
    return ink & (after - before > length)


def skew_of(ink: np.ndarray) -> float:
    """Return the degrees by which rows fall to the right: those at which their profile is sharpest."""
    ys, xs = np.nonzero(ink)
    if len(ys) == 0:
        return 0.0
    step = max(1, len(ys) // 60_000)
    ys, xs = ys[::step], xs[::step]

    def sharpness(angle: float) -> float:
        at = np.rint(ys - xs * math.tan(math.radians(angle))).astype(np.int64)
        profile = np.bincount(at - at.min()).astype(np.float64)
        return float(np.sum(np.diff(profile) ** 2))

    coarse = max(SKEWS, key=sharpness)
    return float(max(coarse + np.arange(-0.4, 0.41, 0.1), key=sharpness))


def _white(ink: np.ndarray) -> float:
    """Return the mean pixels of white between ink along the rows: less along text than across it."""
    ys, xs = np.nonzero(ink)
    gaps = np.diff(xs)[np.diff(ys) == 0] - 1
    gaps = gaps[gaps > 0]
    return float(np.minimum(gaps, MAX_STROKE).mean()) if len(gaps) else 0.0


def _is_line(ink: np.ndarray) -> bool:
    """Whether all ink is one line of text, or a few, that run across the page.

    Then it is wide, and white columns cut it into letters. Rows on a page that lies on its side are cut into strips as
    high as the page is wide.
    """
    region = _trim(ink, (0, 0, ink.shape[1], ink.shape[0]))
    if region is None:
        return False
    left, top, right, bottom = region
    letters = [last - first for first, last in _runs(_any(ink[top:bottom, left:right], 0), 1)]
    height = bottom - top
    return right - left >= MIN_LINE_WIDTH * height and float(np.median(letters)) >= MIN_LETTER_WIDTH * height


def _cut(ink: np.ndarray, region: Region, tried: int) -> Iterator[Region]:
    """Yield parts of a region that no white gap crosses; tried: how many directions in a row have cut nothing."""
    left, top, right, bottom = region
    part = ink[top:bottom, left:right]
    if tried == 2 or not part.any():
        if part.any():
            yield region
        return
    bands = _runs(_any(part, 1), 1)
    if len(bands) > 1:
        bands = _with_marks(bands)
    pieces = []
    for start, end in bands:
        columns = _runs(_any(part[start:end], 0), max(4, round(WORD_GAP * (end - start))))
        pieces += [(left + first, top + start, left + last, top + end) for first, last in columns]
    if len(pieces) == 1 and pieces[0] == region:
        yield region
        return
    for piece in pieces:
        yield from _cut(ink, piece, tried + 1 if len(pieces) == 1 else 0)


def _any(ink: np.ndarray, axis: int) -> np.ndarray:
    """Return where there is ink along an axis."""
    return np.any(ink, axis=axis)


def _runs(filled: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """Return stretches of True as (start, end), those closer than `gap` joined."""
    indices = np.nonzero(filled)[0]
    if len(indices) == 0:
        return []
    breaks = np.nonzero(np.diff(indices) > gap)[0]
    starts = indices[np.concatenate([[0], breaks + 1])]
    return [(int(start), int(end) + 1) for start, end in zip(starts, indices[np.concatenate([breaks, [-1]])])]


def _with_marks(bands: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join bands of rows: a band of accents, or of dots below, belongs to its letters."""
    usual = float(np.percentile([end - start for start, end in bands], 75))
    joined = [bands[0]]
    for start, end in bands[1:]:
        first, last = joined[-1]
        letters = min(max(end - start, last - first), 1.6 * usual)  # a headline has no small print for a mark
        if start - last <= MAX_MARK_GAP * letters and min(end - start, last - first) < 0.5 * letters:
            joined[-1] = first, end
        else:
            joined.append((start, end))
    return joined


def _trim(ink: np.ndarray, region: Region) -> Region | None:
    """Return the part of a region that its ink fills, None where there is none."""
    left, top, right, bottom = region
    rows = np.nonzero(ink[top:bottom, left:right].any(axis=1))[0]
    columns = np.nonzero(ink[top:bottom, left:right].any(axis=0))[0]
    if len(rows) == 0:
        return None
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _is_text(ink: np.ndarray, region: Region, usual: float) -> bool:
    """Whether a region is no rule, no speck and no picture."""
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    share = ink[top:bottom, left:right].mean()
    return height >= max(MIN_HEIGHT, 0.4 * usual) and height <= 6 * usual and width >= 0.2 * height and share < 0.75


def _box(region: Region, angle: float, centre: tuple[float, float], scale: float) -> Box:
    """Return a region of the straightened page as a quadrilateral of the page itself."""
    left, top, right, bottom = region
    margin = MARGIN * (bottom - top) + 1
    straight = Box.of(left - margin, top - margin, right + margin, bottom + margin)
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    middle, centre_y = centre

    def back(x: float, y: float) -> tuple[float, float]:
        x, y = x - middle, y - centre_y
        return (middle + x * cosine - y * sine) / scale, (centre_y + x * sine + y * cosine) / scale

    first, second, third, fourth = straight.points
    return Box((back(*first), back(*second), back(*third), back(*fourth)))
