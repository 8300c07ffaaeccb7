"""`quantvietocr serve`: the page to drop receipts on."""

from __future__ import annotations

import argparse


def serve(options: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C."""
    from ..errors import UserError
    from ..pictures.apart import decoding_apart
    from ..serve.server import serve as serve_page
    from ..shipped import find_weights, weights_file

    if options.weights is not None and len(options.weights) > 2:
        raise UserError(
            f"--weights: {len(options.weights)} files; name one that reads, and at most one to compare with."
        )
    if options.weights is None:
        # The float file is not in the wheel: without it the page offers no comparison.
        weights = [weights_file("int8"), *filter(None, [find_weights("float")])]
    else:
        weights = [weights_file(name) for name in options.weights]
    with decoding_apart():
        serve_page(weights, options.port, options.threads)


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verb to the console script."""
    verb = verbs.add_parser("serve", help="a page on this computer to drop receipts on and see what is read")
    verb.set_defaults(verb=serve)
    verb.add_argument(
        "--port", type=int, default=8000, metavar="N", help="on 127.0.0.1 (default %(default)s; 0: any that is free)"
    )
    verb.add_argument(
        "--weights",
        nargs="+",
        metavar="FILE",
        help="what reads, and perhaps another that it is compared with on request: files, or the shipped int8 and "
        "float (default: both of these, as far as they are there)",
    )
    verb.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default 0: one per core)")
