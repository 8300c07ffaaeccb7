"""Documents that take longer than anybody waits: their pages are read one by one, and asked for later."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from .batching import FullError

MAX_OPEN = 16  # jobs that are not done: each holds its upload in memory
MAX_KEPT = 200  # jobs that are done and can be asked for
KEPT_SECONDS = 3600.0  # that a job which is done can be asked for


@dataclass(eq=False)
class Job:
    """A document that is read in the background.

    Attributes:
        name: of its file.
        owner: the name of the key that brought it; others do not see it.
        count: of its pages.
        number: by which it is asked for.
        pages: what was read, in order; a page that could not be read is {"page", "error"}.
        ended: when it was done, by `time.monotonic`; None while it is not.
    """

    name: str
    owner: str
    count: int
    number: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    pages: list[dict[str, Any]] = field(default_factory=list)
    ended: float | None = None

    def to_json(self) -> dict[str, Any]:
        """What GET /v1/jobs/ answers."""
        state = "running" if self.ended is None else "done"
        return {"id": self.number, "name": self.name, "state": state, "count": self.count, "pages": self.pages}


class Jobs:
    """The jobs of a service. They are in memory: none outlives it."""

    def __init__(self) -> None:
        self.all: dict[str, Job] = {}

    @property
    def open(self) -> int:
        """How many are not done."""
        return sum(job.ended is None for job in self.all.values())

    def add(self, name: str, owner: str, count: int, page_seconds: float) -> Job:
        """A new job. Raises FullError where too many are open; `page_seconds` says for about how long."""
        self._forget()
        if self.open >= MAX_OPEN:
            left = min(job.count - len(job.pages) for job in self.all.values() if job.ended is None)
            raise FullError(max(1.0, left * page_seconds * self.open))
        job = Job(name, owner, count)
        self.all[job.number] = job
        return job

    def find(self, number: str, owner: str) -> Job | None:
        """The job of that number, None where this owner has none."""
        self._forget()
        job = self.all.get(number)
        return job if job is not None and job.owner == owner else None

    def _forget(self) -> None:
        """Let go of what was done long ago, and of the oldest where there are too many."""
        now = time.monotonic()
        ended = sorted((job.ended, number) for number, job in self.all.items() if job.ended is not None)
        surplus = len(ended) - MAX_KEPT
        for index, (when, number) in enumerate(ended):
            if index < surplus or now - when > KEPT_SECONDS:
                del self.all[number]
