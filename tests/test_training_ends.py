"""How a training ends: with the best network it had, the better confidence, and a state that SIGTERM does not lose."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_train
from PIL import Image

from quantvietocr.checkpoint import read
from quantvietocr.config import load_config
from quantvietocr.metrics.accuracy import Score
from quantvietocr.reading.confidence import Calibration
from quantvietocr.reading.decode import Reading
from quantvietocr.reading.evaluate import Validation
from quantvietocr.train import best, loop
from quantvietocr.train.curves import write_curves
from quantvietocr.train.state import Progress, load_state
from quantvietocr.train.trust import chosen_confidence, log_likelihood


@pytest.fixture(scope="module")
def annotation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_train.write_lines(tmp_path_factory.mktemp("ends") / "lines")


def settings(annotation: Path, out: Path, **more: object) -> list[str]:
    values = {
        "model.weights": "tiny",  # which the tiny network is put in place of
        "data.train": f"[{{annotation: {annotation}, augment: 0.0}}]",
        "data.valid": annotation,
        "data.workers": 0,
        "data.chunk": 7,
        "train.method": "qat",
        "train.out": out,
        "train.steps": 4,
        "train.batch_size": 4,
        "train.threads": 1,
        "train.device": "cpu",
        "train.bf16": False,
        "train.validate_every": 2,
        "quant.calibration_lines": 8,
    } | more
    return [f"{key}={value}" for key, value in values.items()]


def read_as(cers: list[float]) -> object:
    """In place of `score_checkpoint`: one after the other, readings with these character error rates."""
    left = iter(cers)
    return lambda *_: Validation(Score(11, 0.5, next(left), 0.1, 3, 30), (Reading((), ()),) * 11, (True,) * 11)


@pytest.mark.parametrize(
    ("cers", "kept", "method"),
    [
        # The score of the float file is asked for as well wherever a network is kept.
        ([0.10, 0.1, 0.20, 0.10], 0, "static"),
        ([0.10, 0.1, 0.20, 0.09, 0.1], 4, "qat"),
    ],
)
def test_a_training_that_does_not_help_leaves_what_it_began_with(
    annotation, tmp_path, monkeypatch, capsys, cers, kept, method
):
    tiny_train.patch(monkeypatch.setattr)
    monkeypatch.setattr(best, "score_checkpoint", read_as(cers))
    loop.train(load_config(None, settings(annotation, tmp_path)))
    with (tmp_path / "scores.csv").open() as stream:
        assert [int(row["step"]) for row in csv.DictReader(stream)] == [0, 2, 4]
    assert load_state(tmp_path)["progress"]["best_step"] == kept
    made = read(tmp_path / "best.safetensors").meta
    assert (made.method, made.accuracy["cer"]) == (method, min(cers[0], cers[3]))
    output = capsys.readouterr()
    said = output.out + output.err
    assert ("No step made it read the validation lines better" in said) == (kept == 0)
    assert said.count("too few to fit confidence") == 1  # however often it was tried


def test_a_run_that_goes_on_does_not_begin_again(annotation, tmp_path, monkeypatch):
    tiny_train.patch(monkeypatch.setattr)
    loop.train(load_config(None, settings(annotation, tmp_path, **{"train.schedule": "trapezoid"})))
    more = settings(annotation, tmp_path, **{"train.schedule": "trapezoid", "train.steps": 6})
    loop.train(load_config(None, more), resume=True)
    assert [row["step"] for row in load_state(tmp_path)["progress"]["scores"]] == [0, 2, 4, 6]


def test_sigterm_to_all_processes_saves_and_says_so_in_one_sentence(annotation, tmp_path, monkeypatch):
    """As `timeout` and Slurm send it: to the workers that load lines as well."""
    more = {"train.steps": 100000, "train.validate_every": 100000, "train.save_every": 3, "data.workers": 2}
    arguments = settings(annotation, tmp_path, **more, **{"train.schedule": "trapezoid"})
    process = subprocess.Popen(
        [sys.executable, tiny_train.__file__, *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    deadline = time.monotonic() + 200
    while not (tmp_path / "state.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 128 + signal.SIGTERM, said[-3000:]
    stops = re.findall(r"stopped after step (\d+); go on with --resume", said)
    assert len(stops) == 1 and "Traceback" not in said, said[-3000:]
    assert load_state(tmp_path)["progress"]["step"] == int(stops[0]) > 0
    tiny_train.patch(monkeypatch.setattr)
    loop.train(load_config(None, [*arguments, f"train.steps={int(stops[0]) + 2}"]), resume=True)
    assert load_state(tmp_path)["progress"]["step"] == int(stops[0]) + 2


def drawn(count: int, truth: Calibration) -> Validation:
    """Lines of random probabilities, right with the chance that `truth` gives them."""
    rng = np.random.default_rng(0)
    readings = []
    for _ in range(count):
        probabilities = tuple(float(p) for p in rng.uniform(0.6, 0.999, 5))
        readings.append(Reading((1,) * 5, probabilities, end=0.99))
    right = tuple(bool(rng.random() < truth.confidence(reading)) for reading in readings)
    return Validation(Score(count, 0.5, 0.1, 0.1, count, 5 * count), tuple(readings), right)


def test_confidence_is_fitted_where_that_is_better_and_kept_where_it_is_not():
    truth = {"slope": 1.5, "offset": 2.0}
    read = drawn(400, Calibration(**truth))
    kept, sentence = chosen_confidence(read, truth)
    assert kept == truth and "keeps the confidence it started with (log-likelihood" in sentence
    fitted, sentence = chosen_confidence(read, {"slope": 0.3, "offset": 0.0})
    assert "is refitted (log-likelihood" in sentence
    chances = [Calibration(**fitted).confidence(reading) for reading in read.readings]
    assert np.mean(chances) == pytest.approx(np.mean(read.right), abs=0.03)


def test_too_few_lines_keep_the_confidence():
    read = drawn(20, Calibration(1.5, 2.0))
    stored = {"slope": 0.3, "offset": 0.0}
    kept, sentence = chosen_confidence(read, stored)
    assert kept == stored and re.match(r"\d+ lines read right and \d+ wrong are too few to fit confidence", sentence)


def test_log_likelihood_of_chances():
    assert log_likelihood(np.array([1.0, 0.0]), np.array([True, False])) == 0
    assert log_likelihood(np.array([0.5, 0.5]), np.array([True, False])) == pytest.approx(np.log(0.5))
    assert np.isfinite(log_likelihood(np.array([0.0]), np.array([True])))


@pytest.mark.parametrize("steps", [(), (0,), (0, 30)])
def test_curves_of_few_validations(tmp_path, steps):
    rows = [
        {"step": step, "lines": 8 * step}
        | {f"{kind}_{what}": 0.5 - step / 100 for kind in ("converted", "fake_quant") for what in ("exact", "cer")}
        for step in steps
    ]
    losses = [(10.0, 0.6, 1e-5), (20.0, 0.5, 2e-5), (30.0, 0.4, 1e-5)] if steps[1:] else []
    write_curves(tmp_path, Progress(step=30, best=0.2, best_step=30, losses=losses, scores=rows), "qat in runs/x")
    assert Image.open(tmp_path / "curves.png").size[0] > 1000
