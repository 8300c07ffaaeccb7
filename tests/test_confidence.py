"""Confidence: calibrated products of probabilities, fitted to lines, kept in the file."""

import dataclasses
import math

import numpy as np
import pytest

from quantvietocr import Predictor
from quantvietocr.checkpoint import CheckpointError, read, validate, write
from quantvietocr.cli.main import main
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.metrics.trust import auroc
from quantvietocr.pictures.image import open_line
from quantvietocr.reading.confidence import (
    DECISION_SCALE,
    DOUBT_THRESHOLD,
    MIN_LINES,
    Calibration,
    ConfidenceError,
    fit,
)
from quantvietocr.reading.decode import Reading
from quantvietocr.shipped import weights_file


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def test_it_is_the_product_over_characters_and_end():
    reading = Reading((4, 5), (0.9, 0.7), 0.8)
    odds = [math.log(p / (1 - p)) for p in (0.9, 0.7, 0.8)]
    assert Calibration(1, 0).confidence(reading) == pytest.approx(0.9 * 0.7 * 0.8)
    assert Calibration(2, -1).confidence(reading) == pytest.approx(math.prod(sigmoid(2 * o - 1) for o in odds))


@pytest.mark.parametrize("reading", [Reading((), (), 0.9), Reading((4,), (0.9,), 0.0), Reading((), ())])
def test_a_line_without_characters_or_end_has_none(reading):
    assert Calibration().confidence(reading) == 0


@pytest.mark.parametrize("probability", [0.0, 1.0, 1e-30, 1 - 1e-12])
def test_certainty_stays_a_number(probability):
    assert 0 <= Calibration(9, 9).confidence(Reading((4,) * 200, (probability,) * 200, 1.0)) <= 1


def drawn(count: int, truth: Calibration) -> tuple[list[Reading], list[bool]]:
    """Lines that are right exactly as often as `truth` says."""
    rng = np.random.default_rng(3)
    readings = [
        Reading((4,) * n, tuple(rng.beta(6, 0.7, n)), float(rng.beta(9, 0.7))) for n in rng.integers(1, 30, count)
    ]
    return readings, [bool(rng.random() < truth.confidence(reading)) for reading in readings]


def test_the_fit_finds_what_the_lines_were_drawn_from():
    truth = Calibration(1.6, 2.2)
    readings, right = drawn(6000, truth)
    found = fit(readings, right)
    assert found.slope == pytest.approx(truth.slope, abs=0.15) and found.offset == pytest.approx(truth.offset, abs=0.2)
    chances = [found.confidence(reading) for reading in readings]
    assert np.mean(chances) == pytest.approx(np.mean(right), abs=0.02)
    assert auroc(chances, right) > auroc([reading.mean_probability for reading in readings], right) + 0.02


def test_too_few_lines_are_refused():
    readings, right = drawn(400, Calibration())
    some = [i for i, good in enumerate(right) if good] + [i for i, good in enumerate(right) if not good][
        : MIN_LINES - 1
    ]
    with pytest.raises(ConfidenceError, match=f"and {MIN_LINES - 1} wrong are too few"):
        fit([readings[i] for i in some], [right[i] for i in some])


def test_the_file_carries_it(int8_weights, lines, tmp_path):
    checkpoint = read(int8_weights)
    changed = dataclasses.replace(checkpoint.meta, confidence={"slope": 1.0, "offset": -6.0})
    path = write(dataclasses.replace(checkpoint, meta=changed), tmp_path / "w.safetensors")
    predictor = Predictor(path, threads=1)
    picture = sorted((lines / "img").glob("*.png"))[0]
    text, confidence = predictor.predict(picture, return_prob=True)
    ((_, reading),) = predictor.recognizer.recognize(predictor.candidates_of(open_line(picture))[0])
    assert predictor.calibration == Calibration(1.0, -6.0) and text
    assert confidence == pytest.approx(Calibration(1.0, -6.0).confidence(reading), rel=1e-9)
    assert confidence < 0.5 * Calibration().confidence(reading)


def test_what_a_file_says_of_confidence_changes_no_text_and_no_work(tiny_weights, monkeypatch):
    # The scale on which some of these pictures are in doubt and others are not, whatever the shipped file's is.
    monkeypatch.setattr("quantvietocr.reading.predictor.DECISION_SCALE", Calibration(1.9824, 0.6895))
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (8, width, 3), np.uint8) for width in (*range(24, 48, 3), 150)]
    checkpoint, texts, confidences, batches = read(tiny_weights), [], [], []
    encode = TorchEngine.encode
    monkeypatch.setattr(
        TorchEngine, "encode", lambda self, pixels: batches[-1].append(pixels.shape) or encode(self, pixels)
    )
    searched = []
    monkeypatch.setattr("quantvietocr.reading.predictor.search", lambda *a, **k: searched.append(len(batches)))
    for stored in ({}, {"slope": 1.0, "offset": -6.0}, {"slope": 9.0, "offset": 40.0}):
        batches.append([])
        own = dataclasses.replace(checkpoint, meta=dataclasses.replace(checkpoint.meta, confidence=stored))
        read_as, chances = Predictor(own, threads=1, retries=2).predict_batch(pictures, return_prob=True)
        texts.append(read_as)
        confidences.append(chances)
    assert texts[0] == texts[1] == texts[2] and batches[0] == batches[1] == batches[2]
    assert sum(count for count, *_ in batches[0]) > 2 * len(pictures), "some were looked at again"
    assert searched.count(1) == searched.count(2) == searched.count(3) > 0
    assert max(confidences[1]) < DOUBT_THRESHOLD < np.median(confidences[2]), (
        "on the file's scale all are in doubt, or few"
    )


def test_decisions_are_made_on_the_scale_of_the_shipped_int8_file():
    assert Calibration.of(read(weights_file("int8")).meta.confidence) == DECISION_SCALE


@pytest.mark.parametrize(
    "stored",
    [
        {"slope": 1.0},
        {"slope": 0, "offset": 1},
        {"slope": 1, "offset": math.nan},
        "high",
        {"slope": "1", "offset": 1},
        {"slope": 1, "offset": 1, "more": 1},
    ],
)
def test_a_file_with_another_confidence_is_refused(int8_weights, stored):
    checkpoint = read(int8_weights)
    with pytest.raises(CheckpointError, match="its confidence must be a slope above 0 and an offset"):
        validate(dataclasses.replace(checkpoint, meta=dataclasses.replace(checkpoint.meta, confidence=stored)))


def test_the_verb_fits_a_file(float_weights, lines, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("quantvietocr.reading.confidence.MIN_LINES", 1)
    path = write(read(float_weights), tmp_path / "w.safetensors")
    annotation = tmp_path / "annotation.txt"
    rows = (lines / "annotation.txt").read_text(encoding="utf-8").splitlines()
    rows = [f"{lines / row.split(chr(9))[0]}\t{row.split(chr(9))[1]}" for row in rows]
    annotation.write_text("\n".join([*rows, rows[0] + "x"]) + "\n", encoding="utf-8")
    assert main(["confidence", str(path), "--data", str(annotation)]) == 0
    stored = read(path).meta.confidence
    assert stored["slope"] > 0 and f"slope {stored['slope']}" in capsys.readouterr().out
