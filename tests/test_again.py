"""Other looks at lines in doubt: how the pixels change, which reading is kept, that sure lines are looked at once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from quantvietocr import Predictor
from quantvietocr.measure.lines.compare import compare
from quantvietocr.pictures.image import ImageSpec
from quantvietocr.reading.again import LOOKS, closer, narrower, surest
from quantvietocr.reading.confidence import LineText
from quantvietocr.reading.options import ReadingOptions

SPEC = ImageSpec()


def bars(width: int, height: int = 32) -> np.ndarray:
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    pixels[4:-4, ::8] = 0
    return pixels


@pytest.mark.parametrize("width, narrow, close", [(200, 180, 230), (32, 32, 40), (510, 460, 512)])
def test_looks_keep_the_networks_sizes(width, narrow, close):
    assert narrower(bars(width), SPEC).shape == (32, narrow, 3)
    assert closer(bars(width), SPEC).shape == (32, close, 3)


def test_closer_leaves_out_the_edges_and_narrower_nothing():
    pixels = bars(200)
    pixels[:2] = pixels[-2:] = (200, 0, 0)  # two of 32 rows, as a neighbour's letters cut in
    red = closer(pixels, SPEC).astype(int)
    assert (red[..., 0] - red[..., 1]).max() < 20  # the resampling's reach
    assert (narrower(pixels, SPEC)[0] == (200, 0, 0)).all()
    first = np.flatnonzero(closer(bars(200), SPEC)[16, :, 0] < 128)
    assert np.diff(first).max() in (9, 10)  # bars that were 8 apart: 230 / 200 of it


def test_the_surest_reading_is_as_sure_as_all_looks_together():
    for looks, text, chance in (
        ([("a", 0.3), ("b", 0.6), ("a", 0.5)], "b", 0.2),
        ([("a", 0.3), ("b", 0.2), ("a", 0.5)], "a", 0.8 / 3),
        ([("", 0.0)], "", 0.0),
    ):
        kept = surest([line_text(*look) for look in looks])
        assert (kept.text, kept.certainty, kept.confidence) == (text, pytest.approx(chance), pytest.approx(chance))


def test_the_surest_is_chosen_on_the_fixed_scale():
    assert surest([LineText("a", 0.3, 0.9), LineText("b", 0.6, 0.1)]) == LineText("b", 0.3, 0.05)


def line_text(text: str, chance: float) -> LineText:
    return LineText(text, chance, chance)


class Sizes:
    """In place of `Predictor.lines_from_pixels`: the text is the picture's width, its chance what `sure` has."""

    def __init__(self, sure: dict[int, float]) -> None:
        self.sure, self.seen = sure, []

    def __call__(self, lines, done=lambda places: None):
        self.seen.append([line.shape[1] for line in lines])
        return [line_text(str(line.shape[1]), self.sure.get(line.shape[1], 0.1)) for line in lines]


@pytest.mark.parametrize(
    "retries, expected, seen",
    [
        (0, ["40", "100", "60"], [[40, 100, 60]]),
        (1, ["40", "90", "60"], [[40, 100, 60], [90, 60]]),
        (2, ["40", "120", "60"], [[40, 100, 60], [90, 120, 60, 70]]),
    ],
)
def test_only_lines_in_doubt_are_looked_at_again(tiny_weights, monkeypatch, retries, expected, seen):
    reader = Predictor(tiny_weights, threads=1, retries=retries)
    monkeypatch.setattr(reader, "spec", SPEC)
    monkeypatch.setattr(reader, "lines_from_pixels", reading := Sizes({40: 0.7, 100: 0.4, 90: 0.5, 120: 0.6, 60: 0.2}))
    read = reader.lines_from_candidates([[[bars(width)]] for width in (40, 100, 60)])
    assert [line.text for line in read] == expected and reading.seen == seen
    assert read[0].confidence == 0.7


def test_a_number_of_looks_that_there_is_not_is_refused(tiny_weights):
    for retries in (-1, len(LOOKS) + 1):
        with pytest.raises(ValueError, match="it must be 0 to 2"):
            Predictor(tiny_weights, retries=retries)


def test_every_number_of_looks_is_a_row_of_the_comparison(tiny_weights, tmp_path):
    Image.fromarray(bars(60, 16)).save(tmp_path / "line.png")
    (tmp_path / "lines.txt").write_text("line.png\tab\n", encoding="utf-8")
    (table,) = compare(
        tmp_path / "lines.txt",
        [tiny_weights],
        None,
        repeats=1,
        options=[ReadingOptions(retries=looks) for looks in (0, 2)],
    )
    assert [row.name for row in table.rows] == ["int8, all", "int8, all, retries 2"]
