"""Edit distance between texts."""

from __future__ import annotations

import unicodedata

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
