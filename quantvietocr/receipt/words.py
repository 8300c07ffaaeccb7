"""Text as it is compared with labels: without marks, with the errors of a recogniser in mind."""

from __future__ import annotations

import re
from functools import lru_cache

from ..metrics.edits import edit_distance, fold_diacritics

_LETTERS = str.maketrans("015869", "olsbgg")  # letters that are taken for a digit
MAX_CACHED = 8192  # texts, of the last pages, for which an answer is kept
LETTERS_PER_ERROR = 6  # letters of a label for each that may be wrong


@lru_cache(maxsize=MAX_CACHED)
def fold(text: str) -> str:
    """Keep letters and digits alone, small, without marks, words a space apart: `Tổng  CỘNG:` gives `tong cong`."""
    return " ".join(re.findall(r"[a-z0-9]+", fold_diacritics(text).lower()))


def letters_only(folded: str) -> str:
    """Replace digits by the letters they look like, in words that have letters: `t0ng 5` is `tong 5`."""
    words = folded.split()
    return " ".join(word.translate(_LETTERS) if any(map(str.isalpha, word)) else word for word in words)


def starts_with(text: str, label: str) -> bool:
    """Whether a folded text begins with a folded label, give or take one error in six letters."""
    allowed = len(label.replace(" ", "")) // LETTERS_PER_ERROR
    if not allowed and text[:1] != label[:1]:
        return False
    return any(errors_in(head, label, allowed) <= allowed for head in heads(text, label))


def holds(text: str, label: str) -> bool:
    """Whether a folded label stands anywhere in a folded text, from a word on, with the same tolerance."""
    words = text.split()
    return any(starts_with(" ".join(words[index:]), label) for index in range(len(words)))


def has_words(text: str, label: str) -> bool:
    """Whether the words of a folded label stand anywhere in a folded text, letter by letter."""
    return f" {label} " in f" {text} "


def heads(text: str, label: str) -> set[str]:
    """Return beginnings of a text to compare with a label: as many words, or one more or less for a misread space."""
    words, count = text.split(), len(label.split())
    return {" ".join(words[:size]) for size in (count - 1, count, count + 1) if 0 < size <= len(words)}


def errors_in(head: str, label: str, most: int) -> int:
    """Count the letters in which a text differs from a label, spaces aside; more than `most` are counted as one more.

    Args:
        head: a folded text.
        label: a folded label.
        most: count so far.

    Returns:
        The number of edits, at most `most` + 1.
    """
    head, label = head.replace(" ", ""), label.replace(" ", "")
    if head == label:
        return 0
    if not most or abs(len(head) - len(label)) > most:
        return most + 1
    return min(edit_distance(head, label), most + 1)
