"""Runs a command in a process of its own, ends that at a random moment, looks at what is left, and repeats it."""

from __future__ import annotations

import importlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import IO

from scenes import Scene, content_to_fetch, differences

OUT = "out"  # folder of a run's results, within a folder of its own that it runs in: so that all runs use one name
LOG = "log.txt"
LONGEST = 600.0  # seconds that one run may take; one takes some, and far more where others use the machine too
MODULES = "modules.txt"  # what a run has imported
AGAIN = 0.3  # share of the tries in which the repeat is killed too
PIECES, PAUSE = 40, 0.005  # in which the server gives its file, and seconds between them


@dataclass
class Result:
    """What came of a command's tries.

    Attributes:
        name: the command's.
        killed: tries in which the process was killed before its end.
        wrong: what was not whole, or not as after an undisturbed run, a sentence each.
        seconds: how long all of it took.
        one: how long an undisturbed run took, in seconds.
    """

    name: str
    tries: int = 0
    killed: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    one: float = 0.0


@dataclass(frozen=True)
class Whole:
    """What a command makes undisturbed: its results, the size of its largest file in bytes, the seconds it took."""

    results: dict[str, object]
    largest: int
    seconds: float


def run(scene: Scene, folder: Path, kill_after: float | None = None, most: int | None = None) -> int:
    """Run a command within a folder.

    Args:
        scene: the command.
        folder: where it runs; its results are in `OUT` there.
        kill_after: seconds after which its processes are killed; None lets it end.
        most: bytes that a file may have before writing fails, as on a full disk; None for no limit.

    Returns:
        The exit code; -9 where it was killed.
    """
    (folder / OUT).mkdir(parents=True, exist_ok=True)
    # Through a pipe: a limit of the size of files is not meant for what the command says.
    with open(folder / LOG, "ab") as file, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as log:
        return _run(scene, folder, kill_after, most, log.stdin)


def _run(scene: Scene, folder: Path, kill_after: float | None, most: int | None, log: IO[bytes]) -> int:
    child = os.fork()
    if not child:
        _command(scene, folder, most, log.fileno())
    with suppress(OSError):  # it has ended
        os.setpgid(child, child)  # as the child does: the kill may come before its first step
    ends = time.monotonic() + (LONGEST if kill_after is None else kill_after)
    while not (done := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < ends:
        time.sleep(0.002)
    if not done[0]:
        os.killpg(child, signal.SIGKILL)
        done = os.waitpid(child, 0)
        assert kill_after is not None, f"{scene.name} did not end within {LONGEST:g} s"
    return os.waitstatus_to_exitcode(done[1])


def _command(scene: Scene, folder: Path, most: int | None, log: int) -> None:
    """In the child; never returns."""
    code = 70
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        for stream in (1, 2):
            os.dup2(log, stream)
        # New ones: the old ones may take it for a file, in which they can seek.
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        if most is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as Python does: writing then fails with an error
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        code = scene.run(Path(OUT))
        if most is None:
            Path(MODULES).write_text("\n".join(sys.modules))
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        sys.stdout.flush()
        os._exit(code)


def disturb(scene: Scene, whole: Whole, folder: Path, tries: int, seed: int = 0) -> Result:
    """Kill a command at random moments, and repeat it each time.

    Args:
        scene: the command.
        whole: what it makes undisturbed.
        folder: to work in; what was as it should be is removed.
        tries: how often.
        seed: decides the moments.

    Returns:
        What came of it.
    """
    result, random, began = (
        Result(scene.name, tries, one=whole.seconds),
        Random(f"{scene.name} {seed}"),
        time.monotonic(),
    )
    for number in range(tries):
        work = folder / f"try-{number}"
        code = run(scene, work, random.uniform(0, result.one))
        result.killed += code == -signal.SIGKILL
        problems = _not_whole(scene, work / OUT)
        if random.random() < AGAIN:
            run(scene, work, random.uniform(0, result.one))
            problems += _not_whole(scene, work / OUT)
        problems += repeated(scene, work, whole.results)
        result.wrong += [f"{scene.name}, try {number}: {problem} (in {work})" for problem in problems]
        if not problems:
            shutil.rmtree(work)
    result.seconds = time.monotonic() - began
    return result


def undisturbed(scene: Scene, folder: Path) -> Whole:
    """Run a command to its end, twice: what the first run imports is imported here, for all that are forked later."""
    assert run(scene, folder / "first") == 0, (folder / "first" / LOG).read_text()[-2000:]
    for name in (folder / "first" / MODULES).read_text().split():
        with suppress(Exception):  # a module of a package's own, which is not there by this name
            importlib.import_module(name)
    began = time.monotonic()
    code = run(scene, folder)
    assert code == 0, f"{scene.name} ended with {code}: {(folder / LOG).read_text()[-2000:]}"
    spent = time.monotonic() - began
    scene.whole(folder / OUT)
    results = scene.results(folder / OUT)
    assert (other := differences(scene.results(folder / "first" / OUT), results)) == [], other
    largest = max(path.stat().st_size for path in (folder / OUT).rglob("*") if path.is_file())
    return Whole(results, largest, spent)


def repeated(scene: Scene, work: Path, expected: dict[str, object]) -> list[str]:
    """Run a command again to its end; what differs from the results of an undisturbed run, a sentence each."""
    code = run(scene, work)
    if code:
        return [f"the repeat ended with {code}"]
    return differences(scene.results(work / OUT), expected)


def fill(scene: Scene, whole: Whole, folder: Path, tries: int, seed: int = 0) -> Result:
    """Let the disk be full at random places of the output, and repeat the command with space.

    The limit is one of the process (RLIMIT_FSIZE): no rights are needed, and a file fails at any of its bytes.

    Args:
        scene: the command.
        whole: what it makes undisturbed.
        folder: to work in.
        tries: how often.
        seed: decides the sizes.

    Returns:
        What came of it; `killed` counts the runs that found the disk full.
    """
    result, random, began = (
        Result(scene.name, tries, one=whole.seconds),
        Random(f"{scene.name} {seed}"),
        time.monotonic(),
    )
    for number in range(tries):
        work = folder / f"full-{number}"
        code = run(scene, work, most=random.randrange(whole.largest))
        result.killed += code != 0
        problems = after_refusal(scene, work, code)
        problems += repeated(scene, work, whole.results)
        result.wrong += [f"{scene.name}, full disk {number}: {problem} (in {work})" for problem in problems]
    result.seconds = time.monotonic() - began
    return result


def after_refusal(scene: Scene, work: Path, code: int) -> list[str]:
    """What is wrong after a run that could not write."""
    said = (work / LOG).read_text(errors="replace")
    problems = _not_whole(scene, work / OUT)
    if code not in (0, 1, 2):
        problems.append(f"it ended with {code}")
    if "Traceback" in said:
        problems.append("a traceback was shown")
    problems += [f"{path.name} is left" for path in (work / OUT).rglob("*.part")]
    return problems


def _not_whole(scene: Scene, out: Path) -> list[str]:
    try:
        scene.whole(out)
    except Exception as error:  # whatever reading a broken file raises
        return [f"a file is not whole: {type(error).__name__}: {' '.join(str(error).split())[:200]}"]
    return []


@contextmanager
def serving() -> Iterator[str]:
    """A server, in a process of its own, that gives one file slowly; its address."""
    content = content_to_fetch()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, len(content), len(content) // PIECES):
                self.wfile.write(content[start : start + len(content) // PIECES])
                time.sleep(PAUSE)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, 2)  # a client that is killed is a traceback there
            server.serve_forever()
        try:
            yield f"http://127.0.0.1:{server.server_port}/weights.pth"
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def table(results: list[Result], what: str) -> str:
    """The Markdown table of what came of all commands; `what` heads the column of tries that were disturbed."""
    rows = [["Command", "Tries", what, "Wrong afterwards", "Seconds of one", "Seconds"]]
    rows += [
        [one.name, str(one.tries), str(one.killed), str(len(one.wrong)), f"{one.one:.1f}", f"{one.seconds:.0f}"]
        for one in results
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(rows[0]) - 1), *lines[1:]])
