"""How likely words are, alone and after another: one small file of numbers, made from text by `build`.

A word is a run of letters, lower case; what stands between (digits, punctuation) is none. The probability of a word after
another is that of the pair, discounted, where the text had the pair often enough, else the word's own times what the
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
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ...common.files import replace_whole
from ...errors import UserError

FORMAT_VERSION = 1
SUFFIX = ".npz"  # NumPy alone reads it, as the light install must
SHIPPED = {"vi": Path(__file__).with_name("vi.npz")}
STEP = 0.08  # nats between two stored values: 255 of them reach from 0 to -20.4
DISCOUNT = 0.75
LEVELS = ("single", "left", "paired")  # arrays of log probabilities, which the file holds in steps
MOST_WORDS = 1 << 16  # so that a pair is one 32-bit number

_PHRASE = re.compile(r"[^\W\d_]+(?: [^\W\d_]+)*")


class WordsError(UserError):
    """A word file cannot be used, or not be made; the message says which, why and what to do."""


@dataclass(frozen=True)
class WordModel:
    """Probabilities of words. Logarithms are natural; stored to STEP nats.

    words: known words. single: log probability of each. left: logarithm of what each word's pairs leave to the others.
    pairs: first × MOST_WORDS + second, ascending, and `paired`, log probability of the second after the first. about:
    what it was made from.
    """

    words: tuple[str, ...]
    single: np.ndarray
    left: np.ndarray
    pairs: np.ndarray
    paired: np.ndarray
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_place", {word: place for place, word in enumerate(self.words)})

    def log_probability(self, word: str, before: str | None = None) -> float | None:
        """Of a word in lower case, after another where `before` names one that is known; None for an unknown word."""
        place = self._place.get(word)
        if place is None:
            return None
        first = self._place.get(before)
        if first is None:
            return float(self.single[place])
        pair = first * MOST_WORDS + place
        at = int(np.searchsorted(self.pairs, np.uint32(pair)))
        if at < len(self.pairs) and self.pairs[at] == pair:
            return float(self.paired[at])
        return float(self.left[first] + self.single[place])


def build(
    lines: Iterable[str], least_word: int = 10, least_pair: int = 5, about: Mapping[str, Any] | None = None
) -> WordModel:
    """Count words and pairs of neighbours (one space apart) in text; rarer ones than `least_…` are left out.

    Raises WordsError where nothing is left, or more than MOST_WORDS words.
    """
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for line in lines:
        for phrase in _PHRASE.findall(unicodedata.normalize("NFC", line).lower()):
            found = phrase.split(" ")
            words.update(found)
            pairs.update(zip(found, found[1:]))
    kept = sorted(word for word, count in words.items() if count >= least_word)
    if not kept:
        raise WordsError(f"No word of the text comes up {least_word} times: give more text, or a lower least count.")
    if len(kept) > MOST_WORDS:
        raise WordsError(
            f"{len(kept):,} words are more than the {MOST_WORDS:,} that a file holds: raise the least count."
        )
    place = {word: number for number, word in enumerate(kept)}
    total = sum(words[word] for word in kept)
    single = np.log([words[word] / total for word in kept])
    chosen = sorted(
        (place[a] * MOST_WORDS + place[b], count / words[a], (count - DISCOUNT) / words[a])
        for (a, b), count in pairs.items()
        if count >= least_pair and a in place and b in place
    )
    keys = np.array([key for key, _, _ in chosen], dtype=np.uint32)
    spent = (
        np.bincount(keys // MOST_WORDS, [share for _, _, share in chosen], len(kept)) if chosen else np.zeros(len(kept))
    )
    left = np.log(np.maximum(1 - spent, 1e-4))
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
    """`path`, if a word file may be written there; raises WordsError for another ending, before any counting."""
    path = Path(path)
    if path.suffix != SUFFIX:
        raise WordsError(f"{path}: word files are written as {SUFFIX}; give a name that ends so.")
    return path


def write(model: WordModel, path: str | os.PathLike) -> Path:
    """Write an `.npz` file whole or not at all. Returns its path; raises WordsError for another ending."""
    path = writable(path)
    about = json.dumps({"format_version": FORMAT_VERSION} | dict(model.about), ensure_ascii=False, sort_keys=True)
    arrays = {"about": _bytes(about), "words": _bytes("\n".join(model.words)), "pairs": model.pairs}
    arrays |= {name: _levels(getattr(model, name)) for name in LEVELS}
    with replace_whole(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    return path


@lru_cache(maxsize=4)
def read(path: str | os.PathLike) -> WordModel:
    """The model in a file, or one that is shipped, by its name: `vi`. Raises WordsError for a file that is none."""
    file = SHIPPED.get(str(path)) or Path(path)
    if not file.is_file():
        raise WordsError(
            f"{file}: no such word file; make one with `quantvietocr words`, or name {', '.join(SHIPPED)}."
        )
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = dict(opened)
        about = json.loads(arrays["about"].tobytes())
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
    return np.clip(np.rint(values / -STEP), 0, 255).astype(np.uint8)


def _rounded(values: np.ndarray) -> np.ndarray:
    """As the file will hold them: a model reads the same before it is written and after."""
    return _levels(np.asarray(values, dtype=np.float64)).astype(np.float32) * np.float32(-STEP)
