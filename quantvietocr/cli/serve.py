"""`quantvietocr serve`: the page to drop receipts on; with --api, the HTTP service for programs."""

from __future__ import annotations

import argparse

from .receipts import add_detector
from .shared import add_engine


def serve(options: argparse.Namespace) -> None:
    """Serve the page, or the API, until Ctrl-C."""
    if options.api:
        _serve_api(options)
        return
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


def _serve_api(options: argparse.Namespace) -> None:
    from ..errors import UserError
    from ..serve.api_server import ApiSettings, serve_api
    from ..serve.service import Limits
    from ..shipped import weights_file

    if len(options.weights or ()) > 1:
        raise UserError("--weights: the API reads with one file; name one.")
    (weights,) = options.weights or ["int8"]
    limits = Limits(int(options.max_mb * 2**20), options.max_files, options.max_requests)
    serve_api(
        ApiSettings(
            weights_file(weights),
            options.host,
            options.port,
            options.keys,
            options.open,
            options.threads,
            options.max_wait_ms,
            options.detector,
            limits,
            options.engine,
        )
    )


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
    api = verb.add_argument_group("the HTTP service for programs")
    api.add_argument("--api", action="store_true", help="serve the API (/v1/lines, /v1/receipts) instead of the page")
    api.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1; 0.0.0.0: every one")
    api.add_argument("--keys", metavar="FILE", help="who may ask: a name, a space and a key on each line")
    api.add_argument("--open", action="store_true", help="no keys although other machines can ask")
    api.add_argument("--max-mb", type=float, default=20.0, metavar="MB", help="largest request (default 20)")
    api.add_argument("--max-files", type=int, default=256, metavar="N", help="most lines of a request (default 256)")
    api.add_argument(
        "--max-requests", type=int, default=64, metavar="N", help="requests at once; more get 503 (default 64)"
    )
    api.add_argument(
        "--max-wait-ms", type=float, default=5.0, metavar="MS", help="a line waits so long for company (default 5)"
    )
    add_engine(api)
    add_detector(api)
