"""`quantvietocr receipts`: whole receipts and pages, with their rows and fields."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.files import STDOUT, naming, reader_name
from ..common.packages import MissingPackageError, need
from ..common.wording import counted
from ..errors import UserError
from ..shipped import weights_file
from .exits import DONE, SOME_FAILED, UNUSABLE
from .inputs import is_missing, missing_sentence
from .process import leave_cores_alone
from .read import add_arguments, check
from .session import Session, open_predictor
from .shared import reading_options

if TYPE_CHECKING:
    from ..reading.predictor import Predictor
    from ..receipt.detect import Detector
    from ..receipt.page import Page

DESCRIPTION = (
    "Find the lines, rows and fields of receipts or pages, pictures and PDF files. With --out, a folder gets NAME.txt, "
    ".tsv, .json, .png and a searchable .pdf of each page, and stdout a row: path, page, lines, shop, date, total, "
    "kind of page, and the fields that are not sure. Without, stdout gets the text of each page."
)


def receipts(options: argparse.Namespace) -> int:
    """Read pages; the exit code."""
    leave_cores_alone()
    for package in ("rapidfuzz", "matplotlib"):
        need(package, "reading pages", extra="receipt")
    from ..pictures.find import find_pictures
    from ..receipt.files import outside
    from ..receipt.pages import PAGE_SUFFIXES

    check(options)
    if options.format not in (None, "text", "tsv", "json") or getattr(options, "plot", None):
        raise UserError("--plot and --format table are for pictures of lines; pages have --out DIR, or --format json.")
    session = Session(options)
    found = find_pictures(options.paths, PAGE_SUFFIXES)
    paths, inside = outside(found.paths, Path(options.out)) if options.out else (found.paths, 0)
    for sentence in found.notes:
        session.note(sentence)
    for sentence in found.problems:
        session.say(sentence)
    if inside:
        verb = "is a result" if inside == 1 else "are results"
        session.note(f"{counted(inside, 'file')} in {Path(options.out)} {verb}: not read.")
    if not paths:
        raise UserError("no pages to read; name pictures, PDF files, folders or patterns.")
    absent = [path for path in paths if is_missing(path)]
    for path in absent:  # before torch loads, which takes seconds
        session.say(missing_sentence(path))
    present = [path for path in paths if path not in set(absent)]
    if not present:
        return UNUSABLE
    from ..pictures.apart import decoding_apart

    with decoding_apart():  # before torch loads, so that the process which opens pictures is small
        failed = _read(session, present)
    return failed or (SOME_FAILED if absent or found.problems else DONE)


def _read(session: Session, paths: list[str]) -> int:
    """Read the files; the exit code of these."""
    from PIL import Image

    from ..receipt.detect import about, open_detector

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # image.py refuses such a picture, in a sentence
    options = session.options
    weights = weights_file(options.weights)
    if options.out:
        Path(options.out).mkdir(parents=True, exist_ok=True)  # if it cannot be, then before the long part
    predictor = open_predictor(session, weights)
    detector = open_detector(options.detector, options.threads)
    session.note(about(detector))
    return (_into_folder if options.out else _onto_stdout)(session, paths, predictor, detector, weights)


def _into_folder(session: Session, paths: list[str], predictor: Predictor, detector: Detector, weights: Path) -> int:
    from ..receipt.files import read_files

    options = session.options
    tally = read_files(
        paths,
        options.paths,
        predictor,
        detector,
        Path(options.out),
        reader_name(weights, **reading_options(options).unusual()),
        options.format or "text",
        session.say,
    )
    if not tally.read + tally.kept:
        session.say(f"{tally}.")
        return UNUSABLE
    session.note(f"{tally}; the results are in {Path(options.out)}.")
    return SOME_FAILED if tally.failed else DONE


def _onto_stdout(session: Session, paths: list[str], predictor: Predictor, detector: Detector, weights: Path) -> int:
    """Print the text of each page, or with --format json the page as an object a line."""
    from ..receipt.files import why_failed
    from ..receipt.pages import PageFile
    from ..receipt.read import read_page

    reader = reader_name(weights, **reading_options(session.options).unusual())
    read = failed = 0
    for path in paths:
        file = PageFile(path)
        try:
            count, sha256 = file.count, file.sha256
        except Exception as error:  # whatever is wrong with one file, the others are read
            failed += 1
            session.say(why_failed(error, path))
            continue
        for number in range(1, count + 1):
            try:
                picture, dpi = file.open(number)
                page = read_page(
                    picture,
                    predictor,
                    detector,
                    source=path,
                    number=number,
                    count=count,
                    dpi=dpi,
                    source_sha256=sha256,
                    reader=reader,
                )
            except Exception as error:  # whatever is wrong with one page, the others are read
                if isinstance(error, MissingPackageError | ModuleNotFoundError):
                    raise
                failed += 1
                session.say(why_failed(error, path, number, count))
                continue
            with naming(STDOUT):
                if read and session.options.format != "json":
                    print()
                _print_page(page, path if len(paths) > 1 or count > 1 else None, session.options.format)
            read += 1
    if not read:
        return UNUSABLE
    return SOME_FAILED if failed else DONE


def _print_page(page: Page, path: str | None, form: str) -> None:
    """Print a page as text or as an object on a line; under its path, if that is given."""
    if form == "json":
        print(json.dumps(page.to_json(), ensure_ascii=False), flush=True)
        return
    if path is not None:
        print(f"== {path}" + (f", page {page.number} of {page.count}" if page.count > 1 else ""))
    print(page.text, flush=True)


def add_detector(parser: argparse._ActionsContainer) -> None:
    """Add the option that says what finds the lines."""
    parser.add_argument("--detector", choices=("auto", "rapidocr", "profile"), default="auto", help="what finds lines")


def add(verbs: argparse._SubParsersAction) -> None:
    """Add this file's verb to the console script."""
    verb = verbs.add_parser(
        "receipts", help="read whole receipts and pages, PDF files too, with their fields", description=DESCRIPTION
    )
    add_arguments(verb)
    verb.add_argument("--out", metavar="DIR", help="folder for the results; what is there already is not read again")
    verb.add_argument(
        "--format", choices=("text", "tsv", "json"), help="json: each page as an object a line, on stdout"
    )
    add_detector(verb)
    verb.set_defaults(verb=receipts)
