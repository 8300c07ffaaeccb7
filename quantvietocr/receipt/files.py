"""Reads many files, page by page. Finished pages are kept; a page that cannot be read is named and passed over."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..common.files import STDOUT, naming
from ..common.packages import MissingPackageError
from ..common.progress import line_bar
from ..common.wording import counted, on_one_line
from ..errors import UserError
from .detect import Detector
from .output import write_page, written
from .pages import PageFile
from .read import read_page
from .tilt import upright

# Bytes of the name of a page's files, less page number and suffix. Most file systems take 255 in all.
MAX_STEM = 200
# What the system says where nothing more can be written: the disk or the user's share of it is full, or it is closed.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES})


@dataclass
class Tally:
    """What became of the pages of a run.

    Attributes:
        read: pages read now.
        kept: pages that were finished before.
        empty: pages read now, without text.
        failed: files or pages that could not be read.
        taken: paths, less suffixes, that this run has written to.
    """

    read: int = 0
    kept: int = 0
    empty: int = 0
    failed: int = 0
    taken: set[Path] = field(default_factory=set)

    def __str__(self) -> str:
        parts = [f"{counted(self.read, 'page')} read"]
        parts += [f"{self.empty} of them without text"] if self.empty else []
        parts += [f"{self.kept} finished before and kept"] if self.kept else []
        parts += [f"{self.failed} could not be read"] if self.failed else []
        return ", ".join(parts)


def read_files(
    paths: Sequence[str],
    arguments: Sequence[str],
    predictor: Any,
    detector: Detector,
    out: Path,
    reader: str,
    form: str,
    say: Callable[[object], None],
) -> Tally:
    """Read every page of the files, write its five files into `out`, and print a row for each, in order.

    A page whose files are all there, made from the same bytes by the same reader and detector, is not read again.

    Args:
        paths: the files to read.
        arguments: what the paths were found by; below a folder among them, `out` mirrors its subfolders.
        predictor: reads lines, as in `read.read_page`.
        detector: finds lines.
        out: folder to write into.
        reader: what reads, for the JSON.
        form: `json` prints the page's JSON; else a row with tabs between, as `summary` writes it.
        say: is called with each message.

    Returns:
        What became of the pages.

    Raises:
        OSError: `out` cannot be written.
        KeyboardInterrupt: after saying what is done.
        MissingPackageError: reading or writing needs a package that is not installed.
    """
    tally = Tally()
    names = stems(paths, arguments, out)
    try:
        with line_bar(len(paths), "file") as bar:
            for path, stem in zip(paths, names):
                for row in _read_file(path, stem, predictor, detector, reader, tally, say):
                    with bar.external_write_mode(file=sys.stdout), naming(STDOUT):
                        print(json.dumps(row, ensure_ascii=False) if form == "json" else summary(row), flush=True)
                bar.update(1)
    except (KeyboardInterrupt, OSError) as error:
        if isinstance(error, KeyboardInterrupt) or ends_run(error):
            say(f"{tally} so far, in {out}; the same command goes on from there.")
        raise
    return tally


def _read_file(
    path: str, stem: Path, predictor: Any, detector: Detector, reader: str, tally: Tally, say: Callable[[object], None]
) -> Iterator[dict]:
    """Read the pages of a file that are not finished, write their files, and yield the JSON of every page."""
    file = PageFile(path)
    try:
        count, sha256 = file.count, file.sha256
    except Exception as error:  # whatever is wrong with one file, the others are read
        tally.failed += 1
        say(why_failed(error, path))
        return
    for number in range(1, count + 1):
        page_stem = stem if count == 1 else stem.with_name(f"{stem.name}-{number:0{len(str(count))}d}")
        page_stem = _free(page_stem, tally.taken)
        try:
            if row := written(page_stem, number, sha256, reader, detector.name):
                tally.kept += 1
            else:
                row = _read_one(file, number, page_stem, predictor, detector, reader, tally, say)
        except Exception as error:  # whatever is wrong with one page, the others are read
            if ends_run(error):
                raise
            tally.failed += 1
            say(why_failed(error, path, number, count))
            continue
        yield row


def _read_one(
    file: PageFile,
    number: int,
    stem: Path,
    predictor: Any,
    detector: Detector,
    reader: str,
    tally: Tally,
    say: Callable[[object], None],
) -> dict:
    """Read a page, write its files, and return its JSON."""
    picture, dpi = file.open(number)
    page = read_page(
        picture,
        predictor,
        detector,
        source=file.path,
        number=number,
        count=file.count,
        dpi=dpi,
        source_sha256=file.sha256,
        reader=reader,
    )
    write_page(page, upright(picture, page), stem)
    tally.read += 1
    if not page.lines:
        tally.empty += 1
        say(f"{file.path}{f', page {number}' if file.count > 1 else ''}: no text found; its files are empty.")
    return page.to_json()


def ends_run(error: Exception) -> bool:
    """Whether an error concerns every page to come: a package is missing, or nothing more can be written."""
    if isinstance(error, OSError):
        return error.errno in _UNWRITABLE
    return isinstance(error, MissingPackageError | ModuleNotFoundError)


def why_failed(error: Exception, path: str, number: int = 1, count: int = 1) -> str:
    """Say in a sentence why a page, or a whole file, could not be read or its results not be written.

    Args:
        error: what went wrong.
        path: the file.
        number: of the page, from 1.
        count: number of pages of the file.
    """
    if isinstance(error, UserError):
        return f"{error}" if count == 1 else f"page {number} of {count}: {error}"
    where = f", page {number} of {count}" if count > 1 else ""
    reason = " ".join(str(error).split()).rstrip(".")
    return f"{on_one_line(path)}{where}: passed over ({type(error).__name__}{reason and ': '}{reason})."


def summary(row: dict) -> str:
    """Write one page's JSON as a row: source, page, lines, shop, date, total, kind of page, and what is not sure.

    A cell is empty where a field was not found. The last has the names of the fields that are not sure.
    """
    fields = {field["name"]: str(field["value"]) for field in row["fields"]}
    cells = [row["source"], str(row["page"]), str(len(row["lines"]))]
    cells += [fields.get(name, "") for name in ("shop", "date", "total")]
    cells += [row["kind"], " ".join(field["name"] for field in row["fields"] if not field["sure"])]
    return "\t".join(cell.replace("\t", "\\t").replace("\n", "\\n") for cell in cells)


def outside(paths: Sequence[str], out: Path) -> tuple[list[str], int]:
    """Return the paths that do not lie in `out`, and how many do: what was written there is not read."""
    folder = out.resolve()
    kept = [path for path in paths if folder not in Path(path).resolve().parents]
    return kept, len(paths) - len(kept)


def stems(paths: Sequence[str], arguments: Sequence[str], out: Path) -> list[Path]:
    """Choose where each file's results go: its name in `out`, below the subfolders it was found in.

    Files of one name keep their suffix in it (`a.jpg`, `a.png`).

    Args:
        paths: the files.
        arguments: what the paths were found by.
        out: folder to write into.

    Returns:
        Of each file, the path of its results, less their suffixes.
    """
    folders = sorted((os.path.abspath(one) for one in arguments if os.path.isdir(one)), key=len, reverse=True)

    def relative(path: str) -> Path:
        whole = os.path.abspath(path)
        folder = next((one for one in folders if whole.startswith(os.path.join(one, ""))), None)
        return Path(os.path.relpath(whole, folder)) if folder else Path(os.path.basename(whole))

    names = [relative(path) for path in paths]
    bare = Counter(name.with_suffix("") for name in names)
    chosen = [name.with_suffix("") if bare[name.with_suffix("")] == 1 else name for name in names]
    return [out / _short(name) for name in chosen]


def _short(name: Path) -> Path:
    """Return a name that leaves room for what is put behind it: a long one is cut, and a hash of the whole is added."""
    encoded = os.fsencode(name.name)
    if len(encoded) <= MAX_STEM:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:12]
    kept = encoded[: MAX_STEM - len(digest) - 1].decode(errors="ignore")  # not through the middle of a character
    return name.with_name(f"{kept}-{digest}")


def _free(stem: Path, taken: set[Path]) -> Path:
    """Return the stem, with a number behind it where this run has it already (`a~2`); from now on it is taken."""
    number, numbered = 1, stem
    while numbered in taken:
        number += 1
        numbered = stem.with_name(f"{stem.name}~{number}")
    taken.add(numbered)
    return numbered
