"""Decoding pictures in a process of its own, so that a decoder that crashes or eats all memory loses one page alone.

Pictures and PDF files are taken apart by libraries in C, which a damaged or malicious file may bring down.
`decoding_apart` forks a keeper, early, while the process is small and has one thread. The keeper forks a decoder, and
another one where that dies. Requests and answers are small JSON messages; the bytes of files and pixels go through
memory that both share.

    this process ──request──► decoder ──answer──► this process
                              keeper: the decoder died ──answer──► this process

The system ends the decoder first where memory runs out (`oom_score_adj`), and a decoder that takes too long ends
itself.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import resource
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

from ..errors import UserError
from . import decoding
from .decoding import ImageError, MendedWarning

MAX_MESSAGE = 1 << 16  # bytes of a request or an answer without pixels: paths have at most 4,096
MAX_SENTENCE = 2000  # characters of an error or a warning that are passed on, each at most 6 bytes
MAX_WARNINGS = 2  # to an answer
MAX_SECONDS = 300  # for one page; the slowest that decodes takes a tenth of it
MAX_MEMORY = 6 << 30  # bytes of addresses beside those at the start: the largest picture allowed needs a third of it
MAX_SENT = 64 << 20  # bytes of a file that is given by its content; a larger one is opened here
MAX_RECEIVED = 3 * decoding.MAX_PIXELS  # bytes of the largest picture
NO_RESERVE = 0x4000  # MAP_NORESERVE of mmap(2), which Python names from 3.13 on
MAX_KEPT = 32 << 20  # bytes of shared memory that are kept for the next picture
MAX_OOM_SCORE = 1000  # of /proc/PID/oom_score_adj: the first to be ended where memory runs out
PACKAGE = __name__.split(".")[0]

Operation = Callable[..., Any]


class CrashError(ImageError):
    """The process that decoded a picture died of it."""


_keeper: _Keeper | None = None


@contextlib.contextmanager
def decoding_apart() -> Iterator[None]:
    """Within the block, let `call` decode in a process of its own.

    Nothing changes where that process is there already, and where other threads run, beside which forking is not safe.
    """
    global _keeper
    if _keeper is not None or threading.active_count() > 1 or sys.platform != "linux":
        yield
        return
    _keeper = _Keeper()
    try:
        yield
    finally:
        keeper, _keeper = _keeper, None
        keeper.close()


def call(operation: Operation, path: str | os.PathLike | None, content: bytes | None = None, *numbers: int) -> Any:
    """Open a picture in the process of its own, or here where none was started.

    Args:
        operation: a function of this package's modules. It takes a path or bytes, and the numbers; it returns a
            picture, a number, or a picture and a number. It raises UserError for what is wrong with the file.
        path: the file, if it is one.
        content: else its bytes.
        *numbers: further arguments.

    Returns:
        What `operation` returns.

    Raises:
        UserError: what `operation` raises.
        CrashError: the decoder died, whatever of.
    """
    source = os.fspath(path) if content is None and path is not None else content
    if _keeper is None or _keeper.lost or (isinstance(source, bytes) and len(source) > MAX_SENT):
        return operation(source, *numbers)
    return _keeper.ask(operation, source, numbers)


class _Keeper:
    """The side of the process that asks: a socket, and memory for bytes in both directions."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sent, self.received = _shared(MAX_SENT), _shared(MAX_RECEIVED)
        self.lock = threading.Lock()
        self.lost = False  # whether an answer was not waited for, so that the next one would be taken for another's
        self.process = os.fork()
        if not self.process:
            self.socket.close()
            _keep(theirs, self.sent, self.received)
        theirs.close()
        self.owner = os.getpid()

    def close(self) -> None:
        self.socket.close()
        self.sent.close()
        self.received.close()
        if os.getpid() == self.owner:
            os.waitpid(self.process, 0)

    def ask(self, operation: Operation, source: str | bytes | None, numbers: tuple[int, ...]) -> Any:
        request: dict[str, Any] = {"operation": [operation.__module__, operation.__qualname__], "numbers": numbers}
        if isinstance(source, bytes):
            request["bytes"] = len(source)
        else:
            request["path"] = source
        name = source if isinstance(source, str) else "the given bytes"
        with self.lock:
            answer = self._answered(request, source)
            picture = _picture(self.received, answer["size"]) if "size" in answer else None
        for sentence in answer.get("warnings", ()):
            warnings.warn(sentence, MendedWarning, stacklevel=4)
        if "died" in answer:
            raise CrashError(f"{name}: {answer['died']}; save the picture again with another program.")
        if "error" in answer:
            raise _error_of(*answer["error"])
        if picture is None:
            return answer["number"]
        return (picture, answer["number"]) if "number" in answer else picture

    def _answered(self, request: dict[str, Any], source: str | bytes | None) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        waiting = True
        try:
            if isinstance(source, bytes):
                self.sent[: len(source)] = source
            self.socket.send(json.dumps(request).encode())
            message = self.socket.recv(MAX_MESSAGE)
            waiting = False
        except OSError:  # somebody has ended the keeper
            message = b""
        finally:
            self.lost = waiting
        return json.loads(message) if message else {"died": "what opens pictures was ended from outside"}


def _shared(size: int) -> mmap.mmap:
    """Memory that processes forked from now on share; the system gives it as it is written to."""
    return mmap.mmap(-1, size, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | NO_RESERVE)


def _picture(memory: mmap.mmap, size: tuple[int, int]) -> Image.Image:
    """The picture that the decoder has left in shared memory; that of a large one is given back to the system."""
    width, height = size
    length = 3 * width * height
    with memoryview(memory) as whole, whole[:length] as pixels:
        picture = Image.frombytes("RGB", (width, height), pixels)
    if length > MAX_KEPT:
        memory.madvise(mmap.MADV_REMOVE)
    return picture


def _error_of(module: str, name: str, sentence: str) -> UserError:
    """The error of a class of this package that the decoder has raised."""
    kind = getattr(importlib.import_module(module), name, None) if module.split(".")[0] == PACKAGE else None
    return kind(sentence) if isinstance(kind, type) and issubclass(kind, UserError) else ImageError(sentence)


# --- in the keeper and in the decoder -------------------------------------------------------------------------------


def _keep(channel: socket.socket, sent: mmap.mmap, received: mmap.mmap) -> None:
    """Fork decoders one after the other, as long as somebody may ask; never returns."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the end of whoever asks ends this too
        signal.signal(number, signal.SIG_IGN)
    while True:
        decoder = os.fork()
        if not decoder:
            _decode(channel, sent, received)
        _, status = os.waitpid(decoder, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            break
        why = _why_dead(status)
        try:
            channel.send(json.dumps({"died": why}).encode())
        except OSError:  # nobody is there to hear it
            break
    os._exit(0)


def _why_dead(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGALRM:
            return f"took more than {MAX_SECONDS} seconds to open"
        if number == signal.SIGKILL:
            return "the system ended what opened it, since memory ran out"
        return f"crashed what opened it ({signal.Signals(number).name})"
    return f"ended what opened it (exit code {os.WEXITSTATUS(status)})"


def _decode(channel: socket.socket, sent: mmap.mmap, received: mmap.mmap) -> None:
    """Answer requests until nobody asks any more; never returns."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(str(MAX_OOM_SCORE))
    _limit_memory()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    Image.preinit()  # the usual formats, while whoever asks is still busy with the network
    try:
        while message := channel.recv(MAX_MESSAGE):
            signal.alarm(MAX_SECONDS)
            answer = _answer(json.loads(message), sent, received)
            signal.alarm(0)
            channel.send(json.dumps(answer).encode())
    except BaseException:  # whoever asks is gone, or memory is gone even for the answer
        os._exit(1)
    os._exit(0)


def _limit_memory() -> None:
    """Let what asks for too much fail with MemoryError, before the system has to end a process."""
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = used + MAX_MEMORY
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _answer(request: dict[str, Any], sent: mmap.mmap, received: mmap.mmap) -> dict[str, Any]:
    source = sent[: request["bytes"]] if "bytes" in request else request["path"]
    module, name = request["operation"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", MendedWarning)
        try:
            found = getattr(importlib.import_module(module), name)(source, *request["numbers"])
            answer = _sent(found, received)
        except UserError as error:
            answer = {"error": [type(error).__module__, type(error).__name__, str(error)[:MAX_SENTENCE]]}
        except Exception as error:  # a decoder's own error, which it should have said otherwise
            called = "the given bytes" if isinstance(source, bytes) else str(source)
            answer = {"error": [decoding.__name__, "ImageError", str(decoding.damaged(called, error))[:MAX_SENTENCE]]}
    return answer | {"warnings": [str(one.message)[:MAX_SENTENCE] for one in caught[:MAX_WARNINGS]]}


def _sent(found: Any, received: mmap.mmap) -> dict[str, Any]:
    """Put a picture into shared memory; say how large it is, and the number."""
    picture, *numbers = found if isinstance(found, tuple) else (found,)
    if not isinstance(picture, Image.Image):
        return {"number": picture}
    pixels = picture.tobytes()
    received[: len(pixels)] = pixels
    return {"size": picture.size} | ({"number": numbers[0]} if numbers else {})
