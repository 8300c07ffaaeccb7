"""Batches that several threads read at once are read as one thread reads them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from tiny import int8_checkpoint

from quantvietocr import Predictor
from quantvietocr.reading import recognizer


@pytest.mark.parametrize(
    "kind, engine", [("int8", "torch"), ("float", "torch"), ("int8", "onnxruntime"), ("int8", "openvino")]
)
def test_batches_read_side_by_side_are_those_read_one_after_the_other(kind, engine, exported, pixels, monkeypatch):
    file = exported[kind][engine != "torch"]
    alone, beside = (Predictor(file, threads=threads, engine=engine) for threads in (1, 3))
    used, at_once, most, lock = set(), 0, 0, threading.Lock()
    real = recognizer.recognize_batch

    def watched(runtime, *rest):
        nonlocal at_once, most
        with lock:
            used.add(threading.get_ident())
            at_once += 1
            most = max(most, at_once)
        try:
            return real(runtime, *rest)
        finally:
            with lock:
                at_once -= 1

    lines = [line[:, :width] for line in pixels for width in (64, 96, line.shape[1])]
    expected = alone.recognizer.recognize(lines)
    monkeypatch.setattr(recognizer, "recognize_batch", watched)
    done = []
    for _ in range(3):
        found = beside.recognizer.recognize(lines, done.extend)
        assert [text for text, _ in found] == [text for text, _ in expected]
        for (_, ours), (_, theirs) in zip(found, expected, strict=True):
            np.testing.assert_allclose([*ours.probabilities, ours.end], [*theirs.probabilities, theirs.end], atol=1e-4)
    assert sorted(done) == sorted(3 * list(range(len(lines))))
    assert threading.get_ident() not in used and 2 <= most <= 3


def test_side_by_side_leaves_torchs_threads_as_they_were():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        reader = Predictor(int8_checkpoint())
        lines = [np.random.default_rng(i).integers(0, 256, (8, 16 + i % 3, 3), np.uint8) for i in range(24)]
        reader.recognizer.recognize(lines)
        assert reader.recognizer.engine.threads == 3 == torch.get_num_threads()
        with reader.recognizer.engine.side_by_side(2), ThreadPoolExecutor(1) as worker:
            worker.submit(torch.set_num_threads, 1).result()
        with ThreadPoolExecutor(1) as fresh:  # which begins with what was set last, by any thread
            assert fresh.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


def test_an_error_in_one_batch_ends_the_reading_and_is_told(monkeypatch):
    reader = Predictor(int8_checkpoint(), threads=2)
    real, begun = recognizer.recognize_batch, []

    def failing(*given):
        begun.append(len(begun))
        if begun[-1:] == [3]:
            raise MemoryError("no more")
        time.sleep(0.02)
        return real(*given)

    monkeypatch.setattr(recognizer, "recognize_batch", failing)
    lines = [np.full((8, 16 + i, 3), i, np.uint8) for i in range(60)]
    with pytest.raises(MemoryError, match="no more"):
        reader.recognizer.recognize(lines)
    assert len(begun) < 20  # those not begun are not read
    monkeypatch.setattr(recognizer, "recognize_batch", real)
    assert len(reader.recognizer.recognize(lines)) == 60
