"""Readers taking turns at being timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm


class Milliseconds:
    """Has `ms`, the milliseconds of each timed call."""

    ms: tuple[float, ...]

    @property
    def median(self) -> float:
        return float(np.median(self.ms))

    @property
    def quartiles(self) -> tuple[float, float]:
        """Between which the middle half of the calls lies."""
        low, high = np.percentile(self.ms, [25, 75])
        return float(low), float(high)


FLOAT, INT8, SLIM = range(3)  # which of the files that a benchmark is given: the float one, the int8 one, the slim one
#: Name → the file that it reads, in the order of the rows. `Missing.reader` and `Timed.name` are of these. AsterOCR
#: reads its own file.
READERS = {
    "VietOCR": FLOAT,
    "torch float": FLOAT,
    "ONNX Runtime float": FLOAT,
    "OpenVINO float32": FLOAT,
    "OpenVINO float": FLOAT,
    "torch int8": INT8,
    "ONNX Runtime int8": INT8,
    "OpenVINO int8": INT8,
    "torch slim": SLIM,
    "ONNX Runtime slim": SLIM,
    "OpenVINO slim": SLIM,
    "AsterOCR": FLOAT,
}
#: Kinds of readers that are not this project's.
FOREIGN = ("VietOCR", "AsterOCR")


#: What `stages` measures; a runtime that runs CNN and encoder as one graph has "CNN + encoder" in their place.
STAGES = ("preprocess", "CNN", "encoder", "CNN + encoder", "decoder")


@dataclass(frozen=True)
class Missing:
    """A reader that does not run here, and why."""

    reader: str
    reason: str


def milliseconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call took, and what it returned."""
    start = time.perf_counter()
    result = call()
    return 1000 * (time.perf_counter() - start), result


def take_turns(
    readers: Sequence[Any], call: Callable[[Any], Any], repeats: int, warm_ups: int, bar: tqdm, lines: int = 1
) -> list[list[tuple[float, Any]]]:
    """Time each reader's calls. The readers take turns, so that whatever else the machine does falls on all of them.

    Args:
        readers: what `call` takes.
        call: what is timed.
        repeats: rounds that count.
        warm_ups: rounds before these that do not count.
        bar: is told of each call.
        lines: how many lines a call reads, for the bar.

    Returns:
        For each reader (ms, result) of each timed call.
    """
    taken: list[list[tuple[float, Any]]] = [[] for _ in readers]
    for number in range(warm_ups + repeats):
        for index, reader in enumerate(readers):
            timed = milliseconds(partial(call, reader))
            if number >= warm_ups:
                taken[index].append(timed)
            bar.update(lines)
    return taken
