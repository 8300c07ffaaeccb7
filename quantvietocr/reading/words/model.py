"""How likely words are, alone and after another: one small file of numbers, made from text by `build`.

A word is a run of letters, in lower case; digits and punctuation are no words. The probability of a word after another
is that of the pair, discounted, where the text had the pair often enough. Else it is the word's own times what the
discount left over (absolute discounting with back-off: Ney, Essen and Kneser 1994).
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ...common.files import replace_whole
from ...common.parsing import json_of
from ...errors import UserError

FORMAT_VERSION = 1
SUFFIX = ".npz"  # NumPy alone reads it, as the light install must
SHIPPED = {"vi": Path(__file__).with_name("vi.npz")}
STEP = 0.08  # nats between two stored values: 255 of them reach from 0 to -20.4
DISCOUNT = 0.75
LEVELS = ("single", "left", "paired")  # arrays of log probabilities, which the file holds in steps
MAX_WORDS = 1 << 16  # so that a pair is one 32-bit number
MAX_STEPS = 255  # of a stored value, which is a byte
MIN_LEFT = 1e-4  # of a word's probability, which is always left to words that it has no pair with

_PHRASE = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)*")


class WordsError(UserError):
    """A word file cannot be used, or not be made; the message says which, why and what to do."""


@dataclass(frozen=True)
class WordModel:
    """Probabilities of words. Logarithms are natural, and stored to STEP nats.

    Attributes:
        words: The known words, W of them.
        single: Log probability of each word, float32 (W).
        left: Log of what each word's pairs leave to the other words, float32 (W).
        pairs: first × MAX_WORDS + second of each known pair, ascending, uint32 (P).
        paired: Log probability of the second after the first, of each pair, float32 (P).
        about: What the model was made from.
    """

    words: tuple[str, ...]
    single: np.ndarray
    left: np.ndarray
    pairs: np.ndarray
    paired: np.ndarray
    about: Mapping[str, Any] = field(default_factory=dict)
    _index: dict[str, int] = field(init=False, repr=False, compare=False)  # of each word in `words`

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {word: index for index, word in enumerate(self.words)})

    def log_probability(self, word: str, before: str | None = None) -> float | None:
        """How likely a word is.

        Args:
            word: In lower case.
            before: The word before it; None, or one that is unknown, tells nothing.

        Returns:
            The natural logarithm of its probability; None for an unknown word.
        """
        index = self._index.get(word)
        if index is None:
            return None
        first = None if before is None else self._index.get(before)
        if first is None:
            return float(self.single[index])
        pair = first * MAX_WORDS + index
        at = int(np.searchsorted(self.pairs, np.uint32(pair)))
        if at < len(self.pairs) and self.pairs[at] == pair:
            return float(self.paired[at])
        return float(self.left[first] + self.single[index])


def build(
    lines: Iterable[str], least_word: int = 10, least_pair: int = 5, about: Mapping[str, Any] | None = None
) -> WordModel:
    """Count the words of a text, and its pairs of neighbours, which one space parts.

    Args:
        lines: The text.
        least_word: A word that comes up less often is left out.
        least_pair: A pair that comes up less often is left out.
        about: What the text is; the model says it.

    Raises:
        WordsError: Where no word is left, or more than MAX_WORDS are.
    """
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for line in lines:
        for phrase in _PHRASE.findall(unicodedata.normalize("NFC", line).lower()):
            neighbours = phrase.split(" ")
            words.update(neighbours)
            pairs.update(pairwise(neighbours))
    kept = sorted(word for word, count in words.items() if count >= least_word)
    if not kept:
        raise WordsError(f"No word of the text comes up {least_word} times: give more text, or a lower least count.")
    if len(kept) > MAX_WORDS:
        raise WordsError(
            f"{len(kept):,} words are more than the {MAX_WORDS:,} that a file holds: raise the least count."
        )
    index = {word: number for number, word in enumerate(kept)}
    total = sum(words[word] for word in kept)
    single = np.log([words[word] / total for word in kept])
    chosen = sorted(
        (index[a] * MAX_WORDS + index[b], count / words[a], (count - DISCOUNT) / words[a])
        for (a, b), count in pairs.items()
        if count >= least_pair and a in index and b in index
    )
    keys = np.array([key for key, _, _ in chosen], dtype=np.uint32)
    spent = (
        np.bincount(keys // MAX_WORDS, [share for _, _, share in chosen], len(kept)) if chosen else np.zeros(len(kept))
    )
    left = np.log(np.maximum(1 - spent, MIN_LEFT))
    paired = np.log([share for _, _, share in chosen])
    about = {
        "words": len(kept),
        "pairs": len(keys),
        "tokens": sum(words.values()),
        "least_word": least_word,
        "least_pair": least_pair,
    } | dict(about or {})
    return WordModel(tuple(kept), _rounded(single), _rounded(left), keys, _rounded(paired), about)


def writable(path: str | os.PathLike) -> Path:
    """The path, if a word file may be written there. Raises WordsError for another ending, before any counting."""
    path = Path(path)
    if path.suffix != SUFFIX:
        raise WordsError(f"{path}: word files are written as {SUFFIX}; give a name that ends so.")
    return path


def write(model: WordModel, path: str | os.PathLike) -> Path:
    """Write an `.npz` file whole or not at all, and return its path. Raises WordsError for another ending."""
    path = writable(path)
    about = json.dumps({"format_version": FORMAT_VERSION} | dict(model.about), ensure_ascii=False, sort_keys=True)
    levels = {name: _levels(getattr(model, name)) for name in LEVELS}
    words = _bytes("\n".join(model.words))
    with replace_whole(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            about=_bytes(about),
            words=words,
            pairs=model.pairs,
            single=levels["single"],
            left=levels["left"],
            paired=levels["paired"],
        )
    return path


@lru_cache(maxsize=4)
def read(path: str | os.PathLike) -> WordModel:
    """Read a model from its file, or a shipped one by its name, `vi`. Raises WordsError for a file that is none."""
    from zipfile import BadZipFile  # most lines are read without words, sooner without this

    file = SHIPPED.get(str(path)) or Path(path)
    if not file.is_file():
        raise WordsError(
            f"{file}: no such word file; make one with `quantvietocr words`, or name {', '.join(SHIPPED)}."
        )
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = dict(opened)
        about = json_of(arrays["about"].tobytes())
        words = tuple(arrays["words"].tobytes().decode().split("\n"))
        single, left, paired = (arrays[name].astype(np.float32) * np.float32(-STEP) for name in LEVELS)
        pairs = arrays["pairs"]
        version = about.pop("format_version")
    except (OSError, EOFError, KeyError, ValueError, TypeError, AttributeError, BadZipFile) as error:
        raise WordsError(
            f"{file}: not a word file, or a damaged one ({error}); make one with `quantvietocr words`."
        ) from error
    if version != FORMAT_VERSION:
        raise WordsError(
            f"{file}: version {version} of word files, and this program reads {FORMAT_VERSION}: make it again with "
            "`quantvietocr words`."
        )
    if not len(words) == len(single) == len(left) or len(pairs) != len(paired) or (pairs[1:] <= pairs[:-1]).any():
        raise WordsError(
            f"{file}: the word file is damaged (its parts do not fit); make it again with `quantvietocr words`."
        )
    return WordModel(words, single, left, pairs, paired, about)


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values / -STEP), 0, MAX_STEPS).astype(np.uint8)


def _rounded(values: np.ndarray) -> np.ndarray:
    """The values as a file holds them, so that a model reads the same before it is written and after."""
    return _levels(np.asarray(values, dtype=np.float64)).astype(np.float32) * np.float32(-STEP)
