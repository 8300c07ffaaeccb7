"""How well lines were read: edit distance, character error rate, exact lines, and whether confidence can be trusted.

Rates are fractions, 0.05 for 5 %. Texts are composed (NFC) before they are compared, so two encodings of one
accented letter are equal.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

# Letters whose mark is no combining character, so decomposition leaves it.
_STROKES = str.maketrans("đĐ", "dD")


def edit_distance(a: str, b: str) -> int:
    """Fewest insertions, deletions and substitutions of code points that turn `a` into `b` (Levenshtein)."""
    if a == b:
        return 0
    if not a or not b:
        return len(a) + len(b)
    # Myers' bit-parallel recurrence in Hyyrö's form: bit i of `up` and `down` says whether the column's value
    # rises or falls from row i to i + 1, so a whole column is a few operations on one integer.
    places: dict[str, int] = {}
    for i, char in enumerate(a):
        places[char] = places.get(char, 0) | 1 << i
    full, last = (1 << len(a)) - 1, 1 << len(a) - 1
    up, down, distance = full, 0, len(a)
    for char in b:
        same = places.get(char, 0)
        diagonal = (((same & up) + up) ^ up) | same | down
        right_up = down | ~(diagonal | up)
        right_down = up & diagonal
        distance += bool(right_up & last) - bool(right_down & last)
        right_up = right_up << 1 | 1
        up = (right_down << 1 | ~(diagonal | right_up)) & full
        down = right_up & diagonal & full
    return distance


def fold_diacritics(text: str) -> str:
    """`text` without its marks, case kept: ``Đường số 5`` becomes ``Duong so 5``."""
    apart = unicodedata.normalize("NFD", text)
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare).translate(_STROKES)


def cer(references: Sequence[str], predictions: Sequence[str]) -> float:
    """Character error rate: edits of all lines over characters of all references. Above 1 where far too much is read.

    Raises:
        ValueError: nothing to compare, or lists of different lengths.
    """
    refs, preds = _paired(references, predictions)
    return sum(map(edit_distance, refs, preds)) / _characters(refs)


def exact(references: Sequence[str], predictions: Sequence[str]) -> float:
    """Share of lines read without any error. Raises `ValueError` as `cer` does."""
    refs, preds = _paired(references, predictions)
    return sum(r == p for r, p in zip(refs, preds, strict=True)) / len(refs)


@dataclass(frozen=True)
class Score:
    """How well a set of lines was read.

    Attributes:
        lines: number of lines.
        exact: share of lines without any error.
        cer: character error rate.
        cer_folded: character error rate with the marks of both sides removed.
        edits: edits of all lines; ``cer == edits / characters``.
        characters: characters of all references.
    """

    lines: int
    exact: float
    cer: float
    cer_folded: float
    edits: int
    characters: int


def score(references: Sequence[str], predictions: Sequence[str]) -> Score:
    """Score predictions against references, line by line. Raises `ValueError` as `cer` does."""
    refs, preds = _paired(references, predictions)
    edits, characters = sum(map(edit_distance, refs, preds)), _characters(refs)
    folded = cer([fold_diacritics(r) for r in refs], [fold_diacritics(p) for p in preds])
    return Score(len(refs), exact(refs, preds), edits / characters, folded, edits, characters)


def confusions(
    references: Sequence[str], predictions: Sequence[str], top: int | None = 20
) -> list[tuple[str, str, int]]:
    """The most frequent single edits: (written, read, count), most first.

    `written` is empty where a character was read that is not there, `read` where one was missed. The counts of all
    (``top=None``) add up to the edits of `score`. Raises `ValueError` as `cer` does.
    """
    refs, preds = _paired(references, predictions)
    counts = Counter(pair for r, p in zip(refs, preds, strict=True) if r != p for pair in _edits(r, p))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(written, read, count) for (written, read), count in ranked[:top]]


def auroc(confidences: Sequence[float], correct: Sequence[bool]) -> float | None:
    """Chance that a rightly read line has a higher confidence than a wrongly read one, ties counting half.

    1 is a perfect separation, 0.5 none. None where all lines are right or all are wrong: there is nothing to tell
    apart.

    Raises:
        ValueError: nothing to compare, lists of different lengths, or a confidence that is no finite number.
    """
    values, right = _judged(confidences, correct)
    n_right, n_wrong = int(right.sum()), int((~right).sum())
    if not n_right or not n_wrong:
        return None
    _, place, tied = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(tied) - (tied - 1) / 2)[place]
    return float((ranks[right].sum() - n_right * (n_right + 1) / 2) / (n_right * n_wrong))


def accept_at_precision(confidences: Sequence[float], correct: Sequence[bool], precision: float = 0.99) -> float:
    """Largest share of lines that a confidence threshold can accept with at least `precision` of them right.

    Lines of equal confidence are accepted or refused together. 0 where no threshold reaches the precision.
    Raises `ValueError` as `auroc` does, and for a precision outside 0 to 1.
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


def _paired(references: Sequence[str], predictions: Sequence[str]) -> tuple[list[str], list[str]]:
    """Both sides composed, after checking that there is something to compare."""
    if len(references) != len(predictions):
        raise ValueError(f"{len(references)} references cannot be compared with {len(predictions)} predictions.")
    if not references:
        raise ValueError("There are no lines to score; give at least one reference and its prediction.")
    return [[unicodedata.normalize("NFC", t) for t in texts] for texts in (references, predictions)]


def _characters(refs: Sequence[str]) -> int:
    total = sum(map(len, refs))
    if not total:
        raise ValueError("All references are empty, so there is no character to count errors against.")
    return total


def _judged(confidences: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    values, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=bool)
    if values.shape != right.shape or values.ndim != 1:
        raise ValueError(f"{values.size} confidences cannot be compared with {right.size} judgements.")
    if not values.size:
        raise ValueError("There are no lines to judge confidence on; give at least one.")
    if not np.isfinite(values).all():
        raise ValueError(f"Confidence of line {int(np.flatnonzero(~np.isfinite(values))[0])} is not a number.")
    return values, right


def _edits(written: str, read: str) -> Iterator[tuple[str, str]]:
    """The edits of one cheapest alignment, as (written, read) with one side empty for a deletion or insertion."""
    table = [list(range(len(read) + 1))]
    for i, w in enumerate(written, 1):
        above, row = table[-1], [i]
        for j, r in enumerate(read, 1):
            row.append(min(above[j - 1] + (w != r), above[j] + 1, row[-1] + 1))
        table.append(row)
    i, j = len(written), len(read)
    while i or j:
        here = table[i][j]
        if i and j and here == table[i - 1][j - 1] + (written[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            if written[i] != read[j]:
                yield written[i], read[j]
        elif i and here == table[i - 1][j] + 1:
            i -= 1
            yield written[i], ""
        else:
            j -= 1
            yield "", read[j]
