"""Scores count what a reader of the table thinks they count."""

import random
import unicodedata

import pytest

from quantvietocr.metrics.accuracy import cer, confusions, exact, score
from quantvietocr.metrics.edits import edit_distance, edits, fold_diacritics
from quantvietocr.metrics.intervals import cer_interval
from quantvietocr.metrics.trust import accept_at_precision, auroc


def textbook_distance(a: str, b: str) -> int:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j - 1] + (x != y), above[j] + 1, row[-1] + 1))
    return row[-1]


def random_pairs(number: int) -> list[tuple[str, str]]:
    dice = random.Random(0)
    draw = lambda: "".join(dice.choices("abcdạ", k=dice.randrange(90)))  # noqa: E731
    pairs = [(draw(), draw()) for _ in range(number)]
    return pairs + [(a, a[:20] + "x" + a[25:]) for a, _ in pairs]


def test_edit_distance_equals_the_textbooks():
    for a, b in random_pairs(150):
        assert edit_distance(a, b) == textbook_distance(a, b), (a, b)
    assert edit_distance("", "") == 0 and edit_distance("", "abc") == edit_distance("abc", "") == 3


def test_cer_is_edits_over_reference_characters():
    assert cer(["abcd", "efghij"], ["abxd", "efghij"]) == pytest.approx(1 / 10)
    assert cer(["ab", ""], ["", "abc"]) == pytest.approx(5 / 2)  # an empty reference still counts what was read


def test_exact_is_a_share_of_lines():
    assert exact(["a", "b", "c", "d"], ["a", "x", "c", "d"]) == 0.75


def test_encodings_of_one_letter_are_equal():
    composed, separate = "Tiếng Việt", unicodedata.normalize("NFD", "Tiếng Việt")
    assert exact([composed], [separate]) == exact([separate], [composed]) == 1
    assert score([separate], ["Tieng Viet"]).edits == 2 and score([separate], ["x"]).characters == 10


def test_folding_removes_marks_and_keeps_case():
    assert fold_diacritics("Đường Nguyễn Thị Ở số 5đ") == "Duong Nguyen Thi O so 5d"


def test_score_says_all_of_it():
    got = score(["Đường", "số 5", "abc"], ["Duong", "số 5", "abd"])
    assert (got.lines, got.edits, got.characters) == (3, 4, 12)
    assert got.exact == pytest.approx(1 / 3)
    assert got.cer == pytest.approx(4 / 12) and got.cer_folded == pytest.approx(1 / 12)


def test_confusions_name_the_edits():
    refs, preds = ["mưa", "mưa to", "lá", "ok"], ["mua", "mua tox", "l", "ok"]
    assert confusions(refs, preds, top=None) == [("ư", "u", 2), ("", "x", 1), ("á", "", 1)]
    assert confusions(refs, preds, top=1) == [("ư", "u", 2)]


def test_confusions_add_up_to_the_edits():
    refs, preds = zip(*random_pairs(40), strict=True)
    assert sum(n for _, _, n in confusions(refs, preds, top=None)) == score(refs, preds).edits


def test_auroc_counts_pairs():
    confidences, correct = [0.9, 0.7, 0.7, 0.4, 0.2], [True, True, False, True, False]
    pairs = [
        (r, w)
        for r, a in zip(confidences, correct, strict=True)
        if a
        for w, b in zip(confidences, correct, strict=True)
        if not b
    ]
    expected = sum(1.0 if r > w else 0.5 if r == w else 0.0 for r, w in pairs) / len(pairs)
    assert auroc(confidences, correct) == pytest.approx(expected)
    assert auroc([0.1, 0.9], [False, True]) == 1 and auroc([0.1, 0.9], [True, False]) == 0
    assert auroc([0.1, 0.9], [True, True]) is None and auroc([0.1], [False]) is None


def test_accepting_at_a_precision():
    confidences, correct = [0.9, 0.8, 0.7, 0.6, 0.5], [True, True, False, True, True]
    assert accept_at_precision(confidences, correct, 1.0) == pytest.approx(2 / 5)
    assert accept_at_precision(confidences, correct, 0.8) == pytest.approx(5 / 5)
    assert accept_at_precision([0.9, 0.1], [False, True], 0.99) == 0
    assert accept_at_precision([0.5, 0.5], [True, False], 1.0) == 0  # equal confidences cannot be parted
    assert accept_at_precision([0.5] * 100, [True] * 7 + [False] * 93, 0.07) == 1  # exactly: 0.07 * 100 > 7 in floats


@pytest.mark.parametrize("function", [cer, exact, score, confusions, auroc, accept_at_precision])
def test_nothing_to_score_is_an_error(function):
    with pytest.raises(ValueError, match="There are no lines"):
        function([], [])
    with pytest.raises(ValueError, match="cannot be compared"):
        function([1.0] if function in (auroc, accept_at_precision) else ["a"], [])


def test_meaningless_values_are_errors():
    with pytest.raises(ValueError, match="All references are empty"):
        cer([""], ["a"])
    with pytest.raises(ValueError, match="line 1 is not a number"):
        auroc([0.5, float("nan")], [True, False])
    with pytest.raises(ValueError, match="between 0 and 1"):
        accept_at_precision([0.5], [True], 99)


def test_the_interval_of_a_cer_covers_it_and_narrows_with_more_lines():
    refs, preds = zip(*random_pairs(40), strict=True)
    low, high = cer_interval(refs, preds)
    assert low < cer(refs, preds) < high and (low, high) == cer_interval(refs, preds)
    wide = high - low
    low, high = cer_interval(refs * 16, preds * 16)
    assert wide / 5 < high - low < wide / 3  # a quarter, of sixteen times as many lines
    assert cer_interval(["abc"] * 9, ["abc"] * 9) == (0.0, 0.0)


def test_the_interval_is_that_of_lines_and_not_of_characters():
    # One line in ten is all wrong: the share of such lines has the standard deviation of a binomial one.
    refs, preds = ["a" * 50] * 100, ["a" * 50] * 90 + ["b" * 50] * 10
    low, high = cer_interval(refs, preds)
    assert (low, high) == (pytest.approx(0.1 - 1.96 * 0.03, abs=0.012), pytest.approx(0.1 + 1.96 * 0.03, abs=0.012))


def test_edits_turn_one_text_into_the_other():
    for written, read in random_pairs(60):
        found = list(edits(written, read))
        assert len(found) == textbook_distance(written, read) and all(a != b for a, b in found)
        assert sum(bool(b) - bool(a) for a, b in found) == len(read) - len(written)
