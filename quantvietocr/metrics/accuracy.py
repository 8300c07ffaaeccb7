"""How well lines were read: edit distance, character error rate, exact lines, and whether confidence can be trusted.

Rates are fractions, 0.05 for 5 %. Texts are composed (NFC) before they are compared, so two encodings of one
accented letter are equal.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .edits import edit_distance, edits, fold_diacritics


def cer(references: Sequence[str], predictions: Sequence[str]) -> float:
    """Character error rate: edits of all lines over characters of all references. Above 1 where far too much is read.

    Raises:
        ValueError: nothing to compare, or lists of different lengths.
    """
    refs, preds = composed_pairs(references, predictions)
    return sum(map(edit_distance, refs, preds)) / _characters(refs)


def exact(references: Sequence[str], predictions: Sequence[str]) -> float:
    """Share of lines read without any error.

    Raises:
        ValueError: as `cer` does.
    """
    refs, preds = composed_pairs(references, predictions)
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
    """Score predictions against references, line by line.

    Raises:
        ValueError: as `cer` does.
    """
    refs, preds = composed_pairs(references, predictions)
    wrong, characters = sum(map(edit_distance, refs, preds)), _characters(refs)
    folded = cer([fold_diacritics(r) for r in refs], [fold_diacritics(p) for p in preds])
    return Score(len(refs), exact(refs, preds), wrong / characters, folded, wrong, characters)


def confusions(
    references: Sequence[str], predictions: Sequence[str], top: int | None = 20
) -> list[tuple[str, str, int]]:
    """The most frequent single edits.

    Args:
        references: what is written, one text a line.
        predictions: what was read, in the same order.
        top: how many edits; None gives all, whose counts add up to the edits of `score`.

    Returns:
        (written, read, count), most first. `written` is empty where a character was read that is not there, `read`
        where one was missed.

    Raises:
        ValueError: as `cer` does.
    """
    refs, preds = composed_pairs(references, predictions)
    counts = Counter(pair for r, p in zip(refs, preds, strict=True) if r != p for pair in edits(r, p))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(written, read, count) for (written, read), count in ranked[:top]]


def composed_pairs(references: Sequence[str], predictions: Sequence[str]) -> tuple[list[str], list[str]]:
    """Both sides composed, after checking that there is something to compare."""
    if len(references) != len(predictions):
        raise ValueError(f"{len(references)} references cannot be compared with {len(predictions)} predictions.")
    if not references:
        raise ValueError("There are no lines to score; give at least one reference and its prediction.")
    refs, preds = ([unicodedata.normalize("NFC", text) for text in texts] for texts in (references, predictions))
    return refs, preds


def _characters(refs: Sequence[str]) -> int:
    total = sum(map(len, refs))
    if not total:
        raise ValueError("All references are empty, so there is no character to count errors against.")
    return total
