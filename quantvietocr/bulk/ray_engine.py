"""The engine of a Ray cluster: Ray Data hands documents to actors on every machine, and gives back their rows.

The driver alone writes, as on one machine, so that parts and resume are the same. Ray does again what a lost machine
had at hand; a page that comes twice thereby is taken once, and at the end every document must have come.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..common.packages import need
from ..errors import UserError
from .documents import Document, digest_of
from .pool import Pool, grouped
from .progress import Tally
from .run import LINES_TOGETHER, Job, Selection
from .schema import Row, arrow
from .sources import Source, Sources

MAX_BLOCKS = 10_000  # pieces of a job; each is done again as a whole where its machine is lost
BLOCK_DOCUMENTS = 8  # of a piece, at least
BLOCK_BYTES = 8 * 2**20  # of documents that come from within parquet files and tars
UNPACKERS = 8  # files of many that are read at a time; they wait for the network more than for a core
CONTENT, ROWS = "document", "rows"  # names of the columns of bytes that travel


class RayError(UserError):
    """The cluster is not there, or has given up; the message says what to do."""


@dataclass(frozen=True)
class Listing:
    """Travels behind the documents of a file of many, so that the driver knows which rows must come.

    Attributes:
        uri: of the file.
        left: digests of its documents that were sent.
        documents: how many it holds, those finished before among them.
        twice: how many were named more than once.
    """

    uri: str
    left: frozenset[bytes]
    documents: int
    twice: int


class Actor:
    """What runs on the cluster: a pool of one worker, so that a page that kills its worker kills no actor.

    Args:
        job: what is to be done.
    """

    def __init__(self, job: Job) -> None:
        self.lines = job.settings.lines
        self.pool = Pool(job.reader, 1, job.page_seconds)

    def __call__(self, batch: Any) -> Iterator[Any]:
        """Read a table of pickled documents; rows and listings come pickled, since they are only passed through."""
        given = [pickle.loads(one) for one in batch.column(CONTENT).to_pylist()]
        for one in given:
            if isinstance(one, Listing):
                yield _table(ROWS, [one])
        documents = (one for one in given if isinstance(one, Document))
        for rows in self.pool.read(grouped(documents, LINES_TOGETHER if self.lines else 1)):
            yield _table(ROWS, [rows])


def read_on_ray(
    job: Job,
    sources: Sources,
    selection: Selection,
    tally: Tally,
    address: str | None = None,
    note: Callable[[object], None] = lambda said: None,
) -> Iterator[list[Row]]:
    """`Engine` of a Ray cluster.

    Args:
        job: what is to be done. Its `workers` bound the actors; 0 takes as many as the cluster has cores for.
        sources: where the documents lie; the addresses must lead there from every machine.
        selection: which of them are left.
        tally: counts documents.
        address: of the cluster; None takes the one that this machine is part of, or starts one here.
        note: takes sentences on the cluster.

    Returns:
        Rows as they come; each page once.

    Raises:
        RayError: the cluster cannot be reached, or documents have not come back.
    """
    ray = need("ray", "reading on a Ray cluster", extra="ray")
    _connect(ray, address, note)
    dataset, missing = _dataset(ray, job, sources, selection, tally)
    if dataset is None:
        return
    answers = dataset.map_batches(
        Actor,
        fn_constructor_args=(job,),
        batch_size=LINES_TOGETHER if job.settings.lines else BLOCK_DOCUMENTS,
        batch_format="pyarrow",
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=job.workers or None),
    )
    yield from _once((pickle.loads(one[ROWS]) for one in answers.iter_rows()), missing, tally)
    if missing:
        raise RayError(
            f"{len(missing)} documents have not come back from the cluster; the same command reads them, and "
            "`ray status` says what the cluster lacks."
        )


def _once(answers: Iterable[list[Row] | Listing], missing: set[bytes], tally: Tally) -> Iterator[list[Row]]:
    """Rows as they come, each page once.

    Args:
        answers: what comes from the cluster, parts of it perhaps twice.
        missing: digests of the documents and files of many that have not come; those that come are taken out.
        tally: counts what the listings say.
    """
    given: set[bytes] = set()
    whole: set[bytes] = set()
    for answer in answers:
        if isinstance(answer, Listing):
            if digest_of(answer.uri) in missing:  # else it came before
                missing.remove(digest_of(answer.uri))
                missing |= answer.left - whole
                tally.documents += answer.documents
                tally.twice += answer.twice
            continue
        fresh = [row for row in answer if digest_of(row["id"]) not in given]
        given |= {digest_of(row["id"]) for row in fresh}
        whole |= {digest_of(row["uri"]) for row in fresh}
        missing -= {digest_of(row["uri"]) for row in fresh}
        if fresh:
            yield fresh


def _connect(ray: Any, address: str | None, note: Callable[[object], None]) -> None:
    """Reach the cluster, or start one on this machine. Raises RayError."""
    if not ray.is_initialized():
        try:
            ray.init(address=address or os.environ.get("RAY_ADDRESS"), log_to_driver=False, logging_level="warning")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise RayError(
                f"--ray-address {address}: no cluster can be reached there ({' '.join(str(error).split())[:200]}); "
                "start one with `ray start --head`."
            ) from error
    resources = ray.cluster_resources()
    note(f"Ray {ray.__version__}: {resources.get('CPU', 0):.0f} cores on {len(ray.nodes())} machine(s).")


def _dataset(ray: Any, job: Job, sources: Sources, selection: Selection, tally: Tally) -> tuple[Any, set[bytes]]:
    """A Ray dataset of pickled documents, None where none is left; and digests of what must come back."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = BLOCK_BYTES
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    left = list(selection.documents([one for one in sources.found if not one.is_container], job.settings, tally))
    within = [one for one in sources.found if one.is_container]
    parts = []
    if left:
        size = max(BLOCK_DOCUMENTS, -(-len(left) // MAX_BLOCKS))
        parts.append(ray.data.from_arrow([_table(CONTENT, some) for some in grouped(iter(left), size)]))
    if within:
        known = ray.put(selection)  # once for the cluster, not with every task
        files = ray.data.from_items([{"uri": one.uri} for one in within], override_num_blocks=len(within))
        parts.append(files.flat_map(partial(_unpacked, job, known), num_cpus=0, concurrency=UNPACKERS))
    missing = {digest_of(document.uri) for document in left} | {digest_of(one.uri) for one in within}
    if len(parts) > 1:
        return parts[0].union(*parts[1:]), missing
    return (parts[0] if parts else None), missing  # Ray does not take a union of one


def _unpacked(job: Job, known: Any, file: dict[str, str]) -> Iterator[dict[str, bytes]]:
    """The documents within a file of many of which pages are left, pickled, and behind them its Listing."""
    import ray

    selection: Selection = ray.get(known)
    tally, left = Tally(), []
    for document in selection.documents([Source(file["uri"], None)], job.settings, tally):
        left.append(digest_of(document.uri))
        yield {CONTENT: pickle.dumps(document)}
    yield {CONTENT: pickle.dumps(Listing(file["uri"], frozenset(left), tally.documents, tally.twice))}


def _table(column: str, values: list[Any]) -> Any:
    return arrow().table({column: [pickle.dumps(value) for value in values]})
