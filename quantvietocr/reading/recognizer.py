"""From pixels to text: an engine, a decoder, threads and batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import numpy as np

from ..checkpoint.types import Checkpoint
from ..engines.base import Encoder
from . import decode

Second = Callable[
    [decode.Reading, np.ndarray, np.ndarray], decode.Reading
]  # greedy, memory (1,S,2E), hidden (1,D) → final


def _batches(widths: Sequence[int], most: int) -> list[list[int]]:
    """Places of lines of one width, at most `most` together, the widest first: long work begun last is waited for."""
    by_width: dict[int, list[int]] = defaultdict(list)
    for place, width in enumerate(widths):
        by_width[width].append(place)
    return [
        places[start : start + most]
        for _, places in sorted(by_width.items(), reverse=True)
        for start in range(0, len(places), most)
    ]


def decoder_of(checkpoint: Checkpoint) -> decode.Decoder:
    """The decoder of any checkpoint, int8 weights multiplied out."""
    names = [
        name for name in checkpoint.tensors if name.startswith("transformer.decoder.") and not name.endswith(".scale")
    ]
    return decode.Decoder({name: checkpoint.weight(name) for name in names})


@cache
def one_blas_thread() -> Callable[[], AbstractContextManager]:
    """NumPy's BLAS with one thread while it lasts. Without threadpoolctl (the light install) BLAS keeps the setting that
    it was loaded with, OPENBLAS_NUM_THREADS; the results are the same."""
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:
        return nullcontext
    controller = ThreadpoolController()
    return lambda: controller.limit(limits=1, user_api="blas")


def read_lines(
    engine: Encoder,
    decoder: decode.Decoder,
    chars: str,
    pixels: np.ndarray,
    beam: int = 0,
    follow_states: bool = True,
    refused: np.ndarray | None = None,
    loops: str = "count",
    second: Second | None = None,
) -> list[tuple[str, decode.Reading]]:
    """Read uint8 pixels (N,H,W,3) of one width: text and per-character probabilities of each line.

    second: makes the final reading of each greedy one, given the encoder's outputs of that line.
    """
    memory, hidden = engine.encode(pixels)
    if beam:
        readings = decode.beam(decoder, memory, hidden, beam, follow_states=follow_states, refused=refused)
    else:
        readings = decode.greedy(decoder, memory, hidden, refused=refused, drop_loops=loops != "keep")
        if second is not None:
            readings = [second(found, memory[i : i + 1], hidden[i : i + 1]) for i, found in enumerate(readings)]
    return list(zip(decode.texts(readings, chars), readings))
