"""`quantvietocr read`: read pictures of text lines with any checkpoint."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from .. import Predictor
from ..shipped import INT8
from .shared import add_reading_options, reading_options

MOST_DRAWN = 60


ENGINES = ("auto", "torch", "onnxruntime", "openvino")


CONTROLS = {ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}  # what would break a row


def options_of(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Read pictures of single text lines: one row per picture, in input order, on stdout. A picture that "
        "cannot be read keeps its row, with no text and confidence 0, and gets a sentence on stderr. "
        "Exit code: 0 all read, 1 some not, 2 nothing could be done, 130 interrupted."
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="pictures, folders (in natural order, subfolders too), quoted patterns, or - for a list of paths on stdin",
    )
    parser.add_argument("--weights", default=INT8, metavar="FILE", help="any checkpoint (default: the shipped int8)")
    parser.add_argument(
        "--config", metavar="VIETOCR_YAML", help="for a .pth with another vocabulary or sizes than VietOCR's"
    )
    parser.add_argument(
        "--format",
        choices=("text", "tsv", "json"),
        default="text",
        help="text alone (default); tsv: path, text, "
        "confidence (a path's tabs and line ends as \\t, \\n); json: an object a line",
    )
    parser.add_argument(
        "--plot", metavar="PNG", help=f"draw the first {MOST_DRAWN} lines read, each with its text under it"
    )
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="torch: .pth, .safetensors; others: .onnx")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default 0: one per core)")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="most lines run together (default 32)")
    add_reading_options(parser)
    parser.add_argument(
        "--receipt",
        action="store_true",
        help="the pictures are receipts or pages (PDF too): find their lines, "
        "rows and fields; into --out go NAME.txt, .tsv, .json, .png and a searchable .pdf each; on stdout "
        "path, page, lines, shop, date, total, or with --format json the page",
    )
    parser.add_argument("--out", metavar="DIR", help="for --receipt; what is there already is not read again")
    parser.add_argument("--detector", choices=("auto", "rapidocr", "profile"), default="auto", help="what finds lines")
    options = parser.parse_args(arguments)
    if options.receipt != bool(options.out) or (options.receipt and options.plot):
        parser.error("--receipt needs --out DIR, and --out --receipt; --plot is for pictures of lines.")
    if options.threads < 0 or options.batch_size < 1:
        parser.error("--threads must be 0 or more, --batch-size at least 1.")
    if options.plot and (Path(options.plot).suffix.lower() != ".png" or Path(options.plot).is_dir()):
        parser.error(f"--plot {options.plot}: give the name of a PNG file to write, ending in .png.")
    return options


def say(sentence: object) -> None:
    print(f"infer.py: {sentence}", file=sys.stderr)


def row(path: str, text: str, confidence: float, error: str | None, form: str) -> str:
    if form == "json":
        about = {"path": path, "text": text, "confidence": round(confidence, 4)} | ({"error": error} if error else {})
        return json.dumps(about, ensure_ascii=False)
    columns = [text] if form == "text" else [path, text, f"{confidence:.4f}"]
    return "\t".join(column.translate(CONTROLS) for column in columns)


def read_all(predictor: Predictor, paths: list[str], form: str, drawn: list | None) -> int:
    """Read and print every picture; returns how many failed. `drawn` collects (picture, text, confidence) of the first."""
    from ..common.progress import line_bar
    from ..reading.stream import read_stream

    failed = 0
    with line_bar(len(paths)) as bar:
        for window in read_stream(predictor, paths, 0 if drawn is None else MOST_DRAWN, bar.update):
            with bar.external_write_mode(file=sys.stdout):
                for line in window:
                    if line.error:
                        failed += 1
                        say(line.error)
                    print(row(line.path, line.text, line.confidence, line.error, form))
                sys.stdout.flush()
            if drawn is not None:
                drawn += [(line.thumbnail, line.text, line.confidence) for line in window if line.thumbnail]
    return failed


def run(options: argparse.Namespace) -> int:
    if options.receipt:
        from .receipts import run as read_receipts

        return read_receipts(options, say)
    from .. import Predictor
    from ..errors import UserError
    from ..pictures.find import find_pictures

    found = find_pictures(options.paths)
    for sentence in found.notes + found.problems:
        say(sentence)
    if not found.paths:
        raise UserError("no pictures to read; name files, folders or patterns.")
    predictor = Predictor(
        options.weights,
        options.threads,
        batch_size=options.batch_size,
        engine=options.engine,
        config=options.config,
        options=reading_options(options),
    )
    say("\ninfer.py: ".join(predictor.about))
    drawn: list | None = [] if options.plot else None
    if options.plot:
        Path(options.plot).parent.mkdir(parents=True, exist_ok=True)  # if it cannot be, then before the long part
    failed = read_all(predictor, found.paths, options.format, drawn)
    if drawn:
        from ..reading.plot import draw_lines

        draw_lines(drawn, options.plot, f"{len(drawn)} lines read with {Path(options.weights).name}")
        say(f"{options.plot} shows {len(drawn)} of the {len(found.paths) - failed} lines read.")
    if failed:
        say(f"{failed} of {len(found.paths)} pictures could not be read.")
    return 1 if failed or found.problems else 0


def main(arguments: list[str] | None = None) -> int:
    options = options_of(arguments)
    # Before torch and NumPy load: threads that spin while they wait make reading ten times slower on a busy machine.
    os.environ.update({"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"} | os.environ)
    # A file name that is not UTF-8 goes out as the bytes it is; in JSON as the escape that gives them back.
    sys.stdout.reconfigure(
        encoding="utf-8", errors="backslashreplace" if options.format == "json" else "surrogateescape"
    )
    sys.stderr.reconfigure(errors="backslashreplace")
    try:
        from ..errors import UserError

        try:
            return run(options)
        except BrokenPipeError:  # `infer.py … | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python's own flush at exit complains
            return 141  # as a program that the closed pipe had ended
        except (UserError, OSError) as error:
            say(error)
            return 2
    except KeyboardInterrupt:
        say("interrupted.")
        return 130
