"""The service measured: its throughput beside `predict_batch`, how long answers take, and a long load."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import UserError
from ...serve.client import ApiError, Client
from .bulk_runs import memory_of

START_SECONDS = 120.0  # that the service may take to open its weights
CLIENTS = 16
SAMPLE_SECONDS = 2.0  # between looks at the memory


@dataclass
class Load:
    """What clients met.

    Attributes:
        seconds: how long it took.
        times: seconds from each request to its answer, those with lines alone.
        statuses: how many answers of each status.
        wrong: answers whose text was not that of the picture.
        memory: bytes of the service at each look.
    """

    seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    memory: list[int] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the answers came."""
        return float(np.quantile(self.times, share)) if self.times else float("nan")


@contextmanager
def service(weights: Path, engine: str, threads: int) -> Iterator[tuple[str, int]]:
    """A running service: its address and process. Raises UserError where it does not start."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "quantvietocr", "serve", "--api", "--port", str(port), "--weights", str(weights)]
    command += ["--engine", engine, "--threads", str(threads)]
    command += ["--detector", "profile"]  # lines alone are sent: nothing is to be found
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            if not process.stdout.readline().startswith("The API answers"):
                raise UserError(f"the service does not start: {process.stderr.read().strip()}")
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.communicate(timeout=START_SECONDS)


def put_load(
    address: str,
    process: int,
    pictures: Sequence[bytes],
    texts: Sequence[str],
    clients: int,
    requests: int,
    seconds: float,
) -> Load:
    """Let clients send one line after the other.

    Args:
        address: of the service.
        process: its process id.
        pictures: of lines, encoded.
        texts: what is right for each.
        clients: how many send at a time.
        requests: of each client; 0 goes on until the time is over.
        seconds: after which no client begins another request; 0 is no limit.

    Returns:
        What they met.
    """
    load, lock, ended = Load(), threading.Lock(), threading.Event()
    began = time.perf_counter()

    def send(number: int) -> None:
        with Client(address, patience=0.0, timeout=600.0) as client:
            sent = 0
            while (not requests or sent < requests) and (not seconds or time.perf_counter() - began < seconds):
                index = (number * 7 + sent) % len(pictures)
                sent += 1
                started = time.perf_counter()
                try:
                    (line,) = client.lines([pictures[index]])
                    spent, status, right = time.perf_counter() - started, 200, line.text == texts[index]
                except ApiError as error:
                    spent, status, right = 0.0, error.status, True
                with lock:
                    load.statuses[status] += 1
                    load.wrong += not right
                    load.times += [spent] if status == 200 else []
                if status != 200:
                    time.sleep(0.1)

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            load.memory.append(memory_of(process))

    watcher = threading.Thread(target=watch, daemon=True)
    threads = [threading.Thread(target=send, args=(number,)) for number in range(clients)]
    for thread in (watcher, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds = time.perf_counter() - began
    ended.set()
    watcher.join()
    load.memory.append(memory_of(process))
    return load
