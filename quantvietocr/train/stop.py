"""How a run is stopped from outside: after the step it is in, with its state saved."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

from ..errors import Terminated

__all__ = ["StopRequests", "Terminated"]

ECHO_SECONDS = 5.0  # one Ctrl-C may arrive twice within this time: from the terminal, and through torchrun


class StopRequests:
    """Turns the first SIGINT (Ctrl-C) or SIGTERM into a wish to stop; the loop looks at `asked` after each step.

    A second SIGINT stops at once. A second SIGTERM changes nothing: who sends it sends SIGKILL if it lasts too long.
    In another thread than the main one, where Python allows no handlers, signals are left alone.

    Args:
        echoes: the same request may arrive again within `ECHO_SECONDS` (several processes under torchrun).
    """

    def __init__(self, echoes: bool = False) -> None:
        self.echoes = echoes
        self.number: int | None = None  # of the signal that came first
        self._asked_at = 0.0
        self._handlers_before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self.number is not None

    @property
    def by_sigterm(self) -> bool:
        """Whether the first signal was SIGTERM."""
        return self.number == signal.SIGTERM

    def __enter__(self) -> StopRequests:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers_before[number] = signal.signal(number, self._on_signal)
        return self

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.number, self._asked_at = number, time.monotonic()
        elif number == signal.SIGINT and not (self.echoes and time.monotonic() - self._asked_at <= ECHO_SECONDS):
            raise KeyboardInterrupt

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
