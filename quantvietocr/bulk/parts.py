"""Writes rows as parquet files, each whole or not at all."""

from __future__ import annotations

import secrets
import time
from typing import Any

from .documents import Shard
from .folder import PART, SUFFIX, JobFolder
from .schema import FINGERPRINT_KEY, SCHEMA_VERSION, VERSION_KEY, Row, arrow, schema

PART_ROWS = 10_000  # rows of a part, some 10 to 30 MB
PART_SECONDS = 300.0  # after which a part is written with what is there: what a killed run has to read again
GROUP_ROWS = 256  # rows that wait as Python's objects; then they are compressed


class PartWriter:
    """Takes rows, and writes a part when enough are there or enough time has passed.

    Args:
        folder: of the job.
        shard: whose rows these are.
        rows: of a part.
        seconds: after which a part is written in any case.
    """

    def __init__(self, folder: JobFolder, shard: Shard, rows: int = PART_ROWS, seconds: float = PART_SECONDS) -> None:
        self.folder, self.shard, self.rows, self.seconds = folder, shard, rows, seconds
        self.schema = schema().with_metadata({VERSION_KEY: str(SCHEMA_VERSION), FINGERPRINT_KEY: folder.fingerprint})
        self.waiting: list[Row] = []
        self.count = 0  # rows of the part at hand
        self.began = time.monotonic()
        self.sink: Any = None
        self.writer: Any = None

    def add(self, rows: list[Row]) -> None:
        """Take rows. Raises OSError, PlaceError where a part is due and cannot be written."""
        if not self.count:
            self.began = time.monotonic()
        self.waiting += rows
        self.count += len(rows)
        if len(self.waiting) >= GROUP_ROWS:
            self._compress()
        if self.count >= self.rows or time.monotonic() - self.began >= self.seconds:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are there as a part. Raises OSError, PlaceError."""
        if not self.count:
            return
        self._compress()
        self.writer.close()
        content = self.sink.getvalue().to_pybytes()
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        name = f"{PART}{self.shard}-{stamp}-{secrets.token_hex(4)}{SUFFIX}"
        self.writer = self.sink = None
        self.count = 0
        (self.folder.place / name).write(content)

    def _compress(self) -> None:
        """Turn the waiting rows into a compressed group of the part at hand."""
        if not self.waiting:
            return
        rows, self.waiting = (
            self.waiting,
            [],
        )  # first: an interruption may lose rows, which are read again, not double them
        pa = arrow()
        if self.writer is None:
            import pyarrow.parquet as pq

            self.sink = pa.BufferOutputStream()
            self.writer = pq.ParquetWriter(self.sink, self.schema, compression="zstd")
        self.writer.write_table(pa.Table.from_pylist(rows, schema=self.schema))
