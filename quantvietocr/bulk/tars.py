"""Documents within tars, as WebDataset lays them out: members in any order, pictures among their labels."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Iterator

from ..pictures.find import SUFFIXES
from .documents import Document, Shard
from .places import PlaceError, open_place

_DOCUMENTS = tuple(SUFFIXES | {".pdf"})
_DAMAGE = (tarfile.TarError, EOFError, zlib.error, OSError)


def documents_in_tar(uri: str, shard: Shard, max_bytes: int) -> Iterator[Document]:
    """The pictures and PDF files in a tar, compressed or not; labels beside them are passed over.

    The tar is read once, from its beginning, so that it may lie elsewhere and be of any size.

    Args:
        uri: of the tar.
        shard: which of its members are wanted.
        max_bytes: of a member; a larger one is given with an error in the place of its bytes.

    Returns:
        The documents with their bytes.

    Raises:
        PlaceError: the tar cannot be read, or not to its end.
    """
    place = open_place(uri)
    with place.reaching("read"):
        handle = place.filesystem.open(place.path, "rb", **({} if place.is_local else {"cache_type": "readahead"}))
    last = "its beginning"
    with handle:
        try:
            with tarfile.open(fileobj=handle, mode="r:*" if place.is_local else "r|*") as tar:
                for member in tar:
                    name = os.path.basename(member.name)
                    if not member.isfile() or name.startswith(".") or not name.lower().endswith(_DOCUMENTS):
                        continue
                    own = f"{uri}#{member.name}"
                    if shard.owns(own):
                        yield _document(tar, member, own, max_bytes)
                    last = member.name
        except _DAMAGE as error:
            raise PlaceError(
                f"{uri}: damaged or cut short after {last} ({str(error) or type(error).__name__}); copy it again."
            ) from error


def _document(tar: tarfile.TarFile, member: tarfile.TarInfo, uri: str, max_bytes: int) -> Document:
    if member.size > max_bytes:
        return Document(uri, error=f"{uri}: {member.size / 1e6:,.0f} MB are more than {max_bytes / 1e6:,.0f} MB.")
    file = tar.extractfile(member)
    assert file is not None  # a regular file
    content = file.read()
    if len(content) < member.size:
        raise tarfile.ReadError(f"{member.name} is cut short")
    return Document(uri, content)
