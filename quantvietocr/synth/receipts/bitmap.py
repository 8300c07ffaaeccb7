"""Bitmap fonts, drawn dot by dot as the heads of till printers strike them."""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ...checkpoint.vocab import DEFAULT_CHARS
from ..lines.config import SynthError
from ..lines.dice import Dice, Weighted
from ..lines.fonts import SYSTEM_FOLDERS, Face

SUFFIXES = (".pcf.gz", ".pcf", ".otb")
# What is taken of the fonts of X and of consoles, and its cells in dots: (name, (width, height) each).
FACES = re.compile(
    r"(?:\d+x\d+B?|terminus-(?:normal|bold)|spleen-\d+x\d+|creep2|(?:cour|lutRS|lutBS|helv|luRS)[BR]?\d\d)$"
)
STRIKES = range(7, 33)  # dots from the top to the bottom of a cell
PLAIN = "".join(chr(code) for code in range(32, 127))  # what a font without Vietnamese draws
HELD_FONTS = 64


@dataclass(frozen=True)
class DotFace(Face):
    """A bitmap face.

    Attributes:
        strike: its only size, in dots from the top to the bottom of a cell.
        marks: whether it draws Vietnamese.
        fixed: whether all its letters are equally wide.
    """

    strike: int = 0
    marks: bool = False
    fixed: bool = True


class DotFont:
    """A bitmap face whose dots are `factor` dots wide and high, with the methods of Pillow's fonts a sheet needs.

    Args:
        face: the face.
        factor: 1 prints as the face is drawn; 2 doubles width and height.
    """

    def __init__(self, face: DotFace, factor: int) -> None:
        self.face, self.factor = face, factor
        self.font = ImageFont.truetype(face.path, face.strike, layout_engine=ImageFont.Layout.BASIC)

    def getlength(self, text: str) -> float:
        """Return the width of a text in dots."""
        return self.factor * self.font.getlength(text)

    def getbbox(self, text: str, anchor: str = "ls") -> tuple[float, float, float, float]:
        """Return the box around the ink of a text in dots, from its start on the baseline; `anchor` is always that."""
        piece, (left, top) = self.draw(text, 1, 1)
        box = piece.getbbox() or (0, 0, 1, 1)
        return left + box[0], top + box[1], left + box[2], top + box[3]

    def draw(self, text: str, wide: int, tall: int) -> tuple[Image.Image, tuple[int, int]]:
        """Draw a text.

        Args:
            text: what to draw.
            wide: factor on the width.
            tall: factor on the height.

        Returns:
            The dots, mode "L" of 0 and 255, and where the picture's corner stands from the start on the baseline.
        """
        piece, (left, top) = _dots(self.font, text)
        across, down = self.factor * wide, self.factor * tall
        size = piece.width * across, piece.height * down
        return piece.convert("L").resize(size, Image.Resampling.NEAREST), (left * across, top * down)


class DotPool:
    """Bitmap faces to draw from. It stands in for a `FontPool` where a sheet is set in dots.

    Args:
        places: font files or folders; empty for the system's folders.

    Raises:
        SynthError: there is no bitmap font.
    """

    def __init__(self, places: Sequence[str] = ()) -> None:
        self.faces = [face for path in _find_files(places) for face in _faces(path)]
        if not self.faces:
            raise SynthError("fonts: no bitmap font was found: install xfonts-base and xfonts-terminus")
        self._open: OrderedDict[tuple[str, int, int], DotFont] = OrderedDict()
        fixed = [(face, _weight(face)) for face in self.faces]
        self._by_marks = {
            True: Weighted([(face, weight) for face, weight in fixed if face.marks]),
            False: Weighted(fixed),
        }

    def choose(self, dice: Dice, marks: bool) -> DotFace:
        """Draw a face; with `marks` one that draws Vietnamese."""
        return dice.pick(self._by_marks[marks])

    def sibling(self, face: Face, bold: bool, italic: bool) -> Face | None:
        """Return the face itself: tills print bold by striking twice, not with another face."""
        return None if bold or italic else face

    def open(self, face: Face, size: int) -> DotFont:
        """Open a face at the number of whole dots per dot that comes nearest to `size`."""
        assert isinstance(face, DotFace)
        key = (face.path, face.strike, max(1, round(size / face.strike)))
        font = self._open.get(key)
        if font is None:
            font = self._open[key] = DotFont(face, key[2])
            if len(self._open) > HELD_FONTS:
                self._open.popitem(last=False)
        else:
            self._open.move_to_end(key)
        return font


def spell(text: str, marks: bool, capitals: bool) -> str:
    """Write a text as a till does.

    Args:
        text: what is meant.
        marks: whether it prints Vietnamese; otherwise letters lose their marks.
        capitals: whether it prints capitals alone.

    Returns:
        The text as it is printed.
    """
    if not marks:
        for letter, plain in (
            ("đ", "d"),
            ("Đ", "D"),
            ("×", "x"),
            ("–", "-"),
            ("₫", "d"),
            ("’", "'"),
            ("“", '"'),
            ("”", '"'),
        ):
            text = text.replace(letter, plain)
        text = unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode()
    return text.upper() if capitals else text


def _find_files(places: Sequence[str]) -> list[Path]:
    folders = [Path(place).expanduser() for place in places or SYSTEM_FOLDERS]
    files = {
        path.resolve()
        for folder in folders
        for path in ([folder] if folder.is_file() else folder.rglob("*") if folder.is_dir() else ())
        if path.name.endswith(SUFFIXES) and FACES.match(path.name.partition(".")[0])
    }
    return sorted(files)


def _dots(font: ImageFont.FreeTypeFont, text: str) -> tuple[Image.Image, tuple[int, int]]:
    """Draw a text, mode "1"; returns it and where its corner stands from the start on the baseline."""
    left, top, right, bottom = (int(edge) for edge in font.getbbox(text, mode="1", anchor="ls"))
    left, top = min(left, 0), min(top, 0)
    piece = Image.new("1", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(piece).text((-left, -top), text, fill=1, font=font, anchor="ls")
    return piece, (left, top)


def _faces(path: Path) -> list[DotFace]:
    """Return the faces of a file, one for each size in it."""
    faces: list[DotFace] = []
    for strike in STRIKES:
        try:
            font = ImageFont.truetype(str(path), strike, layout_engine=ImageFont.Layout.BASIC)
        except OSError:  # the file has no dots of this size
            continue
        if not _draws(font, PLAIN):
            continue
        marks = _draws(font, DEFAULT_CHARS)
        fixed = font.getlength("i") == font.getlength("M")
        name = path.name.partition(".")[0]
        face = DotFace(str(path), name, "Regular", "mono", False, False, 0, 0, 0, strike, marks, fixed)
        drawn = DotFont(face, 1)
        ascent = -drawn.getbbox("\u1eac" if marks else "A")[1] / strike
        descent, x_height = drawn.getbbox("g")[3] / strike, -drawn.getbbox("x")[1] / strike
        faces.append(replace(face, ascent=ascent, descent=descent, x_height=x_height))
        if path.suffix != ".otb":
            break  # such a file holds one size
    return faces


def _draws(font: ImageFont.FreeTypeFont, characters: str) -> bool:
    """Whether a font draws all these characters, each unlike the one it is made of and unlike its placeholder."""

    def shape(character: str) -> bytes:
        return bytes(font.getmask(character, mode="1"))

    missing = shape("\U0010fffe")
    for character in characters:
        base = unicodedata.normalize("NFD", character)[0]
        drawn = shape(character)
        if character == " ":
            continue
        if not any(drawn) or (base != character and drawn in (shape(base), missing)):
            return False
        if not character.isascii() and drawn == missing:
            return False
    return all(shape(low) != shape(low.upper()) for low in "aeghnr")


def _weight(face: DotFace) -> float:
    """Tills print in cells, so that a proportional face comes up less often."""
    return 1.0 if face.fixed else 0.2
