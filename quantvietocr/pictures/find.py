"""Which picture files a command line names: files, folders, patterns, a list on stdin."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..common.wording import counted
from ..common.wordlists import entries
from .kinds import UNREADABLE, kind_of_file

#: What is taken for a picture in a folder. A file that is named itself may have any suffix.
SUFFIXES = frozenset(
    entries("""
    .png | .jpg | .jpeg | .jpe | .bmp | .dib | .tif | .tiff | .webp | .gif | .ppm | .pgm | .pbm | .pnm | .jp2 | .avif
""")
)


MAX_NAMED = 3  # pictures of a kind that cannot be opened, in a sentence about them


@dataclass
class Found:
    """What a command line names.

    Attributes:
        paths: files in the order to read them.
        problems: a sentence for each argument that led nowhere.
        notes: sentences on what was passed over.
    """

    paths: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_pictures(arguments: Iterable[str], suffixes: frozenset[str] = SUFFIXES) -> Found:
    """Find the pictures that a command line names.

    A folder gives the pictures in it and below it, in natural order. A file with another suffix, or none, is taken by
    its content. Hidden files, pipes and devices are passed over; links to folders inside it are not
    followed. A shell pattern is expanded, unless a file bears it as its name. `-` is a list on stdin, one file or
    folder a line, taken as written. Anything else is taken as a file, even if it is missing: reading it says what is
    wrong with it.

    Args:
        arguments: of the command line.
        suffixes: which files are taken in a folder, small letters with the dot.

    Returns:
        The files in the order of the arguments, and what is to be said.
    """
    found = Found()
    for argument in arguments:
        if argument == "-":
            content = sys.stdin.buffer.read()
            if b"\0" in content:  # which no path holds
                found.problems.append(
                    "-: takes a list of paths, one a line, and what came is the content of a file; "
                    "name the file itself."
                )
            else:
                _take(map(os.fsdecode, filter(None, content.splitlines())), found, suffixes)
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            matches = sorted(glob.glob(argument, recursive=True), key=natural)
            if not matches:
                found.problems.append(f"{argument}: no file matches this pattern; check it.")
            _take(matches, found, suffixes)
        else:
            _take([argument], found, suffixes)
    return found


def find_listed(paths: Iterable[str], suffixes: frozenset[str] = SUFFIXES) -> Found:
    """The pictures of a list, taken as written: files, and folders as `find_pictures` takes them."""
    found = Found()
    _take(paths, found, suffixes)
    return found


def natural(path: str) -> list[list[str | int]]:
    """Return a sorting key: folder by folder, numbers by value (line2 before line10), then by spelling."""
    parts: list[list[str | int]] = [
        [int(piece) if index % 2 else piece.casefold() for index, piece in enumerate(re.split("([0-9]+)", part))]
        for part in path.split(os.sep)
    ]
    return [*parts, [path]]


def _take(paths: Iterable[str], found: Found, suffixes: frozenset[str]) -> None:
    for path in paths:
        if os.path.isdir(path):
            _search(path, found, suffixes)
        else:
            found.paths.append(path)


def _search(folder: str, found: Found, suffixes: frozenset[str]) -> None:
    closed: list[OSError] = []
    files = [os.path.join(top, name) for top, _, names in os.walk(folder, onerror=closed.append) for name in names]
    pictures, others = [], Counter[str]()
    unreadable: dict[str, list[str]] = {}
    for file in files:
        suffix, kind = Path(file).suffix.lower(), kind_of_file(file)
        if Path(file).name.startswith("."):
            others["hidden"] += 1
        elif kind == "pipe or device":
            others[kind] += 1
        elif kind in UNREADABLE:
            unreadable.setdefault(str(kind), []).append(file)
        elif suffix in suffixes or (kind is not None and (kind != "PDF" or ".pdf" in suffixes)):
            pictures.append(file)
        else:
            others[kind if kind == "PDF" else suffix or "without suffix"] += 1
    found.paths += sorted(pictures, key=natural)
    found.problems += [f"{error.filename}: this folder cannot be read ({error.strerror})." for error in closed]
    found.problems += [_unreadable(folder, kind, sorted(files, key=natural)) for kind, files in unreadable.items()]
    if not pictures and not closed and not unreadable:
        files_passed = f"{counted(others.total(), 'other file')}{_kinds(others, ': ')}"
        found.problems.append(
            f"{folder}: no pictures in this folder ({files_passed}); name one with .png or .jpg files."
        )
    elif others:
        found.notes.append(
            f"{folder}: {counted(len(pictures), 'picture')}; {counted(others.total(), 'other file')} ignored"
            f"{_kinds(others, ' (', ')')}."
        )


def _unreadable(folder: str, kind: str, files: list[str]) -> str:
    """Say that pictures of a kind cannot be opened, and name the first of them."""
    named = ", ".join(os.path.relpath(file, folder) for file in files[:MAX_NAMED])
    more = f" and {len(files) - MAX_NAMED} more" if len(files) > MAX_NAMED else ""
    them = "it" if len(files) == 1 else "them"
    return (
        f"{folder}: {counted(len(files), f'{kind} picture')}, which cannot be opened here ({named}{more}); "
        f"save {them} as JPEG or PNG."
    )


def _kinds(others: Counter[str], before: str, after: str = "") -> str:
    """Say how many files of which kinds were passed over; nothing where there are none."""
    return before + ", ".join(f"{count} {kind}" for kind, count in others.most_common()) + after if others else ""
