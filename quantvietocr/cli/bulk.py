"""`quantvietocr bulk`: millions of pages or lines into parquet, on one machine or many."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from ..common.files import ReadErrors, read_text
from ..common.packages import need
from ..errors import UserError
from ..shipped import weights_file
from .exits import DONE, SOME_FAILED, UNUSABLE
from .process import leave_cores_alone
from .receipts import add_detector
from .shared import YAML_HELP, add_engine, add_reading_options, reading_options

if TYPE_CHECKING:
    from ..bulk.run import Engine, Job

DESCRIPTION = (
    "Read any number of pictures, PDF and TIFF files, here or in object stores (s3://, gs://, hf://), into parquet "
    "files, one row a page. The same command goes on where a run was interrupted or killed. Exit code: 0 all read (or "
    "within --max-error-rate), 1 some pages could not be, 2 nothing could be done, 130 interrupted, 143 terminated."
)
_LIST_ERRORS = ReadErrors(
    UserError, "--list {path}: no such file; check the path.", "--list {path}: cannot be read ({reason})."
)


def bulk(options: argparse.Namespace) -> int:
    """Read pages into parquet; the exit code."""
    leave_cores_alone()
    _check(options)
    need("pyarrow", "quantvietocr bulk", extra="bulk")
    need("fsspec", "quantvietocr bulk", extra="bulk")
    if not options.lines:
        need("rapidfuzz", "reading pages", extra="receipt")
    from ..bulk.run import run_job
    from ..bulk.sources import find_sources

    def say(sentence: object) -> None:
        print(f"{options.program}: {sentence}", file=sys.stderr, flush=True)

    def note(sentence: object) -> None:
        if not options.quiet:
            say(sentence)

    job = _job(options)
    sources = find_sources([*options.sources, *_listed(options.list)], job.settings.columns)
    for sentence in sources.notes:
        note(sentence)
    for sentence in sources.problems:
        say(sentence)
    if not sources.found:
        raise UserError("no pages to read; name pictures, PDF, parquet or tar files, folders, patterns or a --list.")
    tally = run_job(job, sources, _engine(options, note), note)
    say(f"{tally}; the rows are in {job.out}.")
    if not tally.pages + tally.kept:
        return UNUSABLE if sources.problems else DONE  # a shard may be empty
    return SOME_FAILED if sources.problems or tally.error_rate > options.max_error_rate else DONE


def _check(options: argparse.Namespace) -> None:
    """Refuse values that nothing can be done with. Raises UserError."""
    for name in ("workers", "max_error_rate"):
        if getattr(options, name) < 0:
            raise UserError(f"--{name.replace('_', '-')} must be 0 or more.")
    for name in ("part_rows", "part_seconds", "page_seconds", "max_mb"):
        if getattr(options, name) <= 0:
            raise UserError(f"--{name.replace('_', '-')} must be more than 0.")
    if options.engine == "ray" and options.shard:
        raise UserError("--shard is for machines without Ray: leave it away, Ray divides the job by itself.")


def _job(options: argparse.Namespace) -> Job:
    from ..bulk.parquet_rows import Columns
    from ..bulk.run import Job, check_out, check_shard
    from ..bulk.settings import Settings

    settings = Settings(
        weights=str(weights_file(options.weights)),
        lines=options.lines,
        options=reading_options(options),
        detector=options.detector,
        runtime=options.runtime,
        config=options.config,
        max_bytes=int(options.max_mb * 10**6),
        columns=Columns(options.column, options.id_column),
    )
    return Job(
        settings,
        check_out(options.out),
        check_shard(options.shard),
        options.workers,
        options.part_rows,
        options.part_seconds,
        options.page_seconds,
        options.retry_errors,
    )


def _engine(options: argparse.Namespace, note: Callable[[object], None]) -> Engine:
    from ..bulk.run import read_here

    if options.engine == "ray":
        from ..bulk.ray_engine import read_on_ray

        return partial(read_on_ray, address=options.ray_address, note=note)
    return partial(read_here, note=note)


def _listed(path: str | None) -> Iterable[str]:
    """The paths and addresses of a list, one a line. Raises UserError."""
    if path is None:
        return []
    text = sys.stdin.read() if path == "-" else read_text(path, _LIST_ERRORS)
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verb to the console script."""
    verb = verbs.add_parser("bulk", help="read any number of pages into parquet, with resume", description=DESCRIPTION)
    verb.set_defaults(verb=bulk)
    verb.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="pictures, PDF, TIFF, folders, quoted patterns, .parquet with a column of bytes, .tar (WebDataset): "
        "paths, or addresses as s3://bucket/folder",
    )
    verb.add_argument("--list", metavar="FILE", help="more sources, one a line; - for stdin")
    verb.add_argument("--out", required=True, metavar="FOLDER", help="where the parquet files go: a path or an address")
    verb.add_argument("--lines", action="store_true", help="every picture is one line of text, not a page")
    verb.add_argument("--weights", default="int8", metavar="FILE", help="as for read (default: the shipped int8)")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    add_engine(verb, "--runtime")
    add_detector(verb)
    add_reading_options(verb)
    _add_job_options(verb)
    verb.add_argument("--quiet", action="store_true", help="no progress and notes on stderr")


def _add_job_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--column", metavar="NAME", help="of a parquet file: the column of bytes, if there are several")
    verb.add_argument("--id-column", metavar="NAME", help="of a parquet file: unique names (default: numbers of rows)")
    verb.add_argument("--workers", type=int, default=0, metavar="N", help="processes (default 0: one per core)")
    verb.add_argument("--shard", metavar="I/N", help="read the I-th of N equal parts, I from 0: for Slurm, Kubernetes")
    verb.add_argument("--engine", choices=("local", "ray"), default="local", help="ray: on a Ray cluster")
    verb.add_argument(
        "--ray-address", metavar="ADDRESS", help="of the cluster (default: the one that this machine is part of)"
    )
    verb.add_argument("--retry-errors", action="store_true", help="read again what could not be read before")
    verb.add_argument(
        "--max-error-rate",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="share of pages that may fail before the exit code is 1, as 0.004 (default 0)",
    )
    verb.add_argument("--part-rows", type=int, default=10_000, metavar="N", help="rows of a part (default 10000)")
    verb.add_argument(
        "--part-seconds",
        type=float,
        default=300.0,
        metavar="S",
        help="write a part at least so often; a killed run loses no more (default 300)",
    )
    verb.add_argument(
        "--page-seconds", type=float, default=600.0, metavar="S", help="most time for a page (default 600)"
    )
    verb.add_argument("--max-mb", type=float, default=200.0, metavar="MB", help="largest document (default 200)")
