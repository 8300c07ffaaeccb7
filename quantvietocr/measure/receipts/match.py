"""Which of the lines on a page were found, and which text was read for which: by where they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ...metrics.edits import edit_distance

STANDS = 0.5  # of the smaller of two areas: less shared, and a piece does not stand on a line
COVERED = 0.5  # of a line's length under what stands on it: less, and it is not found
TALLER = 2.2  # times a line's height: what is higher covers several lines and stands on none

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Piece:
    """Text and the quadrilateral it stands in, from the upper left corner of the text clockwise; a line or a word."""

    box: Quad
    text: str


@dataclass(frozen=True)
class Group:
    """Lines of the truth and the pieces read for them, by their places; a side is empty for what was missed or invented."""

    lines: tuple[int, ...]
    pieces: tuple[int, ...]
    written: str
    read: str

    @property
    def edits(self) -> int:
        return edit_distance(self.written, self.read)


@dataclass(frozen=True)
class Matched:
    """found: of each line, whether it was. groups: everything on the page, once. ignored: pieces read where there is no
    text but a mark (bar code, separator), which count as nothing."""

    found: tuple[bool, ...]
    groups: tuple[Group, ...]
    ignored: int


def match(lines: Sequence[Piece], pieces: Sequence[Piece], marks: Sequence[Quad] = ()) -> Matched:
    """Match what was read with what is there.

    A piece stands on a line where they share at least half of the smaller one's area, so a word stands on its line, and a
    row read as one stands on each of its cells; a piece much higher than a line stands on none. A line is found where
    what stands on it covers at least half of its length. Lines and pieces that stand on each other make a group; its texts
    are joined by spaces, the lines in their order, the pieces from left to right along the first line they stand on.
    """
    over = [[_shared(line, piece) for piece in pieces] for line in lines]
    found = tuple(_covered(line.box, [shared for shared in row if shared]) >= COVERED for line, row in zip(lines, over))
    groups: list[Group] = []
    first: dict[int, int] = {}
    for place, row in enumerate(over):
        for number, shared in enumerate(row):
            if shared:
                first.setdefault(number, place)
    open_lines = set(range(len(lines)))
    while open_lines:
        mine, theirs = _connected(min(open_lines), over)
        open_lines -= set(mine)
        order = sorted(theirs, key=lambda number: (first[number], _along(lines[first[number]].box, pieces[number].box)))
        groups.append(
            Group(
                tuple(mine),
                tuple(order),
                " ".join(lines[place].text for place in mine),
                " ".join(pieces[number].text for number in order),
            )
        )
    alone = [number for number in range(len(pieces)) if number not in first]
    ignored = [number for number in alone if _on_marks(pieces[number].box, marks)]
    groups += [Group((), (number,), "", pieces[number].text) for number in alone if number not in ignored]
    return Matched(found, tuple(groups), len(ignored))


def area(polygon: Sequence[Point]) -> float:
    """Area of a polygon in square pixels, positive."""
    return abs(sum(x * v - u * y for (x, y), (u, v) in zip(polygon, [*polygon[1:], *polygon[:1]]))) / 2


def overlap(one: Sequence[Point], other: Sequence[Point]) -> list[Point]:
    """What two convex polygons share (Sutherland and Hodgman, 1974); [] where they do not meet."""
    (left, top, right, bottom), (l2, t2, r2, b2) = _bounds(one), _bounds(other)
    if right <= l2 or r2 <= left or bottom <= t2 or b2 <= top:
        return []
    inside = list(one)
    turn = sum(x * v - u * y for (x, y), (u, v) in zip(other, [*other[1:], *other[:1]]))
    for (ax, ay), (bx, by) in zip(other, [*other[1:], *other[:1]]):
        sides = [((bx - ax) * (y - ay) - (by - ay) * (x - ax)) * (1 if turn > 0 else -1) for x, y in inside]
        kept: list[Point] = []
        for k, side in enumerate(sides):
            (x, y), (u, v), after = inside[k], inside[(k + 1) % len(inside)], sides[(k + 1) % len(inside)]
            if side >= 0:
                kept.append((x, y))
            if (side >= 0) != (after >= 0):
                share = side / (side - after)
                kept.append((x + share * (u - x), y + share * (v - y)))
        inside = kept
        if not inside:
            return []
    return inside


def _shared(line: Piece, piece: Piece) -> list[Point]:
    """What a line and a piece that stands on it share; [] where it does not."""
    shared = overlap(line.box, piece.box)
    if not shared or _height(piece.box) > TALLER * _height(line.box):
        return []
    return shared if area(shared) >= STANDS * min(area(line.box), area(piece.box)) else []


def _connected(start: int, over: Sequence[Sequence[list[Point]]]) -> tuple[list[int], list[int]]:
    """Every line and piece that hangs together with line `start`."""
    lines, pieces, ask = {start}, set(), [start]
    while ask:
        row = over[ask.pop()]
        for number in (number for number, shared in enumerate(row) if shared and number not in pieces):
            pieces.add(number)
            more = {place for place, other in enumerate(over) if other[number]} - lines
            lines |= more
            ask += more
    return sorted(lines), sorted(pieces)


def _covered(box: Quad, parts: Sequence[Sequence[Point]]) -> float:
    """Share of a line's length under parts of it."""
    length = math.dist(box[0], box[1]) or 1.0
    spans = sorted((min(places), max(places)) for part in parts if (places := [_place(box, point) for point in part]))
    total, reached = 0.0, -math.inf
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total / length


def _along(line: Quad, box: Quad) -> float:
    """Where a box begins along a line, in pixels."""
    return min(_place(line, point) for point in box)


def _place(line: Quad, point: Point) -> float:
    (ax, ay), (bx, by) = line[0], line[1]
    length = math.dist(line[0], line[1]) or 1.0
    return ((point[0] - ax) * (bx - ax) + (point[1] - ay) * (by - ay)) / length


def _on_marks(box: Quad, marks: Sequence[Quad]) -> bool:
    return sum(area(overlap(box, mark)) for mark in marks) >= STANDS * area(box)


def _height(box: Quad) -> float:
    return (math.dist(box[0], box[3]) + math.dist(box[1], box[2])) / 2


def _bounds(polygon: Sequence[Point]) -> tuple[float, float, float, float]:
    xs, ys = zip(*polygon)
    return min(xs), min(ys), max(xs), max(ys)
