"""The fonts that lines are drawn with: which are taken, which are not, and why."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib import get_data_path

from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.synth.lines.dice import Dice
from quantvietocr.synth.lines.fonts import FontPool, check

DEJAVU = f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"
SERIF = f"{get_data_path()}/fonts/ttf/DejaVuSerif.ttf"
pytestmark = pytest.mark.usefixtures("own_font_cache")


def cut_font(path, drop: str = "", blank: str = "") -> str:
    """DejaVu without the characters ``drop`` in its map, and with no ink for those of ``blank``."""
    font = TTFont(DEJAVU)
    options = subset.Options(notdef_outline=True, layout_features=[])
    cutter = subset.Subsetter(options)
    cutter.populate(text="".join(c for c in DEFAULT_CHARS if c not in drop))
    cutter.subset(font)
    cmap = font.getBestCmap()
    for char in blank:
        glyph = font["glyf"][cmap[ord(char)]]
        glyph.numberOfContours, glyph.components = 0, None
        for leftover in ("components", "coordinates", "endPtsOfContours", "flags", "program"):
            if hasattr(glyph, leftover):
                delattr(glyph, leftover)
    font.save(path)
    return str(path)


def test_a_whole_font_is_accepted_and_measured():
    face = check(DEJAVU, DEFAULT_CHARS)
    assert not isinstance(face, str), face
    assert 0.45 < face.x_height < 0.65 and 0.9 < face.ascent < 1.3 and 0.15 < face.descent < 0.4
    assert not face.bold and not face.italic


@pytest.mark.parametrize("damage, reason", [({"drop": "ẵ"}, "characters missing"), ({"blank": "ỵ"}, "empty glyphs")])
def test_a_font_that_cannot_draw_a_character_is_rejected(tmp_path, damage, reason):
    path = cut_font(tmp_path / "Cut.ttf", **damage)
    assert check(path, DEFAULT_CHARS) == reason
    pool = FontPool((path, DEJAVU), DEFAULT_CHARS, family_faces=4)
    assert pool.rejected == Counter({reason: 1})
    with pytest.raises(ValueError, match="none of 1 font files.*fonts-dejavu"):
        FontPool((path,), DEFAULT_CHARS, family_faces=4)


def test_a_glyph_that_is_the_placeholder_or_lost_its_mark_is_rejected(tmp_path):
    def swapped(char: str, other: str | None) -> object:
        """The verdict on DejaVu with the outline of ``char`` replaced by that of ``other`` (None = placeholder)."""
        font = TTFont(DEJAVU)
        cmap = font.getBestCmap()
        name, source = cmap[ord(char)], cmap[ord(other)] if other else ".notdef"
        font["glyf"][name], font["hmtx"][name] = font["glyf"][source], font["hmtx"][source]
        font.save(tmp_path / "Swapped.ttf")
        return check(tmp_path / "Swapped.ttf", DEFAULT_CHARS)

    assert swapped("ề", None) == "placeholder glyphs"
    assert swapped("ề", "e") == "marks not drawn"
    assert swapped("h", "H") == "lower case drawn as capitals"
    assert swapped("h", "k") != "lower case drawn as capitals"


def test_broken_font_files_are_counted_and_verdicts_cached(tmp_path, monkeypatch):
    broken = tmp_path / "Broken.ttf"
    broken.write_bytes(b"not a font")
    first = FontPool((str(broken), DEJAVU), DEFAULT_CHARS, family_faces=4)
    assert sum(first.rejected.values()) == 1 and "unreadable" in next(iter(first.rejected))
    monkeypatch.setattr("quantvietocr.synth.lines.fonts.check", lambda *_: pytest.fail("checked again"))
    assert FontPool((str(broken), DEJAVU), DEFAULT_CHARS, family_faces=4).rejected == first.rejected


def test_families_share_evenly_and_open_fonts_are_bounded():
    folder = f"{get_data_path()}/fonts/ttf"
    pool = FontPool((folder,), DEFAULT_CHARS, family_faces=16, open_fonts=5)
    dice = Dice(np.random.default_rng(0))
    counts = Counter(pool.pick(dice).family for _ in range(2000))
    assert len(pool.families["DejaVu Sans"]) > 1 and min(counts.values()) > 100
    for face in pool.families["DejaVu Sans"] + pool.families["DejaVu Serif"]:
        pool.open(face, 20), pool.open(face, 30)
    assert len(pool._open) == 5
