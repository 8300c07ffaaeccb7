"""`quantvietocr slim`: a narrower float network from a trained one, to be trained from there."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from ..shipped import weights_file
from .shared import YAML_HELP, read_noting


def slim(options: argparse.Namespace) -> None:
    """Write a slim float file and a picture of what it keeps, and print what it is."""
    import numpy as np

    from ..checkpoint.describe import describe
    from ..checkpoint.files import sha256, write
    from ..checkpoint.types import CheckpointError
    from ..checkpoint.vocab import Vocab
    from ..dataset.annotation import read_annotation
    from ..dataset.batches import eval_batches
    from ..slim.fit import SlimError
    from ..slim.picture import write_picture
    from ..slim.prune import slim, widths_for

    out = Path(options.out)
    if out.suffix != ".safetensors":
        raise CheckpointError(f"{out}: slim networks are written as .safetensors; give a name that ends so.")
    source = weights_file(options.float)
    if source.suffix == ".onnx":
        raise SlimError(f"{source}: an .onnx file has no batch norms left; give the float checkpoint that it is of.")
    checkpoint = read_noting(source, options.config)
    if not checkpoint.is_float:
        raise SlimError(
            f"{source} is quantized ({checkpoint.meta.method}): give the float checkpoint that it was made from."
        )
    widths = options.channels or widths_for(checkpoint, options.keep)
    annotation = read_annotation(options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
    print(annotation.report.summary(), file=sys.stderr)
    if options.lines < 1 or not annotation.samples:
        raise SlimError(
            f"{len(annotation.samples)} lines were given and {options.lines} asked for: layers are fitted on real "
            "lines; give some hundred with --data."
        )
    drawn = np.random.default_rng(options.seed).permutation(len(annotation.samples))[: options.lines]
    samples = [annotation.samples[index] for index in sorted(drawn)]
    images = [batch.images.float() / 255 for batch in eval_batches(samples, checkpoint.meta.image, batch_size=16)]
    made, layers = slim(checkpoint, images, widths, options.one_row, options.seed)
    about = dataclasses.replace(made.meta, source_sha256=sha256(source), made_with=options.command)
    write(dataclasses.replace(made, meta=about), out)
    write_picture(layers, out.with_suffix(".layers.png"))
    print(describe(out))


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verb to the console script."""
    verb = verbs.add_parser("slim", help="make a float network narrower, to train it from there")
    verb.set_defaults(verb=slim)
    verb.add_argument("float", metavar="FLOAT", help="float checkpoint: VietOCR's .pth, .safetensors, or `float`")
    verb.add_argument("--data", required=True, metavar="ANNOTATION", help="lines to fit on; their texts are not used")
    verb.add_argument("--out", required=True, metavar="FILE", help="the .safetensors to write, a .layers.png beside it")
    width = verb.add_mutually_exclusive_group()
    width.add_argument(
        "--keep",
        type=float,
        nargs="+",
        default=[0.5],
        metavar="SHARE",
        help="of the channels, one share or one for each of the VGG's five stages (default 0.5)",
    )
    width.add_argument("--channels", type=int, nargs="+", metavar="N", help="of each convolution, in place of --keep")
    verb.add_argument(
        "--one-row",
        action="store_true",
        help="let the encoder take one step for each column of the last map: half as many; it must be trained for that",
    )
    verb.add_argument("--lines", type=int, default=160, metavar="N", help="of --data, about 15 MB each (default 160)")
    verb.add_argument("--seed", type=int, default=0, metavar="N", help="draws them, and positions in them (default 0)")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    verb.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )
