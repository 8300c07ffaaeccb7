"""Lines of many requests are read together: the network is faster on batches than on one line after another."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from ..pictures.image import Source, open_line

MAX_TOGETHER = 64  # lines that are read at a time; more would make the first ones wait without a gain
MAX_WAIT_MS = 5.0  # milliseconds that a line waits for company
MAX_WAITING = 2048  # lines that wait; a request that would bring more is sent away
NEWEST = 0.2  # weight of the last batch in the mean time of a line


class FullError(Exception):
    """There is no room for more now.

    Attributes:
        seconds: after which there is likely to be.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"full for {seconds:.0f} s")
        self.seconds = seconds


@dataclass(eq=False)
class _Request:
    """Lines that came together.

    Attributes:
        future: gets their readings, in order.
        readings: those that are there, by index.
        count: how many there are to be.
    """

    future: Future
    count: int
    readings: dict[int, Any] = field(default_factory=dict)


class Batcher:
    """Reads lines in a thread of its own, those of several requests together. First come, first served.

    Args:
        predictor: reads lines, as `Predictor` does.
        max_wait_ms: milliseconds that a line waits for company, where nothing is being read.
        max_together: lines that are read at a time.
        max_waiting: lines that may wait.

    Attributes:
        waiting: how many lines wait.
        line_seconds: mean time of a line in the last batches; 0 before the first.
        batches, lines: how many were read.
    """

    def __init__(
        self,
        predictor: Any,
        max_wait_ms: float = MAX_WAIT_MS,
        max_together: int = MAX_TOGETHER,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self.predictor = predictor
        self.max_wait, self.max_together, self.max_waiting = max_wait_ms / 1000, max_together, max_waiting
        self.line_seconds, self.batches, self.lines = 0.0, 0, 0
        self._queue: deque[tuple[Any, _Request, int]] = deque()
        self._changed = threading.Condition()
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many lines wait."""
        return len(self._queue)

    def submit(self, candidates: Sequence[Any]) -> Future:
        """Ask for lines, given as `Predictor.candidates_of` them.

        Args:
            candidates: of each line.

        Returns:
            A future of the list of their `LineText`.

        Raises:
            FullError: too many lines wait.
        """
        future: Future = Future()
        if not candidates:
            future.set_result([])
            return future
        request = _Request(future, len(candidates))
        with self._changed:
            # A request larger than the whole queue is taken where nothing waits.
            if self._queue and len(self._queue) + len(candidates) > self.max_waiting:
                raise FullError(max(1.0, len(self._queue) * self.line_seconds))
            self._queue.extend((one, request, index) for index, one in enumerate(candidates))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Read what waits, then stop."""
        with self._changed:
            self._is_open = False
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._next():
            started = time.perf_counter()
            try:
                readings = self.predictor.lines_from_candidates([one for one, _, _ in batch])
            except Exception as error:  # a defect in one line must not end the thread: all of the batch learn of it
                for _, request, _ in batch:
                    if not request.future.done():
                        request.future.set_exception(error)
                continue
            seconds = (time.perf_counter() - started) / len(batch)
            self.line_seconds = NEWEST * seconds + (1 - NEWEST) * (self.line_seconds or seconds)
            self.batches += 1
            self.lines += len(batch)
            for (_, request, index), reading in zip(batch, readings):
                request.readings[index] = reading
                if len(request.readings) == request.count and not request.future.done():
                    request.future.set_result([request.readings[number] for number in range(request.count)])

    def _next(self) -> list[tuple[Any, _Request, int]]:
        """The next lines to read; none where the batcher is closed and nothing waits."""
        with self._changed:
            while not self._queue and self._is_open:
                self._changed.wait()
            until = time.monotonic() + self.max_wait
            while self._is_open and len(self._queue) < self.max_together:
                left = until - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            count = min(len(self._queue), self.max_together)
            return [self._queue.popleft() for _ in range(count)]


class BatchedPredictor:
    """What `receipt.read.read_page` takes as a predictor: its lines are read together with those of other requests.

    Args:
        predictor: makes the network's input of pictures.
        batcher: reads it.
    """

    def __init__(self, predictor: Any, batcher: Batcher) -> None:
        self.predictor, self.batcher = predictor, batcher

    def predict_batch(self, imgs: Sequence[Source], return_prob: bool = False) -> Any:
        """See `Predictor.predict_batch`. A page that has been let in is not sent away for want of room: it waits."""
        candidates = [self.predictor.candidates_of(open_line(one)) for one in imgs]
        while True:
            try:
                lines = self.batcher.submit(candidates).result()
                break
            except FullError:
                time.sleep(self.batcher.max_wait + 0.05)
        texts = [line.text for line in lines]
        return (texts, [line.confidence for line in lines]) if return_prob else texts
