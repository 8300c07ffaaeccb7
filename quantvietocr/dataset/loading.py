"""Run a loading function over ids, in order, here or in worker processes."""

import atexit
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from torch.utils.data import DataLoader, Dataset

from ..checkpoint.vocab import VocabError
from ..pictures.image import ImageError

Id = TypeVar("Id")
Result = TypeVar("Result")

_NICENESS = 5  # workers give way to the training process


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Say which line it was when loading one fails.

    An `ImageError` names its file already, and a `VocabError` gets the name. Anything else is a defect, of which the
    traceback matters; it gains a note.

    Args:
        name: what to call the line.
    """
    try:
        yield
    except ImageError:
        raise
    except VocabError as err:
        raise VocabError(f"{name}: {err}") from err
    except Exception as err:
        err.add_note(f"while loading {name}")
        raise


def in_order(function: Callable[[Id], Result], ids: Iterable[Id], workers: int = 0) -> Generator[Result, None, None]:
    """Compute `function(id)` for each id, in the ids' order whatever the number of workers.

    Closing the iterator ends the workers; so does the death of this process, however sudden.

    Args:
        function: run in the workers, each with one thread and low priority; its results are pickled.
        ids: may be endless; a few are taken ahead of need.
        workers: processes; 0 runs in this one.

    Yields:
        What the function returned.

    Raises:
        ImageError: as `function` raised it, without the worker's traceback.
        VocabError: likewise.
    """
    guarded = partial(_guarded, function)
    if not workers:
        for number in ids:
            yield _opened(guarded(number))
        return
    ear, voice = Pipe(duplex=False)
    loader = DataLoader(
        _Mapped(guarded),
        batch_size=None,
        sampler=ids,
        num_workers=workers,
        collate_fn=_same,
        worker_init_fn=partial(_settle, ear, voice),
    )
    results = iter(loader)
    end_workers = partial(os.write, voice.fileno(), b"." * workers)  # a byte for each; see _settle
    # Where this process ends while the iterator is open, multiprocessing would end the workers by SIGTERM, which they
    # ignore, and wait for them. What is registered last runs first.
    atexit.register(end_workers)
    try:
        for result in results:
            yield _opened(result)
    finally:
        atexit.unregister(end_workers)
        end_workers()
        del results  # joins them
        voice.close()
        ear.close()


@dataclass(frozen=True)
class _Failure:
    """An expected error on its way out of a worker. DataLoader would bury its message in a traceback."""

    error: type[ValueError]
    message: str


def _guarded(function: Callable[[Id], Result], i: Id) -> Result | _Failure:
    try:
        return function(i)
    except (ImageError, VocabError) as err:
        return _Failure(type(err), str(err))


def _opened(result: Result | _Failure) -> Result:
    if isinstance(result, _Failure):
        raise result.error(result.message)
    return result


def _same(value: Any) -> Any:
    """Keep NumPy arrays as they are; the default collation would make tensors of them."""
    return value


class _Mapped(Dataset):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __getitem__(self, i: Any) -> Any:
        return self.function(i)


def _settle(ear: Connection, voice: Connection, worker: int) -> None:
    """Begin a worker: DataLoader has set its threads to one; lower its priority, and listen for its end.

    DataLoader asks a worker to end only between results, which can be many seconds, and one whose parent was killed
    can wait for ever to hand over its last result. So each listens to a pipe that the parent alone can write to: a
    byte, or the end of the file that the parent's death leaves, ends the worker at once.
    """
    os.nice(_NICENESS)
    # `timeout` and Slurm send it to the whole group. The parent decides what to do, after its step, and needs the
    # batches until then.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    voice.close()

    def listen() -> None:
        os.read(ear.fileno(), 1)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
