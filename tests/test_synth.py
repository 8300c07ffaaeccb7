"""The line generator: what it says, what it draws, and that it draws the same again."""

from __future__ import annotations

import gzip
import pickle
import re
import unicodedata
from collections import Counter

import numpy as np
import pytest
from matplotlib import get_data_path
from PIL import Image

from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.synth.lines import LineGenerator, SynthConfig, augment, render
from quantvietocr.synth.lines.config import SynthError
from quantvietocr.synth.lines.dice import Dice, Weighted
from quantvietocr.synth.lines.fonts import FontPool
from quantvietocr.synth.lines.lists import make_list
from quantvietocr.synth.lines.mix import MAKERS, MIX
from quantvietocr.synth.lines.profiles import Profile
from quantvietocr.synth.lines.syllables import syllables
from quantvietocr.synth.lines.text import TextFile, TextSource, clean

DEJAVU = f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf"
SERIF = f"{get_data_path()}/fonts/ttf/DejaVuSerif.ttf"
pytestmark = pytest.mark.usefixtures("own_font_cache")


def generator(seed: int = 0, **knobs) -> LineGenerator:
    """A generator over two of matplotlib's fonts: they are there on every machine."""
    return LineGenerator(SynthConfig(fonts=(DEJAVU, SERIF), **knobs), seed)


def same(one, other) -> bool:
    return (one.text, one.font, one.kind) == (other.text, other.font, other.kind) and np.array_equal(
        one.image, other.image
    )


def sample_texts(count: int, **knobs) -> list[str]:
    source = TextSource(SynthConfig(**knobs), DEFAULT_CHARS)
    return [source.sample(Dice(np.random.default_rng([7, k])), "any")[0] for k in range(count)]


# --- the same again -------------------------------------------------------------------------------------------------


def test_a_line_depends_on_seed_and_index_alone():
    first, second = generator(), generator()
    backwards = {k: second.line(k) for k in reversed(range(60))}
    assert all(same(first.line(k), backwards[k]) for k in range(60))
    sent = pickle.loads(pickle.dumps(first))
    assert all(same(sent.line(k), backwards[k]) for k in (0, 31, 59))
    other_seed = generator(seed=1)
    assert sum(same(first.line(k), other_seed.line(k)) for k in range(20)) == 0


def test_the_text_of_a_line_does_not_hang_on_its_damage():
    clean_lines, damaged = generator(degrade=0.0), generator(degrade=1.0)
    assert [clean_lines.line(k).text for k in range(30)] == [damaged.line(k).text for k in range(30)]
    assert any(not np.array_equal(clean_lines.line(k).image, damaged.line(k).image) for k in range(30))


# --- what it says ---------------------------------------------------------------------------------------------------


def test_syllables_follow_the_spelling_rules():
    known = set(syllables())
    assert len(known) > 15_000
    for word in [
        "nghiêng",
        "quyết",
        "hòa",
        "hoà",
        "thúy",
        "thuý",
        "gì",
        "giếng",
        "khuỷu",
        "quỳnh",
        "nguyễn",
        "ước",
        "yếu",
        "ý",
        "kỹ",
        "ghế",
        "người",
        "của",
        "quả",
        "quý",
        "uống",
        "giữa",
        "khuya",
        "hoặc",
        "thuở",
        "ngoằn",
        "xoong",
        "quốc",
        "quạu",
        "buýt",
        "rượu",
        "khuyên",
        "đoàn",
        "lượng",
        "nghịch",
    ]:
        assert word in known, word
    for word in [
        "kà",
        "cế",
        "ngê",
        "gê",
        "ghà",
        "nghà",
        "các̀",
        "tòc",
        "tạch̃",
        "iên",
        "iếu",
        "quuý",
        "ươuc",
        "hõac",
        "giiếng",
    ]:
        assert unicodedata.normalize("NFC", word) not in known, word
    # A syllable closed by c, ch, p or t carries sắc or nặng, nothing else.
    tones = Counter(
        mark
        for word in known
        if re.search(r"(c|ch|p|t)$", word)
        for mark in unicodedata.normalize("NFD", word)
        if mark in "\u0300\u0301\u0303\u0309\u0323"
    )
    assert set(tones) == {"\u0301", "\u0323"}
    level = [
        word
        for word in known
        if re.search(r"(c|ch|p|t)$", word) and not set("\u0301\u0323") & set(unicodedata.normalize("NFD", word))
    ]
    assert level == []


def test_the_syllable_maker_reaches_every_syllable():
    dice, seen = Dice(np.random.default_rng(0)), set()
    maker = MAKERS["syllables"]
    for _ in range(60_000):
        seen.update(maker(dice).lower().split())
    assert len(set(syllables()) - seen) < 0.001 * len(syllables())


def test_every_character_of_the_vocabulary_occurs_often_enough():
    lines = sample_texts(6000)
    seen = Counter(char for line in lines for char in set(line))
    assert set(seen) == set(DEFAULT_CHARS)
    assert min(seen.values()) >= 12, seen.most_common()[-5:]


def test_texts_are_clean_and_as_long_as_asked():
    for text in sample_texts(3000):
        assert text == " ".join(text.split()) and unicodedata.is_normalized("NFC", text)
        assert set(text) <= set(DEFAULT_CHARS) and 1 <= len(text) <= 110
    assert {len(text) for text in sample_texts(400, min_chars=4, max_chars=9)} <= set(range(4, 10))
    lengths = np.array([len(text) for text in sample_texts(3000)])
    assert 0.38 < np.mean(lengths <= 25) < 0.6 and 0.15 < np.mean(lengths > 60) < 0.32


def test_a_smaller_vocabulary_is_kept_to():
    digits = LineGenerator(SynthConfig(fonts=(DEJAVU,)), vocab="0123456789 -/")
    assert set("".join(digits.line(k).text for k in range(60))) <= set("0123456789 -/")


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_every_maker_is_in_a_mix_and_varied(name):
    assert any(name in mix.items for mix in MIX.values())
    dice = Dice(np.random.default_rng(3))
    made = {MAKERS[name](dice) for _ in range(200)}
    assert len(made) > 30 and "" not in made


def test_text_files_are_cleaned_and_what_does_not_fit_is_counted(tmp_path):
    decomposed = unicodedata.normalize("NFD", "Đường về quê mẹ")
    lines = ["\ufeff“Xin chào” – tạm\u00a0biệt…", decomposed, "字 không có trong bảng", "", "  hai   khoảng  trắng  "]
    path = tmp_path / "câu.txt.gz"
    path.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    file = TextFile(str(path), DEFAULT_CHARS)
    seen = {file.line(Dice(np.random.default_rng(k))) for k in range(100)}
    assert seen == {'"Xin chào" - tạm biệt...', "Đường về quê mẹ", "hai khoảng trắng"}
    assert (len(file), file.dropped) == (3, 1)
    texts = sample_texts(200, texts=(str(path),), embedded_share=0.0, max_chars=12)
    assert max(map(len, texts)) <= 12
    words = set(re.findall(r"\w+", " ".join(seen).lower()))
    assert sum(set(re.findall(r"\w+", text.lower())) <= words for text in texts) > 120


def test_unusable_text_files_are_named(tmp_path):
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Đường".encode("utf-16"))
    with pytest.raises(ValueError, match="latin.txt.*UTF-8"):
        TextFile(str(latin), DEFAULT_CHARS)
    foreign = tmp_path / "foreign.txt"
    foreign.write_text("字字\n", encoding="utf-8")
    with pytest.raises(ValueError, match="foreign.txt has no line"):
        TextFile(str(foreign), DEFAULT_CHARS)
    with pytest.raises(ValueError, match="nowhere.txt"):
        TextFile("nowhere.txt", DEFAULT_CHARS)


def test_clean_keeps_lines_apart():
    assert clean("một \r\n hai\u2019s\u200b\rba") == "một\nhai's\nba"


# --- what it draws --------------------------------------------------------------------------------------------------


def test_pictures_have_sane_sizes_and_ink():
    gen = generator()
    lines = [gen.line(k) for k in range(400)]
    for line in lines:
        height, width, channels = line.image.shape
        assert line.image.dtype == np.uint8 and channels == 3 and 12 <= height <= 120 and width >= 4
        grey = line.image.mean(axis=2)
        assert np.quantile(grey, 0.99) - np.quantile(grey, 0.01) > 40, (line.kind, line.text)
    ratios = np.array([line.image.shape[1] / line.image.shape[0] for line in lines])
    assert 0.10 < np.mean(ratios > 16) < 0.40 and np.mean(ratios > 16 * 1.8) < 0.02
    assert len({line.kind for line in lines}) == 8
    assert max(len(line.text) for line in lines) > 60


def test_lines_fit_the_reader_when_squeezing_is_off():
    gen = generator(max_squeeze=1.0, max_width=320)
    ratios = np.array([gen.line(k).image.shape[1] / gen.line(k).image.shape[0] for k in range(300)])
    assert np.mean(ratios > 10 * 1.1) < 0.03 and np.mean(ratios > 5) > 0.3


@pytest.mark.parametrize("warp", [0.0, 1.0])
def test_the_label_is_what_is_drawn_and_none_of_it_is_cropped_away(monkeypatch, warp):
    drawn = []
    real = render._draw_word
    monkeypatch.setattr(render, "_draw_word", lambda pen, word, *rest: (drawn.append(word), real(pen, word, *rest)))
    pool = FontPool((DEJAVU, SERIF), DEFAULT_CHARS, family_faces=4)
    source, plain = TextSource(SynthConfig(), DEFAULT_CHARS), Profile("plain", neighbours=0, rules=0, warp=warp)
    cut = 0
    for k in range(150):
        dice = Dice(np.random.default_rng(k))
        text, is_long = source.sample(dice, "any")
        drawn.clear()
        ink = render.draw(dice, text, is_long, pool.pick(dice), pool, plain, SynthConfig(), ["thử"])
        assert ink.text == " ".join(word.text for word in drawn)
        assert text.startswith(ink.text)
        cut += text != ink.text
        alone = sum(
            np.asarray(Image.Image()._new(word.font.getmask(letter)), dtype=float).sum()
            for word in drawn
            for letter in word.text
            if letter != " "
        )
        share = np.asarray(ink.mask, dtype=float).sum() / alone
        # Perspective draws letters a little smaller; kerning lets a few touch.
        assert (0.84 if warp else 0.95) < share < 1.05, ink.text
    assert 5 < cut < 75


@pytest.mark.parametrize("style", ["receipt", "form", "letter", "poor_scan"])
def test_styles_choose_text_and_look(style):
    gen = generator(style=style)
    lines = [gen.line(k) for k in range(40)]
    assert {line.kind for line in lines} == {style}
    text = "\n".join(line.text for line in lines)
    expected = {"receipt": r"\d[.,]\d{3}|đ\b|VN", "form": r":", "letter": r"Điều|số|của", "poor_scan": r"\w"}[style]
    assert re.search(expected, text)


def test_strength_zero_is_clean_and_more_is_worse():
    def roughness(strength: float) -> float:
        """Mean grey-level noise of the paper: what differs between neighbours where nothing is drawn."""
        gen = generator(degrade=strength, style="poor_scan")
        images = [gen.line(k).image.mean(axis=2) for k in range(60)]
        return float(np.mean([np.median(np.abs(np.diff(image, axis=1))) for image in images]))

    assert roughness(0.0) < 0.5 < roughness(1.0)


def test_wrong_knobs_are_refused():
    for knobs, named in (
        ({"min_chars": 5, "max_chars": 4}, "min_chars"),
        ({"style": "poem"}, "poem"),
        ({"embedded_share": 2.0}, "embedded_share"),
        ({"texts": "a.txt"}, "texts"),
        ({"height": (5, 500)}, "height"),
        ({"degrade": -1.0}, "degrade"),
    ):
        with pytest.raises(ValueError, match=named):
            SynthConfig(**knobs)
    with pytest.raises(ValueError, match="no_fonts_here"):
        LineGenerator(SynthConfig(fonts=("no_fonts_here",)))
    with pytest.raises(ValueError, match="seed"):
        generator(seed=-1)


def test_weighted_draws_follow_the_weights():
    dice, items = Dice(np.random.default_rng(0)), Weighted([("a", 1), ("b", 3), ("never", 0)])
    counts = Counter(dice.pick(items) for _ in range(4000))
    assert set(counts) == {"a", "b"} and 0.7 < counts["b"] / 4000 < 0.8


# --- files and augmentation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_written_folder_reads_back(tmp_path, workers):
    gen = generator()
    annotation = gen.write(tmp_path / "set", 70, workers=workers, progress=False)
    rows = [row.split("\t") for row in annotation.read_text(encoding="utf-8").splitlines()]
    assert [name for name, _ in rows] == [f"img/{k:06d}.png" for k in range(70)]
    assert len(list((tmp_path / "set" / "img").iterdir())) == 70 and not list((tmp_path / "set").glob("*.part"))
    for k in (0, 33, 69):
        line = gen.line(k)
        assert rows[k][1] == line.text
        assert np.array_equal(np.asarray(Image.open(tmp_path / "set" / rows[k][0])), line.image)


def test_augment_varies_a_little_and_keeps_the_picture():
    image = generator(degrade=0.0, style="letter", min_chars=20).line(3).image
    height, width = image.shape[:2]
    kept = image.copy()
    seen = set()
    for k in range(80):
        out = augment(image, np.random.default_rng(k))
        assert out.dtype == np.uint8 and out.ndim == 3 and out.shape[2] == 3
        assert 0.45 < out.shape[0] / height < 1.3 and 0.85 < (out.shape[1] / out.shape[0]) / (width / height) < 1.2
        assert np.ptp(out.mean(axis=2)) > 60
        seen.add(out.tobytes())
    assert len(seen) > 60 and np.array_equal(image, kept)
    assert np.array_equal(augment(image, np.random.default_rng(5)), augment(image, np.random.default_rng(5)))
    assert np.array_equal(augment(image, np.random.default_rng(5), strength=0.0), image)


@pytest.mark.parametrize("shape", [(1, 1, 3), (12, 2000, 3), (200, 9, 3)])
def test_augment_survives_odd_sizes(shape):
    image = np.full(shape, 128, np.uint8)
    for k in range(20):
        assert 0 not in augment(image, np.random.default_rng(k)).shape


def test_augment_refuses_what_is_not_an_rgb_image():
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="augment"):
            augment(wrong, np.random.default_rng(0))


def test_styles_in_turn_and_capitals():
    gen = generator(style=["receipt", "receipt", "form"], capitals=1.0)
    lines = [gen.line(i) for i in range(60)]
    kinds = [line.kind for line in lines]
    assert set(kinds) == {"receipt", "form"} and kinds.count("receipt") > kinds.count("form")
    assert all(line.text == line.text.upper() for line in lines)


def test_rare_characters_come_up_more_often_and_only_where_asked_for():
    def share_with(letters: str, rare: float) -> float:
        source = TextSource(SynthConfig(rare=rare), DEFAULT_CHARS)
        texts = [source.sample(Dice(np.random.default_rng([5, i])), "letter")[0] for i in range(400)]
        assert all(1 <= len(text) <= 110 and "  " not in text and text == text.strip() for text in texts)
        return sum(any(letter in text for letter in letters) for text in texts) / len(texts)

    marked = "".join(c for c in DEFAULT_CHARS if c.isupper() and len(unicodedata.normalize("NFD", c)) == 3)
    assert len(marked) == 30
    assert share_with(marked, 1.0) > 0.6 > 3 * share_with(marked, 0.0)
    assert share_with("&*~^{}|", 1.0) > 3 * share_with("&*~^{}|", 0.0)
    with pytest.raises(SynthError, match="rare=2"):
        SynthConfig(rare=2)


def test_rare_characters_of_a_vocabulary_without_capitals():
    source = TextSource(SynthConfig(rare=1.0), "abcdeghiklmnopqrstuvxy 0123456789")
    texts = [source.sample(Dice(np.random.default_rng([6, i])), "any")[0] for i in range(50)]
    assert all(texts) and set("".join(texts)) <= set("abcdeghiklmnopqrstuvxy 0123456789")


def test_lists_come_where_asked_for_and_nowhere_else():
    def texts(lists: float) -> list[str]:
        source = TextSource(SynthConfig(lists=lists), DEFAULT_CHARS)
        return [source.sample(Dice(np.random.default_rng([7, i])), "letter")[0] for i in range(400)]

    def share(some: list[str]) -> float:
        return sum(bool(re.search(r"\b\d+, \d+, \d+", text)) for text in some) / len(some)

    assert all(1 <= len(text) <= 110 and "  " not in text and text == text.strip() for text in texts(1.0))
    assert share(texts(1.0)) > 0.15 > 10 * share(texts(0.0))
    with pytest.raises(SynthError, match="lists=-1"):
        SynthConfig(lists=-1)


def test_a_list_names_each_member_once_in_its_order():
    """Numbers rise or repeat as drawn, letters follow the alphabet, and nothing is outside VietOCR's characters."""
    found = [make_list(Dice(np.random.default_rng([8, i]))) for i in range(600)]
    assert set("".join(found)) <= set(DEFAULT_CHARS)
    assert any("V, VI, VII" in text for text in found)
    rows = [[int(n) for n in re.findall(r"\d+", text)] for text in found if re.fullmatch(r"[^\d]*(\d+, ){4,}\d+", text)]
    assert len(rows) > 50 and sum(row == sorted(row) for row in rows) > 0.7 * len(rows)
    assert max(len(row) for row in rows) > 8


def test_settings_without_capitals_draw_the_lines_they_always_drew():
    with_capitals, without = generator(capitals=0.0, style=("letter",)), generator(style="letter")
    assert [with_capitals.line(i).text for i in range(5)] == [without.line(i).text for i in range(5)]
