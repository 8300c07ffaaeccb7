"""Small pieces of sentences for people."""

from __future__ import annotations

import unicodedata

# Categories of characters that would break a line: controls, halves of surrogate pairs, ends of lines and paragraphs.
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})


def counted(number: int, noun: str) -> str:
    """Say how many things there are: `1 page`, `2 pages`.

    Args:
        number: how many.
        noun: what, in the singular. Its plural ends in s.
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def on_one_line(text: str) -> str:
    r"""Write the characters that would break a line as escapes (`\n`), as a file name may hold them."""
    return "".join(
        char.encode("unicode_escape").decode("ascii") if unicodedata.category(char) in _BREAKING else char
        for char in text
    )
