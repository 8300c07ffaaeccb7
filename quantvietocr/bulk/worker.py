"""A worker: a process with a reader of its own, that reads what comes in on a pipe until the pipe is closed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from types import ModuleType

from ..errors import UserError
from .documents import Document
from .reader import OpenReader

#: What a worker's process finds in its environment, before NumPy and torch load: one thread, since more would only wait
#: for each other, and a C library that gives memory back.
SURROUNDINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "MALLOC_ARENA_MAX": "2",  # glibc's arenas keep what they had; one for each of a worker's threads is waste
    "MALLOC_MMAP_THRESHOLD_": "4000000",  # bytes; larger blocks go back to the system when they are freed
}
READY, FAILED, DEFECT, COUNT, ROWS, DONE = range(6)  # what a worker says


@dataclass(eq=False)
class Task:
    """What a worker reads at a time.

    Attributes:
        documents: one of pages; or several lines.
        tries: how often a worker ended while it was at work on it.
        pages: of the document; 0 while that is not known.
    """

    documents: list[Document]
    tries: int = 0
    pages: int = 0


@dataclass(eq=False)
class Worker:
    """A running worker, as its master sees it.

    Attributes:
        process: of the system.
        connection: the master's end of its pipe.
        tasks: what it was given, in order; it is at work on the first.
        heard: when it last said something, by `time.monotonic`.
        is_ready: whether its reader is open.
        overdue: whether it was ended because a page took too long.
    """

    process: BaseProcess
    connection: Connection
    tasks: deque[Task] = field(default_factory=deque)
    heard: float = field(default_factory=time.monotonic)
    is_ready: bool = False
    overdue: bool = False

    def give(self, task: Task) -> None:
        """Send a task. Where the worker has died, its master learns so from the closed pipe."""
        if not self.tasks:
            self.heard = time.monotonic()
        self.tasks.append(task)
        try:
            self.connection.send(task.documents)
        except OSError:
            return

    def end(self, at_once: bool = True) -> None:
        """Close its pipe, at which it ends, or kill it; and wait until it is gone."""
        self.connection.close()
        if at_once:
            self.process.kill()
        self.process.join()
        self.process.close()

    def death(self, limit: float) -> str:
        """How it ended, once it has; `limit` are the seconds that a page may take."""
        if self.overdue:
            return f"it took longer than {limit:.0f} s"
        self.process.join()
        code = self.process.exitcode or 0
        return (
            f"signal {-code}" + (" (out of memory?)" if code == -signal.SIGKILL else "") if code < 0 else f"code {code}"
        )


def start_worker(open_reader: OpenReader) -> Worker:
    """Start a worker, which opens its reader by this function."""
    context = multiprocessing.get_context("spawn")  # a fork would take torch's threads along, and not their locks
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, open_reader), daemon=True)
    with _for_workers():
        process.start()
    theirs.close()
    return Worker(process, ours)


@contextmanager
def _for_workers() -> Iterator[None]:
    """What processes that are started in the block find: `SURROUNDINGS`, and a program that they need not import."""
    before = {name: os.environ.get(name) for name in SURROUNDINGS}
    main = sys.modules["__main__"]
    os.environ.update({name: value for name, value in SURROUNDINGS.items() if before[name] is None})
    sys.modules["__main__"] = ModuleType("__main__")  # else Ray's, or whatever runs here, is imported once more in each
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]


def work(connection: Connection, open_reader: OpenReader) -> None:
    """Read what comes, until the master closes the pipe or dies. This is a worker's whole life.

    Args:
        connection: the worker's end of the pipe.
        open_reader: opens what reads.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the master ends its workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    incoming = _incoming(connection)
    try:
        reader = open_reader()
        connection.send((READY, reader.about))
        for documents in incoming:
            for message in reader.read(documents):
                connection.send((COUNT if isinstance(message, int) else ROWS, message))
            connection.send((DONE, None))
    except UserError as error:  # it concerns every page: weights that are none, a package that is missing
        connection.send((FAILED, str(error)))
    except (BrokenPipeError, ConnectionResetError):  # the master is gone
        return
    except Exception:
        import traceback

        connection.send((DEFECT, traceback.format_exc()))


def _incoming(connection: Connection) -> Iterator[list[Document]]:
    """The documents that come in. A thread takes them from now on, so that the master never waits for this worker."""
    arrived: SimpleQueue[list[Document]] = SimpleQueue()

    def take_in() -> None:
        try:
            while True:
                arrived.put(connection.recv())
        except (EOFError, OSError):
            os._exit(0)  # the master has closed the pipe, or died: nobody waits for the page at hand

    threading.Thread(target=take_in, daemon=True).start()
    return iter(arrived.get, [])  # nobody sends an empty list: it goes on until the process ends
