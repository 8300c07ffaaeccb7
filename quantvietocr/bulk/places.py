"""Files here or elsewhere (`s3://`, `gs://`, `hf://`, …), through fsspec; what goes wrong there, in one sentence."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..common.files import naming, write_bytes
from ..common.packages import MissingPackageError, need
from ..errors import UserError

_SCHEME = re.compile("([A-Za-z][A-Za-z0-9+.-]+)://")
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub", "az": "adlfs", "abfs": "adlfs"}


class PlaceError(UserError):
    """A file or folder cannot be reached; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Place:
    """A file or a folder.

    Attributes:
        uri: its name for people: a path from the root, or an address.
        filesystem: fsspec's file system that holds it.
        path: its name there.
        is_local: whether it lies on this machine's disks.
    """

    uri: str
    filesystem: Any
    path: str
    is_local: bool

    def __truediv__(self, name: str) -> Place:
        """A file in this folder."""
        uri, path = f"{self.uri.rstrip('/')}/{name}", f"{self.path.rstrip('/')}/{name}"
        return Place(uri, self.filesystem, path, self.is_local)

    def beside(self, path: str) -> Place:
        """Another file of the same file system, under the name that it has there."""
        uri = path if self.is_local else self.filesystem.unstrip_protocol(path)
        return Place(uri, self.filesystem, path, self.is_local)

    def exists(self) -> bool:
        """Whether something is there. Raises PlaceError where that cannot be told."""
        with self.reaching("looked at"):
            return self.filesystem.exists(self.path)

    def is_folder(self) -> bool:
        """Whether a folder is there. Raises PlaceError where that cannot be told."""
        with self.reaching("looked at"):
            return self.filesystem.isdir(self.path)

    def read(self) -> bytes:
        """All bytes of a file. Raises PlaceError."""
        with self.reaching("read"):
            return self.filesystem.cat_file(self.path)

    def write(self, content: bytes) -> None:
        """Write a file whole or not at all.

        Object stores show a new object only when it is complete.

        Raises:
            OSError: this machine's disk cannot be written.
            PlaceError: another place cannot be written.
        """
        if self.is_local:
            with naming(self.uri):
                write_bytes(self.path, content)
            return
        with self.reaching("written"):
            self.filesystem.pipe_file(self.path, content)

    def remove(self) -> None:
        """Remove a file. Raises PlaceError."""
        with self.reaching("removed"):
            self.filesystem.rm_file(self.path)

    def names(self) -> list[str]:
        """Sorted names of the files in a folder; none where there is no folder. Raises PlaceError."""
        with self.reaching("listed"):
            self.filesystem.invalidate_cache(self.path)
            if not self.filesystem.isdir(self.path):
                return []
            found = self.filesystem.ls(self.path, detail=False)
        return sorted(os.path.basename(one.rstrip("/")) for one in found)

    @contextmanager
    def reaching(self, what: str) -> Iterator[None]:
        """Turn whatever a file system raises within the block into one sentence. Raises PlaceError.

        Args:
            what: is done with the place, for "cannot be …".
        """
        try:
            yield
        except UserError:
            raise
        except FileNotFoundError as error:
            raise PlaceError(f"{self.uri}: no such file; check the address.") from error
        except Exception as error:  # the clients of object stores share no class of errors
            reason = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
            raise PlaceError(
                f"{self.uri}: cannot be {what} ({reason or type(error).__name__}); check the address and your rights."
            ) from error


def open_place(uri: str) -> Place:
    """The place that an address or a path names; nothing need be there.

    Args:
        uri: `s3://bucket/name` and the like, or a path.

    Returns:
        The place.

    Raises:
        PlaceError: fsspec knows no such kind of address.
        MissingPackageError: the package for it is not installed.
    """
    fsspec = need("fsspec", "reading and writing many pages", extra="bulk")
    scheme = _SCHEME.match(uri)
    if scheme is None:
        path = os.path.abspath(uri)
        return Place(path, _filesystem("file"), path, True)
    try:
        filesystem = _filesystem(scheme[1])
    except ImportError as error:
        package = _PACKAGES.get(scheme[1])
        remedy = f"run `pip install {package}`" if package else str(error).rstrip(".")
        raise MissingPackageError(f"{uri}: addresses of {scheme[1]}:// need another package: {remedy}.") from error
    except ValueError as error:
        raise PlaceError(
            f"{uri}: no such kind of address ({scheme[1]}://); give a path, s3://, gs:// or hf://."
        ) from error
    except Exception as error:  # a client that finds no credentials raises a class of its own
        raise PlaceError(
            f"{uri}: cannot be reached ({' '.join(str(error).split())}); check your credentials."
        ) from error
    path = filesystem._strip_protocol(uri)
    local = isinstance(filesystem, fsspec.get_filesystem_class("file"))
    return Place(path if local else uri, filesystem, path, local)


@lru_cache(maxsize=16)
def _filesystem(scheme: str) -> Any:
    import fsspec

    return fsspec.filesystem(scheme)
