"""A pool of workers, in which a killed one is replaced and its page tried once more."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import wait

from ..errors import UserError
from .documents import Document, as_text
from .reader import OpenReader
from .schema import Row, error_row
from .worker import COUNT, DEFECT, DONE, FAILED, READY, ROWS, Task, Worker, start_worker

AHEAD = 2  # tasks that a worker has: one that it is at work on, one that waits for it
MAX_TRIES = 2  # workers that may die of a page before it is marked
PAGE_SECONDS = 600.0  # that a page may take; then its worker is taken for stuck
MAX_EARLY_DEATHS = 3  # workers in a row that die before their reader is open
GLANCE = 1.0  # seconds between looks at whether a worker is stuck


class PoolError(UserError):
    """Workers cannot work at all; the message says why."""


class Pool:
    """Workers that read documents side by side.

    Pages in flight are bounded: each worker has at most AHEAD tasks, and no more are taken from the source.

    Args:
        open_reader: opens a worker's reader; is sent to it.
        workers: how many processes.
        page_seconds: that a page may take.

    Attributes:
        about: what the first reader said of itself.
        deaths: how many workers were replaced.
    """

    def __init__(self, open_reader: OpenReader, workers: int, page_seconds: float = PAGE_SECONDS) -> None:
        self.open_reader, self.page_seconds = open_reader, page_seconds
        self.about: list[str] = []
        self.deaths = self.early_deaths = 0
        self.retries: deque[Task] = deque()
        self.workers = [start_worker(open_reader) for _ in range(workers)]

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *failure: object) -> None:
        for worker in self.workers:
            worker.end()
        self.workers = []

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.process.pid or 0 for worker in self.workers]

    def read(self, tasks: Iterator[list[Document]]) -> Iterator[list[Row]]:
        """Read documents.

        Args:
            tasks: the documents that a worker reads at a time: one of pages; or several lines.

        Returns:
            Rows as they come; each page of each document has one, once.

        Raises:
            PoolError: workers do not start.
            UserError: what a worker met concerns every page.
        """
        while self._feed(tasks):
            busy = {worker.connection: worker for worker in self.workers if worker.tasks or not worker.is_ready}
            for connection in wait(list(busy), GLANCE):
                yield from self._hear(busy[connection])  # type: ignore[index]  # these are what was given
            self._end_stuck()

    def _feed(self, tasks: Iterator[list[Document]]) -> bool:
        """Give every worker what it has room for; whether anything is in flight."""
        for ahead in range(AHEAD):  # all get a first task before one gets a second
            for worker in self.workers:
                if len(worker.tasks) > ahead:
                    continue
                if self.retries:
                    worker.give(self.retries.popleft())
                elif (documents := next(tasks, None)) is not None:
                    worker.give(Task(documents))
        return any(worker.tasks for worker in self.workers)

    def _hear(self, worker: Worker) -> Iterator[list[Row]]:
        """Take what a worker says."""
        try:
            kind, message = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._replace(worker)
            return
        worker.heard = time.monotonic()
        if kind == ROWS:
            self._note(worker.tasks[0], message)
            yield message
        elif kind == COUNT:
            worker.tasks[0].pages = message
        elif kind == DONE:
            worker.tasks.popleft()
        elif kind == READY:
            worker.is_ready, self.early_deaths = True, 0
            self.about = self.about or message
        elif kind == FAILED:
            raise PoolError(message)
        elif kind == DEFECT:
            raise RuntimeError(f"a worker failed:\n{message}")

    @staticmethod
    def _note(task: Task, rows: list[Row]) -> None:
        """Note which pages have come: if the worker dies, only the others are read again."""
        if len(task.documents) == 1:
            (document,) = task.documents
            task.documents = [replace(document, done=document.done | {row["page"] for row in rows})]
            task.pages = rows[-1]["pages"] or 1  # a document that could not be opened has one row
        else:
            have_rows = {row["uri"] for row in rows}
            task.documents = [one for one in task.documents if as_text(one.uri) not in have_rows]
        task.tries = 0

    def _replace(self, worker: Worker) -> Iterator[list[Row]]:
        """Put a new worker in the place of one that has died. What it was at work on is tried again, or marked."""
        why, tasks = worker.death(self.page_seconds), list(worker.tasks)
        self.deaths += 1
        if not worker.is_ready:
            self.early_deaths += 1
            if self.early_deaths >= MAX_EARLY_DEATHS * len(self.workers):
                raise PoolError(f"The workers end while they start ({why}): is there memory enough for --workers?")
        worker.end()
        self.workers[self.workers.index(worker)] = start_worker(self.open_reader)
        at_work = tasks[:1] if worker.is_ready else []
        self.retries.extendleft(reversed(tasks[len(at_work) :]))
        for task in at_work:
            yield from self._try_again(task, why)

    def _try_again(self, task: Task, why: str) -> Iterator[list[Row]]:
        tries = task.tries + 1
        if not task.documents:  # it died after its last row
            return
        if len(task.documents) > 1:  # one of them may be to blame: each for itself
            self.retries.extend(Task([document], tries) for document in task.documents)
            return
        (document,) = task.documents
        if task.pages and len(document.done) >= task.pages:  # it died after its last page
            return
        if tries >= MAX_TRIES:
            page = next((one for one in range(1, task.pages + 1) if one not in document.done), 0)
            where = f"{document.uri}, page {page}" if task.pages > 1 else document.uri
            sentence = f"{where}: {tries} workers ended while they read it ({why}); look at the file."
            yield [error_row(document.uri, sentence, page, task.pages)]
            document, tries = replace(document, done=document.done | {page}), 0
            if len(document.done) >= task.pages:
                return
        self.retries.append(Task([document], tries, task.pages))

    def _end_stuck(self) -> None:
        """Kill the workers of which a page takes too long; their closed pipes say the rest."""
        now = time.monotonic()
        for worker in self.workers:
            if worker.is_ready and worker.tasks and now - worker.heard > self.page_seconds:
                worker.overdue = True
                worker.process.kill()


def grouped(documents: Iterator[Document], size: int) -> Iterator[list[Document]]:
    """Documents in groups of a size, the last perhaps smaller."""
    group: list[Document] = []
    for document in documents:
        group.append(document)
        if len(group) >= size:
            yield group
            group = []
    if group:
        yield group
