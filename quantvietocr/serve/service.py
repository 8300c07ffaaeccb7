"""What the API does: pictures of lines and documents in, what is read on them out, those of many requests together."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..common.files import reader_name
from ..errors import UserError
from ..pictures.boxes import Box
from ..pictures.image import ImageError, open_line, source_name
from ..receipt.detect import Detector
from ..receipt.pages import PageFile
from ..receipt.read import read_page
from .batching import BatchedPredictor, Batcher, FullError
from .jobs import Job, Jobs

MAX_REQUESTS = 64  # that are in memory at once: coming in, waiting, or read
MAX_PAGES_AT_ONCE = 4  # of a document that is read while its sender waits; a longer one becomes a job
FIRST_PAGE_SECONDS = 3.0  # taken for the time of a page until one was read
NEWEST = 0.2  # weight of the last page in the mean time of a page


@dataclass(frozen=True)
class Limits:
    """What is taken.

    Attributes:
        max_bytes: of a request.
        max_files: of lines in a request.
        max_requests: at once.
    """

    max_bytes: int = 20 * 2**20
    max_files: int = 256
    max_requests: int = MAX_REQUESTS


class LockedDetector:
    """One detector for several threads, which take turns; it uses all of the cores by itself.

    Args:
        detector: what finds lines.
    """

    def __init__(self, detector: Detector) -> None:
        self.detector, self.name, self.lock = detector, detector.name, threading.Lock()

    def find(self, page: Image.Image) -> list[Box]:
        """See Detector."""
        with self.lock:
            return self.detector.find(page)


class Service:
    """Reads for the API.

    Args:
        weights: the checkpoint's file, for the name of the reader.
        predictor: reads lines.
        detector: finds them.
        max_wait_ms: milliseconds that a line waits for company.
        limits: what is taken.

    Attributes:
        jobs: documents that are read in the background.
        is_stopping: whether no more is to come.
        requests: how many are here.
        page_seconds: mean time of a page lately.
    """

    def __init__(
        self,
        weights: str | os.PathLike,
        predictor: Any,
        detector: Detector,
        max_wait_ms: float,
        limits: Limits = Limits(),
    ) -> None:
        self.predictor, self.limits = predictor, limits
        self.reader = reader_name(weights) if Path(weights).is_file() else str(weights)
        self.detector = LockedDetector(detector)
        self.batcher = Batcher(predictor, max_wait_ms)
        self.jobs = Jobs()
        self.is_stopping = False
        self.requests = 0
        self.page_seconds = FIRST_PAGE_SECONDS
        self._pdf = threading.Lock()  # PDFium is made for one thread
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._pages = ThreadPoolExecutor(cores, "pages")
        self._pictures = ThreadPoolExecutor(cores, "pictures")
        self._tasks: set[asyncio.Task] = set()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for a request, as long as the block lasts. Raises FullError."""
        if self.requests >= self.limits.max_requests:
            waiting = self.batcher.waiting * self.batcher.line_seconds
            raise FullError(max(1.0, waiting))
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    async def read_lines(self, files: Sequence[tuple[str, bytes]]) -> list[dict[str, Any] | UserError]:
        """Read pictures of one line each.

        Args:
            files: name and bytes of each.

        Returns:
            Of each {"name", "text", "confidence"}, or what is wrong with it.

        Raises:
            FullError: too many lines wait.
        """
        loop = asyncio.get_running_loop()
        opened = await asyncio.gather(*(loop.run_in_executor(self._pictures, self._opened, *one) for one in files))
        good = [one for one in opened if not isinstance(one, UserError)]
        readings = iter(await asyncio.wrap_future(self.batcher.submit(good)))
        answers: list[dict[str, Any] | UserError] = []
        for (name, _), one in zip(files, opened):
            if isinstance(one, UserError):
                answers.append(one)
                continue
            line = next(readings)
            answers.append({"name": name, "text": line.text, "confidence": round(line.confidence, 4)})
        return answers

    def _opened(self, name: str, content: bytes) -> Any:
        """The network's input of a picture, or what is wrong with it."""
        try:
            return self.predictor.candidates_of(open_line(content))
        except ImageError as error:
            return _named(error, content, name)

    async def open_document(self, name: str, content: bytes) -> PageFile:
        """A document whose pages are counted. Raises UserError."""
        return await asyncio.get_running_loop().run_in_executor(self._pictures, self._document, name, content)

    def _document(self, name: str, content: bytes) -> PageFile:
        file = PageFile(name, content)
        try:
            with self._pdf:
                _ = file.count  # it is kept
        except ImageError as error:
            raise _named(error, content, name) from error
        return file

    async def read_pages(self, file: PageFile, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Read pages of a document side by side.

        Args:
            file: the document.
            numbers: of its pages, from 1.

        Returns:
            `Page.to_json` of each; of one that cannot be read {"page": its number, "error": a sentence}.
        """
        loop = asyncio.get_running_loop()
        return list(await asyncio.gather(*(loop.run_in_executor(self._pages, self._page, file, n) for n in numbers)))

    def _page(self, file: PageFile, number: int) -> dict[str, Any]:
        started = time.perf_counter()
        try:
            with self._pdf:
                picture, dpi = file.open(number)
            page = read_page(
                picture,
                BatchedPredictor(self.predictor, self.batcher),
                self.detector,
                source=file.path,
                number=number,
                count=file.count,
                dpi=dpi,
                source_sha256=file.sha256,
                reader=self.reader,
            )
        except UserError as error:
            assert file.content is not None
            return {"page": number, "error": str(_named(error, file.content, file.path))}
        spent = time.perf_counter() - started
        self.page_seconds = NEWEST * spent + (1 - NEWEST) * self.page_seconds
        return page.to_json()

    def start_job(self, file: PageFile, owner: str, done: Callable[[dict[str, Any]], None]) -> Job:
        """Read a document in the background.

        Args:
            file: the document.
            owner: the name of the key that brought it.
            done: takes each page that was read.

        Returns:
            The job.

        Raises:
            FullError: too many are open.
        """
        job = self.jobs.add(file.path, owner, file.count, self.page_seconds)

        async def read_all() -> None:
            try:
                for number in range(1, file.count + 1):  # one after another: short requests come between
                    (page,) = await self.read_pages(file, [number])
                    job.pages.append(page)
                    done(page)
            finally:
                job.ended = time.monotonic()

        task = asyncio.get_running_loop().create_task(read_all())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    async def wait_for_jobs(self, seconds: float) -> None:
        """Let the open jobs go on for at most so many seconds, then give them up."""
        tasks: set[Awaitable] = set(self._tasks)
        if tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()

    def close(self) -> None:
        """Read what waits, then end the threads."""
        self._pictures.shutdown(cancel_futures=True)
        self._pages.shutdown(cancel_futures=True)
        self.batcher.close()


def _named(error: UserError, content: bytes, name: str) -> UserError:
    """An error of a kind, with the file's name in its sentence."""
    return type(error)(str(error).replace(source_name(content), name, 1))
