"""`bench-scale`: the table of bulk and the service, on a tiny network and few pictures."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

for package in ("pyarrow", "fsspec", "fastapi", "prometheus_client", "httpx"):
    pytest.importorskip(package, reason="bulk and the API: pip install 'quantvietocr[bulk,api]'")

from bulk_readers import timed

from quantvietocr.cli import main as cli
from quantvietocr.measure.scale import bulk_runs
from quantvietocr.measure.scale.bulk_runs import memory_of, peak_of, repeated
from quantvietocr.measure.scale.report import _answers, _memory
from quantvietocr.measure.scale.service_runs import Load

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "samples"


def table_of(tmp_path: Path, weights: Path, capsys, *options: str) -> str:
    """What the command prints, and puts into a page."""
    page = tmp_path / "page.md"
    page.write_text("<!-- table scale -->\n<!-- end scale -->\n")
    command = ["bench-scale", "--weights", str(weights), "--threads", "1", "--into", f"{page}#scale", *options]
    assert cli.main(command) == 0
    printed = capsys.readouterr().out
    assert "CPU: " in printed and "| Measured" in page.read_text()
    return printed


def test_bulk_has_a_row_for_every_target(tmp_path, capsys, monkeypatch):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.png").write_text("text=a seconds=0.01")
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines" / "a.png").write_text("text=a seconds=0")
    (tmp_path / "weights.bin").write_bytes(b"weights")
    monkeypatch.setattr(bulk_runs, "open_reader", timed)
    options = ["--parts", "bulk", "--pages", str(tmp_path / "pages"), "--count", "12", "--rounds", "1", "--rows", "300"]
    options += ["--lines", str(tmp_path / "lines"), "--steady", "120"]
    printed = table_of(tmp_path, tmp_path / "weights.bin", capsys, *options)
    for said in (
        "pages/s per worker, 2 workers over 1",
        "memory of a worker, 12 pages",
        "memory of a worker, 120 lines",
        "overhead of bulk and parquet",
        "resume of a finished job of 300 rows",
        "2 workers killed in 12 pages",
    ):
        assert said in printed
    assert printed.count("0 lost, 0 doubled") == 2  # the target, and what was measured
    between, at_most = map(int, re.search(r"(\d+) MB between pages, (\d+) MB at most", printed).groups())
    assert 0 < between <= at_most


def test_the_service_has_a_row_for_every_target(tiny_weights, tmp_path, capsys):
    options = ["--parts", "service", "--lines", str(SAMPLES), "--requests", "1", "--uploads", "20", "--minutes", "0.02"]
    printed = table_of(tmp_path, tiny_weights, capsys, *options)
    for said in ("16 clients, mixed lines, over predict_batch", "p99 over p50 of an answer", "20 uploads at once"):
        assert said in printed
    assert printed.count("0 wrong, 0 others") == 2


def test_the_pieces_count_right():
    load = Load(statuses=Counter({200: 3, 503: 2, 500: 1}), wrong=1, memory=[100_000_000, 1, 2, 200_000_000])
    assert _answers(load) == "3 read, 2 × 503, 1 wrong, 1 others" and _memory(load) == "100 → 200 MB"
    load.times = [0.1, 0.2, 0.3]
    assert load.percentile(0.5) == pytest.approx(0.2)
    documents = list(repeated([SAMPLES / "form_00.png", SAMPLES / "form_01.png"], 5))
    assert len({document.uri for document in documents}) == 5 and documents[0].content == documents[4].content
    assert memory_of(2**30) == peak_of(2**30) == 0
    assert 0 < memory_of(os.getpid()) <= peak_of(os.getpid())
