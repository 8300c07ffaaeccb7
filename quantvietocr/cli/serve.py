"""`quantvietocr serve`: the page to drop receipts on."""

from __future__ import annotations

import argparse


def serve(options: argparse.Namespace) -> None:
    from ..serve.server import serve as serve_page
    from ..shipped import FLOAT, INT8

    serve_page(options.weights or (INT8, FLOAT), options.port, options.threads)


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verbs to the console script."""
    _add_serve(verbs)


def _add_serve(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("serve", help="a page on this computer to drop receipts on and see what is read")
    verb.set_defaults(verb=serve)
    verb.add_argument(
        "--port", type=int, default=8000, metavar="N", help="on 127.0.0.1 (default %(default)s; 0: any that is free)"
    )
    verb.add_argument(
        "--weights",
        nargs=2,
        metavar=("INT8", "FLOAT"),
        help="what reads, and what it is compared with on request (default: the shipped ones)",
    )
    verb.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default 0: one per core)")
