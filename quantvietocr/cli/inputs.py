"""Which pictures a command line names, those that come on stdin as they come, and what is said of a missing one."""

from __future__ import annotations

import difflib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from ..pictures.find import Found, find_listed, find_pictures

STDIN = "-"
CHUNK = 1 << 16  # bytes of a list on stdin that are taken at once, as far as they are there
PDF_MAGIC = b"%PDF-"


@dataclass
class Inputs:
    """What is to be read, in order.

    Attributes:
        before: paths named before `-`, or all of them.
        after: paths named behind it.
        listed: whether `-` was named: more paths, or one picture, come on stdin.
        problems: sentences for arguments that lead nowhere; those of stdin are added as they come.
        notes: sentences on what was passed over.
    """

    before: list[str]
    after: list[str] = field(default_factory=list)
    listed: bool = False
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def named(self) -> list[str]:
        """The paths that are known without stdin."""
        return self.before + self.after

    def groups(self, say: Callable[[object], None]) -> Iterator[list[str] | bytes]:
        """Paths in groups as they become known; a picture that was piped in as its bytes.

        Args:
            say: takes the sentences on what a list leads to.
        """
        yield self.before
        if self.listed:
            for group in _listed(sys.stdin.buffer):
                if isinstance(group, bytes):
                    yield group
                    continue
                found = find_listed(group)
                for sentence in found.notes + found.problems:
                    say(sentence)
                self.problems += found.problems
                yield found.paths
        yield self.after


def find_inputs(arguments: Sequence[str]) -> Inputs:
    """The pictures that arguments name; stdin is left for later."""
    listed = STDIN in arguments
    cut = arguments.index(STDIN) if listed else len(arguments)
    before = find_pictures(arguments[:cut])
    after = find_pictures([argument for argument in arguments[cut:] if argument != STDIN]) if listed else Found()
    return Inputs(before.paths, after.paths, listed, before.problems + after.problems, before.notes + after.notes)


def _listed(stream: BinaryIO) -> Iterator[list[str] | bytes]:
    """What comes on stdin: paths, or one file's content, which is known by bytes that no list of paths holds."""
    rest, is_first, chunks = b"", True, _chunks(stream)
    for chunk in chunks:
        if is_first and (b"\0" in chunk or chunk.startswith(PDF_MAGIC)):
            yield chunk + b"".join(chunks)
            return
        is_first = False
        *lines, rest = (rest + chunk).split(b"\n")
        yield _paths(lines)
    yield _paths([rest])


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of a stream as they come. A thread takes them in, so that whoever writes the list and reads the rows
    only then is not kept waiting for room in the pipe."""
    try:
        number = stream.fileno()
    except (AttributeError, OSError):  # a stream in memory
        yield stream.read()
        return
    arrived: SimpleQueue[bytes | OSError] = SimpleQueue()

    def take_in() -> None:
        chunk: bytes | OSError = b"-"
        while chunk and not isinstance(chunk, OSError):
            try:
                chunk = os.read(number, CHUNK)  # not by the stream, whose lock would hold up the end of the program
            except OSError as error:
                chunk = error
            arrived.put(chunk)

    threading.Thread(target=take_in, daemon=True).start()
    while chunk := arrived.get():
        if isinstance(chunk, OSError):
            raise chunk
        yield chunk


def _paths(lines: list[bytes]) -> list[str]:
    return [os.fsdecode(path) for line in lines if (path := line.rstrip(b"\r"))]


def is_missing(path: str) -> bool:
    """Whether nothing is there; what may not be looked at is not missing."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def missing_sentence(path: str) -> str:
    """What is said of a path that leads nowhere."""
    if re.match("[A-Za-z][A-Za-z0-9+.-]+://", path):
        return f"{path}: an address, and nothing is downloaded here; save the picture first, and name its file."
    near = nearest(path)
    return f"{path}: no such file; " + (f"did you mean {near}?" if near else "check the path.")


def nearest(path: str) -> str | None:
    """A path that exists and differs in the spelling of one part; None where there is none."""
    parts = Path(path).parts
    for count, part in enumerate(parts):
        above = Path(*parts[:count])
        if (above / part).exists():
            continue
        try:
            names = os.listdir(above)
        except OSError:
            return None
        for name in difflib.get_close_matches(part, names, n=3):
            if (candidate := Path(above, name, *parts[count + 1 :])).exists():
                return str(candidate)
        return None
    return None
