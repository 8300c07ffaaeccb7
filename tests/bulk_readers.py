"""A reader for tests of bulk: documents say what is to happen to whoever reads them; and what the tests share."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from quantvietocr.bulk.documents import Document, content_of
from quantvietocr.bulk.reader import Message
from quantvietocr.bulk.run import Job, read_here, run_job
from quantvietocr.bulk.schema import error_row
from quantvietocr.bulk.settings import Settings
from quantvietocr.bulk.sources import find_sources
from quantvietocr.errors import UserError

MAX_BYTES = 10_000


class ScriptedReader:
    """Reads documents such as `pages=3 seconds=0.1 die=2 fail=1 text=x`: page 2 kills its worker, page 1 fails.

    `once=FILE` lets a page kill its worker only as long as that file is not there.
    """

    about = ("a scripted reader.",)

    def read(self, documents: Sequence[Document]) -> Iterator[Message]:
        for document in documents:
            try:
                said = dict(part.split("=") for part in content_of(document, MAX_BYTES).decode().split())
                count = int(said.get("pages", 1))
            except (UserError, ValueError) as error:
                yield [error_row(document.uri, str(error))]
                continue
            yield count
            for page in range(1, count + 1):
                if page not in document.done:
                    yield [self._row(document.uri, page, count, said)]

    def _row(self, uri: str, page: int, count: int, said: dict[str, str]) -> dict:
        time.sleep(float(said.get("seconds", 0)))
        marker = said.get("once")
        if page == int(said.get("die", 0)) and not (marker and Path(marker).exists()):
            if marker:
                Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        row = error_row(uri, f"{uri}: no luck.", page, count)
        if page != int(said.get("fail", 0)):
            row |= {"ok": True, "error": None, "text": said.get("text", "")}
        return row


class TimedReader(ScriptedReader):
    """Says that reading a page took a millisecond."""

    def _row(self, uri: str, page: int, count: int, said: dict[str, str]) -> dict:
        return super()._row(uri, page, count, said) | {"ms": 1.0}


def timed(used: Settings) -> TimedReader:
    """Stands for `bulk.reader.open_reader`."""
    return TimedReader()


def broken_reader() -> ScriptedReader:
    """Opens no reader: as with weights that are none."""
    raise UserError("nothing reads here.")


def dying_reader() -> ScriptedReader:
    """Dies while it opens: as without memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def settings(folder: Path, **changes) -> Settings:
    """Settings whose weights are a file of a few bytes."""
    weights = folder / "weights.bin"
    if not weights.exists():
        weights.write_bytes(b"weights")
    return Settings(str(weights), detector="profile", max_bytes=MAX_BYTES, **changes)


def write_documents(folder: Path, scripts: Sequence[str]) -> list[str]:
    """A file for each script; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, script in enumerate(scripts):
        (folder / f"{index:04}.png").write_text(script)
    return [str(folder / f"{index:04}.png") for index in range(len(scripts))]


def run(arguments: Sequence[object], out: object, used: Settings, engine=read_here, **how):
    """Run a job with the scripted reader; its tally."""
    how = {"workers": 1, "part_rows": 20} | how
    sources = find_sources(map(str, arguments), used.columns)
    assert not sources.problems
    return run_job(
        Job(used, str(out), open_reader=how.pop("open_reader", ScriptedReader), **how), sources, engine, print
    )


def rows_of(out: object) -> list[dict]:
    """All rows of a job's folder, in order of their ids. Each id is there once."""
    import io

    import pyarrow.parquet as pq

    from quantvietocr.bulk.folder import SUFFIX, open_place

    place, rows = open_place(str(out)), []
    for name in place.names():
        if name.endswith(SUFFIX):
            rows += pq.read_table(io.BytesIO((place / name).read())).to_pylist()
    assert not [one for one, count in Counter(row["id"] for row in rows).items() if count > 1]
    return sorted(rows, key=lambda row: row["id"])


def drive(folder: Path, out: Path, weights_folder: Path, **how) -> None:
    """What a driver process of its own does, for tests that kill it."""
    run([folder], out, settings(weights_folder), **how)


ids = partial(map, lambda row: row["id"])
