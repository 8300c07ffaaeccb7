"""The console script `quantvietocr`: verbs beyond `train_qat.py` and `infer.py`."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0 done, 2 a sentence on stderr says why not, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    options.command = "quantvietocr " + shlex.join(arguments)
    # Before torch loads, as infer.py does and for its reasons.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        from .errors import UserError

        try:
            options.verb(options)
        except (UserError, OSError) as error:
            print(f"quantvietocr: {error}", file=sys.stderr)
            return 2
    except KeyboardInterrupt:
        print("\nquantvietocr: interrupted.", file=sys.stderr)
        return 130
    return 0


def describe(options: argparse.Namespace) -> None:
    from .checkpoint import describe as describe_file

    print("\n\n".join(describe_file(file, options.config) for file in options.files))


def quantize(options: argparse.Namespace) -> None:
    from .checkpoint import CheckpointError, describe as describe_file, read, sha256, write
    from .dataset.annotation import read_annotation
    from .errors import UserError
    from .quantize.static import quantize_dynamic, quantize_static
    from .vocab import Vocab

    if Path(options.out).suffix != ".safetensors":
        raise CheckpointError(f"{options.out}: quantized files are written as .safetensors; give a name that ends so.")
    checkpoint = read(options.float, options.config)
    if options.method == "dynamic":
        quantized = quantize_dynamic(checkpoint)
    else:
        if options.data is None:
            raise UserError("Static quantization measures activation ranges on real lines: name an annotation with --data.")
        annotation = read_annotation(options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
        print(annotation.report.summary(), file=sys.stderr)
        quantized = quantize_static(
            checkpoint, annotation.samples, options.backend, options.decoder, options.float_layers,
            options.calibration_lines, options.config,
        )  # fmt: skip
    about = dataclasses.replace(quantized.meta, source_sha256=sha256(options.float), made_with=options.command)
    print(describe_file(write(dataclasses.replace(quantized, meta=about), options.out)))


def export(options: argparse.Namespace) -> None:
    if options.format == "onnx":
        return _export_onnx(options)
    import numpy as np
    import torch

    from .checkpoint import read
    from .errors import UserError
    from .vietocr_bridge import save_vietocr

    if options.verify:
        raise UserError("--verify compares engines, for --format onnx: leave it away.")
    if Path(options.out).suffix != ".pth":
        raise UserError(f"{options.out}: VietOCR loads .pth files; give a name that ends so.")
    checkpoint = read(options.checkpoint, options.config)
    if not checkpoint.is_float:
        raise UserError(f"{options.checkpoint} is quantized ({checkpoint.meta.method}), and VietOCR runs float weights alone: "
                        "export the float checkpoint it was made from.")
    state = {name: torch.from_numpy(np.array(tensor)) for name, tensor in checkpoint.tensors.items()}
    path = save_vietocr(state, options.out)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, for VietOCR's Predictor (config['weights'] = {str(path)!r})")


def _export_onnx(options: argparse.Namespace) -> None:
    from .checkpoint import read
    from .dataset.annotation import read_annotation
    from .onnx_export import OPSET, export_onnx
    from .onnx_verify import VerifyError, failure, report, verify
    from .vocab import Vocab

    checkpoint = read(options.checkpoint, options.config)
    annotation = None
    if options.verify:
        annotation = read_annotation(options.verify, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
        print(annotation.report.summary(), file=sys.stderr)
    path = export_onnx(checkpoint, options.out)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, ONNX opset {OPSET}, method {checkpoint.meta.method}")
    if annotation is None:
        return
    differences = verify(checkpoint, path, [sample.path for sample in annotation.samples])
    print(report(path, differences))
    if sentence := failure(differences):
        raise VerifyError(f"{path}: {sentence}")


def compare(options: argparse.Namespace) -> None:
    from .compare import compare as compare_files
    from .report import insert_section, page, summary

    tables = compare_files(
        options.data, options.weights, options.out, options.vietocr, options.config, options.threads, options.limit,
        options.repeats, options.unknown, options.problems, options.command, options.peer, options.workers,
    )  # fmt: skip
    print(Path(options.out, "table.md").read_text(encoding="utf-8"))
    for places, written in ((options.into, page), (options.summary_into, summary)):
        for place in places:
            file, _, section = place.rpartition("#")
            insert_section(Path(file), section, written(tables))
    print(f"In {options.out}: table.md, table.json, table.png, texts.tsv (every line as each row read it), reliability.png, "
          "errors.md, errors.json, errors.png")


def confidence(options: argparse.Namespace) -> None:
    import dataclasses

    from .checkpoint import read, write
    from .confidence import Calibration, fit
    from .dataset.annotation import read_annotation
    from .metrics import accept_at_precision, auroc
    from .train.validate import score_checkpoint
    from .vocab import Vocab

    for path in options.files:
        checkpoint = read(path)
        annotation = read_annotation(options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
        print(annotation.report.summary(), file=sys.stderr)
        found = score_checkpoint(checkpoint, annotation.samples)
        fitted = fit(found.readings, found.right)
        write(dataclasses.replace(checkpoint, meta=dataclasses.replace(checkpoint.meta, confidence=dataclasses.asdict(fitted))), path)
        before = Calibration.of(checkpoint.meta.confidence)
        measures = {"mean probability": [reading.mean_probability for reading in found.readings],
                    "before": list(map(before.confidence, found.readings)),
                    "now": list(map(fitted.confidence, found.readings))}  # fmt: skip
        print(f"{path}: slope {fitted.slope}, offset {fitted.offset}, from {len(found.right)} lines, {found.score.exact:.1%} exact")
        for name, values in measures.items():
            accepted = accept_at_precision(values, found.right, 0.99)
            print(f"  {name:<17}AUROC {auroc(values, found.right):.3f}, accepted at 99 % {accepted:.1%}")


def bench(options: argparse.Namespace) -> None:
    from .bench import run

    run(options)


def synth(options: argparse.Namespace) -> None:
    from .dataset.synth import LineGenerator, SynthConfig
    from .errors import UserError

    if options.workers < 1 or (options.count is not None and options.count < 1):
        raise UserError("--count and --workers must be at least 1.")
    decided = [name for name in ("count", "text", "fonts", "style", "degrade", "seed") if getattr(options, name) is not None]
    if options.recipe is not None:
        if decided:
            raise UserError(f"The recipe decides what --{decided[0]} would: leave it away, or write a recipe of your own.")
        return _synth_recipe(options)
    if options.seal or options.count is None:
        raise UserError("--seal writes into a recipe: name it with --recipe." if options.seal else
                        "Say how many lines with --count, or name a --recipe.")  # fmt: skip
    texts, fonts = tuple(options.text or ()), tuple(options.fonts or ())
    degrade = 1.0 if options.degrade is None else options.degrade
    try:
        generator = LineGenerator(SynthConfig(texts, fonts, degrade=degrade, style=options.style or "mixture"), options.seed or 0)
    except (ValueError, RuntimeError) as error:  # how the generator names a bad knob, text file or font
        raise UserError(str(error)) from error
    print(generator.describe(), file=sys.stderr)
    print(generator.write(options.out, options.count, options.workers))


def _synth_recipe(options: argparse.Namespace) -> None:
    from .dataset.recipes import lines_of, recipes_in, seal

    for path in recipes_in(options.recipe):
        out = Path(options.out, path.stem) if Path(options.recipe).is_dir() else Path(options.out)
        print((seal if options.seal else lines_of)(path, out, options.workers))


def fetch(options: argparse.Namespace) -> None:
    from .fetch import fetch as fetch_file

    path = fetch_file(options.out, options.url, options.blob_id)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="quantvietocr", description="8-bit VietOCR for CPUs. Training is train_qat.py, "
                                     "reading is infer.py; here is the rest.")  # fmt: skip
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    yaml_help = "the YAML a VietOCR .pth was trained with, if its vocabulary or sizes are not VietOCR's own"

    verb = verbs.add_parser("describe", help="say what checkpoint files are")
    verb.set_defaults(verb=describe)
    verb.add_argument("files", nargs="+", metavar="FILE")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)

    verb = verbs.add_parser("quantize", help="make an 8-bit file without training")
    verb.set_defaults(verb=quantize)
    verb.add_argument("float", metavar="FLOAT", help="float checkpoint: VietOCR's .pth, or .safetensors")
    verb.add_argument("--method", choices=("dynamic", "static"), required=True, help="dynamic: encoder and decoder, needs no "
                      "data; static: the CNN too, its ranges measured on --data")  # fmt: skip
    verb.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)
    static = verb.add_argument_group("for --method static")
    static.add_argument("--data", metavar="ANNOTATION", help="lines to measure on, path<TAB>text; their texts are not used")
    static.add_argument("--calibration-lines", type=int, default=256, metavar="N", help="how many of them (default 256)")
    static.add_argument("--backend", default="x86", choices=("x86", "fbgemm", "onednn", "qnnpack"),
                        help="whose ranges: x86 and fbgemm keep activations to 7 bits for CPUs without VNNI; the others 8")
    static.add_argument("--decoder", default="int8", choices=("int8", "float"), help="encoder and decoder weights (default int8)")
    static.add_argument("--float-layers", nargs="+", default=(), metavar="NAME",
                        help="convolutions that stay float, e.g. features.0 last_conv_1x1 'features.4*'")
    static.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("export", help="write a checkpoint as ONNX, or float weights for VietOCR itself")
    verb.set_defaults(verb=export)
    verb.add_argument("checkpoint", metavar="FILE", help="any checkpoint for onnx, a float one for vietocr")
    verb.add_argument("--format", choices=("onnx", "vietocr"), required=True)
    verb.add_argument("--out", required=True, metavar="FILE", help="the .onnx or .pth file to write")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)
    verb.add_argument("--verify", metavar="ANNOTATION", help="for onnx: read these lines with torch and with each installed runtime, "
                      "and fail where more than 0.2 %% of the texts differ")  # fmt: skip
    verb.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("compare", help="one table: accuracy, size and time of checkpoints on the same lines")
    verb.set_defaults(verb=compare)
    verb.add_argument("--data", required=True, nargs="+", metavar="LINES", help="lines to read: annotations (path<TAB>text), recipes "
                      "(.yml, their lines are generated under --out) or folders of recipes; a table for each")  # fmt: skip
    verb.add_argument("--weights", required=True, nargs="+", metavar="FILE", help="checkpoints, a row each, in this order")
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for the tables, their pictures, the texts read and "
                      "the error analysis")  # fmt: skip
    verb.add_argument("--vietocr", action="store_true", help="first row: VietOCR's own code on the first float weights")
    verb.add_argument("--peer", nargs="+", action="extend", default=[], choices=("tesseract", "rapidocr"),
                      help="last rows: other readers on the same crops, where they are installed")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=yaml_help)
    verb.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads, for every row (default 1; 0: as torch chooses)")
    verb.add_argument("--limit", type=int, default=0, metavar="N", help="draw N lines of each set, the same every time (default: all)")
    verb.add_argument("--workers", type=int, default=1, metavar="N", help="processes that generate a recipe's lines (default 1)")
    verb.add_argument("--repeats", type=int, default=3, metavar="N", help="timing rounds (default 3)")
    verb.add_argument("--into", nargs="+", default=(), metavar="FILE#NAME", help="also put the table into a Markdown file, between "
                      "<!-- table NAME --> and <!-- end NAME -->")  # fmt: skip
    verb.add_argument("--summary-into", nargs="+", default=(), metavar="FILE#NAME", help="the same with a row per reader over all "
                      "sets, without the tables of each")  # fmt: skip
    verb.add_argument("--unknown", default="stop", choices=("stop", "skip"), help="at a text outside the vocabulary")
    verb.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("bench", help="how fast each engine reads on this machine, beside VietOCR's own code")
    verb.set_defaults(verb=bench)
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for the tables, every time, a picture and ONNX files")
    verb.add_argument("--weights", nargs=2, metavar=("FLOAT", "INT8"), help="default: the shipped ones")
    verb.add_argument("--threads", nargs="+", type=int, default=(1, 2), metavar="N", help="thread counts (default 1 2)")
    verb.add_argument("--repeats", type=int, default=15, metavar="N", help="timed calls of a line (default 15), thrice a batch's")
    verb.add_argument("--quick", action="store_true", help="one timed call each, a batch of two lines")
    verb.add_argument("--into", nargs="+", default=(), metavar="FILE#NAME", help="also put the tables into a Markdown file, between "
                      "<!-- table NAME --> and <!-- end NAME -->")  # fmt: skip

    verb = verbs.add_parser("confidence", help="fit what a checkpoint says of its own certainty to your lines")
    verb.set_defaults(verb=confidence)
    verb.add_argument("files", nargs="+", metavar="FILE", help=".safetensors checkpoints; the fit is written into them")
    verb.add_argument("--data", required=True, metavar="ANNOTATION", help="lines with their texts, not those trained on")
    verb.add_argument("--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used")

    verb = verbs.add_parser("synth", help="generate labelled lines as a VietOCR folder")
    verb.set_defaults(verb=synth)
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for img/ and annotation.txt")
    verb.add_argument("--recipe", metavar="YML", help="make the lines of a recipe, or of a folder's recipes in a folder "
                      "each (data/README.md); it decides what --count to --seed would")  # fmt: skip
    verb.add_argument("--seal", action="store_true", help="write the hash of the lines made into the recipe")
    verb.add_argument("--count", type=int, metavar="N", help="how many lines")
    verb.add_argument("--text", nargs="+", metavar="FILE", help=".txt or .txt.gz, one sentence or paragraph a line")
    verb.add_argument("--fonts", nargs="+", metavar="PATH", help="font files or folders (default: the system's)")
    verb.add_argument("--style", choices=("receipt", "form", "letter", "poor_scan"), help="one kind of page (default: a mixture)")
    verb.add_argument("--degrade", type=float, metavar="X", help="0 clean print, 1 as in real use (default)")
    verb.add_argument("--seed", type=int, metavar="N", help="another seed, other lines (default 0)")
    verb.add_argument("--workers", type=int, default=1, metavar="N", help="processes; the lines are the same (default 1)")

    verb = verbs.add_parser("fetch", help="download VietOCR's published vgg_seq2seq weights (90 MB)")
    verb.set_defaults(verb=fetch)
    verb.add_argument("--out", default="weights/vgg_seq2seq.pth", metavar="FILE", help="default: %(default)s")
    verb.add_argument("--url", help="take this address (https, or a Google Drive id) instead of the one in VietOCR's config")
    verb.add_argument("--blob-id", metavar="SHA1", help="git blob id that the file must have")
    return parser
