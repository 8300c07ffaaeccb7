"""Which documents a command line names: files, folders, patterns, parquet files, tars; here or in object stores."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..common.wording import counted
from ..errors import UserError
from ..pictures.find import SUFFIXES
from .documents import Document, Shard
from .parquet_rows import Columns, check_columns, count_rows, documents_in_parquet
from .places import Place, PlaceError, open_place
from .tars import documents_in_tar

PARQUET = (".parquet", ".pq")
TAR = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
DOCUMENTS = tuple(SUFFIXES | {".pdf"})
MAX_KINDS = 4  # kinds of files that were passed over, in a sentence


@dataclass(frozen=True)
class Source:
    """A document, or a file that holds many.

    Attributes:
        uri: where it lies.
        count: how many documents it holds; None where only reading it tells.
    """

    uri: str
    count: int | None = 1

    @property
    def is_container(self) -> bool:
        """Whether it holds many documents."""
        return _has(self.uri, PARQUET + TAR)


@dataclass
class Sources:
    """What a command line names.

    Attributes:
        found: in the order of the arguments; each once.
        problems: a sentence for each argument that led nowhere.
        notes: sentences on what was passed over.
    """

    found: list[Source] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int | None:
        """How many documents there are; None where only reading tells."""
        counts = [source.count for source in self.found]
        return None if None in counts else sum(count or 0 for count in counts)


def find_sources(arguments: Iterable[str], columns: Columns) -> Sources:
    """Find what is to be read.

    A folder gives the pictures, PDF, parquet and tar files in it and below it, by name. A pattern is expanded, unless a
    file bears it as its name. Anything else is a document, even if it is missing: reading it says what is wrong.

    Args:
        arguments: paths and addresses.
        columns: which columns of parquet files hold what.

    Returns:
        What was found.

    Raises:
        UserError: a parquet file has no column of pictures, or several.
    """
    sources = Sources()
    seen: set[str] = set()
    twice = 0
    for argument in arguments:
        for uri in _expanded(argument, sources):
            if uri in seen:
                twice += 1
                continue
            seen.add(uri)
            source = _source(uri, columns, sources)
            sources.found += [source] if source else []
    if twice:
        sources.notes.append(f"{counted(twice, 'file')} named more than once: read once.")
    return sources


def _expanded(argument: str, sources: Sources) -> list[str]:
    """The files that an argument names."""
    try:
        place = open_place(argument)
        if _is_file_name(argument) and not glob.has_magic(argument) and not place.is_local:
            return [place.uri]  # a long list of addresses is not looked up one by one
        if place.is_folder():
            return _in_folder(place, sources)
        if glob.has_magic(argument) and not place.exists():
            with place.reaching("listed"):
                found = sorted(place.filesystem.glob(place.path))
            if not found:
                sources.problems.append(f"{argument}: no file matches this pattern; check it.")
            return [place.beside(path).uri for path in found if _has(path, DOCUMENTS + PARQUET + TAR)]
    except PlaceError as error:
        sources.problems.append(str(error))
        return []
    return [place.uri]


def _in_folder(folder: Place, sources: Sources) -> list[str]:
    """The files in a folder and below it, sorted by name; others are counted in a note."""
    kept, others = [], Counter[str]()
    with folder.reaching("listed"):
        found = folder.filesystem.find(folder.path)
    for path in sorted(found):
        name = os.path.basename(path)
        if name.startswith((".", "_")):
            others["hidden"] += 1
        elif _is_file_name(name):
            kept.append(folder.beside(path).uri)
        else:
            others[os.path.splitext(name)[1].lower() or "without suffix"] += 1
    said = ", ".join(f"{count} {kind}" for kind, count in others.most_common(MAX_KINDS))
    if not kept:
        sources.problems.append(
            f"{folder.uri}: no pictures, PDF, parquet or tar files in this folder ({said or 'empty'})."
        )
    elif others:
        sources.notes.append(f"{folder.uri}: {counted(len(kept), 'file')}; {others.total()} others ignored ({said}).")
    return kept


def _source(uri: str, columns: Columns, sources: Sources) -> Source | None:
    """The source of a file; None, with a problem noted, for a parquet file that cannot be opened."""
    if _has(uri, TAR):
        return Source(uri, None)
    if not _has(uri, PARQUET):
        return Source(uri)
    try:
        check_columns(uri, columns)
        return Source(uri, count_rows(uri))
    except PlaceError as error:
        sources.problems.append(str(error))
        return None


def documents_of(sources: Sequence[Source], columns: Columns, shard: Shard, max_bytes: int) -> Iterator[Document]:
    """The documents of sources that belong to a shard, one by one.

    A file of many that cannot be read to its end gives a document with the reason as its error.

    Args:
        sources: where they lie.
        columns: which columns of parquet files hold what.
        shard: what of them is wanted.
        max_bytes: of a document; a larger one within a tar is not read.

    Returns:
        The documents; those within other files with their bytes.
    """
    for source in sources:
        if not source.is_container:
            if shard.owns(source.uri):
                yield Document(source.uri)
            continue
        try:
            if _has(source.uri, PARQUET):
                yield from documents_in_parquet(source.uri, columns, shard)
            else:
                yield from documents_in_tar(source.uri, shard, max_bytes)
        except UserError as error:
            if shard.index == 0:  # one shard says so, not every one
                yield Document(source.uri, error=str(error))


def _has(uri: str, suffixes: tuple[str, ...]) -> bool:
    return uri.lower().endswith(suffixes)


def _is_file_name(name: str) -> bool:
    return _has(name, DOCUMENTS + PARQUET + TAR)
