"""The console script `quantvietocr`: every verb."""

from __future__ import annotations

import sys
from collections.abc import Callable

from . import bulk, export, measure, methods, quantize, read, receipts, scale, serve, slim, synth, train
from .arguments import Parser, add_version
from .exits import run_verb
from .process import command_of, prepare_process, speaks

PROGRAM = "quantvietocr"
# In this order in --help: what most people come for, first.
VERBS = (read, receipts, bulk, serve, train, export, quantize, slim, methods, measure, scale, synth)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb.

    Args:
        arguments: of the command line; None takes those of this process.

    Returns:
        The exit code, one of `exits`.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    if not arguments:
        parser.print_help()
        return 0
    options = parser.parse_args(arguments)
    options.program, options.command = PROGRAM, command_of(PROGRAM, arguments)
    prepare_process()
    verb: Callable[..., int | None] = options.verb
    return run_verb(PROGRAM, lambda: verb(options), speaks=speaks())


def _parser() -> Parser:
    parser = Parser(
        prog=PROGRAM,
        description="8-bit VietOCR for CPUs: reads lines, receipts and pages; trains, quantizes and compares networks.",
    )
    add_version(parser)
    verbs = parser.add_subparsers(required=True, metavar="VERB", parser_class=Parser)
    for part in VERBS:
        part.add(verbs)
    return parser
