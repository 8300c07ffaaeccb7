"""Wide lines: cut between words, read in parts, joined; lines that fit are VietOCR's own pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from quantvietocr import Predictor
from quantvietocr.pictures.image import ImageSpec, line_pixels, line_width
from quantvietocr.reading.confidence import LineText
from quantvietocr.reading.decode import WhitelistError
from quantvietocr.reading.wide import MAX_SQUEEZE, candidates_of, cut

SPEC = ImageSpec()
WORDS = [
    "Căn",
    "cứ",
    "Nghị",
    "định",
    "số",
    "61/2018/NĐ-CP",
    "ngày",
    "23",
    "tháng",
    "4",
    "năm",
    "2018",
    "của",
    "Chính",
    "phủ",
    "về",
    "thực",
    "hiện",
    "cơ",
    "chế",
    "một",
    "cửa",
]


def draw(words, gap=12, height=40, ink="black", paper="white", font_size=28):
    """Words `gap` pixels apart, and where the middle of each gap lies."""
    from matplotlib import get_data_path

    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", font_size)
    widths = [int(font.getlength(word)) + 1 for word in words]
    picture = Image.new("RGB", (sum(widths) + gap * (len(words) + 1), height), paper)
    pen, x, blanks = ImageDraw.Draw(picture), gap, []
    for word, width in zip(words, widths):
        pen.text((x, 2), word, fill=ink, font=font)
        blanks.append((x + width, x + width + gap))
        x += width + gap
    return picture, blanks[:-1]


@pytest.mark.parametrize("ink, paper", [("black", "white"), ("white", "black"), ((90, 90, 120), (200, 190, 170))])
def test_wide_lines_are_cut_in_blanks_into_parts_of_natural_width(ink, paper):
    picture, blanks = draw(WORDS, ink=ink, paper=paper)
    parts = cut(picture)
    assert len(parts) == int(np.ceil(picture.width * 32 / picture.height / 512)) > 1
    assert np.array_equal(np.hstack([np.asarray(part) for part in parts]), np.asarray(picture))
    x = 0
    for part in parts[:-1]:
        x += part.width
        # A glyph may reach a little out of its advance.
        assert any(left - 3 <= x <= right + 3 for left, right in blanks), (x, blanks)
    assert all(part.width * 32 / part.height <= MAX_SQUEEZE * 512 for part in parts)


def test_a_line_that_fits_is_left_alone():
    for width in (100, 512):
        picture = draw(WORDS)[0].resize((width, 32))
        assert cut(picture) == [picture] and candidates_of(picture) == [[picture]]


def test_a_line_somewhat_too_wide_is_squeezed_first_and_cut_second():
    picture = draw(WORDS)[0]
    for width, first in (
        (520, [1, 2]),
        (int(MAX_SQUEEZE * 512), [1, 2]),
        (int(MAX_SQUEEZE * 512) + 1, [2]),
        (1100, [3]),
    ):
        resized = picture.resize((width, 32), Image.Resampling.LANCZOS)
        assert [len(parts) for parts in candidates_of(resized)] == first
    solid = Image.new("RGB", (700, 32), "white")
    assert candidates_of(solid) == [[solid]]


def test_without_a_blank_a_line_stays_whole():
    solid = Image.fromarray(
        np.random.default_rng(0).integers(0, 2, (32, 1400, 1), dtype=np.uint8).repeat(3, axis=2) * 255
    )
    blank = Image.new("RGB", (1400, 32), "white")
    for picture in (solid, blank):
        assert cut(picture) == [picture]


def test_an_uneven_light_hides_no_gap():
    picture, _ = draw(WORDS)
    shade = np.linspace(1.0, 0.45, picture.width)[None, :, None]
    assert len(cut(Image.fromarray((np.asarray(picture) * shade).astype(np.uint8)))) == len(cut(picture))


def test_letters_are_not_taken_for_words():
    picture, blanks = draw(["iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"] * 6, gap=14)
    x = cut(picture)[0].width
    assert any(left - 3 <= x <= right + 3 for left, right in blanks)


def test_predictor_joins_the_parts(tiny_weights):
    picture, _ = draw(WORDS)
    whole, squeezed = Predictor(tiny_weights, threads=1), Predictor(tiny_weights, threads=1, wide="squeeze")
    parts = [whole.predict(part, return_prob=True) for part in cut(picture, whole.spec)]
    text, confidence = whole.predict(picture, return_prob=True)
    assert len(parts) > 1 and text == " ".join(text for text, _ in parts if text)
    assert confidence == pytest.approx(np.prod([sure for _, sure in parts]), rel=1e-5)
    narrow = picture.crop((0, 0, whole.spec.max_width // 2, picture.height))
    assert [[p.shape for p in parts] for parts in squeezed.candidates_of(picture)] == [
        [(whole.spec.height, whole.spec.max_width, 3)]
    ]
    assert squeezed.predict(picture) == squeezed.lines_from_pixels([line_pixels(picture, squeezed.spec)])[0].text
    assert whole.predict_batch([narrow, picture, narrow]) == [whole.predict(narrow), text, whole.predict(narrow)]
    assert line_width(narrow.width, narrow.height, whole.spec) <= whole.spec.max_width


@pytest.mark.parametrize(
    "squeezed, in_parts, expected", [(0.65, 0.9, "parts parts"), (0.65, 0.5, "squeezed"), (0.75, 0.95, "squeezed")]
)
def test_a_doubtful_reading_is_compared_with_one_in_parts(tiny_weights, monkeypatch, squeezed, in_parts, expected):
    reader = Predictor(tiny_weights, threads=1)
    bars = np.full((reader.spec.height, int(1.3 * reader.spec.max_width), 3), 255, dtype=np.uint8)
    bars[2:-2, ::8] = 0
    picture, seen = Image.fromarray(bars), []

    def lines_from_pixels(lines, done=None):
        seen.extend(lines)
        whole = [line.shape[1] == reader.spec.max_width for line in lines]
        chances = [("squeezed", squeezed) if one else ("parts", in_parts**0.5) for one in whole]
        return [LineText(text, chance, chance) for text, chance in chances]

    monkeypatch.setattr(reader, "lines_from_pixels", lines_from_pixels)
    text, confidence = reader.predict(picture, return_prob=True)
    assert text == expected and confidence == pytest.approx(in_parts if "parts" in expected else squeezed)
    assert len(seen) == (1 if squeezed > 0.7 else 3)


def test_a_way_that_does_not_exist_is_refused(tiny_weights):
    with pytest.raises(ValueError, match="wide is 'crop'; it must be one of cut, squeeze"):
        Predictor(tiny_weights, wide="crop")


def test_predictor_keeps_to_a_whitelist(tiny_weights):
    picture = draw(WORDS)[0]
    for beam in (0, 3):
        text = Predictor(tiny_weights, threads=1, whitelist="ab", beam=beam, wide="squeeze").predict(picture)
        assert text and set(text) <= set("ab")
    with pytest.raises(WhitelistError, match="not in the vocabulary"):
        Predictor(tiny_weights, whitelist="đ🙂")
