"""Greedy decoding, in NumPy, so that one implementation serves every engine and every network (`decoder.Decoder`)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..checkpoint.vocab import Vocab
from ..engines.base import Encoded
from ..errors import UserError
from .decoder import Decoder

GO, EOS, MASK = Vocab.go, Vocab.eos, Vocab.mask
FREE_REPEATS = 3  # equal characters in a row that are read whatever attention does: 000, ...
MIN_ATTENTION_STEP = 2.0  # pixels; a further repeated character counts only if attention moved so far
SHRINK_BELOW = (
    0.8  # finished lines leave a batch once no more than this share still runs; copying costs more before that
)
MAX_LENGTH = 128  # steps, as in VietOCR


class WhitelistError(UserError):
    """A whitelist of characters cannot be kept to."""


@dataclass(frozen=True)
class Reading:
    """One decoded line. `confidence.Calibration` makes one number of the probabilities.

    Attributes:
        ids: Class numbers without go and end.
        probabilities: The probability of each of them, in [0,1].
        end: The probability of the end; 0 where the line was cut off at the greatest length.
        looped: How many characters were left out as repeated (`greedy`).
    """

    ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    end: float = 0.0
    looped: int = 0

    @property
    def mean_probability(self) -> float:
        """Mean probability of the characters, which VietOCR reports; 0 for an empty reading."""
        kept = [p for i, p in zip(self.ids, self.probabilities) if i > MASK]
        return float(np.mean(kept)) if kept else 0.0


@dataclass(frozen=True)
class _Step:
    """What greedy decoding did in one step.

    Attributes:
        rows: The numbers of the lines that took part, int (N).
        tokens: The class that each chose, int (N).
        logits: Their logits (N,classes).
        attention: Where each looked (N,S); None of networks that look at no one place.
    """

    rows: np.ndarray
    tokens: np.ndarray
    logits: np.ndarray
    attention: np.ndarray | None


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    raised = values - values.max(axis=-1, keepdims=True)
    np.exp(raised, out=raised)
    raised /= raised.sum(axis=-1, keepdims=True)
    return raised


def greedy(
    decoder: Decoder,
    encoded: Encoded,
    max_length: int = MAX_LENGTH,
    refused: np.ndarray | None = None,
    drop_loops: bool = False,
    position_width: float = 2.0,
) -> list[Reading]:
    """Take the most probable character at each step, in N lines of one width.

    Args:
        decoder: The decoder.
        encoded: The encoder's outputs for them.
        max_length: At most this many characters and one more are read, as VietOCR does.
        refused: Class numbers that no reading may hold (`refused_classes`); probabilities are over the others.
        drop_loops: In a rule or a dotted leader every position looks like the next, so attention may stand still and
            the decoder say one character again and again. True leaves such characters out: all after the first
            `FREE_REPEATS` of a run for which attention did not move on. VietOCR keeps them, and so do networks whose
            attention tells no place.
        position_width: Pixels of the line for each of the S positions: 2 in VietOCR's network, whose encoder goes
            through two rows of positions.

    Returns:
        The reading of each line.
    """
    count, most = len(encoded[0]), min(max_length + 1, decoder.limit)
    lengths = np.full(count, most)
    rows = np.arange(count)  # of the lines that still take part
    running = np.ones(count, dtype=bool)  # which of them have not ended
    tokens = np.full(count, GO)
    state = decoder.start(encoded, greedy=True)
    taken: list[_Step] = []  # what is left to be computed is computed for all of them together
    for step in range(most):
        logits, attention = decoder.step(tokens, state)
        if refused is not None:
            logits[:, refused] = -np.inf
        tokens = logits.argmax(axis=1)
        taken.append(_Step(rows, tokens, logits, attention))
        ending = (tokens == EOS) & running
        if not ending.any():
            continue
        lengths[rows[ending]] = step
        running = running & ~ending
        left = np.count_nonzero(running)
        if not left:
            break
        # A step of a finished line costs less than moving the memory of the others together, until a few are done.
        if left <= SHRINK_BELOW * len(rows):
            state.keep(running)
            rows, tokens, running = rows[running], tokens[running], np.ones(left, dtype=bool)
    ids, probabilities = _chosen(taken, count)
    looped = np.zeros(ids.shape, dtype=bool)
    if drop_loops:
        for line in _with_runs(ids, lengths):
            looped[line] = _stalled(line, ids[line], taken, MIN_ATTENTION_STEP / position_width)
    return [_reading(ids[i], probabilities[i], looped[i], length) for i, length in enumerate(lengths)]


def _chosen(taken: Sequence[_Step], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The most probable class of each line at each step, int32 (count,steps), and its probability; 0 where it left."""
    rows = np.concatenate([step.rows for step in taken])
    steps = np.repeat(np.arange(len(taken)), [len(step.rows) for step in taken])
    logits = np.concatenate([step.logits for step in taken])
    ids = np.zeros((count, len(taken)), dtype=np.int32)
    probabilities = np.zeros((count, len(taken)), dtype=np.float32)
    ids[rows, steps] = np.concatenate([step.tokens for step in taken])
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    probabilities[rows, steps] = 1.0 / logits.sum(axis=1)
    return ids, probabilities


def _with_runs(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The lines in which a class comes more than FREE_REPEATS times in a row before the end."""
    alike = (ids[:, 1:] == ids[:, :-1]) & (np.arange(1, ids.shape[1]) < lengths[:, None])
    last = alike.shape[1] - FREE_REPEATS + 1
    if last < 1:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.logical_and.reduce([alike[:, i : last + i] for i in range(FREE_REPEATS)]).any(axis=1))


def _stalled(line: int, ids: np.ndarray, taken: Sequence[_Step], least: float) -> np.ndarray:
    """Where a line repeats a character while attention stands still.

    Args:
        line: Its number.
        ids: The classes that were read in it.
        taken: The steps.
        least: Positions by which attention moves on for a character of its own.

    Returns:
        bool (steps).
    """
    stalled = np.zeros(len(taken), dtype=bool)
    run, reach = 0, 0.0
    for number, step in enumerate(taken):
        row = np.flatnonzero(step.rows == line)
        if step.attention is None or not len(row):
            break
        run = run + 1 if number and ids[number] == ids[number - 1] else 1
        if run >= FREE_REPEATS:
            attention = step.attention[row[0]]
            attended = float(attention @ np.arange(len(attention), dtype=np.float32))
            stalled[number] = run > FREE_REPEATS and attended < reach + least
            reach = reach if stalled[number] else attended
    return stalled


def _reading(ids: np.ndarray, probabilities: np.ndarray, looped: np.ndarray, length: int) -> Reading:
    """The first `length` steps of a line; the doubt of those that `looped` is in the last character before them."""
    end = float(probabilities[length]) if length < len(ids) else 0.0
    kept = np.flatnonzero(~looped[:length])
    if len(kept) < length:
        probabilities = np.minimum.reduceat(probabilities[:length], kept)
        ids = ids[kept]
    return Reading(tuple(ids[:length].tolist()), tuple(probabilities[:length].tolist()), end, length - len(kept))


def log_softmax(logits: np.ndarray, refused: np.ndarray | None = None) -> np.ndarray:
    """Log probabilities of logits (N,classes), in their place, with those of the classes `refused` at -∞."""
    if refused is not None:
        logits[:, refused] = -np.inf
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits


def refused_classes(whitelist: str, chars: str) -> np.ndarray:
    """Class numbers to refuse so that only certain characters are read.

    Args:
        whitelist: The characters that may be read.
        chars: The vocabulary.

    Returns:
        Class numbers, int.

    Raises:
        WhitelistError: For an empty list, or a character that the vocabulary lacks.
    """
    allowed = set(unicodedata.normalize("NFC", whitelist))
    unknown = sorted(allowed - set(chars))
    if unknown or not allowed:
        what = f"holds {' '.join(map(repr, unknown))}, not in the vocabulary" if unknown else "is empty"
        raise WhitelistError(f"whitelist {what}: give characters that the model knows.")
    count = len(Vocab.specials)
    return np.array(
        [i for i in range(count) if i != EOS] + [i for i, char in enumerate(chars, count) if char not in allowed]
    )


def texts(readings: Sequence[Reading], chars: str) -> list[str]:
    """Readings as text, special tokens spelled as VietOCR's `Vocab.decode` does."""
    names = [*Vocab.specials, *chars]
    return ["".join(names[i] for i in reading.ids) for reading in readings]
