"""`Predictor`: VietOCR's interface over any checkpoint and engine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

import numpy as np
from PIL import Image

from ..checkpoint.types import Checkpoint
from ..engines.base import Engine
from ..engines.choose import describe_engine, open_file
from ..pictures.image import ImageSpec, line_pixels, open_line
from . import decode
from .again import LOOKS, surest
from .confidence import Calibration
from .leaders import joined, leaders_in
from .recognizer import _batches, decoder_of, one_blas_thread, read_lines
from .wide import ways
from .words.model import read as read_words
from .words.search import Spelling, search

WIDE = ("cut", "squeeze")
LOOPS = ("count", "drop", "keep")
DOUBTFUL = 0.7  # confidence below which a line is looked at again, and read a second way where it has one
Ways = list[list[np.ndarray]]  # of reading a line: each its parts, uint8 (height,W,3)


class Predictor:
    """Reads pictures of text lines.

    weights: path of a checkpoint (VietOCR's float `.pth`, a float or quantized `.safetensors`, an exported `.onnx`), or
    a `Checkpoint`. threads: CPU threads for the network; 0 leaves the engine's choice, one per core. One line, or a few,
    have all of them; of more lines, at least two for each, every thread reads batches of its own.
    beam: 0 decodes greedily, else the beam width.
    config: the YAML a float VietOCR model was trained with, if not with VietOCR's default vocabulary and sizes.
    batch_size: most lines of one width run together by `predict_batch`.
    follow_states: False makes the beam search read exactly as VietOCR's (see `decode.beam`), which is worse.
    engine: torch (`.pth`, `.safetensors`), onnxruntime or openvino (`.onnx`); auto takes the fastest that is installed.
    wide: a line more than 1.5 times too wide for the network is read in parts, `cut` between words; one less too wide is
    squeezed, read in parts as well where that left doubt, and the surer text kept. `squeeze` squeezes all, as VietOCR does.
    loops: `count` reads the text between rules and leaders by itself and counts their marks in the picture (`leaders`);
    with it `drop` leaves out characters repeated while attention stood still (`decode.greedy`); `keep` keeps them, as
    VietOCR and beam search do.
    again: how many other looks, up to 2, are taken at what a first one left in doubt: narrower, then closer; the surest
    reading is kept (`again.surest`), for more time where there is doubt. 0 looks once, as VietOCR does.
    words: what a line in doubt is read again with (`language.search`): `vi`, the shipped word file, the path of another, or
    None to read characters alone, as VietOCR does. Not with a beam.
    whitelist: characters that alone may be read (the space too only if it is among them); None allows all.
    `about` says in sentences what computes.
    Raises CheckpointError for an unusable file, EngineError for an engine that is missing or does not run this file,
    WhitelistError for characters that the network does not know, WordsError for an unusable word file.
    """

    def __init__(
        self,
        weights: str | os.PathLike | Checkpoint,
        threads: int = 0,
        beam: int = 0,
        config: str | os.PathLike | None = None,
        batch_size: int = 32,
        follow_states: bool = True,
        engine: str = "auto",
        wide: str = "cut",
        whitelist: str | None = None,
        loops: str = "count",
        again: int = 0,
        words: str | os.PathLike | None = "vi",
    ) -> None:
        if beam < 0 or batch_size < 1 or threads < 0:
            raise ValueError("beam and threads must be 0 or more, batch_size at least 1")
        if wide not in WIDE:
            raise ValueError(f"wide is {wide!r}; it must be one of {', '.join(WIDE)}")
        if loops not in LOOPS:
            raise ValueError(f"loops is {loops!r}; it must be one of {', '.join(LOOPS)}")
        if not 0 <= again <= len(LOOKS):
            raise ValueError(f"again is {again!r}; it must be 0 to {len(LOOKS)}")
        checkpoint, self.engine = open_file(weights, engine, threads, config)
        self.meta = checkpoint.meta
        self.spec: ImageSpec = checkpoint.meta.image
        self.about = describe_engine(self.engine, checkpoint, threads)
        self.decoder = decoder_of(checkpoint)
        self.calibration = Calibration.of(checkpoint.meta.confidence)
        self.beam, self.batch_size, self.follow_states, self.wide, self.loops = (
            beam,
            batch_size,
            follow_states,
            wide,
            loops,
        )
        self.again = again
        self.spelling = None if words is None or beam else Spelling(read_words(words), self.meta.chars)
        self.readable = self.meta.chars if whitelist is None else whitelist
        self.refused = None if whitelist is None else decode.refused_classes(whitelist, self.meta.chars)

    def predict(self, img: Any, return_prob: bool = False) -> str | tuple[str, float]:
        """Read one line: a Pillow image, a path, encoded bytes or a uint8 array (H,W[,3]).

        Returns the text, or (text, confidence in [0,1]: the chance that the whole line is right). Raises ImageError
        for a picture that cannot be read.
        """
        (result,) = self.read([self.ways(open_line(img))])
        return result if return_prob else result[0]

    def predict_batch(
        self, imgs: Sequence[Any], return_prob: bool = False
    ) -> list[str] | tuple[list[str], list[float]]:
        """Read lines; the same texts as `predict` one by one, in the same order.

        Returns texts, or (texts, confidences).
        """
        results = self.read([self.ways(open_line(img)) for img in imgs])
        found = [text for text, _ in results]
        return (found, [confidence for _, confidence in results]) if return_prob else found

    def ways(self, img: Image.Image) -> Ways:
        """How to read an RGB picture of a line: parts at the network's size, and perhaps other ones to look at again.

        Both are made at once: they are small, and the picture need not be kept until its reading leaves doubt.
        """
        pictures = ways(img, self.spec) if self.wide == "cut" else [[img]]
        return [[line_pixels(part, self.spec) for part in parts] for parts in pictures]

    def read(
        self, lines: Sequence[Ways], progress: Callable[[int], object] = lambda count: None
    ) -> list[tuple[str, float]]:
        """Read lines given as their `ways`. Returns (text, confidence) per line, of the second way where that is surer.

        progress: told of every few lines read the first way.
        """
        results = self._read_parts([first for first, *_ in lines], progress)
        doubtful = [i for i, (_, confidence) in enumerate(results) if confidence < DOUBTFUL and len(lines[i]) > 1]
        again = self._read_parts([lines[i][1] for i in doubtful]) if doubtful else []
        for i, second in zip(doubtful, again):
            results[i] = max(results[i], second, key=lambda result: result[1])
        return results

    def _read_parts(
        self, lines: Sequence[Sequence[np.ndarray]], progress: Callable[[int], object] = lambda count: None
    ) -> list[tuple[str, float]]:
        """Text and confidence of lines in parts: a line is right if all its parts are."""
        owner = [number for number, parts in enumerate(lines) for _ in parts]
        missing = Counter(owner)

        def done(places: Sequence[int]) -> None:
            missing.subtract(owner[place] for place in places)
            progress(sum(missing[number] == 0 for number in {owner[place] for place in places}))

        pixels = [part for parts in lines for part in parts]
        read = iter(self._count_marks(pixels, self._look_again(pixels, self.read_pixels(pixels, done))))
        results = []
        for parts in lines:
            found = [next(read) for _ in parts]
            text = joined([text for text, _ in found if text]) if len(parts) > 1 else found[0][0]
            results.append((text, float(np.prod([confidence for _, confidence in found]))))
        return results

    def _look_again(self, lines: Sequence[np.ndarray], readings: list[tuple[str, float]]) -> list[tuple[str, float]]:
        """The readings, of lines at the network's size, after other looks at those in doubt."""
        looks = LOOKS[: self.again]
        doubtful = [i for i, (_, confidence) in enumerate(readings) if confidence < DOUBTFUL] if looks else []
        if doubtful:
            others = iter(self.read_pixels([look(lines[i], self.spec) for i in doubtful for look in looks]))
            for i in doubtful:
                readings[i] = surest([readings[i], *(next(others) for _ in looks)])
        return readings

    def _count_marks(self, lines: Sequence[np.ndarray], readings: list[tuple[str, float]]) -> list[tuple[str, float]]:
        """The readings, of lines at the network's size, after a closer look at those with rules and leaders."""
        if self.loops != "count":
            return readings
        found = {
            i: leaders for i, (text, _) in enumerate(readings) if (leaders := leaders_in(lines[i], text, self.readable))
        }
        pieces = iter(
            self.read_pixels([piece for leaders in found.values() for piece in leaders.pieces]) if found else []
        )
        for i, leaders in found.items():
            readings[i] = leaders.reading(readings[i], [next(pieces) for _ in leaders.pieces])
        return readings

    def read_pixels(
        self, lines: Sequence[np.ndarray], done: Callable[[Sequence[int]], object] = lambda places: None
    ) -> list[tuple[str, float]]:
        """Read lines already at the network's size: uint8 (height,W,3) each. Returns (text, confidence) per line."""
        return [(text, self.calibration.confidence(reading)) for text, reading in self.read_details(lines, done)]

    def read_details(
        self, lines: Sequence[np.ndarray], done: Callable[[Sequence[int]], object] = lambda places: None
    ) -> list[tuple[str, decode.Reading]]:
        """As `read_pixels`, with each character's class number and probability.

        done: told the places in `lines` of every batch that has been read.
        """
        threads = self.engine.threads
        together = threads > 1 and len(lines) >= 2 * threads
        # Several batches for each thread, so that all end at about the same time.
        most = min(self.batch_size, -(-len(lines) // (4 * threads))) if together else self.batch_size
        batches = _batches([line.shape[1] for line in lines], most)
        results: list[Any] = [None] * len(lines)
        # The decoder's products are small: BLAS threads would only wait for each other, and take cores not given to us.
        with one_blas_thread()():
            for batch, found in self._read_batches(lines, batches, threads if together else 1):
                for place, result in zip(batch, found):
                    results[place] = result
                done(batch)
        return results

    def _read_batches(
        self, lines: Sequence[np.ndarray], batches: Sequence[Sequence[int]], count: int
    ) -> Iterator[tuple[Sequence[int], list[tuple[str, decode.Reading]]]]:
        """Each batch with its results, in order; `count` batches at a time."""

        def read(engine: Engine, batch: Sequence[int]) -> list[tuple[str, decode.Reading]]:
            pixels = np.stack([lines[place] for place in batch])
            return read_lines(
                engine,
                self.decoder,
                self.meta.chars,
                pixels,
                self.beam,
                self.follow_states,
                self.refused,
                self.loops,
                None if self.spelling is None else self._with_words,
            )

        if count == 1:
            yield from ((batch, read(self.engine, batch)) for batch in batches)
            return
        free: SimpleQueue[Engine] = SimpleQueue()

        def read_beside(batch: Sequence[int]) -> list[tuple[str, decode.Reading]]:
            engine = free.get()
            try:
                return read(engine, batch)
            finally:
                free.put(engine)

        with self.engine.side_by_side(count) as engines, ThreadPoolExecutor(count) as pool:
            for engine in engines:
                free.put(engine)
            yield from zip(
                batches, pool.map(read_beside, batches)
            )  # which gives up those not begun when it is interrupted

    def _with_words(self, reading: decode.Reading, memory: np.ndarray, hidden: np.ndarray) -> decode.Reading:
        """A line's greedy reading, or where it leaves doubt that of a search with the words of the language."""
        # A leader's marks are no words, and the search would not know when to stop.
        if reading.looped or not reading.end or self.calibration.confidence(reading) >= DOUBTFUL:
            return reading
        return search(self.decoder, memory, hidden, self.spelling, refused=self.refused) or reading
