"""Files that are written whole or not at all, and files that are told apart."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary file to write, and put it in the place of `path` once it is complete.

    A reader sees the old file or the new one, never a part. Each caller has a temporary name of its own, so that two
    programs may write the same file: the last one wins. The name does not depend on that of `path`, which may already
    be as long as the system allows. Where writing fails, the temporary file is removed.

    Args:
        path: file to write. Its folder is made where it is missing.

    Yields:
        The path to write to, in the same folder. No file is there yet.

    Raises:
        OSError: the folder or the file cannot be written; the error names `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".quantvietocr-{secrets.token_hex(6)}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
