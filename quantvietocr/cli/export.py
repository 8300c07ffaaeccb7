"""`quantvietocr describe`, `export`, `confidence` and `fetch`: what is done with a checkpoint file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..shipped import WEIGHTS, weights_file
from .shared import YAML_HELP, read_noting


def describe(options: argparse.Namespace) -> None:
    from ..checkpoint.describe import describe as describe_file

    print("\n\n".join(describe_file(weights_file(file), options.config) for file in options.files))


def export(options: argparse.Namespace) -> None:
    {"onnx": _export_onnx, "torchscript": _export_torchscript, "vietocr": _export_vietocr}[options.format](options)


def _export_vietocr(options: argparse.Namespace) -> None:
    import numpy as np
    import torch

    from ..checkpoint.layout import has_own_widths
    from ..errors import UserError
    from ..vietocr_bridge.network import save_vietocr

    if options.verify:
        raise UserError("--verify compares engines, for --format onnx: leave it away.")
    if Path(options.out).suffix != ".pth":
        raise UserError(f"{options.out}: VietOCR loads .pth files; give a name that ends so.")
    checkpoint = read_noting(weights_file(options.checkpoint), options.config)
    if not checkpoint.is_float:
        raise UserError(
            f"{options.checkpoint} is quantized ({checkpoint.meta.method}), and VietOCR runs float weights alone: "
            "export the float checkpoint it was made from."
        )
    if not has_own_widths(checkpoint.tensors):
        raise UserError(
            f"{options.checkpoint} is slim, and VietOCR builds its VGG at full width alone: export the network that it "
            "was made from."
        )
    state = {name: torch.from_numpy(np.array(tensor)) for name, tensor in checkpoint.tensors.items()}
    path = save_vietocr(state, options.out)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, for VietOCR's Predictor (config['weights'] = {str(path)!r})")


def _export_torchscript(options: argparse.Namespace) -> None:
    from ..errors import UserError
    from ..export.torchscript import export_torchscript

    if options.verify:
        raise UserError("--verify compares engines, for --format onnx: leave it away.")
    checkpoint = read_noting(weights_file(options.checkpoint), options.config)
    path = export_torchscript(checkpoint, options.out)
    print(
        f"{path}: {path.stat().st_size / 2**20:.1f} MiB, TorchScript, CNN and encoder, method {checkpoint.meta.method}"
    )


def _export_onnx(options: argparse.Namespace) -> None:
    from ..engines.graphs.network import OPSET
    from ..export.onnx import export_onnx

    checkpoint = read_noting(weights_file(options.checkpoint), options.config)
    annotation = None
    if options.verify:
        from ..checkpoint.vocab import Vocab
        from ..dataset.annotation import read_annotation

        annotation = read_annotation(
            options.verify, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems
        )
        print(annotation.report.summary(), file=sys.stderr)
    path = export_onnx(checkpoint, options.out)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, ONNX opset {OPSET}, method {checkpoint.meta.method}")
    if annotation is None:
        return
    from ..export.verify import VerifyError, failure, report, verify

    differences = verify(checkpoint, path, [sample.path for sample in annotation.samples])
    print(report(path, differences))
    if sentence := failure(differences):
        raise VerifyError(f"{path}: {sentence}")


def confidence(options: argparse.Namespace) -> None:
    import dataclasses

    from ..checkpoint.files import read, write
    from ..checkpoint.vocab import Vocab
    from ..dataset.annotation import read_annotation
    from ..errors import UserError
    from ..metrics.trust import accept_at_precision, auroc
    from ..reading.confidence import Calibration, fit
    from ..reading.evaluate import score_checkpoint

    for path in options.files:
        if path in WEIGHTS:
            raise UserError(f"confidence writes into the file: copy the shipped {path} weights, and name the copy.")
        checkpoint = read(path)
        annotation = read_annotation(
            options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems
        )
        print(annotation.report.summary(), file=sys.stderr)
        found = score_checkpoint(checkpoint, annotation.samples)
        fitted = fit(found.readings, found.right)
        write(
            dataclasses.replace(
                checkpoint, meta=dataclasses.replace(checkpoint.meta, confidence=dataclasses.asdict(fitted))
            ),
            path,
        )
        before = Calibration.of(checkpoint.meta.confidence)
        measures = {
            "mean probability": [reading.mean_probability for reading in found.readings],
            "before": list(map(before.confidence, found.readings)),
            "now": list(map(fitted.confidence, found.readings)),
        }
        print(
            f"{path}: slope {fitted.slope}, offset {fitted.offset}, from {len(found.right)} lines, "
            f"{found.score.exact:.1%} exact"
        )
        for name, values in measures.items():
            accepted = accept_at_precision(values, found.right, 0.99)
            print(f"  {name:<17}AUROC {auroc(values, found.right):.3f}, accepted at 99 % {accepted:.1%}")


def fetch(options: argparse.Namespace) -> None:
    from ..vietocr_bridge.fetch import fetch as fetch_file

    out = options.out or f"weights/{options.config}.pth"
    path = fetch_file(out, options.url, options.blob_id, options.config)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verbs to the console script."""
    _add_describe(verbs)
    _add_export(verbs)
    _add_confidence(verbs)
    _add_fetch(verbs)


def _add_describe(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("describe", help="say what checkpoint files are")
    verb.set_defaults(verb=describe)
    verb.add_argument("files", nargs="+", metavar="FILE")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)


def _add_export(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser(
        "export", help="write a checkpoint as ONNX or TorchScript, or float weights for VietOCR itself"
    )
    verb.set_defaults(verb=export)
    verb.add_argument(
        "checkpoint", metavar="FILE", help="any checkpoint for onnx and torchscript, a float one for vietocr"
    )
    verb.add_argument(
        "--format",
        choices=("onnx", "torchscript", "vietocr"),
        required=True,
        help="torchscript: CNN and encoder, for "
        "programs with torch but without this package; whoever loads such a file runs what is in it",
    )
    verb.add_argument("--out", required=True, metavar="FILE", help="the .onnx, .pt or .pth file to write")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    verb.add_argument(
        "--verify",
        metavar="ANNOTATION",
        help="for onnx: read these lines with torch and with each installed runtime, "
        "and fail where more than 0.2 %% of the texts differ",
    )
    verb.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )


def _add_confidence(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("confidence", help="fit what a checkpoint says of its own certainty to your lines")
    verb.set_defaults(verb=confidence)
    verb.add_argument("files", nargs="+", metavar="FILE", help=".safetensors checkpoints; the fit is written into them")
    verb.add_argument(
        "--data", required=True, metavar="ANNOTATION", help="lines with their texts, not those trained on"
    )
    verb.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )


def _add_fetch(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("fetch", help="download weights that VietOCR publishes (90 and 152 MB)")
    verb.set_defaults(verb=fetch)
    verb.add_argument(
        "--config",
        choices=("vgg_seq2seq", "vgg_transformer"),
        default="vgg_seq2seq",
        help="which (default %(default)s)",
    )
    verb.add_argument("--out", metavar="FILE", help="default: weights/ and that name, .pth")
    verb.add_argument(
        "--url", help="take this address (https, or a Google Drive id) instead of the one in VietOCR's config"
    )
    verb.add_argument("--blob-id", metavar="SHA1", help="git blob id that the file must have")
