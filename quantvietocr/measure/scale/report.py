"""`quantvietocr bench-scale`: bulk and service beside what is asked of them."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...bulk.settings import Settings
from ...errors import UserError
from ...pictures.find import natural
from ...reading.predictor import Predictor
from ..conditions import conditions_now, load_average, machine, versions_of
from ..markdown import aligned
from .bulk_runs import SETTLED, Overhead, measure_kills, measure_overhead, measure_resume, run_pool
from .service_runs import CLIENTS, Load, put_load, service

PACKAGES = ("torch", "onnxruntime", "openvino", "pyarrow", "rapidocr", "starlette", "fastapi", "uvicorn")
PICTURES = ("*.png", "*.jpg")
Rows = list[tuple[str, str, str]]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        weights: what reads.
        engine: what computes, one of `engines.choose.ENGINES`.
        pages: a folder of pictures of receipts.
        lines: a folder of pictures of lines.
        count: pages of each run.
        rounds: of one and two workers in turns.
        steady: pictures of lines through one worker, whose memory is watched.
        rows: of the job that is resumed.
        requests: of each of the clients.
        uploads: that come at once.
        minutes: of load after them.
        threads: of the service.
        parts: what is measured: "bulk", "service".
    """

    weights: Path
    engine: str
    pages: Path
    lines: Path
    count: int = 40
    rounds: int = 2
    steady: int = 5_000
    rows: int = 100_000
    requests: int = 20
    uploads: int = 200
    minutes: float = 1.0
    threads: int = 2
    parts: Sequence[str] = ("bulk", "service")


def measure(plan: Plan, command: str | None) -> str:
    """Measure, and return a Markdown table with the machine below it. Raises UserError."""
    load = load_average()
    rows: Rows = []
    if "bulk" in plan.parts:
        rows += bulk_rows(plan)
    if "service" in plan.parts:
        rows += service_rows(plan)
    table = aligned([("What", "Target", "Measured"), *rows], left=3)
    about = machine(conditions_now([1, plan.threads], versions_of(PACKAGES), load, command))
    reader = f"Weights: {plan.weights.name}, engine: {plan.engine}."
    what = f"Pages of {plan.pages.name}, {plan.count} a run; lines of {plan.lines.name}."
    return "\n".join([*table, "", f"{reader} {what} {about}"])


def bulk_rows(plan: Plan) -> Rows:
    """Measure bulk."""
    paths, settings = _pictures(plan.pages), Settings(str(plan.weights), runtime=plan.engine)
    runs = [run_pool(settings, paths, plan.count, workers) for _ in range(plan.rounds) for workers in (1, 2)]
    of_lines = dataclasses.replace(settings, lines=True)
    lines = run_pool(of_lines, _pictures(plan.lines), plan.steady, 1)
    one, two = (statistics.median(run.pages_per_second for run in runs if run.workers == n) for n in (1, 2))
    alone = max(runs, key=lambda run: run.largest)
    with tempfile.TemporaryDirectory() as folder:
        overhead: Overhead = measure_overhead(settings, paths, plan.count, Path(folder, "pages"))
        resume = measure_resume(settings, plan.rows, Path(folder, "rows"))
    kills = measure_kills(settings, paths, plan.count)
    return [
        ("pages/s per worker, 2 workers over 1", "≥ 0.9", f"{two / 2 / one:.2f} ({two:.2f} and {one:.2f} pages/s)"),
        (
            f"memory of a worker, {plan.count} pages",
            "≤ 350 MB",
            f"{alone.largest / 1e6:.0f} MB between pages, {alone.peak / 1e6:.0f} MB at most",
        ),
        (
            f"memory of a worker, {plan.steady:,} lines",
            f"± 5 % after the first {SETTLED}, ≤ 350 MB",
            f"{lines.largest / max(lines.settled, 1) - 1:+.1%}, {lines.largest / 1e6:.0f} MB",
        ),
        (
            "overhead of bulk and parquet",
            "≤ 5 %",
            f"{overhead.seconds / overhead.reading - 1:.1%} of {overhead.seconds:.0f} s",
        ),
        (f"resume of a finished job of {plan.rows:,} rows", "≤ 10 s", f"{resume:.1f} s"),
        (
            f"{kills.killed} workers killed in {kills.pages} pages",
            "0 lost, 0 doubled",
            f"{kills.lost} lost, {kills.doubled} doubled",
        ),
    ]


def service_rows(plan: Plan) -> Rows:
    """Measure the service."""
    pictures = [path.read_bytes() for path in _pictures(plan.lines)]
    predictor = Predictor(plan.weights, plan.threads, engine=plan.engine)
    texts = list(map(str, predictor.predict_batch(pictures)))
    many = pictures * max(1, CLIENTS * plan.requests // len(pictures))
    with service(plan.weights, plan.engine, plan.threads) as (address, process):
        put_load(address, process, pictures, texts, CLIENTS, 2, 0)  # its first lines load what later ones have
        began = time.perf_counter()
        predictor.predict_batch(many)
        bare = len(many) / (time.perf_counter() - began)
        mixed = put_load(address, process, pictures, texts, CLIENTS, plan.requests, 0)
        burst = put_load(address, process, pictures, texts, plan.uploads, 1, 0)
        long = put_load(address, process, pictures, texts, CLIENTS, 0, plan.minutes * 60)
    served = len(mixed.times) / mixed.seconds
    p50, p99 = mixed.percentile(0.5), mixed.percentile(0.99)
    return [
        (
            f"{CLIENTS} clients, mixed lines, over predict_batch",
            "≥ 0.85",
            f"{served / bare:.2f} ({served:.1f} and {bare:.1f} lines/s)",
        ),
        ("p99 over p50 of an answer", "≤ 3", f"{p99 / p50:.2f} ({p99 * 1000:.0f} and {p50 * 1000:.0f} ms)"),
        (f"{plan.uploads} uploads at once", "right or 503", _answers(burst)),
        (f"{plan.minutes:g} minutes of load", "right or 503, memory flat", f"{_answers(long)}; {_memory(long)}"),
    ]


def _answers(load: Load) -> str:
    others = sum(count for status, count in load.statuses.items() if status not in (200, 503))
    return f"{load.statuses[200]} read, {load.statuses[503]} × 503, {load.wrong} wrong, {others} others"


def _memory(load: Load) -> str:
    quarter = max(len(load.memory) // 4, 1)
    first, last = (statistics.median(part) for part in (load.memory[:quarter], load.memory[-quarter:]))
    return f"{first / 1e6:.0f} → {last / 1e6:.0f} MB"


def _pictures(folder: Path) -> list[Path]:
    """The pictures in a folder. Raises UserError where there are none."""
    found = [path for pattern in PICTURES for path in folder.glob(pattern)]
    if not found:
        raise UserError(f"{folder}: holds no .png or .jpg files; name a folder of pictures.")
    return sorted(found, key=lambda path: natural(str(path)))
