"""The words of text files."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from ...common.files import ReadErrors
from .model import WordModel, WordsError, build

_READ_ERRORS = ReadErrors(
    WordsError,
    missing="{path}: no such text file; check the path.",
    unreadable="{path}: cannot be read as UTF-8 text ({reason}); convert it, or leave it out.",
    encoding="{path}: cannot be read as UTF-8 text ({reason}); convert it, or leave it out.",
)


def count_files(files: Sequence[str | os.PathLike], least_word: int, least_pair: int) -> WordModel:
    """Count the words of text files.

    Args:
        files: UTF-8 text, `.txt` or `.txt.gz`.
        least_word: A word that comes up less often is left out.
        least_pair: A pair of neighbours that comes up less often is left out.

    Raises:
        WordsError: For a file that cannot be read, and as `model.build`.
    """
    return build(_lines(files), least_word, least_pair, {"texts": [Path(file).name for file in files]})


def _lines(files: Sequence[str | os.PathLike]) -> Iterator[str]:
    total = 0
    for file in files:
        with _READ_ERRORS.naming(file):
            total += os.stat(file).st_size
    with tqdm(total=total, desc="words", unit="B", unit_scale=True) as bar:
        for file in files:
            before, packed = bar.n, str(file).endswith(".gz")
            with _READ_ERRORS.naming(file), open(file, "rb") as raw, gzip.open(raw) if packed else raw as stream:
                for number, line in enumerate(stream):
                    yield line.decode("utf-8-sig" if number == 0 else "utf-8")
                    if number % 4096 == 0:
                        bar.update(before + raw.tell() - bar.n)
            bar.update(before + os.stat(file).st_size - bar.n)
