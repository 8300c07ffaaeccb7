"""The console script `quantvietocr`: verbs beyond `train_qat.py` and `infer.py`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from . import export, measure, quantize, serve, synth


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0 done, 2 a sentence on stderr says why not, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.command = "quantvietocr " + shlex.join(arguments)
    # Before torch loads, as infer.py does and for its reasons.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        from ..errors import UserError

        try:
            options.verb(options)
        except (UserError, OSError) as error:
            print(f"quantvietocr: {error}", file=sys.stderr)
            return 2
    except KeyboardInterrupt:
        print("\nquantvietocr: interrupted.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quantvietocr",
        description="8-bit VietOCR for CPUs. Training is train_qat.py, reading is infer.py; here is the rest.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    for part in (export, quantize, measure, synth, serve):
        part.add(verbs)
    return parser
