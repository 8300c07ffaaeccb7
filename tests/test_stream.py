"""Pictures streamed in and out: the order of the paths, errors in their place, never more than two windows open."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from quantvietocr import Predictor
from quantvietocr.pictures.image import open_line
from quantvietocr.reading import stream
from quantvietocr.reading.stream import read_stream

COUNT = 60


@pytest.fixture
def predictor(tiny_weights):
    return Predictor(tiny_weights, threads=1)


@pytest.fixture
def paths(tmp_path):
    made = []
    for index in range(COUNT):
        path = tmp_path / f"{index}.png"
        if index % 20 == 7:
            path.write_bytes(b"no picture")
        else:
            Image.new("RGB", (20 + index, 16), (index * 4, 255 - index, 128)).save(path)
        made.append(str(path))
    return made


def test_lines_come_in_order_with_errors_in_place(predictor, paths, monkeypatch):
    monkeypatch.setattr(stream, "FIRST_WINDOW", 4)
    monkeypatch.setattr(stream, "WINDOW", 16)
    counted = []
    windows = list(read_stream(predictor, iter(paths), thumbnails=5, progress=counted.append))
    assert [len(window) for window in windows] == [4, 8, 16, 16, 16]
    lines = [line for window in windows for line in window]
    assert [line.path for line in lines] == paths and sum(counted) == COUNT
    for index, line in enumerate(lines):
        if index % 20 == 7:
            assert "not a picture" in line.error and (line.text, line.confidence) == ("", 0.0)
        else:
            text, sure = predictor.predict(line.path, return_prob=True)
            assert line.error is None and line.text == text and line.confidence == pytest.approx(sure, abs=1e-4)
    assert [i for i, line in enumerate(lines) if line.thumbnail] == [0, 1, 2, 3, 4]


def test_paths_are_taken_as_they_are_needed(predictor, paths, monkeypatch):
    monkeypatch.setattr(stream, "FIRST_WINDOW", 2)
    monkeypatch.setattr(stream, "WINDOW", 2)
    taken = []
    windows = read_stream(predictor, (taken.append(path) or path for path in paths))
    for done in range(1, 5):
        next(windows)
        assert len(taken) <= 2 * (done + 1)  # the window read and the one being opened
    windows.close()
    assert len(taken) < 20


def test_the_next_window_is_opened_while_this_one_is_read(predictor, paths, monkeypatch):
    monkeypatch.setattr(stream, "FIRST_WINDOW", 2)
    monkeypatch.setattr(stream, "WINDOW", 2)
    opened, read = [], predictor.lines_from_candidates
    real = stream.open_line
    monkeypatch.setattr(stream, "open_line", lambda path: opened.append(path) or real(path))
    seen = []

    def slow(lines, progress):
        # The thread that opens has had the next window since before this call: it comes to it sooner or later.
        for _ in range(500):
            if len(opened) >= 4:
                break
            stream_sleep(0.01)
        seen.append(len(opened))
        return read(lines, progress)

    from time import sleep as stream_sleep

    monkeypatch.setattr(predictor, "lines_from_candidates", slow)
    next(read_stream(predictor, paths))
    assert seen[0] >= 4


def test_no_paths_no_windows(predictor):
    assert list(read_stream(predictor, [])) == []


def test_a_line_that_cannot_be_read_costs_itself_alone(predictor, paths, monkeypatch):
    whole = [line for window in read_stream(predictor, paths) for line in window]
    usual = predictor.lines_from_candidates
    odd = predictor.candidates_of(open_line(paths[1]))[0][0]

    def fails(lines, progress=lambda count: None):
        if any(np.array_equal(candidates[0][0], odd) for candidates in lines):
            raise ZeroDivisionError("on this line")
        return usual(lines, progress)

    monkeypatch.setattr(predictor, "lines_from_candidates", fails)
    seen = []
    lines = [line for window in read_stream(predictor, paths, progress=seen.append) for line in window]
    assert lines[1].error == f"{paths[1]}: passed over (ZeroDivisionError: on this line)."
    assert (lines[1].text, lines[1].confidence) == ("", 0.0)
    others = [(line.path, line.text, line.error) for line in lines if line.path != paths[1]]
    assert others == [(line.path, line.text, line.error) for line in whole if line.path != paths[1]]
    assert sum(seen) == len(paths)


def test_whatever_opening_raises_costs_that_picture_alone(predictor, paths, monkeypatch):
    usual = predictor.candidates_of

    def fails(picture):
        if picture.size == open_line(paths[0]).size:
            raise MemoryError
        return usual(picture)

    monkeypatch.setattr(predictor, "candidates_of", fails)
    lines = [line for window in read_stream(predictor, paths) for line in window]
    assert lines[0].error == f"{paths[0]}: passed over (MemoryError)."
