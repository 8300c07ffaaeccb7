"""Uploads take turns: one page is read at a time, in the order in which they are complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

MAX_UPLOADS = 16  # in memory at once: coming in, waiting, or read


class Full(Exception):
    """As many uploads are here as may be."""


class Turns:
    """First come, first served. A ticket is a name by which its holder asks meanwhile how many are before it."""

    def __init__(self) -> None:
        self.places = MAX_UPLOADS
        self.line: dict[object, str] = {}  # in order; the first is being read
        self.lock = asyncio.Lock()  # fair: it wakes who came first

    def ahead(self, ticket: str) -> int | None:
        """How many are before this ticket, 0 while it is read; None where nobody in the line holds it."""
        return next((index for index, held in enumerate(self.line.values()) if held == ticket), None)

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for an upload, as long as the block lasts. Raises Full."""
        if not self.places:
            raise Full
        self.places -= 1
        try:
            yield
        finally:
            self.places += 1

    @asynccontextmanager
    async def turn(self, ticket: str) -> AsyncIterator[None]:
        """Waits in the line; the block is the turn."""
        key = object()  # two may hold tickets of one name
        self.line[key] = ticket
        try:
            async with self.lock:
                yield
        finally:
            del self.line[key]
