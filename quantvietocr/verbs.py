"""What each verb of the console script does with its options. Heavy modules are imported by the verb that needs them."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path


def describe(options: argparse.Namespace) -> None:
    from .describe import describe as describe_file

    print("\n\n".join(describe_file(file, options.config) for file in options.files))


def quantize(options: argparse.Namespace) -> None:
    from .checkpoint import CheckpointError, read, sha256, write
    from .dataset.annotation import read_annotation
    from .describe import describe as describe_file
    from .errors import UserError
    from .quantize.compact import packed, quantize_compact
    from .quantize.scheme import Scheme
    from .quantize.static import quantize_dynamic, quantize_static
    from .vocab import Vocab

    if Path(options.out).suffix != ".safetensors":
        raise CheckpointError(f"{options.out}: quantized files are written as .safetensors; give a name that ends so.")
    checkpoint = read(options.float, options.config)
    if options.method == "dynamic":
        if options.max_drop is not None:
            raise UserError("--max-drop chooses the bits of convolutions, which dynamic quantization leaves float: use "
                            "--method static.")  # fmt: skip
        quantized = quantize_dynamic(checkpoint)
        quantized = packed(quantized) if options.compact else quantized
    else:
        if options.data is None:
            raise UserError("Static quantization measures activation ranges on real lines: name an annotation with --data.")
        annotation = read_annotation(options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
        print(annotation.report.summary(), file=sys.stderr)
        scheme = Scheme(options.backend, options.observer, options.percentile, options.weight_bits, options.activation_bits,
                        options.weights, options.activations, options.scales or "any", options.float_layers)  # fmt: skip
        if not (options.scales or options.compact or options.max_drop is not None):
            scheme = scheme.with_powers()
        if options.compact and options.scales == "power-of-two":
            raise UserError("--compact makes groups of 4-bit weights with scales of their own: leave --scales power-of-two away.")
        if (options.ranges or options.path == "fx") and (options.compact or options.max_drop is not None):
            raise UserError("--ranges and --path fx are for one plain static file: leave --compact and --max-drop away.")
        if options.max_drop is not None:
            quantized = _quantize_within(options, checkpoint, annotation.samples, scheme)
        else:
            plain = {} if options.compact else {"path": options.path, "ranges": options.ranges}
            quantized = (quantize_compact if options.compact else quantize_static)(
                checkpoint, annotation.samples, scheme, options.decoder, options.calibration_lines, options.seed,
                vietocr_yaml=options.config, **plain,
            )  # fmt: skip
    about = dataclasses.replace(quantized.meta, source_sha256=sha256(options.float), made_with=options.command)
    print(describe_file(write(dataclasses.replace(quantized, meta=about), options.out)))


def _quantize_within(options: argparse.Namespace, checkpoint, samples, scheme):
    from .quantize.budget import quantize_within
    from .quantize.mixed import summary
    from .train.validate import score_checkpoint

    found = quantize_within(
        checkpoint, samples, options.max_drop / 100, lambda made, lines: score_checkpoint(made, lines).score, scheme,
        options.decoder, options.calibration_lines, options.lines, options.compact, options.seed, vietocr_yaml=options.config,
        partial=Path(options.out).with_suffix(".sensitivity.jsonl"),
    )  # fmt: skip
    print(f"{summary(found.bits)}: CER {100 * found.drop:+.3f} pp against float on {found.checkpoint.meta.accuracy['lines']} "
          f"lines, of {found.tries} mixture(s) tried", file=sys.stderr)
    return found.checkpoint


def sensitivity(options: argparse.Namespace) -> None:
    from .checkpoint import read
    from .dataset.annotation import read_annotation
    from .quantize.budget import drawn
    from .quantize.mixed import alternatives
    from .quantize.scheme import Scheme
    from .quantize.sensitivity import measure
    from .report import write_text
    from .sensitivity_report import csv, draw_sensitivity, sentences
    from .vocab import Vocab

    checkpoint = read(options.float, options.config)
    annotation = read_annotation(options.data, Vocab(checkpoint.meta.chars), unknown="skip", problems=options.problems)
    print(annotation.report.summary(), file=sys.stderr)
    lines, others = drawn(annotation.samples, options.lines)
    numbers = alternatives(checkpoint, others, Scheme(options.backend), "float", options.calibration_lines, 4 in options.bits,
                           vietocr_yaml=options.config)  # fmt: skip
    out = Path(options.out)
    results = measure(numbers, lines, tuple(dict.fromkeys(options.bits)), out / "partial.jsonl")
    write_text(out / "sensitivity.csv", csv(results))
    draw_sensitivity(results, len(lines), options.data, out / "sensitivity.png")
    print(sentences(results))
    print(f"In {out}: sensitivity.csv, sensitivity.png, partial.jsonl (what an interrupted measurement goes on from)")


def export(options: argparse.Namespace) -> None:
    if options.format == "onnx":
        return _export_onnx(options)
    if options.format == "torchscript":
        return _export_torchscript(options)
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


def _export_torchscript(options: argparse.Namespace) -> None:
    from .checkpoint import read
    from .errors import UserError
    from .torchscript_export import export_torchscript

    if options.verify:
        raise UserError("--verify compares engines, for --format onnx: leave it away.")
    checkpoint = read(options.checkpoint, options.config)
    path = export_torchscript(checkpoint, options.out)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, TorchScript, CNN and encoder, method {checkpoint.meta.method}")


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
        options.repeats, options.unknown, options.problems, options.command, options.peer, options.workers, options.wide,
        options.again, options.words, options.loops,
    )  # fmt: skip
    print(Path(options.out, "table.md").read_text(encoding="utf-8"))
    for places, written in ((options.into, page), (options.summary_into, summary)):
        for place in places:
            file, _, section = place.rpartition("#")
            insert_section(Path(file), section, written(tables))
    print(f"In {options.out}: table.md, table.json, table.png, texts.tsv (every line as each row read it), reliability.png, "
          "errors.md, errors.json, errors.png")


def methods(options: argparse.Namespace) -> None:
    import json

    from .config import load_config
    from .errors import UserError
    from .methods import run
    from .methods_report import Budget
    from .report import insert_section

    annotation = f"data.train=[{{annotation: {json.dumps(options.data)}}}]"
    config = load_config(options.train_config, [annotation, "data.valid=null", f"train.steps={options.steps}", *options.set])
    budget = Budget(options.steps, options.lines, options.max_drop / 100, options.searched_lines)
    table = run(
        options.float, options.data, options.test, options.out, config, budget, options.only, options.limit, options.repeats,
        options.threads, options.unknown, options.problems, options.config, options.command,
    )  # fmt: skip
    written = Path(options.out, "methods.md").read_text(encoding="utf-8")
    print(written)
    for place in options.into:
        file, _, section = place.rpartition("#")
        insert_section(Path(file), section, written)
    print(f"In {options.out}: methods.md, methods.json, methods.png, and each method's file")
    if table.failed:
        raise UserError(f"{len(table.failed)} of {len(table.rows) - 1} methods failed: {', '.join(row.name for row in table.failed)}; "
                        "the table says why.")  # fmt: skip


def words(options: argparse.Namespace) -> None:
    from .errors import UserError
    from .language.text import count_files
    from .language.words import writable, write

    if min(options.least_word, options.least_pair) < 1:
        raise UserError("--least-word and --least-pair must be at least 1.")
    out = writable(options.out)
    model = count_files(options.text, options.least_word, options.least_pair)
    about = model.about
    print(f"{write(model, out)} ({out.stat().st_size / 1e6:.1f} MB): {about['words']:,} words and {about['pairs']:,} pairs of "
          f"{about['tokens']:,} words of text")  # fmt: skip


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


def time(options: argparse.Namespace) -> None:
    from .time_files import report, time_files

    for file in (file for file in options.files if file.endswith(".pt")):
        print(f"{file}: loading a TorchScript file runs what is in it; do so with those alone that you made or trust.",
              file=sys.stderr)
    times = time_files(options.files, options.width, options.runs, options.threads, options.config)
    print(report(times, options.width, options.threads))


def bench(options: argparse.Namespace) -> None:
    from .bench import run

    run(options)


def score(options: argparse.Namespace) -> None:
    from .receipt_report import markdown
    from .receipt_score import score_pages
    from .report import insert_section

    table = score_pages(
        options.data, options.weights, options.out, options.peer, options.detector, options.threads, options.limit,
        options.workers, options.resume, options.command,
    )  # fmt: skip
    print(markdown(table))
    for place in options.into:
        file, _, section = place.rpartition("#")
        insert_section(Path(file), section, markdown(table))
    print(f"In {options.out}: table.md, table.json, table.png, errors.tsv, fields.tsv (what was not read right), readings.jsonl")


def fetch(options: argparse.Namespace) -> None:
    from .fetch import fetch as fetch_file

    path = fetch_file(options.out, options.url, options.blob_id)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


def serve(options: argparse.Namespace) -> None:
    from .serve.server import WEIGHTS, serve as serve_page

    serve_page(options.weights or WEIGHTS, options.port, options.threads)
