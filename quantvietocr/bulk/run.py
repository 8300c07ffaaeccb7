"""A job from its sources to its parts: the same for every engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from ..errors import UserError
from .documents import Document, Shard, as_text, digest_of
from .folder import Finished, JobFolder
from .parts import PART_ROWS, PART_SECONDS, PartWriter
from .pool import PAGE_SECONDS, Pool, grouped
from .progress import Progress, Tally
from .reader import OpenReader, open_reader
from .running import running
from .schema import Row
from .settings import Settings
from .sources import Source, Sources, documents_of

LINES_TOGETHER = 32  # lines that a worker reads at a time: enough to fill batches of one width


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
        settings: how documents are read.
        out: the folder of the results, a path or an address.
        shard: what of the documents this run reads.
        workers: processes; 0 is one for each core.
        part_rows: rows of a part.
        part_seconds: after which a part is written with what is there.
        page_seconds: that a page may take before its worker is taken for stuck.
        retry_errors: whether pages that could not be read are tried again.
        open_reader: opens a worker's reader; None takes the one for `settings`.
    """

    settings: Settings
    out: str
    shard: Shard = field(default_factory=Shard)
    workers: int = 0
    part_rows: int = PART_ROWS
    part_seconds: float = PART_SECONDS
    page_seconds: float = PAGE_SECONDS
    retry_errors: bool = False
    open_reader: OpenReader | None = None

    @property
    def reader(self) -> OpenReader:
        """What opens a worker's reader."""
        return self.open_reader or partial(open_reader, self.settings)


class Selection:
    """Which documents are still to be read, and what of them; picklable, so that it can be asked elsewhere.

    Args:
        finished: the pages that have a row.
        shard: what of the documents this run reads.
    """

    def __init__(self, finished: Finished, shard: Shard) -> None:
        self.finished, self.shard = finished, shard

    def documents(self, sources: Sequence[Source], settings: Settings, tally: Tally) -> Iterator[Document]:
        """The documents of sources of which pages are left; each once. The tally counts those that are not."""
        met: set[bytes] = set()
        for document in documents_of(sources, settings.columns, self.shard, settings.max_bytes):
            digest = digest_of(document.uri)
            if digest in met:
                tally.twice += 1
                continue
            met.add(digest)
            tally.documents += 1
            rest = self.finished.rest_of(document)
            if rest is not None:
                yield rest


class Engine(Protocol):
    """Reads the documents of sources."""

    def __call__(self, job: Job, sources: Sources, selection: Selection, tally: Tally) -> Iterator[list[Row]]:
        """Read documents.

        Args:
            job: what is to be done.
            sources: where the documents lie.
            selection: which of them are left.
            tally: counts documents and deaths of workers.

        Returns:
            Rows as they come.
        """


def read_here(
    job: Job, sources: Sources, selection: Selection, tally: Tally, note: Callable[[object], None] = lambda said: None
) -> Iterator[list[Row]]:
    """`Engine` of this machine: a process for each core. `note` takes the sentences on what computes."""
    documents = selection.documents(sources.found, job.settings, tally)
    tasks = grouped(documents, LINES_TOGETHER if job.settings.lines else 1)
    first = next(tasks, None)
    if first is None:
        return
    with Pool(job.reader, job.workers or _cores(), job.page_seconds) as pool:
        told = False
        for rows in pool.read(_chained(first, tasks)):
            if not told:
                for sentence in pool.about:
                    note(sentence)
                told = True
            tally.deaths = pool.deaths
            yield rows


def run_job(job: Job, sources: Sources, engine: Engine, say: Callable[[object], None]) -> Tally:
    """Read what is not finished, and write its rows.

    Args:
        job: what is to be done.
        sources: where the documents lie.
        engine: reads them.
        say: takes progress, where stderr is no terminal, and what is said at an interruption.

    Returns:
        What became of it.

    Raises:
        UserError: another run or another job is in the folder; workers cannot work.
        OSError, PlaceError: the folder cannot be written.
        KeyboardInterrupt: after the rows that are there have been written.
    """
    folder = JobFolder(job.out, job.settings)
    with running(folder.place, job.shard):
        if job.retry_errors:
            folder.forget_errors(job.shard)
        finished = folder.finished()
        tally = Tally(kept=finished.rows, kept_errors=finished.errors)
        writer = PartWriter(folder, job.shard, job.part_rows, job.part_seconds)
        total = sources.count
        progress = Progress(None if total is None else -(-total // job.shard.count), say)
        rows_by_engine = engine(job, sources, Selection(finished, job.shard), tally)
        try:
            for rows in rows_by_engine:
                tally.pages += len(rows)
                tally.failed += sum(not row["ok"] for row in rows)
                writer.add(rows)
                progress.show(tally)
            writer.flush()
        except BaseException as stop:  # what was read is kept, whatever ends the run
            progress.close()
            writer.flush()
            if not isinstance(stop, KeyboardInterrupt):
                raise
            raise type(stop)(f"{tally} so far, in {folder}; the same command goes on from there.") from stop
        progress.close()
    return tally


def check_shard(text: str | None) -> Shard:
    """The shard of an option, the whole job where there is none. Raises UserError."""
    return Shard() if text is None else Shard.of(text)


def check_out(out: str) -> str:
    """The folder of an option. Raises UserError where it names a file."""
    if as_text(out) != out or out.endswith(".parquet"):
        raise UserError(f"--out {out}: name a folder, or an address as s3://bucket/folder; parts are written into it.")
    return out


def _chained(first: list[Document], rest: Iterator[list[Document]]) -> Iterator[list[Document]]:
    yield first
    yield from rest


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
