"""Read a line again with the words of its language in mind: a beam search over the decoder's characters and their words.

The decoder knows characters; that `Tiền mặt` is a word pair and `Tiến mặt` is not, it has hardly had the lines to learn.
Each word adds its log probability to that of its characters (shallow fusion: Gulcehre et al. 2015, arXiv 1503.03535).
Numbers and marks add nothing; the letters of a code are words like others, mostly unknown ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...checkpoint.vocab import Vocab
from ..decode import EOS, GO, Decoder, Reading
from .model import WordModel

WIDTH = 6  # readings followed at a time
BEHIND = 6.0  # nats behind the best at which a reading is given up
ALIKE = 8  # characters in which two readings end alike, with the same words to go on from, for the worse to be given up
WEIGHT = 0.2  # of a word's log probability beside its characters'
EXPECTED = -8.0  # log probability at which a word changes nothing: else fewer words, or more, would always be better
UNKNOWN = -16.0  # log probability taken for a word that the model does not know


class Spelling:
    """A model's words in the characters of a network: which class numbers are letters, and what a word adds."""

    def __init__(self, model: WordModel, chars: str) -> None:
        self.model = model
        self.letters = [""] * len(Vocab.specials) + [char.lower() if char.isalpha() else "" for char in chars]
        space = chars.find(" ")
        self.space = len(Vocab.specials) + space if space >= 0 else -1

    def bonus(self, word: str, before: str) -> float:
        """What a word (lower case, not empty) after another ("": none) adds to the score of a reading, in nats."""
        known = self.model.log_probability(word, before or None)
        return WEIGHT * ((UNKNOWN if known is None else known) - EXPECTED)


@dataclass(frozen=True)
class _Path:
    """A reading so far: its score, class numbers, the score after each of them, the word being spelled and the one before."""

    score: float = 0.0
    ids: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    word: str = ""
    before: str = ""

    def then(self, token: int, log_probability: float, spelling: Spelling) -> _Path:
        letter = spelling.letters[token]
        score, before, word = self.score + log_probability, self.before, self.word + letter
        if not letter:
            if self.word:
                score += spelling.bonus(self.word, before)
            before, word = (self.word if token == spelling.space else ""), ""
        return _Path(score, (*self.ids, token), (*self.scores, score), word, before)


def search(
    decoder: Decoder,
    memory: np.ndarray,
    hidden: np.ndarray,
    spelling: Spelling,
    max_length: int = 128,
    refused: np.ndarray | None = None,
) -> Reading | None:
    """The best reading of one line, memory (1,S,2E) and hidden (1,D) from the encoder; None where none ended in time.

    The probability of a character is its share beside what else could stand there, words counted in.
    refused: as for `decode.greedy`.
    """
    # The same line for every path: views, for copies would not stay in the cache together.
    keys = np.broadcast_to(decoder.keys(memory), (WIDTH, *memory.shape[1:-1], decoder.key_bias.size))
    memory = np.broadcast_to(memory, (WIDTH, *memory.shape[1:]))
    paths, tokens = [_Path()], np.array([GO])
    ended: list[_Path] = []
    left: list[_Path] = []
    for _ in range(max_length + 1):
        count = len(paths)
        logits, hidden, _ = decoder.step(tokens, hidden, memory[:count], keys[:count])
        if refused is not None:
            logits[:, refused] = -np.inf
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        following = _following(paths, logits, spelling)
        ended += [path for path, _ in following if path.ids[-1] == EOS]
        best = max((path.score for path in ended), default=-np.inf)
        going = [step for step in following if step[0].ids[-1] != EOS]
        least = max(best, going[0][0].score if going else -np.inf) - BEHIND
        kept = [step for step in _unlike(going) if step[0].score > least][:WIDTH]
        if not kept or best >= kept[0][0].score:
            left += [path for path, _ in going]
            break
        staying = {id(path) for path, _ in kept}
        left += [path for path, _ in going if id(path) not in staying]
        paths, slots = [path for path, _ in kept], [slot for _, slot in kept]
        hidden, tokens = hidden[slots], np.array([path.ids[-1] for path in paths])
    if not ended:
        return None
    chosen = max(ended, key=lambda path: path.score)
    probabilities = _shares(chosen, [path for path in ended if path is not chosen] + left)
    return Reading(chosen.ids[:-1], tuple(probabilities[:-1]), probabilities[-1])


def _following(paths: Sequence[_Path], logits: np.ndarray, spelling: Spelling) -> list[tuple[_Path, int]]:
    """The likely next steps of each path with the path's number, best first.

    A path may end only where nothing is likelier than that: each further character costs something, so that of all readings
    of an illegible line the shortest would be the best.
    """
    found = [
        (path.then(token, float(row[token]), spelling), slot)
        for slot, (path, row) in enumerate(zip(paths, logits))
        for token in np.flatnonzero(row > paths[0].score - path.score - BEHIND).tolist()
        if token != EOS or row[EOS] == row.max()
    ]
    return sorted(found, key=lambda step: -step[0].score)


def _unlike(steps: Sequence[tuple[_Path, int]]) -> list[tuple[_Path, int]]:
    """Of steps that end alike, and so go on alike, the first."""
    first: dict[object, tuple[_Path, int]] = {}
    for path, slot in steps:
        first.setdefault((path.ids[-ALIKE:], path.word, path.before), (path, slot))
    return list(first.values())


def _shares(chosen: _Path, others: Sequence[_Path]) -> list[float]:
    """For each step of a reading, its share in [0,1] beside the others that part from it there.

    Each of `others` is weighed where it was given up, against the chosen one's score at that place. What else was in doubt by
    then counts too, so that a line with doubts in several places is trusted less than the product of single ones says; that
    tells wrong lines from right ones better.
    """
    against = [0.0] * len(chosen.ids)
    for other in others:
        at = next((i for i, (own, its) in enumerate(zip(chosen.ids, other.ids)) if own != its), None)
        if at is not None:
            reached = min(len(other.ids), len(chosen.ids)) - 1
            against[at] += float(np.exp(min(other.score - chosen.scores[reached], 50.0)))
    return [1.0 / (1.0 + odds) for odds in against]
