"""The decoder of VietOCR's seq2seq networks, in NumPy, so that one implementation serves every engine.

What does not depend on the step is computed once: the attention keys per image, and per vocabulary entry the products
of its embedding with the GRU and the output layer (at load). What is left of a step are two matrix products: one of
what attention saw, one of the new hidden state, for this step's characters and the next step's gates and query.
Attention is Bahdanau et al. 2015 (additive); the GRU is Cho et al. 2014 in torch's gate order (reset, update, new).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..checkpoint.layout import DECODER
from ..checkpoint.types import Checkpoint
from ..engines.base import Encoded
from .decode import softmax

MAX_ENERGY = 41.0  # key plus query at most, for e to twice that, times MAX_SCORE, to stay below float32's 3.4e38
MAX_SCORE = 80.0  # a score at most, for e to it to stay a number, and e to minus it too


@dataclass
class Seq2SeqState:
    """Where a decoding stands.

    Attributes:
        memory: The encoder's outputs, float32 (L,S,2E).
        keys: The attention keys of the memory, as `Seq2SeqDecoder.start` makes them, float32 (L,S,D).
        hidden: The hidden states, float32 (N,D).
        own: Their products with `Seq2SeqDecoder.from_hidden`, float32 (N,4D+classes).
    """

    memory: np.ndarray
    keys: np.ndarray
    hidden: np.ndarray
    own: np.ndarray

    def follow(self, rows: np.ndarray) -> None:
        """See `decoder.State`."""
        self.hidden, self.own = self.hidden[rows], self.own[rows]

    def keep(self, lines: np.ndarray) -> None:
        """See `decoder.State`."""
        paths = len(self.hidden) // len(self.memory)
        rows = np.arange(len(self.hidden)).reshape(-1, paths)[lines].reshape(-1)
        self.memory, self.keys = self.memory[lines], self.keys[lines]
        self.follow(rows)


class Seq2SeqDecoder:
    """VietOCR's `Seq2Seq.decoder` (see `decoder.Decoder`) from float32 arrays by their names in the state dict."""

    limit = sys.maxsize
    about = ""

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
        highest = 2 * max(part.sum() for part in (np.maximum(self.score, 0), np.maximum(-self.score, 0)))
        self.exponentials = bool(most.max() <= MAX_ENERGY and highest <= MAX_SCORE)
        if self.exponentials:
            self.score = -2 * self.score
        # sigmoid(x) = (tanh(x / 2) + 1) / 2. The halves are in the weights, where they are exact: those of x in the
        # reset and the update gate, and that of the reset gate in what it multiplies.
        half = np.repeat(np.array([0.5, 1.0], np.float32), [2 * hidden, hidden])
        gate_bias, hidden_bias = get("rnn.bias_ih_l0"), get("rnn.bias_hh_l0")
        gate_bias = gate_bias + np.where(half < 1, hidden_bias, np.float32(0))
        self.new_bias = hidden_bias[2 * hidden :] * np.float32(0.5)  # the reset gate multiplies it
        # The query is wanted times minus two where the keys are exponentials.
        query = attention[:, :hidden] * np.float32(-2 if self.exponentials else 1)
        # Rows: what a hidden state adds to the next gates, the next attention query and the characters.
        own = [get("rnn.weight_hh_l0") * np.float32(0.5), query, output[:, :hidden]]
        self.from_hidden = np.concatenate(own).T.copy()
        # What the context adds to the gates and the characters, and each token to both.
        self.from_context = np.concatenate(
            [input_weight[:, embedded:] * half[:, None], output[:, hidden : hidden + context]]
        ).T.copy()
        token_gates = (embedding @ input_weight[:, :embedded].T + gate_bias) * half
        token_output = embedding @ output[:, hidden + context :].T + get("fc_out.bias")
        self.from_token = np.concatenate([token_gates, token_output], axis=1)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Seq2SeqDecoder:
        """The decoder of a checkpoint."""
        return cls(checkpoint.weights(DECODER))

    def start(self, encoded: Encoded, greedy: bool = False) -> Seq2SeqState:
        """See `decoder.Decoder`.

        The energy of a position is Σ v·tanh(k + q), with its key k and the query q. tanh(x) = 1 - 2/(e²ˣ + 1), and
        softmax drops what all positions share: -2 Σ v·p/(e²ᵏ + p) is left, with p = e⁻²ᑫ. So keys are e²ᵏ, and a step
        computes no tanh of S·D values. Where the weights are so large that this could overflow, keys are k.
        """
        memory, hidden = encoded
        keys = memory @ self.key_weight
        keys += self.key_bias
        if self.exponentials:
            keys *= 2
            np.exp(keys, out=keys)
        return Seq2SeqState(memory, keys, hidden, hidden @ self.from_hidden)

    def _attention(self, keys: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """Where the paths look (L,W,S), from keys (L,S,D) as states hold them and queries (L,W,D)."""
        scores = np.empty((*queries.shape[:2], keys.shape[1]), np.float32)
        energy = np.empty(keys.shape[1:], np.float32)
        queries = np.exp(queries) if self.exponentials else queries
        weights = queries * self.score if self.exponentials else np.broadcast_to(self.score, queries.shape)
        # Path by path: one's energies stay in the cache between the operations, a batch's would not.
        for line_keys, line_queries, line_weights, line_scores in zip(keys, queries, weights, scores):
            for query, weight, path_scores in zip(line_queries, line_weights, line_scores):
                np.add(line_keys, query, out=energy)
                if self.exponentials:
                    np.divide(1, energy, out=energy)
                else:
                    np.tanh(energy, out=energy)
                np.dot(energy, weight, out=path_scores)
        if not self.exponentials:
            return softmax(scores)
        np.exp(scores, out=scores)  # of no more than MAX_SCORE
        scores /= np.add.reduce(scores, axis=2, keepdims=True)
        return scores

    def step(self, tokens: np.ndarray, state: Seq2SeqState) -> tuple[np.ndarray, np.ndarray]:
        """See `decoder.Decoder`."""
        d, gates, hidden, own, keys = self.hidden, 3 * self.hidden, state.hidden, state.own, state.keys
        attention = self._attention(keys, own[:, gates : gates + d].reshape(len(keys), -1, d))
        context = np.matmul(attention, state.memory).reshape(len(hidden), -1)
        shared = context @ self.from_context
        shared += self.from_token[tokens]
        switches = shared[:, : 2 * d]
        switches += own[:, : 2 * d]
        np.tanh(switches, out=switches)
        switches += 1  # twice the gates
        candidate = own[:, 2 * d : gates] + self.new_bias
        candidate *= switches[:, :d]
        candidate += shared[:, 2 * d : gates]
        np.tanh(candidate, out=candidate)
        following = hidden - candidate
        following *= 0.5
        following *= switches[:, d:]
        following += candidate
        state.hidden, state.own = following, following @ self.from_hidden
        return shared[:, gates:] + state.own[:, gates + d :], attention.reshape(len(hidden), -1)
