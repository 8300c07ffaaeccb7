"""What a process is told before a verb runs, and what is noted of how it was started."""

from __future__ import annotations

import io
import os
import re
import shlex
import sys

from ..errors import UserError

#: The folders of an absolute path, at the beginning of an argument or of a value within one.
FOLDERS = re.compile(r"(?<![^\s'\"=:\[{(,])/(?:[^/\s'\"\]},]+/)+")


class ClosedStdout(io.StringIO):
    """Stands in for a stdout that the caller has closed: what goes into files alone may run, a row for stdout not."""

    def write(self, text: str, /) -> int:
        """Refuse a text. Raises UserError."""
        raise UserError("stdout is closed, and rows were to go there; name a file with --out, or redirect stdout.")


def prepare_process() -> None:
    """Set what must stand before torch loads and before anything is printed."""
    # Python has None where the caller closed a stream (`>&-`).
    sys.stdout = sys.stdout or ClosedStdout()
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115  # lives as long as the process
    sys.stdin = sys.stdin or open(os.devnull)  # noqa: SIM115  # likewise
    # Threads that spin while they wait make reading ten times slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A file name that is not UTF-8 goes out as the bytes it is.
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        if hasattr(stream, "reconfigure"):  # not where a program has put a stream of its own there
            stream.reconfigure(encoding="utf-8", errors=errors)


def leave_cores_alone() -> None:
    """Keep NumPy's BLAS, which reading needs little of, to one thread. It must be said before NumPy loads."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def speaks() -> bool:
    """Whether this process speaks to people: of those of one torchrun, the first."""
    return os.environ.get("RANK", "0") == "0"


def command_of(program: str, arguments: list[str]) -> str:
    """The command line as a file's metadata keeps it: of absolute paths the last part alone, since a file that is
    passed on should not tell how its maker's disk is laid out."""
    return shlex.join([*program.split(), *(FOLDERS.sub("", argument) for argument in arguments)])
