"""VietOCR's attention decoder and its greedy decoding, in NumPy, so that one implementation serves every engine.

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
FREE_REPEATS = 3  # equal characters in a row that are read whatever attention does: 000, ...
MIN_ATTENTION_STEP = 2.0  # pixels; a further repeated character counts only if attention moved so far
SHRINK_BELOW = (
    0.8  # finished lines leave a batch once no more than this share still runs; copying costs more before that
)
MAX_LENGTH = 128  # steps, as in VietOCR
MAX_ENERGY = 43.0  # key plus query at most, for e to twice that to stay below float32's 3.4e38


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
        # Memory and hidden states come out of GRUs and a tanh: none of their values is above 1 or below -1.
        most = np.abs(attention).sum(axis=1) + np.abs(self.key_bias)
        self.exponentials = bool(most.max() <= MAX_ENERGY)
        if self.exponentials:
            self.score = -2 * self.score
        # sigmoid(x) = (tanh(x / 2) + 1) / 2. Reset and update gates are halved in the weights, where that is exact.
        half = np.repeat(np.array([0.5, 1.0], np.float32), [2 * hidden, hidden])
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
        """Attention keys (N,S,D) of encoder outputs (N,S,2E), as `step` takes them.

        The energy of a position is Σ v·tanh(k + q), with its key k and the query q. tanh(x) = 1 - 2/(e²ˣ + 1), and
        softmax drops what all positions share: -2 Σ v/(e²ᵏ·e²ᑫ + 1) is left. So keys are e²ᵏ, and a step computes no
        tanh of S·D values. Where the weights are so large that this could overflow, keys are k.
        """
        keys = memory @ self.key_weight
        keys += self.key_bias
        if self.exponentials:
            keys *= 2
            np.exp(keys, out=keys)
        return keys

    def _scores(self, keys: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """What attention is the softmax of (N,S), from keys (N,S,D) as `keys` gives them and queries (N,D)."""
        scores = np.empty(keys.shape[:2], np.float32)
        energy = np.empty(keys.shape[1:], np.float32)
        queries = np.exp(2 * queries) if self.exponentials else queries
        # Line by line: one line's energies stay in the cache between the operations, a batch's would not.
        for line_keys, query, line_scores in zip(keys, queries, scores):
            if self.exponentials:
                np.multiply(line_keys, query, out=energy)
                np.add(energy, 1, out=energy)
                np.divide(1, energy, out=energy)
            else:
                np.add(line_keys, query, out=energy)
                np.tanh(energy, out=energy)
            np.dot(energy, self.score, out=line_scores)
        return scores

    def step(
        self, tokens: np.ndarray, hidden: np.ndarray, memory: np.ndarray, keys: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Take one step in N lines of one width.

        Args:
            tokens: The class numbers that came last, int (N).
            hidden: The hidden states, float32 (N,D).
            memory: The encoder's outputs, float32 (N,S,2E).
            keys: The attention keys of the memory, as `keys` gives them, float32 (N,S,D).

        Returns:
            Logits (N,classes), hidden states (N,D) and attention (N,S), float32.
        """
        d, gates = self.hidden, 3 * self.hidden
        own = hidden @ self.from_hidden
        attention = softmax(self._scores(keys, own[:, gates:]))
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
    max_length: int = MAX_LENGTH,
    refused: np.ndarray | None = None,
    drop_loops: bool = False,
    position_width: float = 2.0,
) -> list[Reading]:
    """Take the most probable character at each step, in N lines of one width.

    Args:
        decoder: The decoder.
        memory: The encoder's outputs, float32 (N,S,2E).
        hidden: The encoder's last state for the decoder, float32 (N,D).
        max_length: At most this many characters and one more are read, as VietOCR does.
        refused: Class numbers that no reading may hold (`refused_classes`); probabilities are over the others.
        drop_loops: In a rule or a dotted leader every position looks like the next, so attention may stand still and
            the decoder say one character again and again. True leaves such characters out: all after the first
            `FREE_REPEATS` of a run for which attention did not move on. VietOCR keeps them.
        position_width: Pixels of the line for each of the S positions: 2 in VietOCR's network, whose encoder goes
            through two rows of positions.

    Returns:
        The reading of each line.
    """
    count = len(memory)
    ids = np.zeros((count, max_length + 1), dtype=np.int32)
    probabilities = np.zeros((count, max_length + 1), dtype=np.float32)
    lengths = np.full(count, max_length + 1)
    rows = np.arange(count)  # of the lines that still run
    tokens = np.full(count, GO)
    keys = decoder.keys(memory)
    looped = np.zeros((count, max_length + 1), dtype=bool)
    least = MIN_ATTENTION_STEP / position_width
    run, reach = np.zeros(count, dtype=np.int32), np.zeros(count, dtype=np.float32)
    positions = np.arange(memory.shape[1], dtype=np.float32)
    for step in range(max_length + 1):
        before = tokens
        logits, hidden, attention = decoder.step(tokens, hidden, memory, keys)
        if refused is not None:
            logits[:, refused] = -np.inf
        tokens = logits.argmax(axis=1)
        if drop_loops:
            run = np.where(tokens == before, run + 1, 1)
            if run.max() >= FREE_REPEATS:
                attended = attention @ positions
                looped[rows, step] = still = (run > FREE_REPEATS) & (attended < reach + least)
                reach = np.where(still, reach, attended)
        best = logits[np.arange(len(tokens)), tokens]
        ids[rows, step] = tokens
        probabilities[rows, step] = 1.0 / np.exp(logits - best[:, None]).sum(axis=1)
        lengths[rows[(tokens == EOS) & (lengths[rows] > step)]] = step
        going = lengths[rows] > step
        if not going.any():
            break
        # A step of a finished line costs less than moving the memory of the others together, until a few are done.
        if going.sum() <= SHRINK_BELOW * len(rows):
            rows, tokens, hidden, run, reach = rows[going], tokens[going], hidden[going], run[going], reach[going]
            memory, keys = memory[going], keys[going]
    return [_reading(ids[i], probabilities[i], looped[i], length) for i, length in enumerate(lengths)]


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
