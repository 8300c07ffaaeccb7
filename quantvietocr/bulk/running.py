"""One run writes a shard of a folder at a time; a run that was killed holds nothing back for long."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..common.parsing import json_of
from .documents import Shard
from .folder import FolderError
from .places import Place, PlaceError

RUNNING = "_running-"
BEAT = 30  # seconds between the signs of life that a run writes into an object store
DEAD = 4 * BEAT  # seconds without one after which a run there counts as dead
_NAME = re.compile(rf"{RUNNING}(\d+)-of-(\d+)")


@contextmanager
def running(folder: Place, shard: Shard) -> Iterator[None]:
    """Hold a shard of a folder as long as the block lasts.

    On disks the system's lock on a file does it, which ends with the process, however that ends. In object stores a
    sign of life is written every BEAT seconds.

    Args:
        folder: of the job.
        shard: what this run reads.

    Raises:
        FolderError: another run has it, or has divided the folder otherwise.
    """
    for name in folder.names():
        match = _NAME.fullmatch(name)
        if match and name != f"{RUNNING}{shard}" and _is_held(folder / name):
            if int(match[2]) == shard.count:
                continue
            raise FolderError(
                f"{folder.uri}: a run with --shard {match[1]}/{match[2]} is at work there, and this one divides the "
                f"job by {shard.count}; wait until it has ended, or name another folder."
            )
    own = folder / f"{RUNNING}{shard}"
    with (_locked if folder.is_local else _beating)(own):
        yield


def _taken(place: Place, remedy: str) -> FolderError:
    folder = place.uri.rpartition("/")[0]
    return FolderError(f"{folder}: another run is writing into this folder; {remedy}, or name another folder.")


@contextmanager
def _locked(place: Place) -> Iterator[None]:
    os.makedirs(os.path.dirname(place.path), exist_ok=True)
    with open(place.path, "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _taken(place, "wait until it has ended") from error
        if not os.path.exists(place.path) or os.fstat(file.fileno()).st_ino != os.stat(place.path).st_ino:
            raise _taken(place, "wait until it has ended")  # it ended just now, and took its file along
        try:
            yield
        finally:
            os.unlink(place.path)


@contextmanager
def _beating(place: Place) -> Iterator[None]:
    if _is_held(place):
        raise _taken(place, f"wait until it has ended (one that was killed counts as ended after {DEAD} s)")
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT):
            with suppress(PlaceError):  # the next one may come through; the parts say it if nothing does
                place.write(_sign())

    place.write(_sign())
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with suppress(PlaceError):  # it counts as ended in any case after DEAD seconds
            place.remove()


def _sign() -> bytes:
    return json.dumps({"host": socket.gethostname(), "process": os.getpid(), "time": time.time()}).encode()


def _is_held(place: Place) -> bool:
    """Whether a run that lives holds this file."""
    if place.is_local:
        try:
            with open(place.path) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:  # ended meanwhile
            return False
        return False
    if not place.exists():
        return False
    try:
        return time.time() - json_of(place.read())["time"] < DEAD
    except (ValueError, LookupError, TypeError, PlaceError):  # half a sign, or gone meanwhile: nobody holds it
        return False
