"""The folder of a job: what made it, which pages are finished, and who writes into it now.

_job.json           what decides the rows, and its fingerprint
_running-I-of-N     held by the run of that shard, as long as it runs
part-*.parquet      the rows; each file is whole, and none is changed but to take error rows out of it
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from .. import __version__
from ..common.parsing import json_of
from ..common.wording import counted
from ..errors import UserError
from .documents import Document, Shard, digest_of
from .places import Place, open_place
from .schema import FINGERPRINT_KEY, SCHEMA_VERSION, VERSION_KEY, arrow
from .settings import Settings

JOB = "_job.json"
PART, SUFFIX = "part-", ".parquet"
READERS = 8  # parts that are looked at at a time, since those in object stores take a while to come
_NEEDED = ("uri", "page", "pages", "ok")


class FolderError(UserError):
    """A folder cannot be written into; the message says why, and what to do."""


@dataclass
class Finished:
    """Which pages have a row.

    Attributes:
        whole: digests of the documents of which every page has one.
        partial: digest → the pages that have one, of documents of which others are missing.
        rows: how many rows there are.
        errors: how many of them are of pages that could not be read.
    """

    whole: set[bytes] = field(default_factory=set)
    partial: dict[bytes, set[int]] = field(default_factory=dict)
    rows: int = 0
    errors: int = 0

    def take(self, uri: str, page: int, pages: int, ok: bool) -> None:
        """Count a row."""
        self.rows += 1
        self.errors += not ok
        if pages <= 1:
            self.whole.add(digest_of(uri))
            return
        digest = digest_of(uri)
        done = self.partial.setdefault(digest, set())
        done.add(page)
        if len(done) == pages:
            self.whole.add(digest)
            del self.partial[digest]

    def rest_of(self, document: Document) -> Document | None:
        """The document with its finished pages noted; None where nothing of it is left."""
        digest = digest_of(document.uri)
        if digest in self.whole:
            return None
        done = self.partial.get(digest)
        return Document(document.uri, document.content, document.error, frozenset(done)) if done else document


class JobFolder:
    """The folder that a job writes into.

    Args:
        uri: a path or an address.
        settings: what decides the rows.

    Raises:
        FolderError: other settings, or another version of the schema, have written there.
        OSError, PlaceError: it cannot be written.
    """

    def __init__(self, uri: str, settings: Settings) -> None:
        self.place: Place = open_place(uri)
        self.fingerprint = settings.fingerprint
        job = self.place / JOB
        if job.exists():
            self._check(self._job(job), settings.about())
            return
        if parts := self._parts():
            raise FolderError(
                f"{self.place.uri}: holds {parts[0]} and no {JOB}, so that it is not known what made it; "
                "name another folder."
            )
        about = settings.about() | {
            "fingerprint": self.fingerprint,
            "version": __version__,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        job.write((json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode())

    def _job(self, file: Place) -> dict[str, Any]:
        """What the folder's job is, as its file says. Raises FolderError for another file."""
        try:
            before = json_of(file.read())
        except ValueError as error:  # UnicodeDecodeError too
            raise FolderError(f"{self.place.uri}: {JOB} is damaged ({error}); name another folder.") from error
        if not isinstance(before, dict):
            raise FolderError(f"{self.place.uri}: {JOB} is not one that this program writes; name another folder.")
        return before

    def _check(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        if before.get("schema_version") != SCHEMA_VERSION:
            raise FolderError(
                f"{self.place.uri}: holds rows of schema version {before.get('schema_version')}, and this program "
                f"writes version {SCHEMA_VERSION}; name another folder."
            )
        if before.get("fingerprint") == self.fingerprint:
            return
        differing = [key for key in now if key != "weights" and before.get(key) != now[key]]
        said = "; ".join(f"{key} {before.get(key)} there, {now[key]} here" for key in differing)
        raise FolderError(
            f"{self.place.uri}: holds pages of another job ({said or 'its fingerprint differs'}); name another folder, "
            "or give the same settings."
        )

    def _parts(self) -> list[str]:
        return [name for name in self.place.names() if name.startswith(PART) and name.endswith(SUFFIX)]

    def finished(self) -> Finished:
        """The pages that have a row. Raises FolderError where a part is none of this job's, or damaged."""
        finished = Finished()
        with ThreadPoolExecutor(READERS) as pool:
            for columns in pool.map(self._keys_of, self._parts()):
                for uri, page, pages, ok in columns:
                    finished.take(uri, page, pages, ok)
        return finished

    def _keys_of(self, name: str) -> list[tuple[str, int, int, bool]]:
        table = self._table(name, list(_NEEDED))
        return list(zip(*(table.column(column).to_pylist() for column in _NEEDED)))

    def _table(self, name: str, columns: list[str] | None = None) -> Any:
        """A part, or some of its columns. Raises FolderError."""
        pa = arrow()
        import pyarrow.parquet as pq

        place = self.place / name
        try:
            with place.reaching("read"), place.filesystem.open(place.path, "rb") as file:
                part = pq.ParquetFile(file)
                metadata = part.schema_arrow.metadata or {}
                table = part.read(columns, use_threads=False)
        except UserError as error:
            if not isinstance(error.__cause__, pa.ArrowException):
                raise
            raise FolderError(
                f"{place.uri}: damaged ({str(error.__cause__).partition(chr(10))[0]}); remove it, and its pages are "
                "read again."
            ) from error
        if metadata.get(VERSION_KEY) != str(SCHEMA_VERSION).encode():
            said = metadata.get(VERSION_KEY, b"unknown").decode()
            raise FolderError(
                f"{place.uri}: has schema version {said}, and this program writes version {SCHEMA_VERSION}; "
                "name another folder."
            )
        if metadata.get(FINGERPRINT_KEY) != self.fingerprint.encode():
            raise FolderError(f"{place.uri}: was written by another job; take it out, or name another folder.")
        return table

    def forget_errors(self, shard: Shard) -> int:
        """Take the error rows out of the parts, so that their pages are read again; how many there were.

        A run of one shard of several changes the parts of that shard alone, since others may be at work.
        """
        import pyarrow.compute as pc

        own = PART if shard.count == 1 else f"{PART}{shard}-"
        taken = 0
        for name in self._parts():
            if not name.startswith(own) or all(self._table(name, ["ok"]).column("ok").to_pylist()):
                continue
            table = self._table(name)
            good = table.filter(pc.field("ok"))
            taken += table.num_rows - good.num_rows
            if good.num_rows:
                (self.place / name).write(encoded(good))
            else:
                (self.place / name).remove()
        return taken

    def rows(self, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
        """Every row, part by part."""
        for name in self._parts():
            yield from self._table(name, columns).to_pylist()

    def __str__(self) -> str:
        return f"{self.place.uri} ({counted(len(self._parts()), 'part')})"


def encoded(table: Any) -> bytes:
    """A table as the bytes of a parquet file."""
    import pyarrow.parquet as pq

    sink = arrow().BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue().to_pybytes()
