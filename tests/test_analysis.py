"""The error analysis counts every edit once, and puts it where it belongs."""

from __future__ import annotations

import json
import random
import unicodedata

import pytest
from PIL import Image

from quantvietocr.checkpoint.vocab import DEFAULT_CHARS
from quantvietocr.measure.lines.errors import SHOWN_GROUPS, SetErrors, errors_markdown, write_errors
from quantvietocr.metrics.accuracy import confusions, score
from quantvietocr.metrics.analysis import (
    CLASSES,
    MAX_CHARACTERS,
    CharacterErrors,
    Part,
    analyse,
    edit_class,
    lower_bound,
)


def noisy(number: int) -> tuple[list[str], list[str]]:
    """Texts of the default vocabulary, and readings with characters changed, missing and added."""
    dice = random.Random(3)
    refs = ["".join(dice.choices(DEFAULT_CHARS, k=dice.randrange(1, 90))) for _ in range(number)]

    def spoil(char: str) -> str:
        other = dice.choice(DEFAULT_CHARS)
        return dice.choice([char] * 8 + ["", other, char + other])

    return refs, ["".join(map(spoil, text)) for text in refs]


@pytest.mark.parametrize(
    "written, read, kind",
    [
        ("á", "à", "tone mark only"),
        ("a", "ả", "tone mark only"),
        ("Ế", "Ê", "tone mark only"),
        ("ự", "ư", "tone mark only"),
        ("â", "ă", "vowel-quality mark only"),
        ("ơ", "o", "vowel-quality mark only"),
        ("ế", "é", "vowel-quality mark only"),
        ("đ", "d", "vowel-quality mark only"),
        ("D", "Đ", "vowel-quality mark only"),
        ("ă", "Ă", "letter case only"),
        ("đ", "Đ", "letter case only"),
        ("x", "X", "letter case only"),
        ("ế", "e", "several marks or case"),
        ("Á", "a", "several marks or case"),
        ("đ", "D", "several marks or case"),
        ("a", "o", "base letter"),
        ("á", "ó", "base letter"),
        ("đ", "b", "base letter"),
        ("漢", "a", "base letter"),
        ("0", "O", "digit"),
        ("l", "1", "digit"),
        ("3", "8", "digit"),
        (",", "1", "digit"),
        (".", ",", "punctuation or symbol"),
        ("|", "l", "punctuation or symbol"),
        ("₫", "đ", "punctuation or symbol"),
        (" ", "", "space"),
        ("", " ", "space"),
        ("-", " ", "space"),
        ("a", "", "character missing"),
        ("7", "", "character missing"),
        ("", "a", "character added"),
        ("", ".", "character added"),
    ],
)
def test_an_edit_has_one_class(written, read, kind):
    assert edit_class(written, read) == kind


def test_everything_adds_up_to_the_score():
    refs, preds = noisy(60)
    looks = [("one", "two", "three")[place % 3] for place in range(60)]
    found = analyse(refs, preds, [7.9 * len(text) for text in refs], [*range(10, 70)], {"Look": looks})
    whole = score(refs, preds)
    assert (found.edits, found.whole.characters, found.whole.lines) == (whole.edits, whole.characters, 60)
    assert found.whole.exact == round(whole.exact * 60)
    assert sum(found.classes.values()) == whole.edits and tuple(found.classes) == CLASSES
    assert sum(count > 0 for count in found.classes.values()) >= 8
    for parts in found.parts.values():
        assert len(parts) > 1
        for total in ("lines", "characters", "edits", "exact"):
            assert sum(getattr(part, total) for part in parts) == getattr(found.whole, total)
    assert list(found.parts) == [
        "Width at height 32 (px)",
        "Text length (characters)",
        "Height of the crop (px)",
        "Look",
    ]


def test_misread_characters_are_counted_as_written():
    refs = ["aaaa đ", "bbbb", "x"] + ["a" * 50] * 2
    preds = ["aaae đ", "bb", "y"] + ["a" * 50] * 2
    found = analyse(refs, preds, [100] * 5, [32] * 5)
    assert {item.char: (item.written, item.edits) for item in found.characters} == {
        "a": (104, 1),
        "b": (4, 2),
        "x": (1, 1),
    }
    assert [item.char for item in found.characters] == ["x", "b", "a"]
    many = analyse([DEFAULT_CHARS.replace(" ", "")], ["?"], [100], [32])
    assert len(many.characters) == MAX_CHARACTERS


def test_one_slip_in_a_rare_character_does_not_come_first():
    refs, preds = ["a" + "z" * 20], ["k" + "n" * 19 + "z"]
    assert [item.char for item in analyse(refs, preds, [100], [32]).characters] == ["z", "a"]
    assert lower_bound(1, 1) == pytest.approx(0.2065, abs=1e-4)  # Wilson's interval for 1 of 1
    assert lower_bound(5, 10) == pytest.approx(0.2366, abs=1e-4)
    assert lower_bound(1, 1) < lower_bound(20, 20)


def test_lines_lie_in_the_buckets_of_their_size():
    refs, preds = ["a", "b" * 10, "c" * 11, "d" * 81], ["a", "b" * 10, "c" * 10, "d"]
    found = analyse(refs, preds, [127.9, 128, 512, 2000], [19, 20, 64, 300])
    assert [(part.name, part.lines, part.edits) for part in found.parts["Width at height 32 (px)"]] == [
        ("0–127", 1, 0),
        ("128–255", 1, 0),
        ("384–512", 1, 1),
        ("≥ 768", 1, 80),
    ]
    lengths = found.parts["Text length (characters)"]
    assert [(part.name, part.lines) for part in lengths] == [("1–10", 2), ("11–20", 1), ("≥ 81", 1)]
    assert [part.name for part in found.parts["Height of the crop (px)"]] == ["0–19", "20–27", "≥ 64"]


def test_groups_come_with_most_edits_first():
    found = analyse(["ab", "cd", "ef"], ["ab", "c", "xy"], [9] * 3, [9] * 3, {"Font": ["A", "B", "B"]})
    assert found.parts["Font"] == (Part("B", 2, 4, 3, 0), Part("A", 1, 2, 0, 1))


@pytest.mark.parametrize(
    "written, read, edits, short, characters",
    [
        ("Tel: ....", "Tel: .......", 3, 0, 6),
        ("- - - - - a", "----- a", 4, 0, 3),
        ("....", "----", 4, 1, 1),
        ("Tel: ...", "Tel: ..", 1, 1, 8),
        ("1111", "11111", 1, 1, 4),
        ("Số ......: 12", "Số ....: 13", 3, 1, 8),
    ],
)
def test_a_run_of_one_mark_counts_as_one(written, read, edits, short, characters):
    found = analyse([written], [read], [50], [32])
    assert (found.edits, found.short.edits, found.short.characters) == (edits, short, characters)


def test_texts_are_composed_before_they_are_compared():
    refs = ["ế ộ"]
    found = analyse([unicodedata.normalize("NFD", refs[0])], refs, [50], [32])
    assert found.edits == 0 and found.whole.characters == 3


def test_lists_must_match():
    for bad in ({"predictions": []}, {"widths": [1, 2]}, {"heights": []}, {"groups": {"Font": []}}):
        with pytest.raises(ValueError, match="need as many"):
            analyse(**{"references": ["a"], "predictions": ["a"], "widths": [1], "heights": [1]} | bad)
    with pytest.raises(ValueError, match="at least one"):
        analyse([], [], [], [])


def test_the_report_holds_every_reader_and_set(tmp_path):
    refs, preds = noisy(40)
    fonts = [f"Font {place % (SHOWN_GROUPS + 3)}" for place in range(40)]
    worse = analyse(refs, preds, [200] * 40, [30] * 40, {"Font family": fonts})
    right = analyse(refs, refs, [200] * 40, [30] * 40, {"Font family": fonts})
    sets = [
        SetErrors(name, (("mine", right), ("a|b $x$", other))) for name, other in (("receipt", worse), ("form", right))
    ]
    write_errors(sets, tmp_path)
    text = (tmp_path / "errors.md").read_text(encoding="utf-8")
    assert text == errors_markdown(sets)
    assert text.count("## receipt") == text.count("## form") == 1 and "a\\|b $x$" in text
    tone = worse.classes["tone mark only"]
    row = next(line for line in text.splitlines() if line.startswith("| tone mark only"))
    rate = f"{1000 * tone / worse.whole.characters:.2f} ({tone})"
    assert [cell.strip() for cell in row.split("|")[2:4]] == ["0.00 (0)", rate]
    row = next(line for line in text.splitlines() if line.startswith("| all, runs as one mark"))
    assert row.endswith(f"{1000 * worse.short.edits / worse.short.characters:.2f} ({worse.short.edits}) |")
    first = worse.characters[0]
    shown = f"{first.char} {first.edits / first.written:.1%} ({first.edits} of {first.written})"
    assert shown.replace("|", "\\|") in text and "3 more with fewer edits are in errors.json." in text
    written = json.loads((tmp_path / "errors.json").read_text(encoding="utf-8"))["sets"]
    assert [one["data"] for one in written] == ["receipt", "form"]
    assert written[0]["readers"][1]["classes"] == worse.classes and written[0]["readers"][1]["name"] == "a|b $x$"
    assert CharacterErrors(**written[0]["readers"][1]["characters"][0]) == first
    assert len(written[0]["readers"][0]["parts"]["Font family"]) == SHOWN_GROUPS + 3
    with Image.open(tmp_path / "errors.png") as picture:
        assert picture.width > 1500 and picture.height > 700


def test_classes_are_those_of_the_confusions():
    refs, preds = noisy(30)
    counts = dict.fromkeys(CLASSES, 0)
    for written, read, count in confusions(refs, preds, top=None):
        counts[edit_class(written, read)] += count
    assert analyse(refs, preds, [1] * 30, [1] * 30).classes == counts
