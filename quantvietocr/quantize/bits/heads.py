"""Encoder and decoder with some of their matrices in 8 bits, and how far what they say is from what float says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ...checkpoint.matrices import in_encoder
from ...engines.base import Encoded
from ...engines.torch_encoders import ENCODERS, TorchEncoder
from ...engines.torch_engine import select_backend, sequence_of
from ...reading.decode import EOS, GO, MAX_LENGTH, greedy, texts
from ...reading.decoder import Decoder
from ...reading.recognizer import decoder_of
from .mixed import Alternatives

Matrices = frozenset[str]  # layers that are int8; the others are float


class Heads:
    """Encoders and decoders of one network.

    Those that are float throughout or int8 throughout are kept, for most settings have one of them. Others are made
    when they are asked for: all of them together would not fit into memory.

    Args:
        numbers: holds the matrices.
    """

    def __init__(self, numbers: Alternatives) -> None:
        self._numbers, self._backend = numbers, select_backend()
        self._encoders: dict[Matrices, TorchEncoder] = {}
        self._decoders: dict[Matrices, Decoder] = {}
        self._all_of_encoder, self._all_of_decoder = self.parts(list(numbers.matrices))

    @staticmethod
    def parts(layers: Sequence[str]) -> tuple[Matrices, Matrices]:
        """Those of the encoder and those of the decoder."""
        encoder = frozenset(filter(in_encoder, layers))
        return encoder, frozenset(layers) - encoder

    def encode(self, integers: Matrices, features: Tensor) -> Encoded:
        """Encode the CNN's features, float32 (N,C,H',W')."""
        encoder = self._encoders.get(integers)
        if encoder is None:
            numbers = self._numbers
            make = ENCODERS[numbers.original.meta.seq_modeling]
            encoder = make(numbers.compose(dict.fromkeys(integers, 8)), self._backend)
            if integers in (frozenset(), self._all_of_encoder):
                self._encoders[integers] = encoder
        return tuple(part.numpy() for part in encoder(sequence_of(features)))

    def decoder(self, integers: Matrices) -> Decoder:
        """The decoder with these of its matrices in 8 bits."""
        decoder = self._decoders.get(integers)
        if decoder is None:
            decoder = decoder_of(self._numbers.compose(dict.fromkeys(integers, 8)))
            if integers in (frozenset(), self._all_of_decoder):
                self._decoders[integers] = decoder
        return decoder


@dataclass(frozen=True)
class Reference:
    """What the float network says of the lines of a batch.

    Attributes:
        ids: the class number that each step chooses, int (N,T); the end after a line's last step.
        taken: which steps a line takes, bool (N,T).
        logits: of each step (N,T,classes), 0 in steps that are not taken.
        texts: of each line.
    """

    ids: np.ndarray
    taken: np.ndarray
    logits: np.ndarray
    texts: tuple[str, ...]

    @classmethod
    def of(cls, decoder: Decoder, encoded: Encoded, chars: str) -> Reference:
        """Read the lines greedily, as `greedy` does by default."""
        readings = greedy(decoder, encoded)
        most = min(MAX_LENGTH + 1, decoder.limit)
        steps = np.array([min(len(reading.ids) + 1, most) for reading in readings])  # the end is chosen too
        ids = np.full((len(readings), steps.max()), EOS)
        for row, reading in zip(ids, readings):
            row[: len(reading.ids)] = reading.ids
        taken = np.arange(ids.shape[1]) < steps[:, None]
        return cls(ids, taken, _logits(decoder, encoded, ids, taken), tuple(texts(readings, chars)))

    @property
    def signal(self) -> float:
        """Power of the logits, summed."""
        return _power(self.logits)

    def compare(self, decoder: Decoder, encoded: Encoded, chars: str) -> tuple[float, list[str]]:
        """What another network makes of the same lines.

        It is led through the reference's characters, so that all steps can be compared. Where it chooses the same at
        each of them, it reads the same; the other lines it reads by itself.

        Args:
            decoder: of the other network.
            encoded: what its encoder gives of the lines.
            chars: the vocabulary.

        Returns:
            Power of the difference of the logits, summed, and the text of each line.
        """
        logits = _logits(decoder, encoded, self.ids, self.taken)
        found: list[str] = list(self.texts)
        other = np.flatnonzero(((logits.argmax(axis=2) != self.ids) & self.taken).any(axis=1))
        if len(other):
            readings = greedy(decoder, tuple(part[other] for part in encoded))
            for line, text in zip(other, texts(readings, chars), strict=True):
                found[line] = text
        return _power(logits - self.logits), found


def _logits(decoder: Decoder, encoded: Encoded, ids: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Logits of each step on the way through `ids`, less their mean at that step, which softmax drops."""
    state: Any = decoder.start(encoded)
    logits = np.zeros((*ids.shape, decoder.classes), np.float32)
    tokens = np.full(len(ids), GO)
    for step in range(ids.shape[1]):
        values, _ = decoder.step(tokens, state)
        logits[:, step] = (values - values.mean(axis=1, keepdims=True)) * taken[:, step, None]
        tokens = ids[:, step]
    return logits


def _power(values: np.ndarray) -> float:
    return float(np.square(values, dtype=np.float64).sum())
