"""`quantvietocr quantize`, `sensitivity` and `methods`: make and judge 8-bit files."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from ..shipped import weights_file
from .shared import YAML_HELP


def quantize(options: argparse.Namespace) -> None:
    from ..checkpoint.describe import describe as describe_file
    from ..checkpoint.files import read, sha256, write
    from ..checkpoint.types import CheckpointError
    from ..checkpoint.vocab import Vocab
    from ..dataset.annotation import read_annotation
    from ..errors import UserError
    from ..quantize.bits.compact import packed, quantize_compact
    from ..quantize.scheme import Scheme
    from ..quantize.static import quantize_dynamic, quantize_static

    if Path(options.out).suffix != ".safetensors":
        raise CheckpointError(f"{options.out}: quantized files are written as .safetensors; give a name that ends so.")
    checkpoint = read(weights_file(options.float), options.config)
    if options.method == "dynamic":
        if options.max_drop is not None:
            raise UserError(
                "--max-drop chooses the bits of convolutions, which dynamic quantization leaves float: use "
                "--method static."
            )
        quantized = quantize_dynamic(checkpoint)
        quantized = packed(quantized) if options.compact else quantized
    else:
        if options.data is None:
            raise UserError(
                "Static quantization measures activation ranges on real lines: name an annotation with --data."
            )
        annotation = read_annotation(
            options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems
        )
        print(annotation.report.summary(), file=sys.stderr)
        scheme = Scheme(
            options.backend,
            options.observer,
            options.percentile,
            options.weight_bits,
            options.activation_bits,
            options.weights,
            options.activations,
            options.scales or "any",
            options.float_layers,
        )
        if not (options.scales or options.compact or options.max_drop is not None):
            scheme = scheme.with_powers()
        if options.compact and options.scales == "power-of-two":
            raise UserError(
                "--compact makes groups of 4-bit weights with scales of their own: leave --scales power-of-two away."
            )
        if (options.ranges or options.path == "fx") and (options.compact or options.max_drop is not None):
            raise UserError(
                "--ranges and --path fx are for one plain static file: leave --compact and --max-drop away."
            )
        if options.max_drop is not None:
            quantized = _quantize_within(options, checkpoint, annotation.samples, scheme)
        else:
            plain = {} if options.compact else {"path": options.path, "ranges": options.ranges}
            quantized = (quantize_compact if options.compact else quantize_static)(
                checkpoint,
                annotation.samples,
                scheme,
                options.decoder,
                options.calibration_lines,
                options.seed,
                **plain,
            )
    about = dataclasses.replace(
        quantized.meta, source_sha256=sha256(weights_file(options.float)), made_with=options.command
    )
    print(describe_file(write(dataclasses.replace(quantized, meta=about), options.out)))


def _quantize_within(options: argparse.Namespace, checkpoint, samples, scheme):
    from ..quantize.bits.budget import quantize_within
    from ..quantize.bits.mixed import summary
    from ..reading.evaluate import score_checkpoint

    found = quantize_within(
        checkpoint,
        samples,
        options.max_drop / 100,
        lambda made, lines: score_checkpoint(made, lines).score,
        scheme,
        options.decoder,
        options.calibration_lines,
        options.lines,
        options.compact,
        options.seed,
        partial=Path(options.out).with_suffix(".sensitivity.jsonl"),
    )
    print(
        f"{summary(found.bits)}: CER {100 * found.drop:+.3f} pp against float on "
        f"{found.checkpoint.meta.accuracy['lines']} lines, of {found.tries} mixture(s) tried",
        file=sys.stderr,
    )
    return found.checkpoint


def sensitivity(options: argparse.Namespace) -> None:
    from ..checkpoint.files import read
    from ..checkpoint.vocab import Vocab
    from ..common.files import write_text
    from ..dataset.annotation import read_annotation
    from ..measure.methods.sensitivity import csv, draw_sensitivity, sentences
    from ..quantize.bits.budget import drawn
    from ..quantize.bits.mixed import alternatives
    from ..quantize.bits.sensitivity import measure
    from ..quantize.scheme import Scheme

    checkpoint = read(weights_file(options.float), options.config)
    annotation = read_annotation(options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
    print(annotation.report.summary(), file=sys.stderr)
    lines, others = drawn(annotation.samples, options.lines)
    numbers = alternatives(
        checkpoint, others, Scheme(options.backend), "float", options.calibration_lines, 4 in options.bits
    )
    out = Path(options.out)
    results = measure(numbers, lines, tuple(dict.fromkeys(options.bits)), out / "partial.jsonl")
    write_text(out / "sensitivity.csv", csv(results))
    draw_sensitivity(results, len(lines), options.data, out / "sensitivity.png")
    print(sentences(results))
    print(f"In {out}: sensitivity.csv, sensitivity.png, partial.jsonl (what an interrupted measurement goes on from)")


def methods(options: argparse.Namespace) -> None:
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
    _add_quantize(verbs)
    _add_sensitivity(verbs)
    _add_methods(verbs)


def _add_quantize(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("quantize", help="make an 8-bit file without training")
    verb.set_defaults(verb=quantize)
    verb.add_argument("float", metavar="FLOAT", help="float checkpoint: VietOCR's .pth, or .safetensors")
    verb.add_argument(
        "--method",
        choices=("dynamic", "static"),
        required=True,
        help="dynamic: encoder and decoder, needs no data; static: the CNN too, its ranges measured on --data",
    )
    verb.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    static = verb.add_argument_group("for --method static")
    static.add_argument(
        "--data", metavar="ANNOTATION", help="lines to measure on, path<TAB>text; their texts are not used"
    )
    static.add_argument(
        "--calibration-lines", type=int, default=256, metavar="N", help="how many of them (default 256)"
    )
    static.add_argument("--seed", type=int, default=0, metavar="N", help="draws them (default %(default)s)")
    static.add_argument(
        "--observer",
        choices=("minmax", "moving-average", "percentile", "histogram", "kl"),
        default="histogram",
        help="what sets an activation's range (default %(default)s: the least squared error)",
    )
    static.add_argument(
        "--percentile", type=float, default=99.99, metavar="P", help="what the percentile observer keeps, in %%"
    )
    static.add_argument("--weight-bits", type=int, default=8, metavar="B", help="4 to 8 (default %(default)s)")
    static.add_argument("--activation-bits", type=int, metavar="B", help="4 to 8 (default: the backend's)")
    static.add_argument(
        "--weights", choices=("per-channel", "per-tensor"), default="per-channel", help="scales of the weights"
    )
    static.add_argument(
        "--activations", choices=("affine", "symmetric"), default="affine", help="ranges: any, or 0 in the middle"
    )
    static.add_argument(
        "--scales",
        choices=("any", "power-of-two"),
        help="power-of-two: every engine computes the same integers, "
        "from somewhat coarser steps (default: where 8-bit weights leave levels to spare)",
    )
    static.add_argument(
        "--path", choices=("eager", "fx"), default="eager", help="prepared by hand or traced; the numbers are the same"
    )
    static.add_argument(
        "--ranges", metavar="DIR", help="write ranges.json and ranges.png, each layer's values and its range, there"
    )
    static.add_argument(
        "--backend",
        default="x86",
        choices=("x86", "fbgemm", "onednn", "qnnpack"),
        help="whose ranges: x86 and fbgemm keep activations to 7 bits for CPUs without VNNI; the others 8",
    )
    static.add_argument(
        "--decoder", default="int8", choices=("int8", "float"), help="encoder and decoder weights (default int8)"
    )
    static.add_argument(
        "--float-layers",
        nargs="+",
        default=(),
        metavar="NAME",
        help="convolutions that stay float, e.g. features.0 last_conv_1x1 'features.4*'",
    )
    static.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )

    verb.add_argument(
        "--compact",
        action="store_true",
        help="pack the file: large convolutions in 4 bits, all of it Huffman-coded; it is "
        "unpacked to the same int8 kernels",
    )
    static.add_argument(
        "--max-drop",
        type=float,
        metavar="PP",
        help="keep as many layers in 8 bits (with --compact: in 4) as leave the CER "
        "at most so many percentage points above the float network's; the rest stay float",
    )
    static.add_argument(
        "--lines",
        type=int,
        default=200,
        metavar="N",
        help="lines of --data that --max-drop reads; ranges are measured on the others (default %(default)s)",
    )


def _add_sensitivity(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("sensitivity", help="which convolutions suffer from quantization")
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
    verb.add_argument("--bits", type=int, nargs="+", default=[8], choices=(8, 4), help="of the weights (default 8)")
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
    verb.add_argument("--only", nargs="+", default=(), metavar="NAME", help="some methods (default: all)")
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
    verb.add_argument(
        "--into",
        nargs="+",
        default=(),
        metavar="FILE#NAME",
        help="also put the table into a Markdown file, between <!-- table NAME --> and <!-- end NAME -->",
    )
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    verb.add_argument("--unknown", default="stop", choices=("stop", "skip"), help="at a text outside the vocabulary")
    verb.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )
