"""What several verbs share."""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..reading.options import LEADERS, MAX_BEAM, MAX_RETRIES, USUAL, WIDE, ReadingOptions

if TYPE_CHECKING:
    from ..checkpoint.types import Checkpoint

ENGINES = ("auto", "torch", "onnxruntime", "openvino")  # as `engines.choose`, which is heavy to import
YAML_HELP = "the YAML a VietOCR .pth was trained with, if its vocabulary or sizes are not VietOCR's own"


def read_noting(path: Path, vietocr_yaml: str | None) -> Checkpoint:
    """Read a checkpoint as `checkpoint.files.read` does, and say on stderr what was taken off its weights."""
    from ..checkpoint.files import read

    checkpoint = read(path, vietocr_yaml)
    for note in checkpoint.notes:
        print(note, file=sys.stderr)
    return checkpoint


def add_into(parser: argparse.ArgumentParser) -> None:
    """Add `--into`: sections of Markdown files that a verb also puts its tables into."""
    parser.add_argument(
        "--into",
        nargs="+",
        default=(),
        metavar="FILE#NAME",
        help="also put the table into a Markdown file, between <!-- table NAME --> and <!-- end NAME -->",
    )


def add_engine(parser: argparse._ActionsContainer, name: str = "--engine") -> None:
    """Add the choice of what computes."""
    parser.add_argument(
        name,
        choices=ENGINES,
        default="auto",
        help="what computes (default: torch if it is installed; else, and for .onnx files, OpenVINO or ONNX Runtime)",
    )


def add_reading_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Add an option for each field of `ReadingOptions` to a parser.

    Args:
        parser: The parser of a command that reads lines.
        several: Whether `--leaders`, `--retries` and `--words` take several values, for a row of every checkpoint with
            each (`reading_combinations`); else each takes one (`reading_options`).
    """
    more = "; of several, a row of every checkpoint for each" if several else ""

    def add(*names: str, default: Any, help: str, **how: Any) -> None:
        many = {"nargs": "+", "default": (default,)} if several else {"default": default}
        parser.add_argument(*names, help=help + more, **many, **how)

    parser.add_argument(
        "--wide",
        choices=WIDE,
        default=USUAL.wide,
        help="lines too wide for the network: in parts cut between words where that is surer (default), or squeezed as "
        "VietOCR does",
    )
    add(
        "--leaders",
        "--loops",
        choices=LEADERS,
        default=USUAL.leaders,
        help="rules and dotted leaders: read the text between them by itself and count their marks in the picture "
        "(default); leave out what is repeated while attention stands still; or keep it as VietOCR does",
    )
    add(
        "--retries",
        "--again",
        type=int,
        choices=range(MAX_RETRIES + 1),
        default=USUAL.retries,
        help="further looks at what the first left in doubt, the surest reading kept: for poor scans, where it takes "
        "longer (default 0)",
    )
    add(
        "--words",
        metavar="FILE",
        type=lambda name: None if name == "none" else name,
        default=USUAL.words,
        help="what a line in doubt is read again with, but with --beam: vi (default), a file of `quantvietocr words`, "
        "or none",
    )
    parser.add_argument(
        "--beam",
        type=_beam_width,
        default=USUAL.beam,
        metavar="N",
        help=f"beam width, up to {MAX_BEAM} (default 0: greedy)",
    )
    parser.add_argument("--whitelist", metavar="CHARS", help="read these characters alone, e.g. '0123456789., '")


def reading_options(options: argparse.Namespace) -> ReadingOptions:
    """What the options of `add_reading_options` say."""
    return ReadingOptions(
        wide=options.wide,
        leaders=options.leaders,
        retries=options.retries,
        words=options.words,
        beam=options.beam,
        whitelist=options.whitelist,
    )


def reading_combinations(options: argparse.Namespace) -> list[ReadingOptions]:
    """What the options of `add_reading_options(several=True)` say: every combination of their values."""
    return [
        ReadingOptions(options.wide, leaders, retries, words, options.beam, options.whitelist)
        for retries, words, leaders in itertools.product(options.retries, options.words, options.leaders)
    ]


def _beam_width(text: str) -> int:
    try:
        width = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number from 0 to {MAX_BEAM}, not {text!r}.") from None
    if not 0 <= width <= MAX_BEAM:
        raise argparse.ArgumentTypeError(f"must be 0 to {MAX_BEAM}, not {width}.")
    return width
