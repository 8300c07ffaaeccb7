"""Beam search with any decoder (`decoder.Decoder`)."""

from __future__ import annotations

import numpy as np

from ..engines.base import Encoded
from .decode import EOS, GO, MAX_LENGTH, Reading, log_softmax
from .decoder import Decoder

NO_CHILDREN = -1e10  # log probability of whatever follows the end of a beam


class _Beams:
    """What beam search remembers of N lines: every step of `width` beams, and the best beam that has ended."""

    def __init__(self, count: int, width: int, max_length: int) -> None:
        self.tokens = np.zeros((max_length, count, width), dtype=np.int32)
        self.parents = np.zeros((max_length, count, width), dtype=np.int32)
        self.probabilities = np.zeros((max_length, count, width), dtype=np.float32)
        self.ended_score = np.full(count, -np.inf, dtype=np.float32)
        self.ended_at = np.zeros((count, 2), dtype=np.int64)  # step, beam

    def end(self, step: int, rows: np.ndarray, tokens: np.ndarray, scores: np.ndarray) -> None:
        """Keep the beams of lines `rows` that end with this step, where they are better than those ended before."""
        ended = np.where(tokens == EOS, scores, -np.inf)
        better = ended.max(axis=1) > self.ended_score[rows]
        self.ended_score[rows[better]] = ended.max(axis=1)[better]
        self.ended_at[rows[better]] = np.stack([np.full(better.sum(), step), ended.argmax(axis=1)[better]], axis=1)

    def readings(self) -> list[Reading]:
        """Each line's best ended beam; the best beam of the last step where none has ended."""
        self.ended_at[~np.isfinite(self.ended_score)] = (len(self.tokens) - 1, 0)
        return [
            _trace(self.tokens[:, i], self.parents[:, i], self.probabilities[:, i], step, beam)
            for i, (step, beam) in enumerate(self.ended_at.tolist())
        ]


def beam_search(
    decoder: Decoder,
    encoded: Encoded,
    width: int = 4,
    max_length: int = MAX_LENGTH,
    follow_states: bool = True,
    refused: np.ndarray | None = None,
) -> list[Reading]:
    """Beam search in N lines of one width, with VietOCR's rules.

    There is no length penalty. A line ends when its best beam has ended; the best ended beam is the reading.

    Args:
        decoder: The decoder.
        encoded: The encoder's outputs for them.
        width: How many beams are followed in each line.
        max_length: The most steps.
        follow_states: Whether the decoder's states move with the beams that they belong to. VietOCR leaves each state
            (of a transformer: the characters so far) in its slot while the beams are reordered, so that a beam may go
            on with another's; False reproduces that, for comparison.
        refused: Class numbers that no reading may hold, as for `greedy`.

    Returns:
        The reading of each line.

    Raises:
        ValueError: For a width below 1.
    """
    if width < 1:
        raise ValueError(f"beam width is {width}; it must be at least 1")
    count, classes, max_length = len(encoded[0]), decoder.classes, min(max_length, decoder.limit)
    beams = _Beams(count, width, max_length)
    rows = np.arange(count)  # of the lines that still run
    state = decoder.start(encoded)
    state.follow(np.repeat(rows, width))
    tokens = np.full((count, width), GO)
    scores = np.zeros((count, width), dtype=np.float32)
    for step in range(max_length):
        logits, _ = decoder.step(tokens.reshape(-1), state)
        log_probability = log_softmax(logits, refused).reshape(-1, width, classes)
        if step == 0:
            total = log_probability[:, 0].copy()
        else:
            total = log_probability + scores[:, :, None]
            total[tokens == EOS] = NO_CHILDREN
        best, scores = _best(total.reshape(len(rows), -1), width)
        parents, tokens = best // classes, best % classes
        lines = np.arange(len(rows))[:, None]
        beams.tokens[step, rows], beams.parents[step, rows] = tokens, parents
        beams.probabilities[step, rows] = np.exp(log_probability[lines, parents, tokens])
        beams.end(step, rows, tokens, scores)
        if follow_states:
            state.follow((lines * width + parents).reshape(-1))
        going = tokens[:, 0] != EOS
        if not going.any():
            break
        if not going.all():
            rows, tokens, scores = rows[going], tokens[going], scores[going]
            state.keep(going)
    return beams.readings()


def _best(total: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the `count` greatest numbers of each row, the greatest first, and these numbers."""
    best = np.argpartition(-total, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(total, best, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    return best, np.take_along_axis(total, best, axis=1)


def _trace(tokens: np.ndarray, parents: np.ndarray, probabilities: np.ndarray, step: int, slot: int) -> Reading:
    """Follow one beam back from its last token (the end token, which is not part of the reading)."""
    ids: list[int] = []
    values: list[float] = []
    for position in range(step, -1, -1):
        ids.append(int(tokens[position, slot]))
        values.append(float(probabilities[position, slot]))
        slot = parents[position, slot]
    return Reading(tuple(ids[:0:-1]), tuple(values[:0:-1]), values[0] if ids[0] == EOS else 0.0)
