"""The words of text files."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from .model import WordModel, WordsError, build


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
    with tqdm(total=sum(os.stat(file).st_size for file in files), desc="words", unit="B", unit_scale=True) as bar:
        for file in files:
            before, packed = bar.n, str(file).endswith(".gz")
            with open(file, "rb") as raw, gzip.open(raw) if packed else raw as stream:
                try:
                    for number, line in enumerate(stream):
                        yield line.decode("utf-8-sig" if number == 0 else "utf-8")
                        if number % 4096 == 0:
                            bar.update(before + raw.tell() - bar.n)
                except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
                    raise WordsError(
                        f"{file}: cannot be read as UTF-8 text ({error}); convert it, or leave it out."
                    ) from error
            bar.update(before + os.stat(file).st_size - bar.n)
