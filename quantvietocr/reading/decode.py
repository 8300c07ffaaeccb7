"""Greedy and beam decoding of VietOCR's attention decoder, in NumPy, so that one implementation serves every engine.

What does not depend on the step is computed once: the attention keys per image, and per vocabulary entry the products
of its embedding with the GRU and the output layer (at load). What is left of a step are two matrix products. Attention
is Bahdanau et al. 2015 (additive); the GRU is Cho et al. 2014 in torch's gate order (reset, update, new).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..checkpoint.layout import DECODER
from ..checkpoint.vocab import Vocab
from ..errors import UserError

GO, EOS, MASK = Vocab.go, Vocab.eos, Vocab.mask
FREE = 3  # equal characters in a row that are read whatever attention does: 000, ...
LEAST = 1.0  # positions that attention moves on for one more of them: 2 pixels in VietOCR's network
LEAVE = 0.8  # share of lines still being read at which the finished ones leave a batch


class WhitelistError(UserError):
    """A whitelist of characters cannot be kept to."""


@dataclass(frozen=True)
class Reading:
    """One decoded line: class numbers without go and end, the probability of each, and that of the end.

    `end` is 0 where the line was cut off at the greatest length. `looped`: characters left out as repeated (`greedy`).
    `confidence.Calibration` makes one number of the probabilities.
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


class Decoder:
    """VietOCR's `Seq2Seq.decoder` from plain float32 arrays under their names in the state dict."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        def get(name: str) -> np.ndarray:
            return np.asarray(weights[DECODER + name], dtype=np.float32)

        hidden = get("rnn.weight_hh_l0").shape[1]
        embedding = get("embedding.weight")
        self.classes, embedded = embedding.shape
        context = get("rnn.weight_ih_l0").shape[1] - embedded
        self.hidden = hidden

        attention, input_weight, output = get("attention.attn.weight"), get("rnn.weight_ih_l0"), get("fc_out.weight")
        self.key_weight = attention[:, hidden:].T.copy()
        self.key_bias = get("attention.attn.bias")
        self.score = get("attention.v.weight").reshape(-1)
        # sigmoid(x) = (tanh(x / 2) + 1) / 2: the halving of reset and update gates is in the weights, where it is exact.
        half = np.repeat(np.float32([0.5, 1.0]), [2 * hidden, hidden])
        gate_bias, hidden_bias = get("rnn.bias_ih_l0"), get("rnn.bias_hh_l0")
        gate_bias = gate_bias + np.where(half < 1, hidden_bias, np.float32(0))
        self.new_bias = hidden_bias[2 * hidden :].copy()  # the reset gate multiplies it
        # Rows: what the previous hidden state contributes to (gates, attention query).
        self.from_hidden = np.concatenate([get("rnn.weight_hh_l0") * half[:, None], attention[:, :hidden]]).T.copy()
        # What the context contributes to (gates, output), the hidden state to the output, and each token to both.
        self.from_context = np.concatenate(
            [input_weight[:, embedded:] * half[:, None], output[:, hidden : hidden + context]]
        ).T.copy()
        self.output_hidden = np.ascontiguousarray(output[:, :hidden].T)
        token_gates = (embedding @ input_weight[:, :embedded].T + gate_bias) * half
        token_output = embedding @ output[:, hidden + context :].T + get("fc_out.bias")
        self.from_token = np.concatenate([token_gates, token_output], axis=1)

    def keys(self, memory: np.ndarray) -> np.ndarray:
        """Attention keys (N,S,D) of encoder outputs (N,S,2E)."""
        keys = memory @ self.key_weight
        keys += self.key_bias
        return keys

    def step(
        self, tokens: np.ndarray, hidden: np.ndarray, memory: np.ndarray, keys: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One step: tokens (N), hidden (N,D), memory (N,S,2E), keys (N,S,D) → logits (N,classes), hidden (N,D), attention
        (N,S)."""
        d, gates = self.hidden, 3 * self.hidden
        own = hidden @ self.from_hidden
        scores = np.empty(keys.shape[:2], np.float32)
        energy = np.empty(keys.shape[1:], np.float32)
        # Line by line: a line's energies stay in the cache between the three operations, those of a batch do not.
        for line_keys, query, line_scores in zip(keys, own[:, gates:], scores):
            np.add(line_keys, query, out=energy)
            np.tanh(energy, out=energy)
            np.dot(energy, self.score, out=line_scores)
        attention = softmax(scores)
        context = np.matmul(attention[:, None, :], memory)[:, 0]
        shared = context @ self.from_context
        shared += self.from_token[tokens]
        switches = np.tanh(shared[:, : 2 * d] + own[:, : 2 * d])
        switches *= 0.5
        switches += 0.5
        candidate = own[:, 2 * d : gates] + self.new_bias
        candidate *= switches[:, :d]
        candidate += shared[:, 2 * d : gates]
        np.tanh(candidate, out=candidate)
        hidden = candidate + switches[:, d:] * (hidden - candidate)
        return hidden @ self.output_hidden + shared[:, gates:], hidden, attention


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    raised = values - values.max(axis=-1, keepdims=True)
    np.exp(raised, out=raised)
    raised /= raised.sum(axis=-1, keepdims=True)
    return raised


def greedy(
    decoder: Decoder,
    memory: np.ndarray,
    hidden: np.ndarray,
    max_length: int = 128,
    refused: np.ndarray | None = None,
    drop_loops: bool = False,
) -> list[Reading]:
    """Most probable character at each step, for N lines of one width; finished lines leave the batch.

    memory (N,S,2E) and hidden (N,D) come from the encoder. At most `max_length` + 1 characters, as VietOCR.
    refused: class numbers that no reading may hold (see `refused_classes`); probabilities are over the others.
    drop_loops: in a rule or a dotted leader, where every place looks like the next, attention may stand still and the
    decoder say one character again and again. True leaves such characters out of the reading: all after the first
    `FREE` of a run for which attention did not move on. VietOCR keeps them.
    """
    count = len(memory)
    ids = np.zeros((count, max_length + 1), dtype=np.int32)
    probabilities = np.zeros((count, max_length + 1), dtype=np.float32)
    lengths = np.full(count, max_length + 1)
    rows = np.arange(count)
    tokens = np.full(count, GO)
    keys = decoder.keys(memory)
    looped = np.zeros((count, max_length + 1), dtype=bool)
    run, reach = np.zeros(count, dtype=np.int32), np.zeros(count, dtype=np.float32)
    along = np.arange(memory.shape[1], dtype=np.float32)
    for position in range(max_length + 1):
        before = tokens
        logits, hidden, attention = decoder.step(tokens, hidden, memory, keys)
        if refused is not None:
            logits[:, refused] = -np.inf
        tokens = logits.argmax(axis=1)
        if drop_loops:
            run = np.where(tokens == before, run + 1, 1)
            if run.max() >= FREE:
                place = attention @ along
                looped[rows, position] = still = (run > FREE) & (place < reach + LEAST)
                reach = np.where(still, reach, place)
        best = logits[np.arange(len(tokens)), tokens]
        ids[rows, position] = tokens
        probabilities[rows, position] = 1.0 / np.exp(logits - best[:, None]).sum(axis=1)
        lengths[rows[(tokens == EOS) & (lengths[rows] > position)]] = position
        going = lengths[rows] > position
        if not going.any():
            break
        # A step of a finished line costs less than moving the memory of the others together, until a few are done.
        if going.sum() <= LEAVE * len(rows):
            rows, tokens, hidden, run, reach = rows[going], tokens[going], hidden[going], run[going], reach[going]
            memory, keys = memory[going], keys[going]
    return [_reading(ids[i], probabilities[i], looped[i], n) for i, n in enumerate(lengths)]


def _reading(ids: np.ndarray, probabilities: np.ndarray, looped: np.ndarray, length: int) -> Reading:
    """The first `length` steps of a line; the doubt of those that `looped` is in the last character before them."""
    end = float(probabilities[length]) if length < len(ids) else 0.0
    kept = np.flatnonzero(~looped[:length])
    if len(kept) < length:
        probabilities = np.minimum.reduceat(probabilities[:length], kept)
        ids = ids[kept]
    return Reading(tuple(ids[:length].tolist()), tuple(probabilities[:length].tolist()), end, length - len(kept))


def beam(
    decoder: Decoder,
    memory: np.ndarray,
    hidden: np.ndarray,
    width: int = 4,
    max_length: int = 128,
    follow_states: bool = True,
    refused: np.ndarray | None = None,
) -> list[Reading]:
    """Beam search over N lines of one width, with VietOCR's rules: no length penalty; a line ends when its best beam
    has ended; the best ended beam is the reading.

    follow_states: hidden states move with the beams they belong to. VietOCR leaves each state in its slot while the
    beams are reordered, so that a beam may go on with another's state; False reproduces that, for comparison.
    refused: as for `greedy`.
    """
    if width < 1:
        raise ValueError(f"beam width is {width}; it must be at least 1")
    count, classes = len(memory), decoder.classes
    tokens_at = np.zeros((max_length, count, width), dtype=np.int32)
    parent_at = np.zeros((max_length, count, width), dtype=np.int32)
    probability_at = np.zeros((max_length, count, width), dtype=np.float32)
    ended_score = np.full(count, -np.inf, dtype=np.float32)
    ended_where = np.zeros((count, 2), dtype=np.int64)  # step, beam
    rows = np.arange(count)
    keys = np.repeat(decoder.keys(memory), width, axis=0)
    memory, hidden = np.repeat(memory, width, axis=0), np.repeat(hidden, width, axis=0)
    tokens = np.full((count, width), GO)
    scores = np.zeros((count, width), dtype=np.float32)
    for position in range(max_length):
        logits, hidden, _ = decoder.step(tokens.reshape(-1), hidden, memory, keys)
        if refused is not None:
            logits[:, refused] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        log_probability = logits.reshape(-1, width, classes)
        if position == 0:
            total = log_probability[:, 0].copy()
        else:
            total = log_probability + scores[:, :, None]
            total[tokens == EOS] = -1e10  # an ended beam has no children
            total = total.reshape(len(rows), -1)
        best = np.argpartition(-total, width - 1, axis=1)[:, :width]
        order = np.argsort(-np.take_along_axis(total, best, axis=1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, axis=1)
        scores = np.take_along_axis(total, best, axis=1)
        parents, tokens = best // classes, best % classes
        lines = np.arange(len(rows))[:, None]
        tokens_at[position, rows], parent_at[position, rows] = tokens, parents
        probability_at[position, rows] = np.exp(log_probability[lines, parents, tokens])
        ended = np.where(tokens == EOS, scores, -np.inf)
        better = ended.max(axis=1) > ended_score[rows]
        ended_score[rows[better]] = ended.max(axis=1)[better]
        ended_where[rows[better]] = np.stack([np.full(better.sum(), position), ended.argmax(axis=1)[better]], axis=1)
        if follow_states:
            hidden = hidden.reshape(-1, width, decoder.hidden)[lines, parents].reshape(-1, decoder.hidden)
        going = tokens[:, 0] != EOS
        if not going.all():
            if not going.any():
                break
            rows, tokens, scores = rows[going], tokens[going], scores[going]
            spread = np.repeat(going, width)
            hidden, memory, keys = hidden[spread], memory[spread], keys[spread]
    unfinished = ~np.isfinite(ended_score)
    ended_where[unfinished] = (max_length - 1, 0)
    return [_trace(tokens_at[:, i], parent_at[:, i], probability_at[:, i], *ended_where[i]) for i in range(count)]


def refused_classes(whitelist: str, chars: str) -> np.ndarray:
    """Class numbers to refuse so that only `whitelist`'s characters are read, of a vocabulary `chars`.

    Raises WhitelistError for an empty list, or a character that the vocabulary lacks.
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


def _trace(tokens: np.ndarray, parents: np.ndarray, probabilities: np.ndarray, step: int, slot: int) -> Reading:
    """Follow one beam back from its last token (the end token, which is not part of the reading)."""
    ids: list[int] = []
    values: list[float] = []
    for position in range(step, -1, -1):
        ids.append(int(tokens[position, slot]))
        values.append(float(probabilities[position, slot]))
        slot = parents[position, slot]
    return Reading(tuple(ids[:0:-1]), tuple(values[:0:-1]), values[0] if ids[0] == EOS else 0.0)


def texts(readings: Sequence[Reading], chars: str) -> list[str]:
    """Readings as text, special tokens spelled as VietOCR's `Vocab.decode` does."""
    names = [*Vocab.specials, *chars]
    return ["".join(names[i] for i in reading.ids) for reading in readings]
