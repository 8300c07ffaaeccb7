"""Fonts that can really draw the vocabulary: found, checked glyph by glyph, grouped by family."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
import unicodedata
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import ImageFont

from ...common.files import write_text
from ...common.parsing import json_of
from .config import SynthError
from .dice import Dice, Weighted

SUFFIXES = (".ttf", ".otf", ".ttc")  # of a collection, the first face; of a variable font, its default weight
CHECK_SIZE = 32  # pixels per em at which glyphs are compared
CHECK_VERSION = 4  # raise when a rule below changes, so that cached verdicts are made again
SYSTEM_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/Library/Fonts",
    "/System/Library/Fonts",
    "~/Library/Fonts",
    "C:/Windows/Fonts",
)

# Names of faces whose letters are not text letters, or whose lower case looks like capitals.
ODD = re.compile(
    r"emoji|symbol|icon|awesome|music|math|dingbat|braille|barcode|small ?cap|smcp|unicase|initials"
    r"|outline|inline|shadow|keyboard|last ?resort|\bsc\b|caps\b",
    re.I,
)
FAINT = re.compile(r"thin|hairline|extra ?light|ultra ?light", re.I)
HEAVY = re.compile(r"black|heavy|extra ?bold|ultra ?bold", re.I)
NARROW = re.compile(r"condensed|narrow|compressed", re.I)

# Family classes, first match wins. The weight is how often one family of the class comes up against another.
CLASSES = (
    ("mono", 1.5, re.compile(r"mono|courier|cousine|typewriter|\bcode\b|consol", re.I)),
    ("script", 0.4, re.compile(r"script|hand|brush|display|slab|comfortaa|kaffeesatz|junicode|pacifico|lobster", re.I)),
    ("times", 5.0, re.compile(r"liberation serif|tinos|freeserif|times|nimbus roman|termes|thorndale", re.I)),
    ("arial", 3.5, re.compile(r"liberation sans|arimo|freesans|arial|helvet|nimbus sans|heros|tahoma|verdana", re.I)),
    ("serif", 1.0, re.compile(r"serif|libertine|garamond|gentium|charis|vollkorn|cambria|georgia|doulos|roman", re.I)),
    ("sans", 1.0, re.compile(r"", re.I)),
)


@dataclass(frozen=True)
class Face:
    """One usable face. Lengths are shares of the em: multiply them by the pixel size.

    Attributes:
        path: the font file.
        family: name of the family.
        style: the font's own words, such as "Bold Italic".
        kind: one of CLASSES.
        bold: whether its strokes are heavy.
        italic: whether it is slanted.
        ascent: top of the tallest capital with two marks, above the baseline.
        descent: bottom of the lowest letter, below the baseline.
        x_height: height of an x.
    """

    path: str
    family: str
    style: str
    kind: str
    bold: bool
    italic: bool
    ascent: float
    descent: float
    x_height: float

    @property
    def weight(self) -> float:
        """How often this face comes up within its family, beside 1.0 for a plain one."""
        weight = 0.45 if self.bold else 1.0
        weight *= 0.5 if self.italic else 1.0
        weight *= 0.1 if FAINT.search(self.style) else 1.0
        weight *= 0.3 if HEAVY.search(self.style) else 1.0
        return weight * (0.4 if NARROW.search(self.style) else 1.0)


def find_files(places: Sequence[str]) -> list[Path]:
    """Find font files.

    Args:
        places: files or folders to look in; empty for the system's folders and matplotlib's own DejaVu.

    Returns:
        The files, sorted and without duplicates.

    Raises:
        SynthError: one of the places does not exist.
    """
    for place in places:
        if not Path(place).expanduser().exists():
            raise SynthError(f"fonts: {place} does not exist: give a font file or a folder of fonts")
    folders = [Path(place).expanduser() for place in places or SYSTEM_FOLDERS]
    if not places:
        import matplotlib  # only for the fonts it carries; heavy, so not at the top

        folders.append(Path(matplotlib.get_data_path()) / "fonts" / "ttf")
    fonts: set[Path] = set()
    for folder in folders:
        files = [folder] if folder.is_file() else folder.rglob("*") if folder.is_dir() else ()
        fonts.update(path.resolve() for path in files if path.suffix.lower() in SUFFIXES)
    return sorted(fonts)


def check(path: Path, vocab: str) -> Face | str:
    """Return the face in a font file if it draws every character of `vocab`, else the reason why not.

    Args:
        path: the font file.
        vocab: the characters.

    Returns:
        The face, or a few words that count a rejected file.
    """
    try:
        with TTFont(path, lazy=True, fontNumber=0) as font:
            characters = font.getBestCmap() or {}
            if any(ord(c) not in characters for c in vocab):
                return "characters missing"
            names = font["name"]
            family = names.getBestFamilyName() or path.stem
            style = names.getBestSubFamilyName() or "Regular"
            if ODD.search(f"{family} {style}"):
                return "not a text face"
            bold = font["OS/2"].usWeightClass >= 600 or "bold" in style.lower()
            italic = bool(font["head"].macStyle & 2) or bool(re.search(r"italic|oblique|slanted", style, re.I))
        drawn = ImageFont.truetype(str(path), CHECK_SIZE, layout_engine=ImageFont.Layout.BASIC)
    except Exception as error:  # font parsers raise almost anything on a broken file; the reason is counted
        return f"unreadable ({type(error).__name__})"
    problem = _check_glyphs(drawn, vocab)
    if problem:
        return problem
    tops = [drawn.getbbox(c, anchor="ls") for c in "ẲẪỖẾĐ" if c in vocab] or [drawn.getbbox("A", anchor="ls")]
    lows = [drawn.getbbox(c, anchor="ls") for c in "gyựập,"]
    ascent = -min(box[1] for box in tops) / CHECK_SIZE
    descent = max(box[3] for box in lows) / CHECK_SIZE
    x_height = -drawn.getbbox("x", anchor="ls")[1] / CHECK_SIZE
    if not 0.25 <= x_height <= 0.85 or ascent > 1.7 or descent > 0.8:
        return "odd proportions"
    kind = next(name for name, _, pattern in CLASSES if pattern.search(family))
    return Face(str(path), family, style, kind, bold, italic, ascent, descent, x_height)


def _check_glyphs(font: ImageFont.FreeTypeFont, vocab: str) -> str:
    """Say why the drawn glyphs are not usable, or "". A font's map may promise what its outlines do not hold."""

    def shape(char: str) -> tuple[tuple[int, int], bytes]:
        mask = font.getmask(char, mode="L")
        return mask.size, bytes(mask)

    notdef = shape("\U0010fffe")
    for char in vocab:
        if char == " ":
            if font.getlength(char) <= 0:
                return "space has no width"
            continue
        drawn = shape(char)
        if not max(drawn[1], default=0):
            return "empty glyphs"
        if drawn == notdef:
            return "placeholder glyphs"
        base = unicodedata.normalize("NFD", char)[0]
        if base != char and base in vocab and drawn == shape(base):
            return "marks not drawn"
    for low in "aeghnr":
        if low in vocab and shape(low) == shape(low.upper()):
            return "lower case drawn as capitals"
    return ""


def _cache_file() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "quantvietocr" / "fonts.json"


def check_all(files: Iterable[Path], vocab: str) -> tuple[list[Face], Counter[str]]:
    """Check font files. Verdicts are kept in the user's cache folder, by path, time of change, size and vocabulary.

    Args:
        files: the font files.
        vocab: characters that a usable face draws.

    Returns:
        The usable faces, and the count of rejected files by reason.
    """
    cache_file = _cache_file()
    try:
        cache = json_of(cache_file.read_text(encoding="utf-8"))
        cache = cache if isinstance(cache, dict) else {}
    except (OSError, ValueError):
        cache = {}  # no cache yet, or one cut short by another program: check again
    vocab_key = hashlib.sha256(f"{CHECK_VERSION}{vocab}".encode()).hexdigest()[:16]
    files, fresh = list(files), 0
    faces: list[Face] = []
    rejected: Counter[str] = Counter()
    for path in files:
        stat = path.stat()
        key = f"{path}|{stat.st_mtime_ns}|{stat.st_size}|{vocab_key}"
        if key not in cache:
            # fontTools logs odd dates in font headers, which say nothing about the glyphs.
            logging.getLogger("fontTools").setLevel(logging.ERROR)
            if fresh == 200:
                print(f"checking {len(files)} font files once (the result is kept in {cache_file})", file=sys.stderr)
            fresh += 1
            verdict = check(path, vocab)
            cache[key] = verdict if isinstance(verdict, str) else asdict(verdict)
        if isinstance(cache[key], str):
            rejected[cache[key]] += 1
        else:
            faces.append(Face(**cache[key]))
    if fresh:
        try:
            write_text(cache_file, json.dumps(cache, ensure_ascii=False))
        except OSError as error:
            print(f"font check not cached in {cache_file} ({error}): it will be made again next time", file=sys.stderr)
    return faces, rejected


class FontPool:
    """Faces to draw from: first a family, then a face of it, so that the number of files of a family does not matter.

    Args:
        places: font files or folders, as in `find_files`.
        vocab: characters that every face must draw.
        family_faces: at most so many faces are kept of a family.
        open_fonts: at most so many fonts are held open.

    Raises:
        SynthError: a place does not exist, or no face covers the vocabulary.
    """

    def __init__(self, places: Sequence[str], vocab: str, family_faces: int, open_fonts: int = 192) -> None:
        files = find_files(places)
        faces, self.rejected = check_all(files, vocab)
        if not faces:
            raise SynthError(
                f"fonts: none of {len(files)} font files draws all {len(vocab)} characters "
                f"({dict(self.rejected)}): install fonts-dejavu or fonts-noto-core, or name a folder"
            )
        self.families: dict[str, list[Face]] = {}
        for face in sorted(faces, key=lambda face: (face.family, -face.weight, face.path)):
            self.families.setdefault(face.family, []).append(face)
        for family, members in self.families.items():
            # Copies of one face (a system font and matplotlib's) count once.
            distinct = {face.style: face for face in reversed(members)}
            self.families[family] = list(distinct.values())[::-1][:family_faces]
        self._faces = {
            family: Weighted([(face, face.weight) for face in members]) for family, members in self.families.items()
        }
        self._by_kinds: dict[tuple, Weighted[str]] = {}
        self._open: OrderedDict[tuple[str, int], ImageFont.FreeTypeFont] = OrderedDict()
        self._open_limit = open_fonts

    def pick(self, dice: Dice, kinds: tuple[tuple[str, float], ...] = ()) -> Face:
        """Draw a face.

        Args:
            dice: source of everything random.
            kinds: factors on the weights of CLASSES: (("times", 3.0), ("mono", 0.4)).

        Returns:
            The face.
        """
        if kinds not in self._by_kinds:
            weights = {
                name: weight * prod(factor for kind, factor in kinds if kind == name) for name, weight, _ in CLASSES
            }
            self._by_kinds[kinds] = Weighted(
                [(family, weights[members[0].kind]) for family, members in self.families.items()]
            )
        return dice.pick(self._faces[dice.pick(self._by_kinds[kinds])])

    def sibling(self, face: Face, bold: bool, italic: bool) -> Face | None:
        """Return the face of the same family that is (not) bold and (not) italic, if there is one."""
        return next(
            (other for other in self.families[face.family] if other.bold == bold and other.italic == italic), None
        )

    def open(self, face: Face, size: int) -> ImageFont.FreeTypeFont:
        """Open a face at `size` pixels per em; the least recently used fonts are closed."""
        key = (face.path, size)
        font = self._open.get(key)
        if font is None:
            font = ImageFont.truetype(face.path, size, layout_engine=ImageFont.Layout.BASIC)
            self._open[key] = font
            if len(self._open) > self._open_limit:
                self._open.popitem(last=False)
        else:
            self._open.move_to_end(key)
        return font
