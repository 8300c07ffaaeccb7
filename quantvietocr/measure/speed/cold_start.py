"""How long a fresh process takes from its start to the first text, and how much memory at most.

The program is started by another small one (this file, run by its path with Python's standard library alone): Linux
counts the memory of whoever starts a program into that program's peak, and the benchmark itself is large.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Start:
    """A process from its start to its end.

    Attributes:
        seconds: from the start to the end of the first line on stdout.
        peak: bytes of resident memory at most; None where the system does not tell (Windows).
        first: that line.
        code: the exit code.
        said: its stderr.
    """

    seconds: float
    peak: int | None
    first: str
    code: int
    said: str


def cold_start(command: Sequence[str]) -> Start:
    """Run `command` once in a process of its own. Raises RuntimeError where the starter itself fails."""
    # An installed package is compiled. A clone is once it has run, unless this variable forbids it.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    starter = [sys.executable, "-I", __file__, *command]
    done = subprocess.run(starter, capture_output=True, text=True, encoding="utf-8", env=environment)
    if done.returncode:
        raise RuntimeError(f"the starter of {command[0]} failed: {done.stderr.strip()[-300:]}")
    return Start(**json.loads(done.stdout))


def _start(command: Sequence[str]) -> dict[str, object]:
    with tempfile.TemporaryFile() as stderr:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
        assert process.stdout is not None  # it is a pipe
        first = process.stdout.readline()
        seconds = time.perf_counter() - begun
        process.stdout.read()
        peak = None
        if hasattr(os, "wait4"):
            _, status, usage = os.wait4(process.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        else:
            code = process.wait()
        stderr.seek(0)
        said = stderr.read().decode("utf-8", "replace")
    text = first.decode("utf-8", "replace").rstrip("\r\n")
    return {"seconds": seconds, "peak": peak, "first": text, "code": code, "said": said}


if __name__ == "__main__":
    print(json.dumps(_start(sys.argv[1:])))
