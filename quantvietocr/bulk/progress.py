"""The line that says how far a job is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..common.wording import counted

TERMINAL_SECONDS, LOG_SECONDS = 0.5, 30.0  # between lines: on a terminal, where each replaces the last; elsewhere


@dataclass
class Tally:
    """What became of a job.

    Attributes:
        pages: rows that this run has got.
        failed: how many of them are of pages that could not be read.
        documents: how many documents this run has come to, those finished before among them.
        kept: rows that were there before.
        kept_errors: how many of them are of pages that could not be read.
        twice: documents that were named more than once, and read once.
        deaths: workers that were replaced.
    """

    pages: int = 0
    failed: int = 0
    documents: int = 0
    kept: int = 0
    kept_errors: int = 0
    twice: int = 0
    deaths: int = 0

    @property
    def error_rate(self) -> float:
        """Share of all the job's pages that could not be read."""
        return (self.failed + self.kept_errors) / max(self.pages + self.kept, 1)

    def __str__(self) -> str:
        parts = [f"{counted(self.pages - self.failed, 'page')} read"]
        parts += [f"{self.kept} finished before and kept"] if self.kept else []
        failed = self.failed + self.kept_errors
        parts += [f"{failed} of all could not be read"] if failed else []
        parts += [f"{counted(self.twice, 'document')} named more than once"] if self.twice else []
        parts += [f"{counted(self.deaths, 'worker')} replaced"] if self.deaths else []
        return ", ".join(parts)


@dataclass
class Progress:
    """Writes the line, now and then.

    Args:
        total: documents there are; None where nobody knows.
        say: takes a line where stderr is no terminal.
    """

    total: int | None
    say: Callable[[object], None]
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    first_documents: int | None = None  # documents that were through when the first page was read
    is_open: bool = False

    def show(self, tally: Tally) -> None:
        """Write the line, if it is time."""
        now = time.monotonic()
        if self.first_documents is None:
            self.first_documents = tally.documents
        terminal = sys.stderr.isatty()
        if now - self.last < (TERMINAL_SECONDS if terminal else LOG_SECONDS):
            return
        self.last = now
        line = self.line(tally, now)
        if terminal:
            sys.stderr.write(f"\r{line}\033[K")
            sys.stderr.flush()
            self.is_open = True
        else:
            self.say(line)

    def line(self, tally: Tally, now: float) -> str:
        """How far it is: pages, pages/s, error rate, the time that is left."""
        seconds = max(now - self.began, 1e-9)
        parts = [counted(tally.pages, "page"), f"{tally.pages / seconds:.2f} pages/s"]
        parts.append(f"{tally.error_rate:.2%} errors")
        fresh = tally.documents - (self.first_documents or 0)
        if self.total is not None and fresh > 0:
            left = max(self.total - tally.documents, 0) * seconds / fresh
            parts.append(f"{tally.documents}/{self.total} documents, about {_duration(left)} left")
        return " · ".join(parts)

    def close(self) -> None:
        """Leave the line on the terminal as it is."""
        if self.is_open:
            sys.stderr.write("\n")
            self.is_open = False


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
