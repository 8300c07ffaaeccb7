"""Confidence: the chance that a line was read right from its first character to its end.

VietOCR reports the mean probability of a line's characters. One doubtful character in forty hardly moves a mean, and
yet the line is wrong. Here each probability is first calibrated (Platt 1999: a line through the log-odds) to the chance
that this character is right, and the line's confidence is their product, the end's included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import UserError
from .decode import Reading

DOUBT_THRESHOLD = 0.7  # certainty below which a line is looked at again
MIN_LINES = 20  # read right, and as many read wrong: fewer do not tell two numbers
CERTAIN = 1e-6  # a probability nearer than this to 0 or 1 says nothing more: float32 ends there
FINEST_STEP = 1e-3  # of slope and offset, to which a fit is found


class ConfidenceError(UserError):
    """Confidence cannot be fitted; the message says why."""


@dataclass(frozen=True)
class Calibration:
    """σ(slope · logit p + offset) is the chance that a character of probability p is right.

    The default was fitted on a network trained with VietOCR's label smoothing of 0.1, for files that carry no fit of
    their own.

    Attributes:
        slope: Of the line through the log-odds, above 0.
        offset: Of that line, in nats.
    """

    slope: float = 2.0
    offset: float = 1.9

    @classmethod
    def of(cls, stored: Mapping[str, float]) -> Calibration:
        """What a checkpoint's `Meta.confidence` holds; the default where it is empty."""
        return cls(stored["slope"], stored["offset"]) if stored else cls()

    def confidence(self, reading: Reading) -> float:
        """The chance in [0, 1] that a line is right; 0 for one without characters, or cut off before its end."""
        if not reading.ids or not reading.end:
            return 0.0
        odds = _log_odds(np.array([*reading.probabilities, reading.end]))
        return float(np.exp(_log_sigmoid(self.slope * odds + self.offset).sum()))


#: The scale that decides whether a line is looked at again and which look is kept, whatever its file says. So a file's
#: calibration changes neither texts nor time, and files of the same weights look twice at the same lines. It is what
#: `quantvietocr confidence` fitted to the shipped int8 file.
DECISION_SCALE = Calibration(2.0605, 0.707)


@dataclass(frozen=True)
class LineText:
    """A line's text, and two numbers in [0, 1] for the chance that all of it is right.

    Attributes:
        text: What was read.
        certainty: On `DECISION_SCALE`, the same for every file; it decides what is done about the line.
        confidence: On the scale of the network's file; it is what is reported.
    """

    text: str
    certainty: float
    confidence: float

    @classmethod
    def of_parts(cls, text: str, parts: Sequence[LineText], chance: float = 1.0) -> LineText:
        """The text of a line that is right if all of `parts` are.

        Args:
            text: The text of the whole line.
            parts: What was read in its parts.
            chance: That whatever else the text depends on is right, in [0, 1].
        """
        return cls(
            text,
            float(np.prod([part.certainty for part in parts]) * chance),
            float(np.prod([part.confidence for part in parts]) * chance),
        )


NOTHING = LineText("", 1.0, 1.0)  # a part of a line in which there is nothing to read


def fit(readings: Sequence[Reading], right: Sequence[bool]) -> Calibration:
    """Find the calibration under which it is most likely that just these lines are right.

    Args:
        readings: How lines were read.
        right: Whether each whole line was read right.

    Returns:
        The calibration, to four decimals.

    Raises:
        ConfidenceError: Where fewer than `MIN_LINES` lines are right, or wrong: two numbers need both.

    Source:
        Platt 1999, Probabilistic outputs for support vector machines.
    """
    chosen = [(reading, good) for reading, good in zip(readings, right, strict=True) if reading.ids and reading.end]
    good = np.array([good for _, good in chosen], dtype=bool)
    if min(good.sum(), (~good).sum()) < MIN_LINES:
        raise ConfidenceError(
            f"{good.sum()} lines read right and {(~good).sum()} wrong are too few to fit confidence: give lines "
            f"enough for {MIN_LINES} of each."
        )
    odds = _log_odds(np.concatenate([[*reading.probabilities, reading.end] for reading, _ in chosen]))
    starts = np.cumsum([0] + [len(reading.ids) + 1 for reading, _ in chosen[:-1]])

    def loss(slope: float, offset: float) -> float:
        if slope <= 0:
            return np.inf
        line = np.minimum(np.add.reduceat(_log_sigmoid(slope * odds + offset), starts), -1e-9)
        return -(line[good].sum() + np.log(-np.expm1(line[~good])).sum())

    # Two smooth numbers: walk to the best of four neighbours, and halve the step where there is none.
    here, step = (1.0, 1.0), 1.0
    lowest = loss(*here)
    while step > FINEST_STEP:
        around = [
            (here[0] + step, here[1]),
            (here[0] - step, here[1]),
            (here[0], here[1] + step),
            (here[0], here[1] - step),
        ]
        losses = [loss(*point) for point in around]
        best = int(np.argmin(losses))
        if losses[best] < lowest:
            here, lowest = around[best], losses[best]
        else:
            step /= 2
    return Calibration(round(here[0], 4), round(here[1], 4))


def _log_odds(probabilities: np.ndarray) -> np.ndarray:
    kept = np.clip(probabilities.astype(np.float64), CERTAIN, 1 - CERTAIN)
    return np.log(kept) - np.log1p(-kept)


def _log_sigmoid(values: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0.0, -values)
