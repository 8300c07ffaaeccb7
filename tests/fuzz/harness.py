"""Runs many inputs through a reader in a process of its own, which may crash or hang, and counts what came of them."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from targets import Target

from quantvietocr.errors import UserError

HANG = 20.0  # seconds of the CPU that one input may take
IDLE = 120.0  # seconds that may pass for one, as where it waits for ever; many, for machines that others use too
MAX_EXAMPLES = 5  # inputs of each target that are kept where something is wrong
UNTRIED, READ, REFUSED, FOREIGN, CRASHED, HUNG = range(6)
OUTCOMES = "untried", "read", "refused", "foreign exceptions", "crashes", "hangs"
WRONG = (FOREIGN, CRASHED, HUNG)
HEADER = 8  # bytes before the outcomes: the number of the input that is being read
POLL = 0.02  # seconds between looks at the process


@dataclass
class Outcome:
    """What came of the inputs of one target.

    Attributes:
        name: the target's.
        counts: how many inputs ended so, by `OUTCOMES`.
        peak: greatest memory of the process, in MB, with the interpreter and its libraries.
        seconds: how long it took.
        wrong: what went wrong, a sentence each with the file of the input.
    """

    name: str
    counts: Counter = field(default_factory=Counter)
    peak: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.counts.total()


def fuzz(
    target: Target, tries: int, folder: Path, hang: float = HANG, idle: float = IDLE, numbers: Sequence[int] = ()
) -> Outcome:
    """Try inputs on one target.

    Args:
        target: what is tried.
        tries: how many inputs, the first ones.
        folder: where inputs that went wrong are kept, and what was raised; it is made when the first goes wrong.
        hang: seconds of the CPU after which an input is taken to hang.
        idle: seconds after which it is so too, whatever it used of the CPU.
        numbers: of further inputs.

    Returns:
        What came of them.
    """
    outcome, started, number = Outcome(target.name), time.monotonic(), 0
    for file in folder.glob(f"{_slug(target)}-*"):  # of an earlier run
        file.unlink()
    inputs = [*range(tries), *numbers]
    with mmap.mmap(-1, HEADER + len(inputs)) as board:
        while number < len(inputs):
            child = os.fork()
            if not child:
                _work(target, number, inputs, board, folder)
            number = _watch(target, child, inputs, board, outcome, folder, hang, idle)
        for code in board[HEADER:]:
            outcome.counts[OUTCOMES[code]] += 1
    outcome.seconds = time.monotonic() - started
    outcome.wrong += [file.read_text() for file in sorted(folder.glob(f"{_slug(target)}-*.txt"))]
    return outcome


def _work(target: Target, start: int, inputs: list[int], board: mmap.mmap, folder: Path) -> None:
    """Read inputs from the one at index `start` on, in the child; never returns, nor raises into the parent's code."""
    devnull = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):  # libraries in C speak of damaged files there
        os.dup2(devnull, stream)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    warnings.simplefilter("ignore")
    try:
        for index in range(start, len(inputs)):
            board[:HEADER] = struct.pack("<q", index)
            board[HEADER + index] = _outcome(target, target.input(inputs[index]), inputs[index], folder)
        board[:HEADER] = struct.pack("<q", len(inputs))
        os._exit(0)
    finally:  # an input that cannot be made: the parent tries to make it too, and says why
        os._exit(1)


def _outcome(target: Target, data: bytes, number: int, folder: Path) -> int:
    try:
        target.feed(data)
        return READ
    except UserError as error:
        if str(error).strip() and "Traceback" not in str(error):
            return REFUSED
        _keep(target, number, data, folder, f"an empty refusal: {error!r}")
    except BaseException as error:  # all that is no refusal is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())[:200]
        _keep(
            target,
            number,
            data,
            folder,
            f"{type(error).__name__} at {where.filename}:{where.lineno}: {said}",
            "".join(traceback.format_exception(error)),
        )
    return FOREIGN


def _watch(
    target: Target,
    child: int,
    inputs: list[int],
    board: mmap.mmap,
    outcome: Outcome,
    folder: Path,
    hang: float,
    idle: float,
) -> int:
    """Wait for the child; the index of the input to go on with."""
    last, since, spent = -1, time.monotonic(), 0.0
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        (index,) = struct.unpack("<q", board[:HEADER])
        if done:
            outcome.peak = max(outcome.peak, usage.ru_maxrss // 1024)
            if status == 0:
                return index
            why = f"ended by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"ended with {status >> 8}"
            end, said = CRASHED, f"the process {why}"
            break
        if index != last:
            last, since, spent = index, time.monotonic(), _cpu_seconds(child)
        elif _cpu_seconds(child) - spent > hang or time.monotonic() - since > idle:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            end, said = HUNG, f"no answer within {hang:g} s of the CPU or {idle:g} s"
            break
        time.sleep(POLL)
    board[HEADER + index] = end
    _keep(target, inputs[index], target.input(inputs[index]), folder, said)
    return index + 1


def _cpu_seconds(process: int) -> float:
    """What a process has used of the CPU; see proc(5)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _keep(target: Target, number: int, data: bytes, folder: Path, sentence: str, more: str = "") -> None:
    """Keep an input that went wrong, the first few of each target."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.glob(f"{_slug(target)}-*.bin"))) >= MAX_EXAMPLES:
        return
    stem = folder / f"{_slug(target)}-{number}"
    stem.with_suffix(".bin").write_bytes(data)
    stem.with_suffix(".txt").write_text(f"{target.name}, input {number}: {sentence} ({stem}.bin)\n")
    if more:
        stem.with_suffix(".traceback").write_text(more)


def _slug(target: Target) -> str:
    return "".join(char if char.isalnum() else "_" for char in target.name)


def table(outcomes: Sequence[Outcome]) -> str:
    """The Markdown table of what came of all targets."""
    rows = [["Input", "Tried", *(name.capitalize() for name in OUTCOMES[1:]), "Peak MB", "Seconds"]]
    rows += [
        [
            one.name,
            f"{one.tried:,}",
            *(f"{one.counts[name]:,}" for name in OUTCOMES[1:]),
            str(one.peak),
            f"{one.seconds:.0f}",
        ]
        for one in outcomes
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(rows[0]) - 1), *lines[1:]])
