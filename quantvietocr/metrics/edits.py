"""Edits between texts: how many, and which."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from rapidfuzz.distance import Levenshtein

# Letters whose mark is no combining character, so decomposition leaves it.
_STROKES = str.maketrans("đĐ", "dD")


def edit_distance(written: str, read: str) -> int:
    """Fewest insertions, deletions and substitutions of code points that turn one text into the other (Levenshtein)."""
    return Levenshtein.distance(written, read)


def edits(written: str, read: str) -> Iterator[tuple[str, str]]:
    """The edits of one cheapest alignment, as many as `edit_distance` counts.

    Where several alignments cost the same, RapidFuzz chooses: "ab" read as "ba" may be two substitutions, or a deletion
    and an insertion.

    Args:
        written: the reference.
        read: what was read.

    Yields:
        (written, read) characters; `written` is empty for an insertion, `read` for a deletion.
    """
    for edit in Levenshtein.editops(written, read):
        yield (
            "" if edit.tag == "insert" else written[edit.src_pos],
            "" if edit.tag == "delete" else read[edit.dest_pos],
        )


def fold_diacritics(text: str) -> str:
    """`text` without its marks, case kept: ``Đường số 5`` becomes ``Duong so 5``."""
    apart = unicodedata.normalize("NFD", text)
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare).translate(_STROKES)
