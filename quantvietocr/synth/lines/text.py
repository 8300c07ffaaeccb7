"""What a line says: windows of the user's text files, and the embedded source."""

from __future__ import annotations

import gzip
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...common.files import ReadErrors
from .config import SynthConfig, SynthError
from .dice import Dice, Weighted
from .drills import make_scramble
from .lists import make_list
from .mix import MAKERS, MIX
from .syllables import syllables

# Typographic characters that print (nearly) as an ASCII one and are labelled as that.
TYPOGRAPHIC = {
    "\u2018": "'",
    "\u2019": "'",
    "\u201a": "'",
    "\u201b": "'",
    "\u2032": "'",
    "\u02bc": "'",
    "\u00b4": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u201f": '"',
    "\u2033": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u2010": "-",
    "\u2011": "-",
    "\u2012": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2015": "-",
    "\u2212": "-",
    "\u2022": "-",
    "\u2026": "...",
    "\u00d7": "x",
    "\u20ab": "đ",
    "\u00d0": "Đ",
    "\u00f0": "đ",
    "\u00a0": " ",
    "\u2009": " ",
    "\u202f": " ",
    "\u3000": " ",
    "\t": " ",
    "\u00ad": "",
    "\u200b": "",
    "\u200c": "",
    "\u200d": "",
    "\ufeff": "",
}
_TYPOGRAPHIC = re.compile("[" + "".join(map(re.escape, TYPOGRAPHIC)) + "]")
CHUNK = 1 << 22  # characters read and cleaned at a time, which bounds the memory that a large file takes
CLASSES = ((1, 25), (25, 60), (60, 110))  # characters: the three classes of SynthConfig.lengths
CASES = Weighted([("", 0.84), ("upper", 0.09), ("lower", 0.03), ("title", 0.04)])

_READ_ERRORS = ReadErrors(
    SynthError,
    missing="texts: {path} does not exist: give .txt or .txt.gz files, one sentence per line",
    unreadable="texts: {path} cannot be read ({reason}): give .txt or .txt.gz files, one sentence per line",
    encoding="texts: {path} cannot be read as UTF-8 text ({reason}): convert it to UTF-8",
)


def clean(text: str) -> str:
    """Compose `text` (NFC), write typographic characters as ASCII, make spaces single; line breaks are kept."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n")
    text = _TYPOGRAPHIC.sub(lambda match: TYPOGRAPHIC[match[0]], text)
    return re.sub(" *\n *", "\n", re.sub("  +", " ", text)).strip(" ")


class TextFile:
    """Sentences of one file, held as one UTF-8 buffer and the offsets of its lines.

    A line with a character outside the vocabulary is left out and counted in `dropped`.

    Args:
        path: a .txt or .txt.gz file in UTF-8.
        vocab: characters that a line may hold.

    Raises:
        SynthError: there is no such file, it is not UTF-8, or no line of it can be used.
    """

    def __init__(self, path: str, vocab: str) -> None:
        self.path = path
        file = Path(path).expanduser()
        outside = re.compile(f"[^{re.escape(vocab)}]")
        buffer, lengths, self.dropped = bytearray(), [0], 0
        opening = gzip.open if file.suffix == ".gz" else open
        with _READ_ERRORS.naming(path), opening(file, "rt", encoding="utf-8-sig") as stream:
            while chunk := stream.readlines(CHUNK):
                for line in clean("".join(chunk)).split("\n"):
                    if outside.search(line):
                        self.dropped += 1
                    elif line:
                        encoded = line.encode() + b"\n"
                        buffer += encoded
                        lengths.append(len(encoded))
        if not buffer:
            raise SynthError(f"texts: {path} has no line made of the vocabulary's characters alone: check its encoding")
        self.buffer = bytes(buffer)
        self.offsets = np.cumsum(lengths)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def line(self, dice: Dice) -> str:
        """Draw a line: most often by its share of the file's bytes, so that prose outweighs titles; else evenly."""
        if dice.chance(0.7):
            index = int(np.searchsorted(self.offsets, dice.integer(0, len(self.buffer) - 1), "right")) - 1
        else:
            index = dice.integer(0, len(self) - 1)
        return self.buffer[self.offsets[index] : self.offsets[index + 1] - 1].decode()


@lru_cache(maxsize=1)
def _syllables_by_letter() -> dict[str, tuple[str, ...]]:
    by_letter: dict[str, list[str]] = {}
    for syllable in syllables():
        for letter in set(syllable):
            by_letter.setdefault(letter, []).append(syllable)
    return {letter: tuple(some) for letter, some in by_letter.items()}


def _rare_pools(letters: list[str]) -> tuple[list[str], ...]:
    """Return pools to draw from evenly: two of the four hold capitals with two marks, one symbols, one all letters."""
    marked = [c for c in letters if c.isupper() and len(unicodedata.normalize("NFD", c)) == 3]
    symbols = [c for c in letters if not c.isalnum()]
    return marked or letters, marked or letters, symbols or letters, letters


class TextSource:
    """Labels: NFC, inside the vocabulary, no double or outer spaces, between min_chars and max_chars long.

    Args:
        config: lengths, text files and shares.
        vocab: characters that a label may hold.

    Raises:
        SynthError: a text file cannot be used.
    """

    def __init__(self, config: SynthConfig, vocab: str) -> None:
        self.config = config
        self.files = [TextFile(path, vocab) for path in config.texts]
        # Square root: a small file of street names is still seen beside an encyclopaedia.
        self._files = Weighted([(file, len(file) ** 0.5) for file in self.files]) if self.files else None
        self._allowed = frozenset(vocab)
        self._letters = sorted(self._allowed - {" "})
        self._outside = re.compile(f"[^{re.escape(vocab)}]")
        self._rare = _rare_pools(self._letters)
        self._makers = {**MAKERS, "scramble": make_scramble(vocab)}
        self._classes = Weighted([(bounds, share) for bounds, share in zip(CLASSES, config.lengths)])

    def sample(self, dice: Dice, mix: str, embedded_bias: float = 1.0) -> tuple[str, bool]:
        """Make up a label.

        Args:
            dice: source of everything random.
            mix: a key of `mix.MIX`.
            embedded_bias: exponent on the share of labels from the embedded source. Below 1 a receipt says receipt
                things more often, while shares of 0 and 1 stay what they are.

        Returns:
            The label, and whether it is meant to be a long line.
        """
        low, high = dice.pick(self._classes)
        is_long = low >= CLASSES[2][0]
        low = min(max(low, self.config.min_chars), self.config.max_chars)
        high = max(min(high, self.config.max_chars), low)
        target = dice.integer(low, high)
        share = self.config.embedded_share**embedded_bias if self._files else 1.0
        text = self._embedded(dice, mix, target) if dice.chance(share) else self._window(dice, target)
        # Only where it is asked for: lines of settings without it stay the same ones.
        if self.config.capitals and dice.chance(self.config.capitals):
            text = text.upper()
        if self.config.rare and dice.chance(self.config.rare):
            text = self._with_rare(dice, text)
        if self.config.lists and dice.chance(self.config.lists):
            text = self._with_list(dice, text)
        return self._fit(dice, text, target), is_long

    def _embedded(self, dice: Dice, mix: str, target: int) -> str:
        text = self._makers[dice.pick(MIX[mix])](dice)
        while len(text) < 0.7 * target:
            joint = dice.pick((" ", " ", ", ", "; ", " - ", ". "))
            text += joint + self._makers[dice.pick(MIX[mix])](dice)
        return text

    def _with_rare(self, dice: Dice, text: str) -> str:
        """Put one to three more words into `text`, each with a character that text alone hardly shows a reader.

        Half of them are capitals with two marks, a quarter symbols, the rest drawn evenly from the vocabulary. A
        capital stands in a text of capitals half the time, as in headings.
        """
        words = text.split()
        for _ in range(dice.integer(1, 3)):
            rare = dice.pick(dice.pick(self._rare))
            word = self._word_with(dice, rare)
            if rare.isupper() and dice.chance(0.5):
                words = [other.upper() for other in words]
            # Near the start: what is put at the end of a long text is cut off with it.
            words.insert(dice.integer(0, min(len(words), 4)), word)
        return " ".join(words)

    @staticmethod
    def _with_list(dice: Dice, text: str) -> str:
        """Put an enumeration between two of the first words of `text`."""
        words, members = text.split(), make_list(dice)
        words.insert(dice.integer(0, min(len(words), 4)), members.upper() if text.isupper() else members)
        return " ".join(words)

    def _word_with(self, dice: Dice, letter: str) -> str:
        known = _syllables_by_letter().get(letter.lower())
        if known:
            word = dice.pick(known)
            if letter.islower():
                return word
            return word.capitalize() if word[0] == letter.lower() and dice.chance(0.3) else word.upper()
        other = dice.pick(syllables())
        return dice.pick(
            (letter, letter, letter + other, other + letter, letter + dice.digits(2), dice.digits(2) + letter)
        )

    def _window(self, dice: Dice, target: int) -> str:
        """Take about `target` characters of running text, from the start of a line or from some word on."""
        assert self._files is not None  # `sample` asks only where there are text files
        file = dice.pick(self._files)
        text = file.line(dice)
        if len(text) > target and dice.chance(0.75):
            start = text.rfind(" ", 0, dice.integer(0, len(text) - target) + 1) + 1
            text = text[start:]
        while len(text) < 0.6 * target:
            text += dice.pick((" ", " ", ", ", " - ")) + file.line(dice)
        case = dice.pick(CASES)
        return getattr(text, case)() if case else text

    def _fit(self, dice: Dice, text: str, target: int) -> str:
        """Cut `text` at a word near `target` characters, and keep it within the vocabulary and the set lengths."""
        if self._outside.search(text):
            # Case changes and other vocabularies can ask for letters that are not there.
            text = "".join(c for c in text if c in self._allowed)
        text = " ".join(text.split())
        limit = min(max(int(1.15 * target), self.config.min_chars), self.config.max_chars)
        if len(text) > limit:
            space = text.rfind(" ", 0, limit + 1)
            text = text[: space if space >= self.config.min_chars else limit].rstrip()
        while len(text) < self.config.min_chars:
            text += dice.pick(self._letters)
        return text

    def describe(self) -> str:
        """Say how many lines of each text file are kept and left out, one file per line."""
        rows = [
            f"{file.path}: {len(file)} lines, {file.dropped} left out (characters outside the vocabulary)"
            for file in self.files
        ]
        return "\n".join(rows or ["embedded source only"])
