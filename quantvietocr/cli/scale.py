"""`quantvietocr bench-scale`: bulk and the service beside what is asked of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.packages import need
from ..shipped import weights_file
from .shared import add_engine, add_into


def bench_scale(options: argparse.Namespace) -> None:
    """Measure, and print the table."""
    from ..measure.markdown import check_section, insert_section

    for target in options.into:
        check_section(target)
    need("pyarrow", "quantvietocr bench-scale", extra="bulk")
    need("httpx", "quantvietocr bench-scale", extra="api")
    from ..measure.scale.report import Plan, measure

    plan = Plan(
        weights_file(options.weights),
        options.engine,
        Path(options.pages),
        Path(options.lines),
        options.count,
        options.rounds,
        options.steady,
        options.rows,
        options.requests,
        options.uploads,
        options.minutes,
        options.threads,
        options.parts,
    )
    table = measure(plan, options.command)
    print(table)
    for target in options.into:
        insert_section(target, table)


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verb to the console script."""
    verb = verbs.add_parser("bench-scale", help="measure bulk and the service on this machine")
    verb.set_defaults(verb=bench_scale)
    verb.add_argument("--weights", default="int8", metavar="FILE", help="what reads (default: the shipped int8)")
    add_engine(verb)
    verb.add_argument("--pages", default="data/receipts", metavar="DIR", help="pictures of receipts")
    verb.add_argument("--lines", default="data/samples", metavar="DIR", help="pictures of lines")
    verb.add_argument("--parts", nargs="+", choices=("bulk", "service"), default=("bulk", "service"), help="what")
    verb.add_argument("--count", type=int, default=40, metavar="N", help="pages of each run (default 40)")
    verb.add_argument("--rounds", type=int, default=2, metavar="N", help="of one and two workers, in turns (default 2)")
    verb.add_argument(
        "--steady", type=int, default=5_000, metavar="N", help="lines over which memory is watched (default 5,000)"
    )
    verb.add_argument("--rows", type=int, default=100_000, metavar="N", help="of the job that is resumed")
    verb.add_argument("--requests", type=int, default=20, metavar="N", help="of each of the 16 clients (default 20)")
    verb.add_argument("--uploads", type=int, default=200, metavar="N", help="that come at once (default 200)")
    verb.add_argument("--minutes", type=float, default=1.0, metavar="M", help="of load after them (default 1)")
    verb.add_argument("--threads", type=int, default=2, metavar="N", help="of the service (default 2)")
    add_into(verb)
