"""`quantvietocr read`: read pictures of text lines with any checkpoint."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.files import STDOUT, naming, reader_name
from ..common.progress import line_bar
from ..errors import UserError
from ..shipped import weights_file
from .arguments import Parser, add_version
from .exits import DONE, SOME_FAILED, UNUSABLE, run_verb
from .inputs import Inputs, find_inputs, is_missing, missing_sentence
from .process import leave_cores_alone, prepare_process
from .rows import FORM_OF, LOW_CONFIDENCE, RowFile, Table, row
from .session import MAX_PAGE_HINTS, Session, hint_at_page, open_predictor
from .shared import add_engine, add_reading_options, reading_options

if TYPE_CHECKING:
    from ..reading.predictor import Predictor
    from ..reading.stream import Line

SCRIPT = "infer.py"
MAX_DRAWN = 60  # lines in the picture of --plot
DESCRIPTION = (
    "Read pictures of single text lines: one row per picture, in input order. A picture that cannot be read keeps its "
    "row, with no text and confidence 0, and gets a sentence on stderr. Exit code: 0 all read, 1 some not, 2 nothing "
    "could be done, 130 interrupted."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what reading of lines and of pages takes alike."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="pictures, folders (in natural order, subfolders too), quoted patterns, or - for a list of paths on stdin",
    )
    parser.add_argument(
        "--weights", default="int8", metavar="FILE", help="any checkpoint, or the shipped int8 (default), slim or float"
    )
    parser.add_argument(
        "--config", metavar="VIETOCR_YAML", help="for a .pth with another vocabulary or sizes than VietOCR's"
    )
    add_engine(parser)
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="CPU threads (default 0: one per core)")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="most lines run together (default 32)")
    add_reading_options(parser)
    parser.add_argument("--quiet", action="store_true", help="of what is no error, nothing on stderr")


def _add_line_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=("table", "text", "tsv", "json"),
        help="table: for people (default in a terminal); text alone (default elsewhere); tsv: path, text, confidence "
        "(a path's tabs and line ends as \\t, \\n); json: an object a line",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="write the rows there (.tsv or .jsonl); pictures that have a row there already are not read again",
    )
    parser.add_argument(
        "--plot", metavar="PNG", help=f"draw the first {MAX_DRAWN} lines read, each with its text under it"
    )


def check(options: argparse.Namespace) -> None:
    """Refuse values that nothing can be done with. Raises UserError."""
    if options.threads < 0 or options.batch_size < 1:
        raise UserError("--threads must be 0 or more, --batch-size at least 1.")


def _check_lines(options: argparse.Namespace) -> None:
    check(options)
    if options.plot and (Path(options.plot).suffix.lower() != ".png" or Path(options.plot).is_dir()):
        raise UserError(f"--plot {options.plot}: give the name of a PNG file to write, ending in .png.")
    if options.out is None:
        return
    form = FORM_OF.get(Path(options.out).suffix.lower())
    if form is None or Path(options.out).is_dir():
        raise UserError(f"--out {options.out}: give the name of a file of rows to write, ending in .tsv or .jsonl.")
    if options.format not in (None, form):
        raise UserError(f"--out {options.out} holds rows in the form {form}: leave --format {options.format} away.")


def read(options: argparse.Namespace) -> int:
    """Read lines; the exit code."""
    leave_cores_alone()
    _check_lines(options)
    session = Session(options)
    inputs = find_inputs(options.paths)
    for sentence in inputs.notes:
        session.note(sentence)
    for sentence in inputs.problems:
        session.say(sentence)
    form = options.format or (FORM_OF[Path(options.out).suffix.lower()] if options.out else _usual_form())
    if form == "json" and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that is not UTF-8 as the escape that gives it back
    groups = _with_some(inputs.groups(session.say))
    if groups is None:
        raise UserError("no pictures to read; name files, folders or patterns.")
    table = Table(inputs.named, _colours()) if form == "table" else None
    absent = [path for path in inputs.named if is_missing(path)]
    for path in dict.fromkeys(absent):  # before torch loads, which takes seconds
        session.say(missing_sentence(path))
    session.announced.update(absent)
    if not inputs.listed and len(absent) == len(inputs.named):
        return _nothing_there(session, absent, form, table)
    from ..pictures.apart import decoding_apart

    with decoding_apart():  # before torch loads, so that the process which opens pictures is small
        _read_groups(session, inputs, groups, form, table)
    if not session.failed and not inputs.problems:
        return DONE
    return SOME_FAILED if session.read + session.kept else UNUSABLE


def _with_some(groups: Iterator[list[str] | bytes]) -> Iterator[list[str] | bytes] | None:
    """The groups from the first on that has anything in it; None where none has."""
    first = next((group for group in groups if group), None)
    if first is None:
        return None

    def all_of_them() -> Iterator[list[str] | bytes]:
        yield first
        yield from groups

    return all_of_them()


def _nothing_there(session: Session, paths: list[str], form: str, table: Table | None) -> int:
    """Rows for pictures of which none is there."""
    if session.options.out is None:
        for path in paths:
            _print(path, "", 0.0, f"{path}: no such file; check the path.", form, table)
    session.say(f"{len(paths)} of {len(paths)} pictures could not be read.")
    return UNUSABLE


def _read_groups(
    session: Session, inputs: Inputs, groups: Iterator[list[str] | bytes], form: str, table: Table | None
) -> None:
    options = session.options
    weights = weights_file(options.weights)
    file = _row_file(options, weights, form)
    predictor = open_predictor(session, weights)
    if options.plot:  # if it cannot be, then before the long part
        folder = Path(options.plot).absolute().parent
        if not folder.is_dir():
            folder.mkdir(parents=True)
            session.note(f"made the folder {folder} for --plot.")
    if table:
        print(table.header)
    total = 0 if inputs.listed else len(inputs.named)
    try:
        with line_bar(total if _shows_bar(options) else 0) as bar:
            for group in groups:
                for window in _windows(session, predictor, group, file, bar):
                    with bar.external_write_mode(file=sys.stdout), naming(STDOUT):
                        for line in window:
                            _take(session, line, form, table, file)
                        (sys.stdout if file is None else file).flush()
    except KeyboardInterrupt as stop:
        if file is None:
            raise
        raise type(stop)(
            f"stopped after {session.read} lines read; {file.path} has them, and the same command goes on from there."
        ) from stop
    finally:
        if file is not None:
            file.close()
    _sum_up(session, file, weights)


def _row_file(options: argparse.Namespace, weights: Path, form: str) -> RowFile | None:
    if options.out is None:
        return None
    if not weights.is_file():
        return None  # opening it says what is wrong
    return RowFile(options.out, form, reader_name(weights, **reading_options(options).unusual()))


def _windows(
    session: Session, predictor: Predictor, group: list[str] | bytes, file: RowFile | None, bar: Any
) -> Iterator[list[Line]]:
    """The lines of a group, as they are read."""
    from ..pictures.apart import call
    from ..pictures.image import ImageError, open_line
    from ..reading.stream import Line, read_stream

    if isinstance(group, bytes):
        try:
            (result,) = predictor.lines_from_candidates([predictor.candidates_of(call(open_line, None, group))])
            yield [Line("-", result.text, result.confidence)]
        except ImageError as error:
            yield [Line("-", error=str(error).replace("the given bytes", "-", 1))]
        return
    fresh = [path for path in group if file is None or not file.has(path)]
    session.kept += len(group) - len(fresh)
    bar.update(len(group) - len(fresh))
    yield from read_stream(predictor, fresh, MAX_DRAWN if session.options.plot else 0, bar.update)


def _take(session: Session, line: Line, form: str, table: Table | None, file: RowFile | None) -> None:
    """Write one line that was read, and count it."""
    if line.error:
        session.failed += 1
        if line.path not in session.announced:
            session.say(missing_sentence(line.path) if is_missing(line.path) and line.path != "-" else line.error)
    else:
        session.read += 1
        session.doubtful += line.confidence < LOW_CONFIDENCE
        hint_at_page(session, line)
    if line.thumbnail and len(session.drawn) < MAX_DRAWN:
        session.drawn.append((line.thumbnail, line.text, line.confidence))
    if file is None:
        _print(line.path, line.text, line.confidence, line.error, form, table)
    elif not line.error:
        file.write(line.path, line.text, line.confidence)


def _print(path: str, text: str, confidence: float, error: str | None, form: str, table: Table | None) -> None:
    print(table.row(path, text, confidence, error) if table else row(path, text, confidence, error, form))


def _sum_up(session: Session, file: RowFile | None, weights: Path) -> None:
    options = session.options
    if session.pages > MAX_PAGE_HINTS:
        session.note(f"{session.pages - MAX_PAGE_HINTS} more pictures look like pages.")
    if session.drawn:
        from ..reading.plot import draw_lines

        draw_lines(session.drawn, options.plot, f"{len(session.drawn)} lines read with {weights.name}")
        session.note(f"{options.plot} shows {len(session.drawn)} of the {session.read} lines read.")
    if session.failed:
        session.say(f"{session.failed} of {session.read + session.failed} pictures could not be read.")
    if file is not None:
        kept = f", {session.kept} were there before" if session.kept else ""
        session.note(f"{session.read} lines read{kept}; the rows are in {file.path}.")
    elif options.format == "table" or (options.format is None and _usual_form() == "table"):
        doubt = (
            f", {session.doubtful} of them with less than {LOW_CONFIDENCE:.0%} confidence (?)"
            if session.doubtful
            else ""
        )
        session.note(f"{session.read} lines read{doubt}.")


def _usual_form() -> str:
    return "table" if sys.stdout.isatty() else "text"


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _shows_bar(options: argparse.Namespace) -> bool:
    """Whether a bar on stderr stays apart from the rows: not where these come out on the same terminal, by `| head`
    too."""
    if options.quiet:
        return False
    if options.out:
        return True
    try:
        kind = os.fstat(sys.stdout.fileno()).st_mode
    except (OSError, ValueError):  # a stdout that is no file
        return False
    return not sys.stdout.isatty() and (stat.S_ISREG(kind) or stat.S_ISCHR(kind))


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verb to the console script."""
    verb = verbs.add_parser("read", help="read pictures of single text lines", description=DESCRIPTION)
    add_arguments(verb)
    _add_line_arguments(verb)
    verb.set_defaults(verb=read)


def main(arguments: list[str] | None = None) -> int:
    """`infer.py`: the verbs `read` and, with --receipt, `receipts` under their old name."""
    from . import receipts

    arguments = sys.argv[1:] if arguments is None else arguments
    parser = Parser(prog=SCRIPT, description=DESCRIPTION)
    add_version(parser)
    add_arguments(parser)
    _add_line_arguments(parser)
    parser.add_argument("--receipt", action="store_true", help="the pictures are receipts or pages (PDF too)")
    receipts.add_detector(parser)
    options = parser.parse_args(arguments)
    options.program = SCRIPT
    prepare_process()
    return run_verb(SCRIPT, lambda: (receipts.receipts if options.receipt else read)(options))
