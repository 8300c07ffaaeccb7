"""`Predictor`: VietOCR's interface over any checkpoint and engine, and which looks are taken at a line."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from ..checkpoint.types import Checkpoint
from ..engines.base import Encoded
from ..engines.choose import describe_engine, open_file
from ..pictures.image import ImageSpec, line_pixels, open_line
from ..shipped import weights_file
from . import decode
from .again import LOOKS, surest
from .checks import BLANK, checked
from .confidence import DECISION_SCALE, DOUBT_THRESHOLD, Calibration, LineText
from .leaders import joined, leaders_in
from .margins import without_margins
from .options import USUAL, ReadingOptions
from .recognizer import LOCATING, Decoding, Recognizer
from .wide import candidates_of
from .words.model import SHIPPED, WordModel
from .words.model import read as read_words
from .words.search import Spelling, search

Candidates = list[list[np.ndarray]]  # one or two ways to read a line, each in parts, uint8 (height,W,3)


class Predictor:
    """Reads pictures of text lines.

    Args:
        weights: Path of a checkpoint (VietOCR's float `.pth`, a float or quantized `.safetensors`, an exported
            `.onnx`), or a `Checkpoint`. `int8`, `slim` and `float` name the shipped ones; None takes `int8`.
        threads: CPU threads for the network; 0 leaves the engine's choice, one per core.
        batch_size: The most lines of one width that `predict_batch` runs together.
        engine: `torch` (`.pth`, `.safetensors`), `onnxruntime` or `openvino` (`.onnx` too); `auto` takes torch where
            it is installed and reads the file, else the fastest that is installed.
        config: The YAML that a float VietOCR model was trained with, if not with VietOCR's default vocabulary and
            sizes.
        follow_states: False makes the beam search read exactly as VietOCR's (see `beam.beam_search`), which is worse.
        options: What is done about wide lines, leaders, doubt and words.
        **changes: Fields of `ReadingOptions` by name; they replace those of `options`.

    Attributes:
        about: Sentences that say what computes.
        meta: The checkpoint's metadata.
        spec: The sizes of picture that the network takes.
        recognizer: What reads lines at the network's size.
        calibration: The scale of the confidences that are reported. It decides nothing (`confidence.DECISION_SCALE`).

    Raises:
        NotShippedError: If `weights` is None and this install lacks the shipped file.
        CheckpointError: For an unusable file.
        EngineError: For an engine that is missing or does not run this file.
        WhitelistError: For characters that the network does not know.
        WordsError: For an unusable word file.
        ValueError: For a value that an option does not take.
        TypeError: For an option that there is not.
    """

    def __init__(
        self,
        weights: str | os.PathLike | Checkpoint | None = None,
        threads: int = 0,
        *,
        batch_size: int = 32,
        engine: str = "auto",
        config: str | os.PathLike | None = None,
        follow_states: bool = True,
        options: ReadingOptions = USUAL,
        **changes: Any,
    ) -> None:
        if batch_size < 1 or threads < 0:
            raise ValueError("threads must be 0 or more, batch_size at least 1")
        options = dataclasses.replace(options, **changes)
        named = "int8" if weights is None else weights
        chosen = named if isinstance(named, Checkpoint) else weights_file(named)
        checkpoint, runtime = open_file(chosen, engine, threads, config)
        self.options = options
        self.meta = checkpoint.meta
        self.spec: ImageSpec = checkpoint.meta.image
        self.about = describe_engine(runtime, checkpoint, threads)
        if options.leaders == "drop" and self.meta.seq_modeling not in LOCATING:
            self.about.append(
                f"leaders drop leaves nothing out: the attention of a vgg_{self.meta.seq_modeling} does not tell where "
                "a character stands; leaders count counts them in the picture."
            )
        self.calibration = Calibration.of(checkpoint.meta.confidence)
        whitelist, chars = options.whitelist, checkpoint.meta.chars
        self.readable = chars if whitelist is None else whitelist
        refused = None if whitelist is None else decode.refused_classes(whitelist, chars)
        words = None if options.beam else options.words
        self.spelling = None if words is None else Spelling(_word_model(os.fspath(words)), chars)
        decoding = Decoding(
            beam=options.beam,
            follow_states=follow_states,
            refused=refused,
            drop_loops=options.leaders != "keep",
            refine=None if self.spelling is None else partial(self._with_words, self.spelling),
        )
        self.recognizer = Recognizer(checkpoint, runtime, batch_size, decoding)
        if self.recognizer.decoder.about:
            self.about.append(self.recognizer.decoder.about)

    def predict(self, img: Any, return_prob: bool = False) -> str | tuple[str, float]:
        """Read one line.

        Args:
            img: A Pillow image, a path, encoded bytes or a uint8 array (H,W[,3]).
            return_prob: Whether the confidence is returned too.

        Returns:
            The text, or the text and its confidence in [0,1]: the chance that the whole line is right.

        Raises:
            ImageError: For a picture that cannot be read.
        """
        (line,) = self.lines_from_candidates([self.candidates_of(open_line(img))])
        return (line.text, line.confidence) if return_prob else line.text

    def predict_batch(
        self, imgs: Sequence[Any], return_prob: bool = False
    ) -> list[str] | tuple[list[str], list[float]]:
        """Read lines; the same texts as `predict` one by one, in the same order.

        Args:
            imgs: Pictures as `predict` takes them.
            return_prob: Whether the confidences are returned too.

        Returns:
            The texts, or the texts and their confidences in [0,1].

        Raises:
            ImageError: For a picture that cannot be read.
        """
        lines = self.lines_from_candidates([self.candidates_of(open_line(img)) for img in imgs])
        texts = [line.text for line in lines]
        return (texts, [line.confidence for line in lines]) if return_prob else texts

    def candidates_of(self, picture: Image.Image) -> Candidates:
        """What the network is shown of an RGB picture of a line: its pixels, whole or in parts, perhaps both.

        Both are made at once: they are small, and the picture need not be kept until its reading leaves doubt.
        """
        cut = self.options.wide == "cut"
        pictures = candidates_of(without_margins(picture), self.spec) if cut else [[picture]]
        return [[line_pixels(part, self.spec) for part in parts] for parts in pictures]

    def lines_from_candidates(
        self, lines: Sequence[Candidates], progress: Callable[[int], object] = lambda count: None
    ) -> list[LineText]:
        """Read lines given as `candidates_of` them.

        Args:
            lines: The candidates of each line.
            progress: Is told how many more lines have been read the first way, every few lines.

        Returns:
            The text of each line; that of the second candidate where the first left doubt and the second is surer.
        """
        results = self._lines_from_parts([first for first, *_ in lines], progress)
        doubtful = [i for i, line in enumerate(results) if line.certainty < DOUBT_THRESHOLD and len(lines[i]) > 1]
        seconds = self._lines_from_parts([lines[i][1] for i in doubtful]) if doubtful else []
        for i, second in zip(doubtful, seconds):
            results[i] = max(results[i], second, key=lambda line: line.certainty)
        return results

    def _lines_from_parts(
        self, lines: Sequence[Sequence[np.ndarray]], progress: Callable[[int], object] = lambda count: None
    ) -> list[LineText]:
        """The text of lines in parts: a line is right if all its parts are."""
        owner = [number for number, parts in enumerate(lines) for _ in parts]
        unread = Counter(owner)

        def done(indices: Sequence[int]) -> None:
            unread.subtract(owner[index] for index in indices)
            progress(sum(unread[number] == 0 for number in {owner[index] for index in indices}))

        pixels = [part for parts in lines for part in parts]
        parts_read = iter(self._with_leaders(pixels, self._with_retries(pixels, self.lines_from_pixels(pixels, done))))
        results = []
        for parts in lines:
            own = [next(parts_read) for _ in parts]
            own = [part for part in own if part is not BLANK] or [BLANK]
            text = joined([part.text for part in own if part.text]) if len(parts) > 1 else own[0].text
            results.append(LineText.of_parts(text, own))
        return results

    def _with_retries(self, pixels: Sequence[np.ndarray], lines: list[LineText]) -> list[LineText]:
        """The lines after further looks at those in doubt."""
        looks = LOOKS[: self.options.retries]
        doubtful = [i for i, line in enumerate(lines) if line.certainty < DOUBT_THRESHOLD] if looks else []
        if doubtful:
            others = iter(self.lines_from_pixels([look(pixels[i], self.spec) for i in doubtful for look in looks]))
            for i in doubtful:
                lines[i] = surest([lines[i], *(next(others) for _ in looks)])
        return lines

    def _with_leaders(self, pixels: Sequence[np.ndarray], lines: list[LineText]) -> list[LineText]:
        """The lines after a closer look at those with rules and leaders."""
        if self.options.leaders != "count":
            return lines
        with_leaders = {
            i: leaders
            for i, line in enumerate(lines)
            if (leaders := leaders_in(pixels[i], line.text, self.readable)) is not None
        }
        if with_leaders:
            pieces = iter(
                self.lines_from_pixels([piece for leaders in with_leaders.values() for piece in leaders.pieces])
            )
            for i, leaders in with_leaders.items():
                lines[i] = leaders.reading(lines[i], [next(pieces) for _ in leaders.pieces])
        return [line if i in with_leaders else checked(pixels[i], line) for i, line in enumerate(lines)]

    def lines_from_pixels(
        self, pixels: Sequence[np.ndarray], done: Callable[[Sequence[int]], object] = lambda indices: None
    ) -> list[LineText]:
        """Look once at lines that are already at the network's size.

        Args:
            pixels: A line each, uint8 (height,W,3).
            done: Is told the indices in `pixels` of every batch that has been read.

        Returns:
            The text of each line.
        """
        return [
            LineText(text, DECISION_SCALE.confidence(reading), self.calibration.confidence(reading))
            for text, reading in self.recognizer.recognize(pixels, done)
        ]

    def _with_words(self, spelling: Spelling, reading: decode.Reading, encoded: Encoded) -> decode.Reading:
        """A line's greedy reading, or where it leaves doubt that of a search with the words of the language."""
        # A leader's marks are no words, and the search would not know when to stop.
        if reading.looped or not reading.end or DECISION_SCALE.confidence(reading) >= DOUBT_THRESHOLD:
            return reading
        recognizer = self.recognizer
        return search(recognizer.decoder, encoded, spelling, refused=recognizer.decoding.refused) or reading


def _word_model(name: str) -> WordModel | Callable[[], WordModel]:
    """The words of a file, read at once, so that its errors come first; shipped ones once a line is in doubt."""
    return partial(read_words, name) if name in SHIPPED else read_words(name)
