"""What is to be read: a document, its bytes, and which of them belong to this part of a job."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from ..errors import UserError
from .places import open_place

MAX_MEGABYTES = 200  # of a document; a larger one is an error row, since a worker holds it in memory
_SHARD = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Document:
    """A picture, a TIFF or a PDF that is to be read.

    Attributes:
        uri: where it lies; a row of a parquet file or a member of a tar has `#` and its name behind the file's.
        content: its bytes, where they come from within another file; None where they are read from `uri`.
        error: why its bytes could not be had; empty where they could.
        done: numbers of the pages, from 1, that are read already.
    """

    uri: str
    content: bytes | None = None
    error: str = ""
    done: frozenset[int] = frozenset()


def content_of(document: Document, max_bytes: int) -> bytes:
    """The bytes of a document.

    Args:
        document: what is to be read.
        max_bytes: the most bytes that it may have.

    Returns:
        Its bytes.

    Raises:
        UserError: it cannot be had, is empty or is too large.
    """
    if document.error:
        raise UserError(document.error)
    if document.content is not None:
        check_size(document.uri, len(document.content), max_bytes)
        return document.content
    place = open_place(document.uri)
    with place.reaching("read"):
        check_size(document.uri, place.filesystem.size(place.path) or 0, max_bytes)
        return place.filesystem.cat_file(place.path)


def check_size(uri: str, size: int, max_bytes: int) -> None:
    """Raise UserError for a document of so many bytes that is empty or too large."""
    if not size:
        raise UserError(f"{uri}: empty; copy the file again.")
    if size > max_bytes:
        raise UserError(
            f"{uri}: {size / 1e6:,.0f} MB are more than {max_bytes / 1e6:,.0f} MB; split it, or raise --max-mb."
        )


@dataclass(frozen=True)
class Shard:
    """One of several equal parts of a job, for machines that do not know of each other.

    Attributes:
        index: of this part, from 0.
        count: how many parts there are.
    """

    index: int = 0
    count: int = 1

    @staticmethod
    def of(text: str) -> Shard:
        """Take `I/N` apart, I from 0 to N - 1. Raises UserError."""
        match = _SHARD.fullmatch(text)
        if match is None or int(match[1]) >= int(match[2]):
            raise UserError(f"--shard {text}: give I/N, with I from 0 to N - 1, as 0/4, 1/4, 2/4 and 3/4.")
        return Shard(int(match[1]), int(match[2]))

    def owns(self, key: str) -> bool:
        """Whether a document belongs to this part; its name alone decides, so that every machine decides alike."""
        return self.count == 1 or int.from_bytes(digest_of(key)[:8], "big") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}-of-{self.count}"


def digest_of(uri: str) -> bytes:
    """16 bytes that stand for a URI in memory; those of ten million different ones are different."""
    return hashlib.blake2b(as_text(uri).encode(), digest_size=16).digest()


def as_text(name: str) -> str:
    """A file name as text that can be written; bytes of it that are no UTF-8 become escapes."""
    return name.encode(errors="backslashreplace").decode()
