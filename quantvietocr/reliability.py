"""Whether confidence means what it says: reliability, its error, and what a threshold accepts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def reliability(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> list[tuple[float, float, int]]:
    """Mean confidence, share of right lines and number of lines, for bins of equally many lines, least confident first.

    Lines of equal confidence that fall into two bins count as equally right in both. Fewer lines than bins: a bin each.
    Raises ValueError: nothing to judge, lists of different lengths, a confidence that is no finite number, no bin.
    """
    values, right = _judged(confidences, correct)
    if bins < 1:
        raise ValueError(f"Lines are put into at least one bin; got {bins}.")
    _, place, tied = np.unique(values, return_inverse=True, return_counts=True)
    share = (np.bincount(place, right) / tied)[place]
    parts = np.array_split(np.argsort(values, kind="stable"), min(bins, len(values)))
    return [(float(values[part].mean()), float(share[part].mean()), len(part)) for part in parts]


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = 10) -> float:
    """Mean distance, over lines, of confidence from the share of lines right at it: ECE (Guo et al. 2017, eq. 3).

    Guo's bins are equally wide; these hold equally many lines (`reliability`), since most confidences are near 1.
    0 is perfect. Raises ValueError as `reliability` does.
    """
    parts = reliability(confidences, correct, bins)
    return sum(lines * abs(said - share) for said, share, lines in parts) / sum(lines for _, _, lines in parts)


def accept_curve(confidences: Sequence[float], correct: Sequence[bool]) -> list[tuple[float, float]]:
    """For each confidence as a threshold, highest first: the share of lines accepted, and the share of those that is right.

    Lines of equal confidence are accepted together. `metrics.accept_at_precision` is the largest share on this curve at
    its precision. Raises ValueError as `reliability` does.
    """
    values, right = _judged(confidences, correct)
    order = np.argsort(-values, kind="stable")
    last = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    good = np.cumsum(right[order])[last]
    return [(float(share), float(precise)) for share, precise in zip((last + 1) / len(values), good / (last + 1))]


def _judged(confidences: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    values, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=bool)
    if values.shape != right.shape or values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"Confidence is judged on at least one line, a finite number and a judgement each; got "
                         f"{values.size} confidences ({int((~np.isfinite(values)).sum())} not finite) and {right.size} "
                         "judgements.")
    return values, right
