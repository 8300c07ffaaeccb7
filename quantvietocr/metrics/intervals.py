"""How sure a character error rate is: an interval, by drawing the lines anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .accuracy import composed_pairs
from .edits import edit_distance

RESAMPLES = 2000  # the ends of a 95 % interval then move by a few per cent of its width from seed to seed
COVERED = 0.95  # of the resamples lie within the interval
SEED = 0
CER_INTERVAL_NOTE = (
    f"CER 95 % is the middle {COVERED:.0%} of the CERs of {RESAMPLES:,} samples, each of as many lines drawn with "
    "replacement (bootstrap)."
)


def cer_interval(references: Sequence[str], predictions: Sequence[str]) -> tuple[float, float]:
    """The 95 % interval of `metrics.accuracy.cer`, by a percentile bootstrap over lines.

    Edits in one line hang together, so lines are drawn and not characters. The draws are the same every time.

    Args:
        references: what is written, one text a line.
        predictions: what was read, in the same order.

    Returns:
        Lower and upper end, as fractions.

    Raises:
        ValueError: nothing to compare, or lists of different lengths.

    Source:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; over lines as Bisani and Ney,
        Bootstrap estimates for confidence intervals in ASR performance evaluation (2004).
    """
    pairs = list(zip(*composed_pairs(references, predictions), strict=True))
    edits = np.array([edit_distance(*pair) for pair in pairs])
    characters = np.array([len(written) for written, _ in pairs])
    dice = np.random.default_rng(SEED)
    rates = []
    for _ in range(RESAMPLES):
        drawn = dice.integers(0, len(pairs), len(pairs))
        rates.append(edits[drawn].sum() / max(characters[drawn].sum(), 1))
    low, high = np.percentile(rates, [50 * (1 - COVERED), 50 * (1 + COVERED)])
    return float(low), float(high)
