"""Looks: what kind of page a line comes from. Numbers are probabilities unless a unit stands beside them."""

from __future__ import annotations

from dataclasses import dataclass

from .dice import Weighted

Kinds = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Profile:
    """One look of a page.

    Attributes:
        fonts: factors on the weights of the font classes (`fonts.CLASSES`).
    """

    name: str
    mix: str = "any"  # key of mix.MIX
    embedded_bias: float = 1.0  # exponent on embedded_share: < 1 = more from the embedded source
    fonts: Kinds = ()
    crops: tuple[float, float, float] = (0.4, 0.35, 0.25)  # line box, tight around the ink, loose
    neighbours: float = 0.3  # strokes of the lines above and below inside the crop
    rules: float = 0.15  # table rules, underline, dotted line under the text
    spacing: float = 0.15  # letter or word spacing away from the font's own
    columns: float = 0.06  # one or two wide gaps, as between the columns of a table
    height_bias: float = 1.0  # > 1 = more small crops
    colour: float = 0.3  # coloured ink or paper instead of grey
    paper: float = 0.5  # texture and uneven light; else flat paper
    invert: float = 0.0  # light text on dark
    warp: float = 0.35  # small rotation and perspective
    ink: float = 0.3  # ink spread or eroded strokes
    fade: float = 0.15  # pale ink, in places
    bleed: float = 0.05  # the back of the page shows through
    lowres: float = 0.3  # scanned or photographed at low resolution
    blur: float = 0.3
    noise: float = 0.4
    thermal: float = 0.0  # dots and streaks of a thermal printer
    binary: float = 0.0  # one bit per pixel
    jpeg: float = 0.4


PRINT = Profile(
    "print",
    "letter",
    1.4,
    (("times", 8), ("arial", 0.7), ("mono", 0.2), ("script", 0.02)),
    (0.8, 0.12, 0.08),
    neighbours=0.55,
    rules=0.12,
    spacing=0.45,
    colour=0,
    paper=0,
    warp=0,
    ink=0.1,
    fade=0,
    bleed=0,
    lowres=0.05,
    blur=0.05,
    noise=0.04,
    jpeg=0.08,
)
DOCUMENT = Profile("document", spacing=0.25, colour=0.1, paper=0.3, warp=0.2, jpeg=0.35)
SCREEN = Profile(
    "screen",
    colour=0.7,
    paper=0.05,
    invert=0.35,
    warp=0.03,
    ink=0.03,
    fade=0.02,
    bleed=0,
    lowres=0.25,
    blur=0.15,
    noise=0.1,
    jpeg=0.45,
    neighbours=0.1,
)
PHOTO = Profile(
    "photo", colour=0.7, paper=0.95, invert=0.08, warp=0.75, lowres=0.45, blur=0.5, noise=0.6, jpeg=0.7, fade=0.25
)
RECEIPT = Profile(
    "receipt",
    "receipt",
    0.35,
    (("mono", 5), ("arial", 2), ("times", 0.4), ("script", 0.3)),
    neighbours=0.25,
    rules=0.1,
    columns=0.4,
    colour=0.35,
    paper=0.8,
    warp=0.5,
    fade=0.4,
    lowres=0.4,
    blur=0.4,
    noise=0.5,
    thermal=0.55,
    jpeg=0.6,
)
FORM = Profile("form", "form", 0.35, neighbours=0.2, rules=0.5, colour=0.35, paper=0.55, warp=0.3, jpeg=0.45)
LETTER = Profile(
    "letter",
    "letter",
    1.0,
    (("times", 3),),
    (0.6, 0.25, 0.15),
    neighbours=0.45,
    rules=0.08,
    spacing=0.35,
    colour=0.15,
    paper=0.4,
    warp=0.2,
    lowres=0.25,
    jpeg=0.35,
)
POOR_SCAN = Profile(
    "poor_scan",
    "any",
    1.0,
    (("times", 2),),
    neighbours=0.4,
    rules=0.2,
    height_bias=1.6,
    colour=0.15,
    paper=0.7,
    warp=0.5,
    ink=0.7,
    fade=0.35,
    bleed=0.25,
    lowres=0.6,
    blur=0.5,
    noise=0.7,
    binary=0.25,
    jpeg=0.6,
)

# What comes up when no style is asked for, with shares.
MIXTURE = Weighted(
    [
        (PRINT, 0.26),
        (DOCUMENT, 0.18),
        (SCREEN, 0.08),
        (PHOTO, 0.12),
        (RECEIPT, 0.12),
        (FORM, 0.08),
        (LETTER, 0.06),
        (POOR_SCAN, 0.10),
    ]
)
STYLE_PROFILES = {"receipt": RECEIPT, "form": FORM, "letter": LETTER, "poor_scan": POOR_SCAN}
