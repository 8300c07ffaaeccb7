"""Read a line again with its language's words in mind: a beam search over the decoder's characters and their words.

The decoder knows characters; that `Tiền mặt` is a word pair and `Tiến mặt` is not, it has hardly had the lines to
learn. Each word adds its log probability to that of its characters (shallow fusion: Gulcehre et al. 2015, arXiv
1503.03535). Numbers and marks add nothing; the letters of a code are words like others, mostly unknown ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...checkpoint.vocab import Vocab
from ...engines.base import Encoded
from ..decode import EOS, GO, MAX_LENGTH, Reading, log_softmax
from ..decoder import Decoder
from .model import WordModel

WIDTH = 6  # readings followed at a time
MAX_BEHIND = 6.0  # nats behind the best: a reading farther behind is given up
MERGE_SUFFIX = 8  # readings with the same last 8 characters and word state are merged; the worse is dropped
WORD_WEIGHT = 0.2  # × a word's log probability, beside its characters'
NEUTRAL_WORD = -8.0  # nats; a word this likely changes nothing, else fewer words, or more, would always be better
UNKNOWN_WORD = -16.0  # nats; the log probability of a word that the model does not know
MAX_ODDS = 50.0  # nats, so that their exponential stays a number


class Spelling:
    """A model's words in the characters of a network.

    Args:
        model: Says how likely words are, or gives what does: it is called when the first word is asked for.
        chars: The characters that the network knows.

    Attributes:
        letters: By class number, its letter in lower case, or "" where it is none.
        space: The class number of the space; -1 where there is none.
    """

    def __init__(self, model: WordModel | Callable[[], WordModel], chars: str) -> None:
        self._given = model
        self.letters = [""] * len(Vocab.specials) + [char.lower() if char.isalpha() else "" for char in chars]
        space = chars.find(" ")
        self.space = len(Vocab.specials) + space if space >= 0 else -1

    @cached_property
    def model(self) -> WordModel:
        """Says how likely words are."""
        return self._given if isinstance(self._given, WordModel) else self._given()

    def bonus(self, word: str, before: str) -> float:
        """What a word after another adds to the score of a reading, in nats.

        Args:
            word: In lower case, not empty.
            before: The word before it; "" where there is none.
        """
        known = self.model.log_probability(word, before or None)
        return WORD_WEIGHT * ((UNKNOWN_WORD if known is None else known) - NEUTRAL_WORD)


@dataclass(frozen=True)
class _Path:
    """A reading so far.

    Attributes:
        score: Log probability of its characters and what its words add, in nats.
        ids: Its class numbers.
        scores: The score after each of them.
        word: The letters of the word that is being spelled.
        before: The word before that; "" where there is none.
    """

    score: float = 0.0
    ids: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    word: str = ""
    before: str = ""

    def followed_by(self, token: int, log_probability: float, spelling: Spelling) -> _Path:
        letter = spelling.letters[token]
        score, before, word = self.score + log_probability, self.before, self.word + letter
        if not letter:
            if self.word:
                score += spelling.bonus(self.word, before)
            before, word = (self.word if token == spelling.space else ""), ""
        return _Path(score, (*self.ids, token), (*self.scores, score), word, before)


def search(
    decoder: Decoder,
    encoded: Encoded,
    spelling: Spelling,
    max_length: int = MAX_LENGTH,
    refused: np.ndarray | None = None,
) -> Reading | None:
    """Find the best reading of one line with its words.

    Args:
        decoder: The decoder.
        encoded: The encoder's outputs for it.
        spelling: The words.
        max_length: At most this many characters and one more are read.
        refused: Class numbers that the reading may not hold, as for `decode.greedy`.

    Returns:
        The reading; None where none ended in time. The probability of a character is its share beside what else could
        stand there, words counted in.
    """
    state = decoder.start(encoded)
    paths, tokens = [_Path()], np.array([GO])
    ended: list[_Path] = []
    left: list[_Path] = []
    for _ in range(min(max_length + 1, decoder.limit)):
        logits, _ = decoder.step(tokens, state)
        following = _following(paths, log_softmax(logits, refused), spelling)
        ended += [path for path, _ in following if path.ids[-1] == EOS]
        best = max((path.score for path in ended), default=-np.inf)
        going = [step for step in following if step[0].ids[-1] != EOS]
        least = max(best, going[0][0].score if going else -np.inf) - MAX_BEHIND
        kept = [step for step in _unlike(going) if step[0].score > least][:WIDTH]
        if not kept or best >= kept[0][0].score:
            left += [path for path, _ in going]
            break
        staying = {id(path) for path, _ in kept}
        left += [path for path, _ in going if id(path) not in staying]
        paths, slots = [path for path, _ in kept], [slot for _, slot in kept]
        state.follow(np.array(slots))
        tokens = np.array([path.ids[-1] for path in paths])
    if not ended:
        return None
    chosen = max(ended, key=lambda path: path.score)
    probabilities = _shares(chosen, [path for path in ended if path is not chosen] + left)
    return Reading(chosen.ids[:-1], tuple(probabilities[:-1]), probabilities[-1])


def _following(paths: Sequence[_Path], logits: np.ndarray, spelling: Spelling) -> list[tuple[_Path, int]]:
    """The likely next steps of each path with the path's number, best first.

    A path may end only where nothing is likelier than that. Each further character costs something, so of all readings
    of an illegible line the shortest would be the best.
    """
    steps = [
        (path.followed_by(token, float(row[token]), spelling), slot)
        for slot, (path, row) in enumerate(zip(paths, logits))
        for token in np.flatnonzero(row > paths[0].score - path.score - MAX_BEHIND).tolist()
        if token != EOS or row[EOS] == row.max()
    ]
    return sorted(steps, key=lambda step: -step[0].score)


def _unlike(steps: Sequence[tuple[_Path, int]]) -> list[tuple[_Path, int]]:
    """Of steps that end alike, and so go on alike, the first."""
    first: dict[object, tuple[_Path, int]] = {}
    for path, slot in steps:
        first.setdefault((path.ids[-MERGE_SUFFIX:], path.word, path.before), (path, slot))
    return list(first.values())


def _shares(chosen: _Path, others: Sequence[_Path]) -> list[float]:
    """For each step of a reading, its share in [0,1] beside the others that part from it there.

    Each of `others` is weighed where it was given up, against the chosen one's score at that step. What else was in
    doubt by then counts too, so that a line with several doubts is trusted less than the product of single ones says.
    That tells wrong lines from right ones better.
    """
    against = [0.0] * len(chosen.ids)
    for other in others:
        at = next((i for i, (own, its) in enumerate(zip(chosen.ids, other.ids)) if own != its), None)
        if at is not None:
            reached = min(len(other.ids), len(chosen.ids)) - 1
            against[at] += float(np.exp(min(other.score - chosen.scores[reached], MAX_ODDS)))
    return [1.0 / (1.0 + odds) for odds in against]
