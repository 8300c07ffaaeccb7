"""Which of the lines on a page were found, and which text was read for which: by where they stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from shapely import Polygon, get_coordinates
from shapely.geometry.base import BaseGeometry

from ...metrics.edits import edit_distance

MIN_SHARED = 0.5  # × the smaller area: a piece stands on a line if the two share at least this much
MIN_COVERED = 0.5  # × a line's length: it is found if what stands on it covers at least this much
MAX_HEIGHT_RATIO = 2.2  # × a line's height: what is higher covers several lines and stands on none

Point = tuple[float, float]
Quad = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Piece:
    """Text and the quadrilateral it stands in, from the upper left corner of the text clockwise; a line or a word."""

    box: Quad
    text: str


@dataclass(frozen=True)
class Group:
    """Lines of the truth and the pieces read for them; a side is empty for what was missed or invented.

    Attributes:
        lines: indices of the lines.
        pieces: indices of the pieces.
        written: text of the lines.
        read: text of the pieces.
    """

    lines: tuple[int, ...]
    pieces: tuple[int, ...]
    written: str
    read: str

    @property
    def edits(self) -> int:
        return edit_distance(self.written, self.read)


@dataclass(frozen=True)
class Matched:
    """What was read of what is there.

    Attributes:
        found: of each line, whether it was.
        groups: everything on the page, once.
        ignored: how many pieces were read where there is no text but a mark (bar code, separator). They count as
            nothing.
    """

    found: tuple[bool, ...]
    groups: tuple[Group, ...]
    ignored: int


def match(lines: Sequence[Piece], pieces: Sequence[Piece], marks: Sequence[Quad] = ()) -> Matched:
    """Match what was read with what is there.

    A piece stands on a line where they share at least half of the smaller one's area. So a word stands on its line, and
    a row read as one stands on each of its cells; a piece much higher than a line stands on none. A line is found where
    what stands on it covers at least half of its length. Lines and pieces that stand on each other make a group. Its
    texts are joined by spaces, the lines in their order, the pieces from left to right along the first line they stand
    on.

    Args:
        lines: what is on the page.
        pieces: what was read.
        marks: where there is no text but a mark (bar code, separator).
    """
    over = [[_shared(line, piece) for piece in pieces] for line in lines]
    found = tuple(
        _covered(line.box, [shared for shared in row if shared is not None]) >= MIN_COVERED
        for line, row in zip(lines, over)
    )
    groups: list[Group] = []
    first: dict[int, int] = {}
    for index, row in enumerate(over):
        for number, shared in enumerate(row):
            if shared is not None:
                first.setdefault(number, index)
    open_lines = set(range(len(lines)))
    while open_lines:
        mine, theirs = _connected(min(open_lines), over)
        open_lines -= set(mine)
        order = sorted(theirs, key=lambda number: (first[number], _along(lines[first[number]].box, pieces[number].box)))
        groups.append(
            Group(
                tuple(mine),
                tuple(order),
                " ".join(lines[index].text for index in mine),
                " ".join(pieces[number].text for number in order),
            )
        )
    alone = [number for number in range(len(pieces)) if number not in first]
    ignored = [number for number in alone if _on_marks(pieces[number].box, marks)]
    groups += [Group((), (number,), "", pieces[number].text) for number in alone if number not in ignored]
    return Matched(found, tuple(groups), len(ignored))


def quad_of(box: Sequence[Sequence[float]]) -> Quad:
    """Four corners, whatever sequences they come in."""
    upper_left, upper_right, lower_right, lower_left = ((float(x), float(y)) for x, y in box)
    return upper_left, upper_right, lower_right, lower_left


def polygon(box: Sequence[Point]) -> BaseGeometry:
    """The area that a box stands on: of a twisted one its convex hull."""
    return Polygon(box).convex_hull


def _shared(line: Piece, piece: Piece) -> BaseGeometry | None:
    """What a line and a piece that stands on it share; None where it does not."""
    on_line, on_piece = polygon(line.box), polygon(piece.box)
    if not on_line.intersects(on_piece) or _height(piece.box) > MAX_HEIGHT_RATIO * _height(line.box):
        return None
    shared = on_line.intersection(on_piece)
    return shared if shared.area >= MIN_SHARED * min(on_line.area, on_piece.area) else None


def _connected(start: int, over: Sequence[Sequence[BaseGeometry | None]]) -> tuple[list[int], list[int]]:
    """Every line and piece that hangs together with line `start`."""
    lines, pieces, ask = {start}, set[int](), [start]
    while ask:
        row = over[ask.pop()]
        for number in (number for number, shared in enumerate(row) if shared is not None and number not in pieces):
            pieces.add(number)
            more = {index for index, other in enumerate(over) if other[number] is not None} - lines
            lines |= more
            ask += more
    return sorted(lines), sorted(pieces)


def _covered(box: Quad, parts: Sequence[BaseGeometry]) -> float:
    """Share of a line's length under parts of it."""
    length = math.dist(box[0], box[1]) or 1.0
    along = [[_place(box, (x, y)) for x, y in get_coordinates(part)] for part in parts]
    spans = sorted((min(positions), max(positions)) for positions in along)
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
    area = polygon(box)
    return sum(area.intersection(polygon(mark)).area for mark in marks) >= MIN_SHARED * area.area


def _height(box: Quad) -> float:
    return (math.dist(box[0], box[3]) + math.dist(box[1], box[2])) / 2
