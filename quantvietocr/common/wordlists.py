"""Lists of words and phrases that are written as text, so that a long one stays short on the page."""

from __future__ import annotations


def entries(text: str) -> tuple[str, ...]:
    """Split a text into its entries: `|` or a line end stands between two of them.

    Args:
        text: entries in order. White space around an entry does not count.

    Returns:
        The entries, in the same order.
    """
    return tuple(entry.strip() for line in text.strip().splitlines() for entry in line.split("|"))
