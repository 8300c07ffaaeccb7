"""`quantvietocr sensitivity` and `methods`: judge layers and ways of quantizing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..shipped import weights_file
from .shared import YAML_HELP, add_into, read_noting


def sensitivity(options: argparse.Namespace) -> None:
    """Measure what each layer costs in few bits, and draw it."""
    from ..checkpoint.vocab import Vocab
    from ..common.files import write_text
    from ..dataset.annotation import read_annotation
    from ..measure.methods.sensitivity import csv, draw_sensitivity, sentences
    from ..quantize.bits.budget import drawn
    from ..quantize.bits.mixed import alternatives
    from ..quantize.bits.sensitivity import measure
    from ..quantize.scheme import Scheme

    checkpoint = read_noting(weights_file(options.float), options.config)
    annotation = read_annotation(options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
    print(annotation.report.summary(), file=sys.stderr)
    lines, others = drawn(annotation.samples, options.lines)
    numbers = alternatives(
        checkpoint, others, Scheme(options.backend), options.decoder, options.calibration_lines, 4 in options.bits
    )
    out = Path(options.out)
    results = measure(numbers, lines, tuple(dict.fromkeys(options.bits)), out / "partial.jsonl")
    write_text(out / "sensitivity.csv", csv(results))
    draw_sensitivity(results, len(lines), options.data, out / "sensitivity.png")
    print(sentences(results))
    print(f"In {out}: sensitivity.csv, sensitivity.png, partial.jsonl (what an interrupted measurement goes on from)")


def methods(options: argparse.Namespace) -> None:
    """Make a file with every method and put them in one table."""
    import json

    from ..config import load_config
    from ..errors import UserError
    from ..measure.markdown import insert_section
    from ..measure.methods.report import Budget
    from ..measure.methods.table import run

    annotation = f"data.train=[{{annotation: {json.dumps(options.data)}}}]"
    config = load_config(
        options.train_config, [annotation, "data.valid=null", f"train.steps={options.steps}", *options.set]
    )
    budget = Budget(options.steps, options.lines, options.max_drop / 100, options.searched_lines)
    table = run(
        weights_file(options.float),
        options.data,
        options.test,
        options.out,
        config,
        budget,
        options.only,
        options.limit,
        options.repeats,
        options.threads,
        options.unknown,
        options.problems,
        options.config,
        options.command,
    )
    written = Path(options.out, "methods.md").read_text(encoding="utf-8")
    print(written)
    for target in options.into:
        insert_section(target, written)
    print(f"In {options.out}: methods.md, methods.json, methods.png, and each method's file")
    if table.failed:
        raise UserError(
            f"{len(table.failed)} of {len(table.rows) - 1} methods failed: "
            f"{', '.join(row.name for row in table.failed)}; the table says why."
        )


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verbs to the console script."""
    _add_sensitivity(verbs)
    _add_methods(verbs)


def _add_sensitivity(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("sensitivity", help="which layers suffer from quantization")
    verb.set_defaults(verb=sensitivity)
    verb.add_argument("float", metavar="FLOAT", help="float checkpoint")
    verb.add_argument("--data", required=True, metavar="ANNOTATION", help="lines to read, and others to calibrate on")
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for sensitivity.csv and sensitivity.png")
    verb.add_argument(
        "--lines", type=int, default=64, metavar="N", help="lines to read under each setting (default %(default)s)"
    )
    verb.add_argument(
        "--calibration-lines", type=int, default=128, metavar="N", help="lines to calibrate on (default %(default)s)"
    )
    verb.add_argument(
        "--bits",
        type=int,
        nargs="+",
        default=[8],
        choices=(8, 4),
        help="of the weights (default 8); matrices of encoder and decoder have 8 bits where convolutions have 4",
    )
    verb.add_argument(
        "--decoder",
        default="int8",
        choices=("int8", "float"),
        help="float: encoder and decoder stay float, and convolutions alone are judged (default %(default)s)",
    )
    verb.add_argument("--backend", default="x86", choices=("x86", "fbgemm", "onednn", "qnnpack"), help="whose ranges")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    verb.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )


def _add_methods(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("methods", help="every quantization method from one float checkpoint, in one table")
    verb.set_defaults(verb=methods)
    verb.add_argument("--float", required=True, metavar="FILE", help="the float checkpoint")
    verb.add_argument("--data", required=True, metavar="ANNOTATION", help="lines to calibrate and train on")
    verb.add_argument("--test", required=True, metavar="ANNOTATION", help="lines to read with every file")
    verb.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for the files and methods.md, .json, .png; a file that is there "
        "from the same settings is not made again",
    )
    _add_budget(verb)
    verb.add_argument("--only", nargs="+", default=(), metavar="NAME", help="some methods (default: all)")
    verb.add_argument(
        "--train-config",
        metavar="YML",
        help="training settings, such as configs/qat.yml; data.train and data.valid are replaced",
    )
    verb.add_argument(
        "--set", nargs="+", default=(), metavar="key=value", help="training settings one by one: train.max_lr=2e-5"
    )
    verb.add_argument(
        "--limit", type=int, default=0, metavar="N", help="draw N lines of --test, the same every time (default: all)"
    )
    verb.add_argument("--repeats", type=int, default=3, metavar="N", help="timing rounds (default %(default)s)")
    verb.add_argument(
        "--threads", type=int, default=1, metavar="N", help="CPU threads of every reader (default %(default)s)"
    )
    add_into(verb)
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    verb.add_argument("--unknown", default="stop", choices=("stop", "skip"), help="at a text outside the vocabulary")
    verb.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )


def _add_budget(verb: argparse.ArgumentParser) -> None:
    """What each method may spend."""
    verb.add_argument(
        "--steps",
        type=int,
        default=200,
        metavar="N",
        help="training steps of each trained method (default %(default)s)",
    )
    verb.add_argument("--lines", type=int, default=256, metavar="N", help="lines to calibrate on (default %(default)s)")
    verb.add_argument(
        "--max-drop",
        type=float,
        default=0.1,
        metavar="PP",
        help="of CER against float, for mixed (default %(default)s)",
    )
    verb.add_argument(
        "--searched-lines",
        type=int,
        default=200,
        metavar="N",
        help="lines of --data that mixed reads (default %(default)s)",
    )
