"""The characters a reader knows, and their numbers: VietOCR's layout, without VietOCR."""

import unicodedata
from collections.abc import Iterable, Sequence

from ..errors import UserError

# VietOCR's published vocabulary, in its order: position + 4 is the class number in its weights.
DEFAULT_CHARS = (
    "aAàÀảẢãÃáÁạẠăĂằẰẳẲẵẴắẮặẶâÂầẦẩẨẫẪấẤậẬbBcCdDđĐeEèÈẻẺẽẼéÉẹẸêÊềỀểỂễỄếẾệỆfFgGhHiIìÌỉỈĩĨíÍ"
    "ịỊjJkKlLmMnNoOòÒỏỎõÕóÓọỌôÔồỒổỔỗỖốỐộỘơƠờỜởỞỡỠớỚợỢpPqQrRsStTuUùÙủỦũŨúÚụỤưƯừỪửỬữỮứỨựỰvV"
    "wWxXyYỳỲỷỶỹỸýÝỵỴzZ"
    "0123456789"
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ "
)


class VocabError(UserError):
    """A vocabulary that cannot be used, or a text or number outside it."""


def describe_character(char: str) -> str:
    """Name one character so that it can be found even when it cannot be seen: ``'€' U+20AC EURO SIGN``."""
    shown = f"{char!r} " if char.isprintable() else ""
    return f"{shown}U+{ord(char):04X} {unicodedata.name(char, 'unnamed character')}"


class Vocab:
    """Characters ⇄ class numbers, as VietOCR numbers them: pad 0, go 1, eos 2, mask 3, characters from 4.

    Args:
        chars: every character once, in the order the weights were trained with.

    Raises:
        VocabError: if `chars` is empty or names a character twice (its classes would not fit the network).
    """

    pad, go, eos, mask = 0, 1, 2, 3
    specials = ("<pad>", "<sos>", "<eos>", "*")  # what VietOCR prints for classes 0-3

    def __init__(self, chars: str = DEFAULT_CHARS) -> None:
        if not chars:
            raise VocabError("The vocabulary is empty; give it the characters the weights were trained with.")
        repeated = sorted({c for c in chars if chars.count(c) > 1})
        if repeated:
            named = ", ".join(map(describe_character, repeated[:10]))
            raise VocabError(f"The vocabulary names {len(repeated)} character(s) more than once: {named}; keep one.")
        self.chars = chars
        self._id = {c: i for i, c in enumerate(chars, len(self.specials))}
        self._text = (*self.specials, *chars)

    def __len__(self) -> int:
        """Number of classes, the four special ones included."""
        return len(self._text)

    def __contains__(self, char: str) -> bool:
        return char in self._id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocab) and other.chars == self.chars

    def __hash__(self) -> int:
        return hash(self.chars)

    def __repr__(self) -> str:
        return f"Vocab({self.chars!r})"

    def unknown(self, text: str) -> list[str]:
        """The distinct characters of `text` that the vocabulary lacks, in order of first appearance."""
        return [c for c in dict.fromkeys(text) if c not in self._id]

    def encode(self, text: str) -> list[int]:
        """Class numbers of `text`, between go and eos: ``len(text) + 2`` of them.

        Raises:
            VocabError: naming every character of `text` that the vocabulary lacks.
        """
        if missing := self.unknown(text):
            named = ", ".join(map(describe_character, missing))
            raise VocabError(f"The text {text!r} has characters outside the vocabulary: {named}.")
        return [self.go, *(self._id[c] for c in text), self.eos]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of one sequence of class numbers, exactly as VietOCR writes it.

        Reading starts after the first place if go is anywhere in the sequence, and ends before the first eos;
        other special classes are written out (``<pad>``, ``*``).

        Raises:
            VocabError: if a number is not a class of this vocabulary.
        """
        ids = [int(i) for i in ids]
        first = 1 if self.go in ids else 0
        last = ids.index(self.eos) if self.eos in ids else None
        kept = ids[first:last]
        outside = sorted({i for i in kept if not 0 <= i < len(self)})
        if outside:
            raise VocabError(f"Classes {outside[:10]} are outside the vocabulary's 0 to {len(self) - 1}.")
        return "".join(self._text[i] for i in kept)

    def batch_decode(self, rows: Iterable[Sequence[int]]) -> list[str]:
        """Text of each row of class numbers (see `decode`)."""
        return [self.decode(row) for row in rows]
