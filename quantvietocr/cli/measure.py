"""The verbs that measure: compare, bench, time, score. Each imports the heavy modules that it needs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..shipped import weights_file
from .shared import YAML_HELP, add_into, add_reading_options, reading_combinations


def compare(options: argparse.Namespace) -> None:
    from ..measure.lines.compare import compare as compare_files
    from ..measure.lines.front import front
    from ..measure.lines.report import page, summary
    from ..measure.markdown import check_section, insert_section

    for target in (*options.into, *options.summary_into, *options.front_into):
        check_section(target)  # now, not after hours
    tables = compare_files(
        options.data,
        [weights_file(name) for name in options.weights],
        options.out,
        options.vietocr,
        options.config,
        options.threads,
        options.limit,
        options.repeats,
        options.unknown,
        options.problems,
        options.command,
        options.peer,
        options.workers,
        reading_combinations(options),
        [weights_file(name) for name in options.plain],
    )
    print(Path(options.out, "table.md").read_text(encoding="utf-8"))
    for target in options.into:
        insert_section(target, page(tables))
    for target in options.summary_into:
        insert_section(target, summary(tables))
    for target in options.front_into:
        insert_section(target, front(tables[0], options.front_rows))
    print(
        f"In {options.out}: table.md, table.json, table.png, tradeoff.png, texts.tsv (every line as each row read it), "
        "reliability.png, errors.md, errors.json, errors.png"
    )


def time(options: argparse.Namespace) -> None:
    from ..measure.conditions import conditions_now, load_average, versions_of
    from ..measure.speed.files import report, time_files

    for file in (file for file in options.files if file.endswith(".pt")):
        print(
            f"{file}: loading a TorchScript file runs what is in it; do so with those alone that you made or trust.",
            file=sys.stderr,
        )
    load = load_average()
    files = [str(weights_file(file)) for file in options.files]
    times = time_files(files, options.width, options.runs, options.threads, options.config)
    versions = versions_of(("torch", "onnxruntime", "openvino"))
    print(report(times, options.width, conditions_now([options.threads], versions, load, options.command)))


def bench(options: argparse.Namespace) -> None:
    from ..measure.speed.bench import run

    run(options)


def score(options: argparse.Namespace) -> None:
    from ..measure.markdown import check_section, insert_section
    from ..measure.receipts.overview import front_table, page_of_tables
    from ..measure.receipts.score import score_pages

    for target in (*options.into, *options.front_into):
        check_section(target)
    scored = score_pages(
        options.data,
        [weights_file(name) for name in options.weights],
        options.out,
        options.peer,
        options.detector,
        options.threads,
        options.limit,
        options.workers,
        options.resume,
        options.command,
        options.lines,
    )
    print(page_of_tables(scored))
    for target in options.into:
        insert_section(target, page_of_tables(scored))
    for target in options.front_into:
        insert_section(target, front_table(scored))
    print(
        f"In {options.out}: table.md, overview.json, readings.jsonl, lines.tsv (annotated lines not read right); for "
        "each set fields.tsv (fields not read right); of generated ones table.json, table.png, errors.tsv too"
    )


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verbs to the console script."""
    _add_compare(verbs)
    _add_bench(verbs)
    _add_time(verbs)
    _add_score(verbs)


def _add_compare(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("compare", help="one table: accuracy, size and time of checkpoints on the same lines")
    verb.set_defaults(verb=compare)
    verb.add_argument(
        "--data",
        required=True,
        nargs="+",
        metavar="LINES",
        help="lines to read: annotations (path<TAB>text), recipes "
        "(.yml, their lines are generated under --out) or folders of recipes; a table for each",
    )
    verb.add_argument(
        "--weights", required=True, nargs="+", metavar="FILE", help="checkpoints, a row each, in this order"
    )
    verb.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="folder for the tables, their pictures, the texts read and the error analysis",
    )
    verb.add_argument(
        "--plain",
        nargs="+",
        default=(),
        metavar="FILE",
        help="checkpoints whose network also reads alone, as VietOCR reads, a row each: no words, no count of leaders, "
        "wide lines squeezed, no second look",
    )
    verb.add_argument("--vietocr", action="store_true", help="first: VietOCR's own code on the first float weights")
    verb.add_argument(
        "--peer",
        nargs="+",
        action="extend",
        default=[],
        choices=("tesseract", "rapidocr", "asterocr"),
        help="last rows: other readers on the same crops, where they are installed",
    )
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    verb.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="CPU threads, for every row (default 1; 0: as torch chooses)",
    )
    verb.add_argument(
        "--limit", type=int, default=0, metavar="N", help="draw N lines of each set, the same every time (default: all)"
    )
    verb.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that generate a recipe's lines (default 1)"
    )
    verb.add_argument("--repeats", type=int, default=3, metavar="N", help="timing rounds (default 3)")
    add_reading_options(verb, several=True)
    verb.add_argument("--unknown", default="stop", choices=("stop", "skip"), help="at a text outside the vocabulary")
    verb.add_argument(
        "--problems", default="stop", choices=("stop", "skip"), help="at an annotation line that cannot be used"
    )
    _add_tables_of_compare(verb)


def _add_tables_of_compare(verb: argparse.ArgumentParser) -> None:
    """Add the options that say where the tables go."""
    add_into(verb)
    verb.add_argument(
        "--summary-into",
        nargs="+",
        default=(),
        metavar="FILE#NAME",
        help="the same with a row per reader over all sets, without the tables of each",
    )
    verb.add_argument(
        "--front-into",
        nargs="+",
        default=(),
        metavar="FILE#NAME",
        help="the same with four rows of the first set and how it was measured in a fold, for a first page",
    )
    verb.add_argument(
        "--front-rows",
        nargs="+",
        default=(),
        metavar="ROW",
        help="names of the rows of --front-into (default: VietOCR's own code, the first float file, the shipped int8 "
        "file, AsterOCR)",
    )


def _add_bench(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("bench", help="how fast each engine reads on this machine, beside VietOCR's own code")
    verb.set_defaults(verb=bench)
    verb.add_argument(
        "--out", required=True, metavar="DIR", help="folder for the tables, every time, a picture and ONNX files"
    )
    verb.add_argument(
        "--weights",
        nargs="+",
        metavar="FILE",
        help="a float, an int8 and perhaps a slim int8 file of one network, either of VietOCR's (default: the shipped)",
    )
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)
    verb.add_argument("--threads", nargs="+", type=int, default=(1, 2), metavar="N", help="thread counts (default 1 2)")
    verb.add_argument(
        "--repeats", type=int, default=15, metavar="N", help="timed calls of a line (default 15), thrice a batch's"
    )
    verb.add_argument("--quick", action="store_true", help="one timed call each, a batch of two lines")
    add_into(verb)


def _add_time(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("time", help="how long files of any kind take for a line's CNN and encoder on this machine")
    verb.set_defaults(verb=time)
    verb.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=".safetensors, .pth, .onnx or .pt; loading a TorchScript file (.pt) "
        "runs what is in it, so name only those that you made or trust",
    )
    verb.add_argument(
        "--width", type=int, default=320, metavar="PX", help="of the line, at the network's height (default 320)"
    )
    verb.add_argument("--runs", type=int, default=30, metavar="N", help="timed runs of each file (default 30)")
    verb.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default 1)")
    verb.add_argument("--config", metavar="VIETOCR_YAML", help=YAML_HELP)


def _add_score(verbs: argparse._SubParsersAction) -> None:
    verb = verbs.add_parser("score", help="how well whole receipts are read: lines found, characters, fields, time")
    verb.set_defaults(verb=score)
    verb.add_argument(
        "--data",
        required=True,
        nargs="+",
        action="extend",
        metavar="DIR",
        help="real receipts (a folder with truth.tsv: file, shop, address, date, total), receipts of "
        "`synth --receipts`, or a recipe of them (.yml)",
    )
    verb.add_argument(
        "--lines",
        nargs="+",
        action="extend",
        default=[],
        metavar="LINES",
        help="annotated crops of lines too (path<TAB>text), or folders with annotation.txt",
    )
    verb.add_argument(
        "--weights", required=True, nargs="+", metavar="FILE", help="checkpoints, a row each, in this order"
    )
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for the table, its picture and every error")
    verb.add_argument(
        "--peer",
        nargs="+",
        action="extend",
        default=[],
        choices=("tesseract", "rapidocr", "asterocr"),
        help="last rows: other readers on the same pictures, where they are installed",
    )
    verb.add_argument(
        "--detector",
        default="auto",
        choices=("auto", "rapidocr", "profile"),
        help="what finds the lines (default auto)",
    )
    verb.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads, for every row (default 2)")
    verb.add_argument("--limit", type=int, default=0, metavar="N", help="the first N pictures (default: all)")
    verb.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes that make a recipe's pictures (default 1)"
    )
    verb.add_argument("--resume", action="store_true", help="go on where a run into the same --out was interrupted")
    add_into(verb)
    verb.add_argument(
        "--front-into",
        nargs="+",
        default=[],
        metavar="FILE#NAME",
        help="write a short table of the first set there too, as --into does",
    )
