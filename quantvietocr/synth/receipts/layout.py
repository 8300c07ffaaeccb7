"""Where print stands on a sheet: a typesetter with a cursor that goes down the paper, and what it has set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PIL import ImageFont

from ..lines.fonts import Face, FontPool
from .bitmap import DotFont, DotPool

ADJACENT = 0.6  # em; texts nearer than this to each other read as one line


@dataclass(frozen=True)
class Text:
    """A piece of print.

    Attributes:
        text: what it says.
        x: left end, in pixels of the sheet.
        y: baseline, in pixels of the sheet.
        size: pixels per em.
        face: what it is drawn with.
        tall: factor on the height of the letters.
        wide: factor on their width.
        row: a number that the texts of one baseline share.
        role: which part of the receipt it says: shop, address, date, total, item-0, item-1 ..., or "".
    """

    text: str
    x: float
    y: float
    size: int
    face: Face
    tall: float
    wide: float
    row: int
    role: str


@dataclass(frozen=True)
class Mark:
    """Something on the paper that is no text.

    Attributes:
        kind: rule, frame, barcode, qr or logo.
        box: left, top, right, bottom in pixels of the sheet.
        dashes: the characters of a rule that is a row of them; "" for one that is drawn.
        size: pixels per em of those characters.
    """

    kind: str
    box: tuple[float, float, float, float]
    dashes: str = ""
    size: int = 0


@dataclass
class Sheet:
    """A page before it is printed.

    Attributes:
        width: in pixels.
        height: in pixels.
        per_mm: pixels per millimetre.
        face: what rows of dashes are drawn with.
        texts: what it says.
        marks: what else stands on it.
    """

    width: int
    height: int
    per_mm: float
    face: Face
    texts: list[Text] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)


class Typesetter:
    """Sets lines from top to bottom between two margins.

    Args:
        pool: opens fonts.
        face: what to set in; bold text takes the bold face of its family.
        width: of the paper, in pixels.
        margin: at the left and at the right, in pixels.
        per_mm: pixels per millimetre.
        size: of the letters, in pixels per em.
        leading: from one baseline to the next, in em.
        spell: how the printer writes a text, such as without marks; what it gives back it leaves as it is.
    """

    def __init__(
        self,
        pool: FontPool | DotPool,
        face: Face,
        width: int,
        margin: float,
        per_mm: float,
        size: int,
        leading: float,
        spell: Callable[[str], str] = str,
    ) -> None:
        self.spell = spell
        self.pool, self.per_mm, self.size, self.leading = pool, per_mm, size, leading
        self.regular = pool.sibling(face, False, False) or face
        self.bold = pool.sibling(face, True, False) or self.regular
        self.left, self.right, self.y, self.rows = margin, width - margin, 0.0, 0
        self.sheet = Sheet(width, 0, per_mm, self.regular)

    @property
    def middle(self) -> float:
        """Half way between the margins, in pixels."""
        return (self.left + self.right) / 2

    def font(self, size: int = 0, bold: bool = False) -> ImageFont.FreeTypeFont | DotFont:
        """Open the face at `size` pixels per em, 0 for the usual size."""
        return self.pool.open(self.bold if bold else self.regular, size or self.size)

    def width(self, text: str, size: int = 0, bold: bool = False) -> float:
        """Measure a text, in pixels."""
        return self.font(size, bold).getlength(self.spell(text))

    def skip(self, lines: float) -> None:
        """Leave paper blank, as high as so many lines of the usual size."""
        self.y += lines * self.leading * self.size

    def wrap(self, text: str, room: float, size: int = 0, bold: bool = False) -> list[str]:
        """Break a text into as many lines as it takes; a single word that is wider than `room` pixels stands out."""
        lines: list[str] = []
        for word in self.spell(text).split():
            if lines and self.width(f"{lines[-1]} {word}", size, bold) <= room:
                lines[-1] += f" {word}"
            else:
                lines.append(word)
        return lines

    def row(
        self,
        cells: Sequence[tuple[str, float, str]],
        size: int = 0,
        bold: bool = False,
        tall: float = 1.0,
        roles: Sequence[str] = (),
        wide: float = 1.0,
    ) -> None:
        """Set texts on one baseline. Neighbours that all but touch become one text, as any reader takes them.

        Args:
            cells: (text, x, side) each: with side "l", "r" or "c", x is the left end, the right end or the middle.
            size: pixels per em, 0 for the usual size.
            bold: whether to set in bold.
            tall: factor on the height of the letters.
            roles: of each cell; those that are missing have none.
            wide: factor on the width of the letters.
        """
        size = size or self.size
        self.y += self.leading * size * tall
        face, em = self.bold if bold else self.regular, size
        placed: list[tuple[str, float, float, str]] = []
        for (text, x, side), role in zip(cells, [*roles, *[""] * (len(cells) - len(roles))]):
            if not text:
                continue
            text = self.spell(text)
            length = wide * self.width(text, size, bold)
            start = x - {"l": 0, "r": length, "c": length / 2}[side]
            if placed and start < placed[-1][2] + ADJACENT * em:
                earlier = placed.pop()
                text, start, role = f"{earlier[0]} {text}", earlier[1], role or earlier[3]
                length = wide * self.width(text, size, bold)
            placed.append((text, start, start + length, role))
        self.sheet.texts += [
            Text(text, start, self.y, size, face, tall, wide, self.rows, role) for text, start, _, role in placed
        ]
        self.rows += 1
        self.y += 0.3 * max(0.0, size * tall - self.size)  # tails of large letters keep clear of the next line

    def lines(
        self,
        text: str,
        side: str = "c",
        size: int = 0,
        bold: bool = False,
        tall: float = 1.0,
        role: str = "",
        indent: float = 0.0,
        wide: float = 1.0,
    ) -> None:
        """Set a text wrapped between the margins, each line at the left ("l"), right ("r") or in the middle ("c")."""
        x = {"l": self.left + indent, "r": self.right, "c": self.middle}[side]
        for line in self.wrap(text, (self.right - self.left - indent) / wide, size, bold):
            self.row([(line, x, side)], size, bold, tall, [role], wide)

    def pair(
        self,
        label: str,
        value: str,
        size: int = 0,
        bold: bool = False,
        tall: float = 1.0,
        role: str = "",
        at: float | None = None,
        wide: float = 1.0,
    ) -> None:
        """Set a label at the left (or from `at`) and its value at the right, on two rows where one is too narrow."""
        at = self.left if at is None else at
        widths = wide * self.width(label, size, bold), wide * self.width(value, size, bold)
        if at + widths[0] + (size or self.size) + widths[1] <= self.right:
            self.row([(label, at, "l"), (value, self.right, "r")], size, bold, tall, [role, role], wide)
        else:
            for line in self.wrap(label, (self.right - at) / wide, size, bold):
                self.row([(line, at, "l")], size, bold, tall, [role], wide)
            self.row([(value, self.right, "r")], size, bold, tall, [role], wide)

    def rule(self, dashes: str = "", left: float | None = None, right: float | None = None) -> None:
        """Set a rule across the paper: a row of the character `dashes`, or a drawn line."""
        left, right = self.left if left is None else left, self.right if right is None else right
        if dashes:
            self.y += self.leading * self.size
            one = max(self.width(dashes), 1.0)
            count = int((right - left) / one)
            box = (left, self.y - 0.75 * self.size, left + count * one, self.y + 0.15 * self.size)
            self.sheet.marks.append(Mark("rule", box, dashes * count, self.size))
        else:
            self.y += 0.45 * self.leading * self.size
            thick = max(1.0, 0.2 * self.per_mm)
            self.sheet.marks.append(Mark("rule", (left, self.y, right, self.y + thick)))

    def block(self, kind: str, width: float, height: float, side: str = "c") -> None:
        """Set a mark of `width` × `height` pixels at the left, right or in the middle, below the last line."""
        x = {"l": self.left, "r": self.right - width, "c": self.middle - width / 2}[side]
        self.sheet.marks.append(Mark(kind, (x, self.y, x + width, self.y + height)))
        self.y += height

    def done(self, margin: float) -> Sheet:
        """Return the sheet, cut `margin` pixels below the last line."""
        self.sheet.height = round(self.y + margin)
        return self.sheet
