"""Which confidence a trained file carries: the one it started with, or one fitted to the validation lines."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..reading.confidence import Calibration, ConfidenceError, fit
from ..reading.evaluate import Validation

FOLDS = 5  # each fold's lines are judged by a confidence fitted to the others
MIN_CHANCE = 1e-6  # a line said to be certain and read wrong costs log(1e-6), not infinity


def chosen_confidence(read: Validation, stored: Mapping[str, float]) -> tuple[dict[str, float], str]:
    """The better calibrated of two confidences on the validation lines: the stored one, or a fitted one.

    Better means a higher log-likelihood of which lines were read right. It is a proper score: the true chances get the
    best one. The calibration error (ECE) is not: it needs bins, which a few hundred lines hardly fill, and a confidence
    that says the same of every line can bring it to 0. The fitted one is judged by cross-validation, for on the lines
    that it was fitted to it would always win.

    Args:
        read: the validation lines as the file reads them.
        stored: slope and offset that the file started with; empty for the default of `Calibration`.

    Returns:
        What to store in the file, and a sentence that says why.
    """
    before = Calibration.of(stored)
    right = np.array(read.right, dtype=bool)
    fold_of = np.empty(len(right), dtype=int)
    for kind in (right, ~right):  # as many wrong lines in every fold
        fold_of[kind] = np.arange(kind.sum()) % FOLDS
    judged = np.empty(len(right))
    try:
        for fold in range(FOLDS):
            kept = np.flatnonzero(fold_of != fold)
            fitted = fit([read.readings[i] for i in kept], [read.right[i] for i in kept])
            for i in np.flatnonzero(fold_of == fold):
                judged[i] = fitted.confidence(read.readings[i])
        last = fit(read.readings, read.right)
    except ConfidenceError:
        return dict(stored), (
            f"{right.sum()} lines read right and {(~right).sum()} wrong are too few to fit confidence on and to judge "
            "it by: the file keeps the confidence it started with."
        )
    kept_score = log_likelihood(np.array([before.confidence(reading) for reading in read.readings]), right)
    fitted_score = log_likelihood(judged, right)
    numbers = f"log-likelihood of a validation line {fitted_score:.3f} refitted, {kept_score:.3f} as it started"
    if fitted_score > kept_score:
        return dataclasses.asdict(last), f"confidence is refitted ({numbers})."
    return dict(stored), f"the file keeps the confidence it started with ({numbers})."


def log_likelihood(confidences: np.ndarray, right: np.ndarray) -> float:
    """Mean over lines of the log of the chance given to what happened, in nats; 0 is perfect.

    Args:
        confidences: (lines,), chances from 0 to 1 that each line is right.
        right: (lines,), whether it is.
    """
    chances = np.where(right, confidences, 1 - confidences)
    return float(np.log(np.clip(chances, MIN_CHANCE, 1)).mean())
