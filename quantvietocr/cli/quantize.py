"""`quantvietocr quantize`: make 8-bit files without training."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..shipped import weights_file
from .shared import YAML_HELP, read_noting

if TYPE_CHECKING:
    from ..checkpoint.types import Checkpoint
    from ..dataset.annotation import Sample
    from ..quantize.scheme import Scheme


def quantize(options: argparse.Namespace) -> None:
    """Write an 8-bit file and print what it is."""
    from ..checkpoint.describe import describe as describe_file
    from ..checkpoint.files import sha256, write
    from ..checkpoint.types import CheckpointError

    if Path(options.out).suffix != ".safetensors":
        raise CheckpointError(f"{options.out}: quantized files are written as .safetensors; give a name that ends so.")
    source = weights_file(options.float)
    quantized = (_dynamic if options.method == "dynamic" else _static)(options, read_noting(source, options.config))
    about = dataclasses.replace(quantized.meta, source_sha256=sha256(source), made_with=options.command)
    print(describe_file(write(dataclasses.replace(quantized, meta=about), options.out)))


def _dynamic(options: argparse.Namespace, checkpoint: Checkpoint) -> Checkpoint:
    from ..quantize.bits.compact import packed
    from ..quantize.scheme import Scheme
    from ..quantize.static import quantize_dynamic

    scheme = Scheme(float_layers=options.float_layers) if options.float_layers else None
    if options.max_drop is not None:
        return _quantize_within(options, checkpoint, _lines(options, checkpoint), scheme or Scheme())
    quantized = quantize_dynamic(checkpoint, scheme)
    return packed(quantized) if options.compact else quantized


def _lines(options: argparse.Namespace, checkpoint: Checkpoint) -> Sequence[Sample]:
    """The lines of --data."""
    from ..checkpoint.vocab import Vocab
    from ..dataset.annotation import read_annotation
    from ..errors import UserError

    if options.data is None:
        what = (
            "--max-drop reads" if options.method == "dynamic" else "Static quantization measures activation ranges on"
        )
        raise UserError(f"{what} real lines: name an annotation with --data.")
    annotation = read_annotation(options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
    print(annotation.report.summary(), file=sys.stderr)
    return annotation.samples


def _static(options: argparse.Namespace, checkpoint: Checkpoint) -> Checkpoint:
    from ..errors import UserError
    from ..quantize.bits.compact import quantize_compact
    from ..quantize.static import quantize_static

    samples = _lines(options, checkpoint)
    scheme = _scheme(options)
    if options.compact and options.scales == "power-of-two":
        raise UserError(
            "--compact makes groups of 4-bit weights with scales of their own: leave --scales power-of-two away."
        )
    if (options.ranges or options.path == "fx") and (options.compact or options.max_drop is not None):
        raise UserError("--ranges and --path fx are for one plain static file: leave --compact and --max-drop away.")
    if options.max_drop is not None:
        return _quantize_within(options, checkpoint, samples, scheme)
    given = samples, scheme, options.decoder, options.calibration_lines, options.seed
    if options.compact:
        return quantize_compact(checkpoint, *given)
    return quantize_static(checkpoint, *given, path=options.path, ranges=options.ranges)


def _scheme(options: argparse.Namespace) -> Scheme:
    from ..quantize.scheme import Scheme

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
    return scheme if options.scales or options.compact or options.max_drop is not None else scheme.with_powers()


def _quantize_within(
    options: argparse.Namespace, checkpoint: Checkpoint, samples: Sequence[Sample], scheme: Scheme
) -> Checkpoint:
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
        method=options.method,
    )
    print(
        f"{summary(found.bits)}: CER {100 * found.drop:+.3f} pp against float on "
        f"{found.checkpoint.meta.accuracy['lines']} lines, of {found.tries} mixture(s) tried",
        file=sys.stderr,
    )
    return found.checkpoint


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verb to the console script."""
    verb = verbs.add_parser("quantize", help="make an 8-bit file without training")
    verb.set_defaults(verb=quantize)
    verb.add_argument("float", metavar="FLOAT", help="float checkpoint: VietOCR's .pth, or .safetensors")
    verb.add_argument(
        "--method",
        choices=("dynamic", "static"),
        required=True,
        help="dynamic: encoder and decoder, without data; static: the CNN too, its ranges measured on --data",
    )
    verb.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    static = verb.add_argument_group("for --method static; --float-layers for both")
    verb.add_argument(
        "--data", metavar="ANNOTATION", help="lines to measure on, path<TAB>text; --max-drop alone uses their texts"
    )
    static.add_argument(
        "--calibration-lines", type=int, default=256, metavar="N", help="how many of them (default 256)"
    )
    static.add_argument("--seed", type=int, default=0, metavar="N", help="draws them (default %(default)s)")
    _add_scheme(static)
    verb.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )

    verb.add_argument(
        "--compact",
        action="store_true",
        help="pack the file: large convolutions in 4 bits, all of it Huffman-coded; it is "
        "unpacked to the same int8 kernels",
    )
    verb.add_argument(
        "--max-drop",
        type=float,
        metavar="PP",
        help="keep as many layers in 8 bits (with --compact: in 4) as leave the CER "
        "at most so many percentage points above the float network's; the rest stay float",
    )
    verb.add_argument(
        "--lines",
        type=int,
        default=200,
        metavar="N",
        help="lines of --data that --max-drop reads; ranges are measured on the others (default %(default)s)",
    )


def _add_scheme(static: argparse._ArgumentGroup) -> None:
    """How values become integers, and which stay float."""
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
        help="layers that stay float: convolutions, e.g. features.0 'features.4*', or with the names that sensitivity "
        "gives matrices of encoder and decoder, e.g. 'transformer.*.linear1'",
    )
