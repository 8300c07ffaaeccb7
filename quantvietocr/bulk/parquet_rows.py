"""Documents within parquet files: a column of bytes, as it is or as Hugging Face's image feature holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import UserError
from .documents import Document, Shard
from .places import PlaceError, open_place
from .schema import arrow

_BATCH = 8  # rows that are in memory at a time
_BUFFER = 1 << 20  # bytes of a column that are read at a time, so that a large row group does not come whole


@dataclass(frozen=True)
class Columns:
    """Which columns of a parquet file hold what.

    Attributes:
        content: the documents' bytes; None takes the only column of bytes.
        name: what documents are called by, which must be unique; None calls them by the number of their row, from 0.
    """

    content: str | None = None
    name: str | None = None


@contextmanager
def _opened(uri: str) -> Iterator[Any]:
    """A parquet file of pyarrow. Raises PlaceError, in the block too."""
    pa = arrow()
    import pyarrow.parquet as pq

    place = open_place(uri)
    with place.reaching("read"):
        handle = place.filesystem.open(place.path, "rb")
    with handle:
        try:
            yield pq.ParquetFile(handle, buffer_size=_BUFFER, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            raise PlaceError(f"{uri}: not a parquet file, or a damaged one ({reason}); copy it again.") from error


def count_rows(uri: str) -> int:
    """How many rows a parquet file has. Raises PlaceError."""
    with _opened(uri) as file:
        return file.metadata.num_rows


def check_columns(uri: str, columns: Columns) -> None:
    """See that a parquet file has the columns. Raises UserError, PlaceError."""
    with _opened(uri) as file:
        _content_column(uri, file.schema_arrow, columns)


def _content_column(uri: str, schema: Any, columns: Columns) -> str:
    """The column that holds the bytes. Raises UserError."""
    holding = [field.name for field in schema if _holds_bytes(field.type)]
    if columns.name is not None and columns.name not in schema.names:
        raise UserError(f"{uri}: has no column {columns.name} (--id-column), but {', '.join(schema.names)}.")
    if columns.content is None and len(holding) == 1:
        return holding[0]
    if columns.content in holding:
        return str(columns.content)
    named = ", ".join(holding) or "none"
    raise UserError(f"{uri}: name the column of pictures with --column; those that hold bytes: {named}.")


def _holds_bytes(kind: Any) -> bool:
    """Whether a column holds bytes, or Hugging Face's struct of bytes and a path."""
    types = arrow().types
    if types.is_struct(kind):
        return "bytes" in [kind.field(index).name for index in range(kind.num_fields)]
    return types.is_binary(kind) or types.is_large_binary(kind)


def documents_in_parquet(uri: str, columns: Columns, shard: Shard) -> Iterator[Document]:
    """The documents of a parquet file's rows.

    A shard takes whole row groups where there are enough of them, and reads no others.

    Args:
        uri: of the file.
        columns: which columns hold what.
        shard: which rows are wanted.

    Returns:
        The documents with their bytes; a row without any has an error in their place.

    Raises:
        PlaceError: the file cannot be read, or not to its end.
        UserError: a column is not there.
    """
    with _opened(uri) as file:
        content = _content_column(uri, file.schema_arrow, columns)
        wanted = [content] if columns.name is None else [content, columns.name]
        by_group = file.metadata.num_row_groups >= shard.count
        number = 0
        for group in range(file.metadata.num_row_groups):
            first, number = number, number + file.metadata.row_group(group).num_rows
            if by_group and not shard.owns(f"{uri}#group={group}"):
                continue
            for batch in file.iter_batches(_BATCH, row_groups=[group], columns=wanted):
                rows = batch.to_pylist()
                for index, row in enumerate(rows, first):
                    document = _document(uri, index, row, content, columns.name)
                    if by_group or shard.owns(document.uri):
                        yield document
                first += len(rows)


def _document(uri: str, index: int, row: dict[str, Any], content: str, name: str | None) -> Document:
    own = f"{uri}#row={index}" if name is None else f"{uri}#id={row[name]}"
    value = row[content]
    if isinstance(value, dict):
        value = value.get("bytes")
    if value is None:
        return Document(own, error=f"{own}: has no bytes in the column {content}; fill it, or leave the row out.")
    return Document(own, bytes(value))
