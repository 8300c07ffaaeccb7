"""The console script `quantvietocr`: every verb."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

from .arguments import Parser, add_version
from .exits import run_verb
from .process import command_of, prepare_process, speaks

PROGRAM = "quantvietocr"
#: The file that adds each verb, in the order of --help: what most people come for, first.
VERBS = {
    "read": "read",
    "receipts": "receipts",
    "bulk": "bulk",
    "serve": "serve",
    "train": "train",
    "describe": "export",
    "export": "export",
    "confidence": "export",
    "fetch": "export",
    "quantize": "quantize",
    "slim": "slim",
    "sensitivity": "methods",
    "methods": "methods",
    "compare": "measure",
    "bench": "measure",
    "time": "measure",
    "score": "measure",
    "bench-scale": "scale",
    "synth": "synth",
    "words": "synth",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: of the command line; None takes those of this process.

    Returns:
        The exit code, one of `exits`.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser(arguments[0] if arguments else None)
    if not arguments:
        parser.print_help()
        return 0
    options = parser.parse_args(arguments)
    options.program, options.command = PROGRAM, command_of(PROGRAM, arguments)
    prepare_process()
    verb: Callable[..., int | None] = options.verb
    return run_verb(PROGRAM, lambda: verb(options), speaks=speaks())


def _parser(first: str | None = None) -> Parser:
    """The parser of every verb, or of those in one file, which is sooner there.

    Args:
        first: the first argument; where it is a verb, the others are left out.
    """
    parser = Parser(
        prog=PROGRAM,
        description="8-bit VietOCR for CPUs: reads lines, receipts and pages; trains, quantizes and compares networks.",
    )
    add_version(parser)
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=Parser)
    for name in [VERBS[first]] if first in VERBS else dict.fromkeys(VERBS.values()):
        importlib.import_module(f".{name}", __package__).add(verbs)
    return parser
