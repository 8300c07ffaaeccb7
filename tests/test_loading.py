"""Loader workers are modest, and none is left running."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.dataset.batches import BatchStream
from quantvietocr.dataset.sources import Item

VOCAB = Vocab()
in_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")


class WorkerFacts:
    """Lines whose texts say where they were made; from line `slow` on, each takes a second."""

    def __init__(self, slow: int | None = None) -> None:
        self.slow = slow

    def size(self) -> None:
        return None

    def get(self, i: int, rng: np.random.Generator) -> Item:
        if self.slow is not None and i >= self.slow:
            time.sleep(1)
        text = f"{os.getpid()} {os.nice(0)} {torch.get_num_threads()}"
        return Item(np.zeros((32, 40, 3), np.uint8), text, str(i))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition, seconds: float = 4.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@in_proc
def test_workers_are_modest_and_end_when_the_stream_is_closed():
    stream = iter(BatchStream([(WorkerFacts(slow=48), 1.0)], VOCAB, batch_size=8, chunk=8, workers=2))
    facts = [tuple(map(int, next(stream).texts[0].split())) for _ in range(6)]
    pids = {pid for pid, _, _ in facts}
    assert len(pids) == 2 and os.getpid() not in pids
    assert {nice for _, nice, _ in facts} == {min(19, os.nice(0) + 5)} and {n for _, _, n in facts} == {1}
    start = time.monotonic()
    stream.close()
    assert until(lambda: not any(map(alive, pids))) and time.monotonic() - start < 4


ORPHANS = """
import sys, time
sys.path.insert(0, {tests!r})
from test_loading import BatchStream, VOCAB, WorkerFacts
stream = iter(BatchStream([(WorkerFacts(), 1.0)], VOCAB, batch_size=500, chunk=1000, workers=2))
print(*sorted({{next(stream).texts[0].split()[0] for _ in range(8)}}), flush=True)
time.sleep(60)
"""


@in_proc
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_do_not_outlive_a_killed_training(how):
    code = ORPHANS.format(tests=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        pids = [int(word) for word in run.stdout.readline().split()]
        assert len(pids) == 2 and all(map(alive, pids))
        run.send_signal(how)
        run.wait(20)
    assert until(lambda: not any(map(alive, pids)))
