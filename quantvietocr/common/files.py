"""Files that are written whole or not at all, read with errors for people, and told apart."""

from __future__ import annotations

import fcntl
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError

TEMPORARY = ".quantvietocr-"  # how the names of files that are being written begin
STDOUT = "stdout"  # what the errors of writing there call it

_tidied: set[Path] = set()  # folders in which this process has looked for what others have left


@contextmanager
def replace_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary file to write, and put it in the place of `path` once it is complete.

    A reader sees the old file or the new one, never a part. Each caller has a temporary name of its own, so that two
    programs may write the same file: the last one wins. The name does not depend on that of `path`, which may already
    be as long as the system allows. Where writing fails, the temporary file is removed. What a process that was killed
    has left in the folder is removed by the next one that writes there.

    Args:
        path: file to write. Its folder is made where it is missing.

    Yields:
        The path to write to, in the same folder. An empty file is there.

    Raises:
        OSError: the folder or the file cannot be written; the error names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _tidied:
        _tidied.add(path.parent)
        _remove_abandoned(path.parent)
    temporary = path.with_name(f"{TEMPORARY}{os.urandom(6).hex()}.part")
    try:
        with _held(temporary):
            yield temporary
            os.replace(temporary, path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _held(temporary: Path) -> Iterator[None]:
    """Make a temporary file and hold a lock on it for as long as the block lasts, or until this process dies."""
    while True:
        descriptor = os.open(str(temporary), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(OSError):  # a file system without locks, where nobody else gets one and removes the file either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if temporary.exists():
            break
        os.close(descriptor)  # it was taken for abandoned before it was locked
    try:
        yield
    finally:
        os.close(descriptor)


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files of processes that were killed: those on which nobody holds a lock."""
    for path in folder.glob(f"{TEMPORARY}*.part"):
        with suppress(OSError):  # gone meanwhile, or not ours to remove
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


@contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Name the file in the errors of writing to an open one, which the system does not.

    Args:
        path: what to call it.

    Raises:
        OSError: of the same kind, with the name.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file of bytes whole or not at all.

    Args:
        path: file to write. Its folder is made where it is missing.
        content: what to write.
    """
    with replace_whole(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    r"""Write UTF-8 text with line ends as they are (`\n`), whole or not at all.

    Args:
        path: file to write. Its folder is made where it is missing.
        text: what to write.
    """
    write_bytes(path, text.encode("utf-8"))


@dataclass(frozen=True)
class ReadErrors:
    """What is said of a file that a user names and that cannot be read.

    In the sentences, `{path}` stands for the file, `{reason}` for what the system says, and `{byte}` for the offset of
    the first byte that is not UTF-8.

    Attributes:
        error: class of the error that is raised.
        missing: sentence where there is no such file.
        unreadable: sentence where the file cannot be read for another reason.
        folder: sentence where it is a folder; by default `unreadable`.
        encoding: sentence where the file is not UTF-8.
    """

    error: type[UserError]
    missing: str
    unreadable: str
    folder: str = ""
    encoding: str = "{path} is not UTF-8 text (byte {byte}): save it as UTF-8."

    @contextmanager
    def naming(self, path: str | os.PathLike) -> Iterator[None]:
        """Turn the errors of opening and reading `path` within the block into the class and the sentences given.

        Args:
            path: the file that is read, as the sentences shall name it.

        Raises:
            UserError: of the class `error`, for each of the four reasons.
        """
        try:
            yield
        except UnicodeDecodeError as error:
            raise self.error(self.encoding.format(path=path, byte=error.start, reason=error)) from error
        except (OSError, EOFError, zlib.error) as error:  # the last two: a compressed file that is cut short or damaged
            sentence = self.unreadable
            if isinstance(error, FileNotFoundError):
                sentence = self.missing
            elif isinstance(error, IsADirectoryError):
                sentence = self.folder or self.unreadable
            raise self.error(sentence.format(path=path, reason=getattr(error, "strerror", None) or error)) from error


def read_text(path: str | os.PathLike, errors: ReadErrors) -> str:
    """Read a UTF-8 text file, with or without a byte order mark, with line ends as they are.

    Args:
        path: file to read.
        errors: what to raise where it cannot be read.

    Returns:
        The text, without the byte order mark.

    Raises:
        UserError: of the class `errors.error`; the file is missing, cannot be read, is a folder, or is not UTF-8.
    """
    with errors.naming(path):
        return Path(path).read_bytes().decode("utf-8").removeprefix("\ufeff")


def reader_name(weights: str | os.PathLike, **settings: object) -> str:
    """Name what reads, so that results of other weights or settings are told apart.

    Args:
        weights: the checkpoint's file.
        **settings: those that are not the usual ones.

    Returns:
        The file's name, the start of its SHA-256, and the settings.
    """
    with open(weights, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return " ".join([Path(weights).name, digest[:12], *(f"{name} {value}" for name, value in settings.items())])
