"""How a command ends: the exit codes of every verb, and the one function that turns errors into them.

| code | meaning |
|------|---------|
| 0    | everything was done |
| 1    | some inputs failed, others were done; stderr names each |
| 2    | nothing could be done: a wrong option, a missing file or package, a full disk; or every input failed |
| 130  | interrupted by Ctrl-C |
| 141  | whoever read the output closed the pipe, as in `| head` |
| 143  | ended by SIGTERM, as `timeout`, systemd and Slurm do |

Anything else is a defect: it shows its traceback, and Python ends with 1.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ..common.files import STDOUT, naming
from ..common.packages import missing
from ..errors import Terminated, UserError

DONE, SOME_FAILED, UNUSABLE, INTERRUPTED, CLOSED_PIPE, TERMINATED = 0, 1, 2, 130, 141, 143


def run_verb(program: str, verb: Callable[[], int | None], *, speaks: bool = True) -> int:
    """Run a verb to its exit code.

    Args:
        program: name that stands before each sentence on stderr.
        verb: what to do; returns an exit code, or None for DONE.
        speaks: False for the processes of one training that leave speaking to the first.

    Returns:
        One of the codes of this module.
    """

    def say(sentence: object, before: str = "") -> None:
        if speaks:
            print(f"{before}{program}: {sentence}", file=sys.stderr)

    try:
        with _terminated_by_signal():
            code = verb() or DONE
            with naming(STDOUT):
                sys.stdout.flush()
            return code
    except BrokenPipeError:
        _forget_stdout()
        return CLOSED_PIPE
    except UserError as error:
        say(error)
        return UNUSABLE
    except OSError as error:
        say(error)
        if error.filename == STDOUT:
            _forget_stdout()
        return UNUSABLE
    except ModuleNotFoundError as error:
        sentence = missing(error, "this")
        if sentence is None:
            raise
        say(sentence)
        return UNUSABLE
    except Terminated as stop:
        say(stop if str(stop) else "terminated.", "\n")
        return TERMINATED
    except KeyboardInterrupt as stop:
        say(stop if str(stop) else "interrupted.", "\n")
        return INTERRUPTED


@contextmanager
def _terminated_by_signal() -> Iterator[None]:
    """Raise Terminated at SIGTERM within the block, unless somebody else has taken that signal already."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _forget_stdout() -> None:
    """Let Python's own flush at the end go nowhere: into a closed pipe or a full disk it would complain."""
    with suppress(OSError, ValueError):  # a stdout that is no file, as in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
