"""From pixels to readings: an engine, a decoder, threads and batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from queue import SimpleQueue

import numpy as np

from ..checkpoint.types import Checkpoint
from ..engines.base import Encoded, Encoder, Engine
from . import decode
from .beam import beam_search
from .decoder import Decoder
from .seq2seq_decoder import Seq2SeqDecoder
from .transformer_decoder import TransformerDecoder

#: Makes the final reading of a line from its greedy one and the encoder's outputs for it.
Refine = Callable[[decode.Reading, Encoded], decode.Reading]

BATCHES_PER_THREAD = 4  # at least: all threads then end at about the same time


@dataclass(frozen=True)
class Decoding:
    """How the encoder's outputs become characters.

    Attributes:
        beam: Width of the beam search; 0 decodes greedily.
        follow_states: False makes the beam search read exactly as VietOCR's, which is worse (`beam.beam_search`).
        refused: Class numbers that no reading may hold (`decode.refused_classes`); None refuses none.
        drop_loops: Whether characters that were repeated while attention stood still are left out (`decode.greedy`).
        refine: Makes the final reading of each greedy one; None keeps the greedy ones.
    """

    beam: int = 0
    follow_states: bool = True
    refused: np.ndarray | None = None
    drop_loops: bool = True
    refine: Refine | None = None

    def readings(self, decoder: Decoder, encoded: Encoded, width: int) -> list[decode.Reading]:
        """The reading of each of N lines of one width in pixels, from the encoder's outputs for them."""
        if self.beam:
            return beam_search(decoder, encoded, self.beam, follow_states=self.follow_states, refused=self.refused)
        greedy = decode.greedy(
            decoder,
            encoded,
            refused=self.refused,
            drop_loops=self.drop_loops,
            position_width=width / encoded[0].shape[1],
        )
        if self.refine is None:
            return greedy
        return [self.refine(reading, tuple(part[i : i + 1] for part in encoded)) for i, reading in enumerate(greedy)]


GREEDY = Decoding()


class Recognizer:
    """Reads lines that are already at the network's size, in batches, with as many threads as the engine may use.

    One line, or a few, have all threads. Of more lines, at least two for each thread, every thread reads batches of its
    own.

    Args:
        checkpoint: Holds the decoder's weights, the vocabulary and the image sizes.
        engine: Runs the CNN and the encoder of that checkpoint.
        batch_size: The most lines of one width that run together.
        decoding: How characters are chosen.

    Attributes:
        chars: The characters that the network knows.
        spec: The sizes of picture that the network takes.
    """

    def __init__(
        self, checkpoint: Checkpoint, engine: Engine, batch_size: int = 32, decoding: Decoding = GREEDY
    ) -> None:
        self.chars = checkpoint.meta.chars
        self.spec = checkpoint.meta.image
        self.decoder = decoder_of(checkpoint)
        self.engine = engine
        self.batch_size = batch_size
        self.decoding = decoding

    def recognize(
        self, pixels: Sequence[np.ndarray], done: Callable[[Sequence[int]], object] = lambda indices: None
    ) -> list[tuple[str, decode.Reading]]:
        """Read lines of any widths.

        Args:
            pixels: A line each, uint8 (height,W,3), at the network's size.
            done: Is told the indices in `pixels` of every batch that has been read.

        Returns:
            The text of each line, and its class numbers with their probabilities, in the order of `pixels`.
        """
        threads = self.engine.threads
        together = threads > 1 and len(pixels) >= 2 * threads
        largest = (
            min(self.batch_size, -(-len(pixels) // (BATCHES_PER_THREAD * threads))) if together else self.batch_size
        )
        batches = batches_of_one_width([line.shape[1] for line in pixels], largest)
        results: dict[int, tuple[str, decode.Reading]] = {}
        # The decoder's products are small: BLAS threads would only wait for each other, and take cores not given to us.
        with one_blas_thread()():
            for batch, readings in self._recognize_batches(pixels, batches, threads if together else 1):
                results.update(zip(batch, readings))
                done(batch)
        return [results[index] for index in range(len(pixels))]

    def _recognize_batches(
        self, pixels: Sequence[np.ndarray], batches: Sequence[Sequence[int]], count: int
    ) -> Iterator[tuple[Sequence[int], list[tuple[str, decode.Reading]]]]:
        """Each batch with its readings, in order; `count` batches run at a time."""

        def recognize(engine: Engine, batch: Sequence[int]) -> list[tuple[str, decode.Reading]]:
            stacked = np.stack([pixels[index] for index in batch])
            return recognize_batch(engine, self.decoder, self.chars, stacked, self.decoding)

        if count == 1:
            yield from ((batch, recognize(self.engine, batch)) for batch in batches)
            return
        free: SimpleQueue[Engine] = SimpleQueue()

        def recognize_beside(batch: Sequence[int]) -> list[tuple[str, decode.Reading]]:
            engine = free.get()
            try:
                return recognize(engine, batch)
            finally:
                free.put(engine)

        with self.engine.side_by_side(count) as engines, ThreadPoolExecutor(count) as pool:
            for engine in engines:
                free.put(engine)
            # When it is interrupted, map gives up the batches that have not begun.
            yield from zip(batches, pool.map(recognize_beside, batches))


def recognize_batch(
    engine: Encoder, decoder: Decoder, chars: str, pixels: np.ndarray, decoding: Decoding = GREEDY
) -> list[tuple[str, decode.Reading]]:
    """Read lines of one width.

    Args:
        engine: Runs the CNN and the encoder.
        decoder: Chooses the characters.
        chars: The characters that the network knows.
        pixels: The lines, uint8 (N,H,W,3).
        decoding: How characters are chosen.

    Returns:
        The text of each line, and its class numbers with their probabilities.
    """
    readings = decoding.readings(decoder, engine.encode(pixels), pixels.shape[2])
    return list(zip(decode.texts(readings, chars), readings))


def batches_of_one_width(widths: Sequence[int], largest: int) -> list[list[int]]:
    """Indices of lines of one width, at most `largest` together.

    The widest come first: the others would wait for a long batch that was begun last.
    """
    by_width: dict[int, list[int]] = defaultdict(list)
    for index, width in enumerate(widths):
        by_width[width].append(index)
    return [
        indices[start : start + largest]
        for _, indices in sorted(by_width.items(), reverse=True)
        for start in range(0, len(indices), largest)
    ]


#: Makes the decoder of a checkpoint, by the network's `seq_modeling`.
DECODERS: dict[str, Callable[[Checkpoint], Decoder]] = {
    "seq2seq": Seq2SeqDecoder.of,
    "transformer": TransformerDecoder.of,
}


#: Networks whose attention tells at which place of the line a character stands.
LOCATING = ("seq2seq",)


def decoder_of(checkpoint: Checkpoint) -> Decoder:
    """The decoder of any checkpoint, int8 weights multiplied out."""
    return DECODERS[checkpoint.meta.seq_modeling](checkpoint)


@cache
def one_blas_thread() -> Callable[[], AbstractContextManager]:
    """Makes contexts in which NumPy's BLAS uses one thread.

    Without threadpoolctl (the light install) BLAS keeps the setting that it was loaded with, OPENBLAS_NUM_THREADS. The
    results are the same.
    """
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:
        return nullcontext
    controller = ThreadpoolController()
    return lambda: controller.limit(limits=1, user_api="blas")
