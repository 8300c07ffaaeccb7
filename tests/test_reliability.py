"""Whether confidence means what it says."""

from __future__ import annotations

import random

import pytest

from quantvietocr.metrics.trust import accept_at_precision, accept_curve, expected_calibration_error, reliability


def test_bins_hold_equally_many_lines_least_confident_first():
    confidences = [0.9, 0.1, 0.8, 0.2, 0.7]
    right = [True, False, True, True, False]
    assert reliability(confidences, right, bins=2) == [
        (pytest.approx((0.1 + 0.2 + 0.7) / 3), pytest.approx(1 / 3), 3),
        (pytest.approx(0.85), 1.0, 2),
    ]
    assert [lines for _, _, lines in reliability(confidences, right, bins=50)] == [1] * 5


def test_lines_of_one_confidence_count_alike_in_any_order():
    confidences, right = [0.5] * 4, [True, True, False, False]
    assert reliability(confidences, right, bins=2) == [(0.5, 0.5, 2), (0.5, 0.5, 2)]
    assert expected_calibration_error(confidences, right, bins=2) == 0


def test_ece_is_the_mean_distance_from_what_was_said():
    assert expected_calibration_error([1.0] * 10, [True] * 10) == 0
    assert expected_calibration_error([1.0] * 10, [False] * 10) == 1
    # Two bins: 0.2 said and 0 right; 0.8 said and 1 right.
    assert expected_calibration_error([0.1, 0.3, 0.7, 0.9], [False, False, True, True], bins=2) == pytest.approx(0.2)
    # Three lines and one: distances weigh by lines.
    assert expected_calibration_error([0.2, 0.2, 0.2, 0.9, 0.9], [False] * 5, bins=2) == pytest.approx((0.6 + 1.8) / 5)
    dice = random.Random(0)
    said = [dice.random() for _ in range(20_000)]
    assert expected_calibration_error(said, [dice.random() < share for share in said]) < 0.02


def test_the_accept_curve_ends_with_all_lines_and_agrees_with_the_table():
    confidences, right = [0.9, 0.8, 0.8, 0.3], [True, True, False, False]
    assert accept_curve(confidences, right) == [(0.25, 1.0), (0.75, pytest.approx(2 / 3)), (1.0, 0.5)]
    dice = random.Random(1)
    confidences = [round(dice.random(), 2) for _ in range(300)]
    right = [dice.random() < share for share in confidences]
    for precision in (0.5, 0.8, 0.99):
        best = max((share for share, precise in accept_curve(confidences, right) if precise >= precision), default=0)
        assert best == accept_at_precision(confidences, right, precision)


def test_what_cannot_be_judged_is_refused():
    for confidences, right in (([], []), ([0.1], [True, False]), ([float("nan")], [True])):
        for judge in (reliability, expected_calibration_error, accept_curve):
            with pytest.raises(ValueError, match="at least one line"):
                judge(confidences, right)
    with pytest.raises(ValueError, match="at least one bin"):
        reliability([0.5], [True], bins=0)
