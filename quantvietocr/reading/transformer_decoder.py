"""The decoder of VietOCR's transformer networks, one implementation for every engine.

VietOCR runs all characters so far through the decoder again for each further one. A character's keys and values do not
change any more, so here they are kept: a step runs the last character alone, and looks at what is kept. The keys and
values of the encoder's outputs are computed once for a line. The layers are those of Vaswani et al. 2017 (arXiv
1706.03762) with the normalization after each of their parts.

A step in float32 reads every matrix of the decoder for a row or a few, and takes as long as memory takes to hand them
over. So greedy decoding guesses the next characters in 8 bits, and then runs them in float32, all at once, which costs
as much as a few steps. What follows a wrong guess is dropped: the text and its probabilities are those of float32,
whatever was guessed (Leviathan et al. 2023, arXiv 2211.17192). ONNX Runtime does both, where it is installed, whichever
engine runs the encoder; else NumPy takes one step after the other.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..checkpoint import transformer_layout as layout
from ..checkpoint.types import Checkpoint
from ..common.packages import how_to_install
from ..engines.base import Encoded
from ..engines.onnx_steps import OnnxSteps, Pairs, onnx_steps
from .decode import EOS
from .transformer_steps import NumpySteps, Steps

MOST_AT_ONCE = 32  # steps that are run at once at most, and at first
FEWEST_AT_ONCE = 6  # steps of use from a run with guesses, on average, that these pay from
MOST_GUESSED_LINES = 4  # of a batch: with more, a step in float32 reads its matrices for many rows, and one errs sooner


@dataclass
class TransformerState:
    """Where a decoding stands.

    Attributes:
        memory: Keys and values of the encoder's outputs, as `Steps` takes them.
        kept: Those of the characters that have been run, which may be more than steps have been taken.
        ended: Of which rows the end has come, bool (N): what they go on with does not count.
        step: How many steps have been taken.
        at_once: How many steps are to be run at once, with guesses for all but the first.
        ahead: For each step that has been run but not taken: the characters (N) that it was run with, and its logits.
        used: How many steps of the last run have been taken.
        wrong: How many guesses were wrong.
    """

    memory: Pairs
    kept: Pairs
    ended: np.ndarray
    step: int = 0
    at_once: int = 1
    ahead: deque[tuple[np.ndarray, np.ndarray]] = field(default_factory=deque)
    used: int = 0
    wrong: int = 0

    def follow(self, rows: np.ndarray) -> None:
        """See `decoder.State`."""
        self.kept = [(keys[:, rows], values[:, rows]) for keys, values in self.kept]
        self.ended = self.ended[rows]
        self.ahead = deque((tokens[rows], logits[rows]) for tokens, logits in self.ahead)

    def keep(self, lines: np.ndarray) -> None:
        """See `decoder.State`."""
        count = len(self.memory[0][0])
        self.memory = [(keys[lines], values[lines]) for keys, values in self.memory]
        self.follow(np.arange(len(self.ended)).reshape(count, -1)[lines].reshape(-1))

    def take(self, tokens: np.ndarray) -> np.ndarray | None:
        """The logits of the next step, where it has been run with these characters (N) already."""
        self.ended = self.ended | (tokens == EOS)
        if self.ahead:
            expected, logits = self.ahead.popleft()
            if np.array_equal(expected[~self.ended], tokens[~self.ended]):
                self.used += 1
                return logits
            self.wrong += 1
            if self.wrong > 1 and self.step < FEWEST_AT_ONCE * self.wrong:
                self.at_once = 1
            else:  # what is left of them, but hardly more than twice as many as were right
                self.at_once = min(max(2 * self.used, FEWEST_AT_ONCE), len(self.ahead) + 2)
            self.ahead.clear()
            self.kept = [
                (np.ascontiguousarray(keys[..., : self.step]), np.ascontiguousarray(values[..., : self.step, :]))
                for keys, values in self.kept
            ]
        elif self.at_once > 1:
            self.at_once = min(2 * self.at_once, MOST_AT_ONCE)  # all were right
        self.used = 1
        return None


class TransformerDecoder:
    """VietOCR's `LanguageTransformer` after its encoder (see `decoder.Decoder`).

    Args:
        weights: float32, by their names in the state dict.
        heads: Of every attention.
        steps: What runs its steps; None is NumPy. ONNX Runtime also guesses.

    Attributes:
        classes: How many classes of characters there are.
        limit: Steps that there are positions for.
        about: What computes the steps, in a sentence.
    """

    def __init__(
        self, weights: Mapping[str, np.ndarray], heads: int = layout.HEADS, steps: OnnxSteps | None = None
    ) -> None:
        embedding = weights[layout.EMBEDDING]
        self.classes, self.width = embedding.shape
        self.heads = heads
        self.embedding = embedding * np.float32(math.sqrt(self.width))
        self.positions = weights[layout.POSITIONS][:, 0]
        self.limit = len(self.positions)
        self.guesser = steps
        self.steps: Steps = steps or NumpySteps(weights, heads)
        self.about = (
            f"decoder: onnxruntime {steps.version}, float32, with guesses in 8 bits; 1 thread for a batch."
            if steps
            else f"decoder: NumPy, float32; onnxruntime makes it faster: {how_to_install('onnxruntime')}."
        )
        self.memory = [_memory_weights(weights, index) for index in range(layout.layers_in(weights, layout.DECODER))]

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> TransformerDecoder:
        """The decoder of a checkpoint."""
        weights = {name: weight for prefix in layout.DECODING for name, weight in checkpoint.weights(prefix).items()}
        return cls(weights, checkpoint.meta.heads, onnx_steps(checkpoint))

    def start(self, encoded: Encoded, greedy: bool = False) -> TransformerState:
        """See `decoder.Decoder`."""
        (outputs,) = encoded
        count, places = outputs.shape[:2]
        memory: Pairs = []
        for weight, bias in self.memory:
            both = outputs.reshape(-1, self.width) @ weight
            both += bias
            keys, values = both.reshape(count, places, 2, self.heads, -1).transpose(2, 0, 3, 1, 4)
            memory.append((np.ascontiguousarray(keys.swapaxes(-1, -2)), np.ascontiguousarray(values)))
        each = self.width // self.heads
        empty = (
            np.empty((1, count, self.heads, each, 0), np.float32),
            np.empty((1, count, self.heads, 0, each), np.float32),
        )
        guesses = greedy and self.guesser is not None and count <= MOST_GUESSED_LINES
        at_once = MOST_AT_ONCE if guesses else 1
        return TransformerState(memory, [empty] * len(memory), np.zeros(count, bool), at_once=at_once)

    def step(self, tokens: np.ndarray, state: TransformerState) -> tuple[np.ndarray, None]:
        """See `decoder.Decoder`. The heads of several layers look at many places at a time: no attention is told."""
        logits = state.take(tokens)
        if logits is None:
            run = self._with_guesses(tokens, state)
            begin, end = state.step, state.step + len(run)
            x = self.embedding[run.T] + self.positions[begin:end]
            later = np.triu(np.full((len(run), end), -np.inf, np.float32), begin + 1)
            found, state.kept = self.steps.run(x, later, state.memory, state.kept)
            logits, *others = found.swapaxes(0, 1)
            state.ahead.extend(zip(run[1:], others))
        state.step += 1
        return logits, None

    def _with_guesses(self, tokens: np.ndarray, state: TransformerState) -> np.ndarray:
        """The characters to run at once, int (T,N): `tokens`, and what may follow until all lines end."""
        most = min(state.at_once, self.limit - state.step)
        run, ended = [tokens], state.ended
        if most > 1 and self.guesser is not None:
            guesses = self.guesser.guess(tokens, state.step, most - 1, ended, state.memory, state.kept)
            for guess in guesses:
                ended = ended | (guess == EOS)
                if ended.all():
                    break
                run.append(guess)
        return np.stack(run)


def _memory_weights(weights: Mapping[str, np.ndarray], index: int) -> tuple[np.ndarray, np.ndarray]:
    """What makes a layer's keys and values of the encoder's outputs: a matrix (C,2C) and a vector."""
    attention = layout.layer(layout.DECODER, index) + layout.CROSS_ATTENTION
    weight, bias = weights[attention + layout.INPUT_WEIGHT], weights[attention + layout.INPUT_BIAS]
    width = weight.shape[1]
    return np.ascontiguousarray(weight[width:].T), bias[width:]
