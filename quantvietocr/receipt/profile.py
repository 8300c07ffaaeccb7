"""Lines of a clean scan from projection profiles: skew, then bands of ink cut at white gaps, across and along in turn.

The recursive X-Y cut of Nagy, Seth and Viswanathan (1992), with the skew that makes the row profile sharpest (Baird
1987). NumPy and Pillow alone. It takes a page for flat and evenly lit; a photograph needs a trained detector.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter

from ..pictures.boxes import Box

LONGEST_SIDE = 1800  # pixels at which the cuts are made
CONTRAST = 24  # grey levels that ink is darker than its surroundings
SKEWS = np.arange(-6, 6.01, 0.5)  # degrees that are tried, then refined in tenths
PAPER = 0.6  # of the page's light grey: darker surroundings are what the paper lies on
RULE, SHORTEST_RULE = 0.045, 60  # of the page's side, and pixels: a longer run of ink is a rule or a code's bar
LYING = 1.3  # times more white between ink along the rows than across them: the page lies on its side
# Of a line alone, whose letters have more white in them than between them: the ink is so many times wider than high, and
# what no white column parts is usually so wide, as a part of the height.
ALONE, LETTER = 2.0, 0.2
STROKE = 40  # pixels: longer runs, as of a code's bars, say nothing of the rows' direction
WORD_GAP = 1.3  # white as wide as this multiple of a band's height parts two lines in it
MARK_GAP = 0.3  # white lower than this multiple of the letters' height lies between a letter and its mark
LOWEST = 5  # pixels: flatter ink is a rule or dirt
MARGIN = 0.12  # what is added around ink, as a part of its height

Region = tuple[int, int, int, int]  # left, top, right, bottom


def find_lines(page: Image.Image) -> list[Box]:
    """The lines of an RGB picture of a page, top to bottom. Rows may run across or, on a page that lies on its side,
    upwards or downwards; boxes are then higher than wide."""
    scale = min(1.0, LONGEST_SIDE / max(page.size))
    grey = page.convert("L").resize([max(1, round(side * scale)) for side in page.size], Image.Resampling.BOX)
    ink = ink_of(grey)
    strokes = _without_runs(ink, STROKE, STROKE)
    if _is_line(strokes) or _white(strokes) <= LYING * _white(strokes.T):
        return _find(ink, skew_of(strokes), scale)
    boxes = _find(np.ascontiguousarray(ink[::-1].T), skew_of(strokes[::-1].T), scale)  # turned clockwise by a quarter
    return [box.turned(270, page.height, page.width).starting(1) for box in boxes]


def _find(ink: np.ndarray, angle: float, scale: float) -> list[Box]:
    """Lines of a page whose rows fall to the right by `angle` degrees, in pixels of the page before it was scaled."""
    turned = np.asarray(Image.fromarray(ink).rotate(angle, Image.Resampling.NEAREST)) > 0
    regions = [
        trimmed
        for part in _cut(turned, (0, 0, turned.shape[1], turned.shape[0]), 0)
        if (trimmed := _trim(turned, part)) is not None
    ]
    heights = [
        bottom - top for _, top, _, bottom in regions if bottom - top >= LOWEST
    ]  # not the dashes of a dashed rule
    usual = float(np.median(heights)) if heights else 0.0
    centre = ink.shape[1] / 2, ink.shape[0] / 2
    return [_box(region, angle, centre, scale) for region in regions if _is_text(turned, region, usual)]


def ink_of(grey: Image.Image) -> np.ndarray:
    """bool H x W: pixels clearly darker than the mean of their surroundings, less ruled lines."""
    radius = max(8, max(grey.size) // 60)
    local = np.asarray(grey.filter(ImageFilter.BoxBlur(radius)), dtype=np.int16)
    values = np.asarray(grey, dtype=np.int16)
    paper = local > PAPER * np.percentile(values, 90)  # or the desk's edge around it is ink
    ink = (local - values > CONTRAST) & paper
    high, wide = (max(SHORTEST_RULE, round(RULE * side)) for side in ink.shape)
    return _without_runs(ink, wide, high)


def _without_runs(ink: np.ndarray, wide: int, high: int) -> np.ndarray:
    """Ink less unbroken runs of at least so many pixels along its row or its column."""
    return ink & ~(_in_runs(ink, wide) | _in_runs(ink.T, high).T)


def _in_runs(ink: np.ndarray, least: int) -> np.ndarray:
    """The ink that belongs to an unbroken run of at least that many pixels along its row."""
    places = np.broadcast_to(np.arange(ink.shape[1], dtype=np.int32), ink.shape)
    before = np.maximum.accumulate(np.where(ink, -1, places), axis=1)
    after = np.minimum.accumulate(np.where(ink, ink.shape[1], places)[:, ::-1], axis=1)[:, ::-1]
    return ink & (after - before > least)


def skew_of(ink: np.ndarray) -> float:
    """Degrees by which rows fall to the right: those at which their profile is sharpest."""
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
    """Mean pixels of white between ink along the rows: less along text than across it."""
    ys, xs = np.nonzero(ink)
    gaps = np.diff(xs)[np.diff(ys) == 0] - 1
    gaps = gaps[gaps > 0]
    return float(np.minimum(gaps, STROKE).mean()) if len(gaps) else 0.0


def _is_line(ink: np.ndarray) -> bool:
    """Whether all ink is one line of text, or a few, that run across the page: it is wide, and cut into letters by white
    columns; rows on a page that lies on its side are cut into strips as high as the page is wide."""
    region = _trim(ink, (0, 0, ink.shape[1], ink.shape[0]))
    if region is None:
        return False
    left, top, right, bottom = region
    letters = [last - first for first, last in _runs(ink[top:bottom, left:right].any(axis=0), 1)]
    return right - left >= ALONE * (bottom - top) and float(np.median(letters)) >= LETTER * (bottom - top)


def _cut(ink: np.ndarray, region: Region, tried: int) -> Iterator[Region]:
    """Parts of a region that no white gap crosses; tried: how many directions in a row have cut nothing."""
    left, top, right, bottom = region
    part = ink[top:bottom, left:right]
    if tried == 2 or not part.any():
        if part.any():
            yield region
        return
    across = part.any(axis=1)
    bands = _runs(across, 1)
    if len(bands) > 1:
        bands = _with_marks(bands)
    pieces = []
    for start, end in bands:
        columns = _runs(part[start:end].any(axis=0), max(4, round(WORD_GAP * (end - start))))
        pieces += [(left + first, top + start, left + last, top + end) for first, last in columns]
    if len(pieces) == 1 and pieces[0] == region:
        yield region
        return
    for piece in pieces:
        yield from _cut(ink, piece, tried + 1 if len(pieces) == 1 else 0)


def _runs(filled: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """Stretches of True, those closer than `gap` joined: (start, end) each."""
    places = np.nonzero(filled)[0]
    if len(places) == 0:
        return []
    breaks = np.nonzero(np.diff(places) > gap)[0]
    starts = places[np.concatenate([[0], breaks + 1])]
    return [(int(start), int(end) + 1) for start, end in zip(starts, places[np.concatenate([breaks, [-1]])])]


def _with_marks(bands: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Bands of rows, a band of accents or dots below joined to the letters it belongs to."""
    usual = float(np.percentile([end - start for start, end in bands], 75))
    joined = [bands[0]]
    for start, end in bands[1:]:
        first, last = joined[-1]
        letters = min(max(end - start, last - first), 1.6 * usual)  # a headline has no small print for a mark
        if start - last <= MARK_GAP * letters and min(end - start, last - first) < 0.5 * letters:
            joined[-1] = first, end
        else:
            joined.append((start, end))
    return joined


def _trim(ink: np.ndarray, region: Region) -> Region | None:
    left, top, right, bottom = region
    rows = np.nonzero(ink[top:bottom, left:right].any(axis=1))[0]
    columns = np.nonzero(ink[top:bottom, left:right].any(axis=0))[0]
    if len(rows) == 0:
        return None
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _is_text(ink: np.ndarray, region: Region, usual: float) -> bool:
    """Not a rule, a speck, a picture."""
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    share = ink[top:bottom, left:right].mean()
    return height >= max(LOWEST, 0.4 * usual) and height <= 6 * usual and width >= 0.2 * height and share < 0.75


def _box(region: Region, angle: float, centre: tuple[float, float], scale: float) -> Box:
    """A region of the straightened page as a quadrilateral of the page itself."""
    left, top, right, bottom = region
    margin = MARGIN * (bottom - top) + 1
    straight = Box.of(left - margin, top - margin, right + margin, bottom + margin)
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    middle, centre_y = centre

    def back(x: float, y: float) -> tuple[float, float]:
        x, y = x - middle, y - centre_y
        return (middle + x * cosine - y * sine) / scale, (centre_y + x * sine + y * cosine) / scale

    return Box(tuple(back(x, y) for x, y in straight.points))
