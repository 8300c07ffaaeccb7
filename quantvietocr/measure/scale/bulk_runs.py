"""Bulk measured: what two workers give over one, what parquet costs, whether memory stays flat, how fast it resumes."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

from ...bulk.documents import Document, Shard
from ...bulk.folder import JobFolder
from ...bulk.parts import PartWriter
from ...bulk.pool import Pool, grouped
from ...bulk.progress import Tally
from ...bulk.reader import open_reader
from ...bulk.run import Job, Selection, read_here, run_job
from ...bulk.schema import error_row
from ...bulk.settings import Settings
from ...bulk.sources import Source, Sources

SETTLED = 100  # pages after which memory is compared
SAMPLE_PAGES = 10  # between looks at the memory


def memory_of(process: int) -> int:
    """Bytes of memory that a process holds; 0 once it is gone."""
    try:
        status = Path(f"/proc/{process}/statm").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(status.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_of(process: int) -> int:
    """Bytes of memory that a process held at most (proc(5)); 0 once it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024 if "VmHWM" in fields else 0  # a dead one's has none


def repeated(paths: Sequence[Path], pages: int) -> Iterator[Document]:
    """So many documents, made of a few pictures again and again, each under a name of its own."""
    contents = [path.read_bytes() for path in paths]
    for number in range(pages):
        yield Document(f"memory://{number}-{paths[number % len(paths)].name}", contents[number % len(contents)])


@dataclass(frozen=True)
class PoolRun:
    """A number of pages through a pool.

    Attributes:
        workers: of the pool.
        pages_per_second: from the first row to the last.
        read_share: of the workers' time, spent in reading pages.
        settled: bytes of the largest worker after SETTLED pages, or at the first look if there are fewer.
        largest: bytes of the largest worker at any look after that. A look is when a page is done.
        peak: bytes of the largest worker at any moment, as in the middle of a page.
    """

    workers: int
    pages_per_second: float
    read_share: float
    settled: int
    largest: int
    peak: int


def run_pool(settings: Settings, paths: Sequence[Path], pages: int, workers: int) -> PoolRun:
    """Read pages with a number of workers. Raises UserError."""
    rows, read_ms, settled, largest, peak = 0, 0.0, 0, 0, 0
    began = last = time.perf_counter()
    with Pool(partial(open_reader, settings), workers) as pool:
        for some in pool.read(grouped(repeated(paths, pages), 1)):
            last = time.perf_counter()
            began = last if not rows else began  # the reader is open by now
            read_ms += sum(row["ms"] for row in some) if rows >= workers else 0.0
            rows += len(some)
            if rows % SAMPLE_PAGES == 0:
                held, peak = max(map(memory_of, pool.processes)), max(peak, *map(peak_of, pool.processes))
                if rows <= max(SETTLED * workers, SAMPLE_PAGES):
                    settled = held
                largest = max(largest if rows > SETTLED * workers else 0, held)
    seconds = max(last - began, 1e-9)
    return PoolRun(workers, (rows - 1) / seconds, read_ms / 1000 / seconds / workers, settled, largest, peak)


@dataclass(frozen=True)
class Overhead:
    """A job into parquet beside the reading alone.

    Attributes:
        pages: how many were read.
        seconds: from the first row to the end of the job.
        reading: of these, spent in reading pages.
    """

    pages: int
    seconds: float
    reading: float


def measure_overhead(settings: Settings, paths: Sequence[Path], pages: int, out: Path) -> Overhead:
    """Read pages into a folder with one worker. Raises UserError."""
    first: list[float] = []
    reading = 0.0

    def engine(job: Job, sources: Sources, selection: Selection, tally: Tally) -> Iterator[list[dict]]:
        nonlocal reading
        with Pool(job.reader, 1) as pool:
            for rows in pool.read(grouped(repeated(paths, pages), 1)):
                reading += sum(row["ms"] for row in rows) / 1000 if first else 0.0
                first.append(time.perf_counter())
                yield rows

    job = Job(settings, str(out), part_rows=max(pages // 2, 1), open_reader=partial(open_reader, settings))
    run_job(job, Sources(), engine, print)
    return Overhead(pages - 1, time.perf_counter() - first[0], reading)


def measure_resume(settings: Settings, rows: int, out: Path) -> float:
    """Seconds that a run over a finished job of so many rows takes. Raises UserError."""
    uris = [f"/a/folder/of/scans/{number // 1000:05}/receipt_{number:08}.jpg" for number in range(rows)]
    writer = PartWriter(JobFolder(str(out), settings), Shard())
    for start in range(0, rows, 1000):
        some = [
            error_row(uri, "", 1, 1, "0" * 64) | {"ok": True, "error": None, "text": f"Tổng cộng: {uri}" * 20}
            for uri in uris[start : start + 1000]
        ]
        writer.add(some)
    writer.flush()
    began = time.perf_counter()
    tally = run_job(Job(settings, str(out)), Sources([Source(uri) for uri in uris]), read_here, print)
    if tally.pages or tally.kept != rows:
        raise RuntimeError(f"a finished job of {rows} rows was resumed as {tally}")
    return time.perf_counter() - began


@dataclass(frozen=True)
class Kills:
    """Pages after workers were killed.

    Attributes:
        pages: how many there were to read.
        killed: workers that were killed.
        lost: pages without a row.
        doubled: rows beyond the first of a page.
    """

    pages: int
    killed: int
    lost: int
    doubled: int


def measure_kills(settings: Settings, paths: Sequence[Path], pages: int) -> Kills:
    """Read pages, and kill a worker after every third of them. Raises UserError."""
    due, come = set(islice(count(pages // 3, max(pages // 3, 1)), 2)), Counter[str]()
    with Pool(partial(open_reader, settings), 2) as pool:
        for rows in pool.read(grouped(repeated(paths, pages), 1)):
            come.update(row["id"] for row in rows)
            if come.total() in due:
                os.kill(pool.processes[come.total() % 2], signal.SIGKILL)
        killed = pool.deaths
    return Kills(pages, killed, pages - len(come), come.total() - len(come))
