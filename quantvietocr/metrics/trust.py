"""Whether confidence means what it says: reliability, its error, and what a threshold accepts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def reliability(
    confidences: Sequence[float], correct: Sequence[bool], bins: int = 10
) -> list[tuple[float, float, int]]:
    """Compare confidence with the share of right lines, in bins of equally many lines.

    Lines of equal confidence that fall into two bins count as equally right in both.

    Args:
        confidences: one for each line.
        correct: whether each line was read right.
        bins: how many; of fewer lines a bin each.

    Returns:
        (mean confidence, share of right lines, number of lines) of each bin, least confident first.

    Raises:
        ValueError: nothing to judge, lists of different lengths, a confidence that is no finite number, no bin.
    """
    values, right = _judged(confidences, correct)
    if bins < 1:
        raise ValueError(f"Lines are put into at least one bin; got {bins}.")
    _, index, tied = np.unique(values, return_inverse=True, return_counts=True)
    share = (np.bincount(index, right) / tied)[index]
    parts = np.array_split(np.argsort(values, kind="stable"), min(bins, len(values)))
    return [(float(values[part].mean()), float(share[part].mean()), len(part)) for part in parts]


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> float:
    """Mean distance, over lines, of confidence from the share of lines right at it: ECE. 0 is perfect.

    Guo's bins are equally wide; these hold equally many lines (`reliability`), since most confidences are near 1.

    Raises:
        ValueError: as `reliability` does.

    Source:
        Guo et al., On Calibration of Modern Neural Networks (2017), equation 3.
    """
    parts = reliability(confidences, correct, bins)
    return sum(lines * abs(mean - share) for mean, share, lines in parts) / sum(lines for _, _, lines in parts)


def accept_curve(confidences: Sequence[float], correct: Sequence[bool]) -> list[tuple[float, float]]:
    """What each confidence accepts as a threshold. Lines of equal confidence are accepted together.

    `accept_at_precision` is the largest share on this curve at its precision.

    Returns:
        (share of lines accepted, share of those that is right) of each threshold, the highest first.

    Raises:
        ValueError: as `reliability` does.
    """
    values, right = _judged(confidences, correct)
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    good = np.cumsum(right[order])[last]
    return [(float(share), float(precise)) for share, precise in zip((last + 1) / len(values), good / (last + 1))]


def auroc(confidences: Sequence[float], correct: Sequence[bool]) -> float | None:
    """Chance that a rightly read line has a higher confidence than a wrongly read one, ties counting half.

    Returns:
        1 is a perfect separation, 0.5 none. None where all lines are right or all are wrong: there is nothing to tell
        apart.

    Raises:
        ValueError: nothing to compare, lists of different lengths, or a confidence that is no finite number.
    """
    values, right = _judged(confidences, correct)
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if not n_right or not n_wrong:
        return None
    _, index, tied = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(tied) - (tied - 1) / 2)[index]
    return float((ranks[right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))


def accept_at_precision(confidences: Sequence[float], correct: Sequence[bool], precision: float = 0.99) -> float:
    """Largest share of lines that a confidence threshold can accept with at least `precision` of them right.

    Lines of equal confidence are accepted or refused together. 0 where no threshold reaches the precision.

    Raises:
        ValueError: as `auroc` does, and for a precision outside 0 to 1.
    """
    if not 0 <= precision <= 1:
        raise ValueError(f"Precision is a share between 0 and 1; got {precision}.")
    values, right = _judged(confidences, correct)
    order = np.argsort(-values, kind="stable")
    values, right = values[order], right[order]
    accepted = np.arange(1, len(values) + 1)
    allowed = np.append(values[1:] != values[:-1], True)  # a threshold cannot part equal confidences
    good = allowed & (np.cumsum(right) >= precision * accepted - 1e-9)
    return float(accepted[good].max(initial=0) / len(values))


def _judged(confidences: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    values, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=bool)
    needed = "Confidence is judged on at least one line, with a finite number and a judgement each."
    if values.shape != right.shape or values.ndim != 1:
        raise ValueError(f"{values.size} confidences cannot be compared with {right.size} judgements. {needed}")
    if not values.size:
        raise ValueError(f"There are no lines to judge. {needed}")
    if not np.isfinite(values).all():
        raise ValueError(f"Confidence of line {int(np.flatnonzero(~np.isfinite(values))[0])} is not a number. {needed}")
    return values, right
