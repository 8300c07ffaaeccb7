"""The decoder of VietOCR's seq2seq networks, in NumPy, so that one implementation serves every engine.

What does not depend on the step is computed once: the attention keys per image, and per vocabulary entry the products
of its embedding with the GRU and the output layer (at load). What is left of a step are two matrix products. Attention
is Bahdanau et al. 2015 (additive); the GRU is Cho et al. 2014 in torch's gate order (reset, update, new).
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

MAX_ENERGY = 43.0  # key plus query at most, for e to twice that to stay below float32's 3.4e38


@dataclass
class Seq2SeqState:
    """Where a decoding stands.

    Attributes:
        memory: The encoder's outputs, float32 (L,S,2E).
        keys: The attention keys of the memory, as `Seq2SeqDecoder.start` makes them, float32 (L,S,D).
        hidden: The hidden states, float32 (N,D).
    """

    memory: np.ndarray
    keys: np.ndarray
    hidden: np.ndarray

    def follow(self, rows: np.ndarray) -> None:
        """See `decoder.State`."""
        self.hidden = self.hidden[rows]

    def keep(self, lines: np.ndarray) -> None:
        """See `decoder.State`."""
        hidden = self.hidden.reshape(len(self.memory), -1, self.hidden.shape[1])[lines]
        self.memory, self.keys, self.hidden = self.memory[lines], self.keys[lines], hidden.reshape(-1, hidden.shape[2])


class Seq2SeqDecoder:
    """VietOCR's `Seq2Seq.decoder` (see `decoder.Decoder`) from float32 arrays by their names in the state dict."""

    limit = sys.maxsize

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

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Seq2SeqDecoder:
        """The decoder of a checkpoint."""
        return cls(checkpoint.weights(DECODER))

    def start(self, encoded: Encoded, greedy: bool = False) -> Seq2SeqState:
        """See `decoder.Decoder`.

        The energy of a position is Σ v·tanh(k + q), with its key k and the query q. tanh(x) = 1 - 2/(e²ˣ + 1), and
        softmax drops what all positions share: -2 Σ v/(e²ᵏ·e²ᑫ + 1) is left. So keys are e²ᵏ, and a step computes no
        tanh of S·D values. Where the weights are so large that this could overflow, keys are k.
        """
        memory, hidden = encoded
        keys = memory @ self.key_weight
        keys += self.key_bias
        if self.exponentials:
            keys *= 2
            np.exp(keys, out=keys)
        return Seq2SeqState(memory, keys, hidden)

    def _scores(self, keys: np.ndarray, queries: np.ndarray) -> np.ndarray:
        """What attention is the softmax of (L,W,S), from keys (L,S,D) as states hold them and queries (L,W,D)."""
        scores = np.empty((*queries.shape[:2], keys.shape[1]), np.float32)
        energy = np.empty(keys.shape[1:], np.float32)
        queries = np.exp(2 * queries) if self.exponentials else queries
        # Path by path: one's energies stay in the cache between the operations, a batch's would not.
        for line_keys, line_queries, line_scores in zip(keys, queries, scores):
            for query, path_scores in zip(line_queries, line_scores):
                if self.exponentials:
                    np.multiply(line_keys, query, out=energy)
                    np.add(energy, 1, out=energy)
                    np.divide(1, energy, out=energy)
                else:
                    np.add(line_keys, query, out=energy)
                    np.tanh(energy, out=energy)
                np.dot(energy, self.score, out=path_scores)
        return scores

    def step(self, tokens: np.ndarray, state: Seq2SeqState) -> tuple[np.ndarray, np.ndarray]:
        """See `decoder.Decoder`."""
        d, gates, hidden, keys = self.hidden, 3 * self.hidden, state.hidden, state.keys
        own = hidden @ self.from_hidden
        attention = softmax(self._scores(keys, own[:, gates:].reshape(len(keys), -1, d)))
        context = np.matmul(attention, state.memory).reshape(len(hidden), -1)
        shared = context @ self.from_context
        shared += self.from_token[tokens]
        switches = np.tanh(shared[:, : 2 * d] + own[:, : 2 * d])
        switches *= 0.5
        switches += 0.5
        candidate = own[:, 2 * d : gates] + self.new_bias
        candidate *= switches[:, :d]
        candidate += shared[:, 2 * d : gates]
        np.tanh(candidate, out=candidate)
        state.hidden = candidate + switches[:, d:] * (hidden - candidate)
        return state.hidden @ self.output_hidden + shared[:, gates:], attention.reshape(len(hidden), -1)
