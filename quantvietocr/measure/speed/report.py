"""The benchmark's numbers as Markdown and JSON, and the sentence that they come to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..markdown import aligned
from .pictures import TEXTS
from .timing import READERS, STAGES, Milliseconds, Missing

LONE = "320 px"  # the case that `choice` judges lines alone by
LEVEL = 1.05  # times of the fastest, up to which `choice` calls a reader as fast
#: What `ratios` compares with, for people.
OTHERS = {"VietOCR": "VietOCR", "float32": "the best float32", "bf16": "bf16"}


@dataclass(frozen=True)
class Setup:
    """Where and how the times were taken. left_out: thread counts asked for that the cores do not allow.
    batch_widths: px of each mixed line at the network's height. load: 1-minute load average before the start, None where
    the system has none; busy: whether it says that something else kept a core. settings: environment variables."""

    weights: tuple[str, str]
    cpu: str
    cpu_features: tuple[str, ...]
    cores: int
    threads: tuple[int, ...]
    left_out: tuple[int, ...]
    repeats: int
    batch_repeats: int
    warm_ups: int
    batch_lines: int
    batch_widths: tuple[int, ...]
    quick: bool
    load: float | None
    busy: bool
    system: str
    settings: dict[str, str]
    versions: dict[str, str]
    date: str
    command: str | None


@dataclass(frozen=True)
class Timing(Milliseconds):
    """One reader on one case. kind, precision: see `bench_readers.Timed`. characters: read, in all lines together, and so
    with `lines` (an end each) the decoder's steps. ms: per line, of each timed call."""

    reader: str
    kind: str
    precision: str
    case: str
    threads: int
    lines: int
    characters: int
    ms: tuple[float, ...]


@dataclass(frozen=True)
class StageTime:
    """One of STAGES of one reader on the 320-px line; ms of each timed call."""

    reader: str
    threads: int
    stage: str
    ms: tuple[float, ...]


@dataclass(frozen=True)
class Cold:
    """infer.py on one line in a fresh process: seconds to the first text and bytes of memory at most, of each run; or why
    there is none. `peaks` is empty where the system does not tell."""

    file: str
    engine: str
    threads: int
    seconds: tuple[float, ...]
    peaks: tuple[int, ...]
    text: str | None
    reason: str | None


@dataclass(frozen=True)
class Bench:
    setup: Setup
    timings: tuple[Timing, ...]
    stages: tuple[StageTime, ...]
    cold: tuple[Cold, ...]
    missing: tuple[Missing, ...]

    def at(self, case: str, threads: int) -> list[Timing]:
        """The readers' rows of one case, in order."""
        return [timing for timing in self.timings if (timing.case, timing.threads) == (case, threads)]

    def cases(self) -> list[str]:
        return list(dict.fromkeys(timing.case for timing in self.timings))


def ratios(timing: Timing, rows: Sequence[Timing]) -> dict[str, float]:
    """How many times faster than VietOCR, than the fastest of our float32 rows, and than bfloat16, where there are such
    among `rows` of the same case."""
    others = {kind: [row.median for row in rows if row.kind == kind] for kind in OTHERS}
    return {name: min(times) / timing.median for name, times in others.items() if times}


def choice(found: Bench) -> str:
    """Which engine to choose, from the medians: for lines alone at the fewest threads measured, for batches at the most."""
    few, many = found.setup.threads[0], found.setup.threads[-1]
    said, winners = [], []
    for what, threads, case in (("one line at a time", few, LONE), ("batches", many, found.cases()[-1])):
        rows = found.at(case, threads)
        ours = sorted((row for row in rows if row.kind != "VietOCR"), key=lambda row: row.median)
        best = ours[0]
        winners.append(best.reader)
        compared = [(kind, ratio) for kind, ratio in ratios(best, rows).items() if kind != best.kind]
        faster = [f"{ratio:.1f}× as fast as {OTHERS[kind]}" for kind, ratio in compared]
        level = [row.reader for row in ours[1:] if row.median <= LEVEL * best.median]
        beside = f", {' and '.join(level)} within {LEVEL - 1:.0%} of it" if level else ""
        numbers = ", ".join([f"{best.median:.1f} ms a line", *faster])
        said.append(f"for {what} on {_threads(threads)} {best.reader} ({numbers}){beside}")
    unpaid = " Where a float reader is named, int8 does not pay on this machine."
    pays = "" if all(READERS[name] for name in winners) else unpaid
    return f"On this machine choose {'; '.join(said)}.{pays}"


def markdown(found: Bench) -> str:
    """The tables for people, and the conditions that they hold under."""
    parts = [choice(found)]
    for threads in found.setup.threads:
        title = f"**{_threads(threads)}, ms per line: median [quartiles]; faster: × VietOCR / × best float32**"
        parts += [title, _times(found, threads)]
    for threads in found.setup.threads:
        parts += [f"**Stages of the 320-px line, {_threads(threads)}, ms (medians)**", _stages(found, threads)]
    title = "**Cold start: a new process to its first text, and its memory at most**"
    parts += [title, _cold(found.cold), conditions(found)]
    return "\n\n".join(parts) + "\n"


def _times(found: Bench, threads: int) -> str:
    head = ["Reader", "Computed in", "Characters read"]
    cases = found.cases()
    table = [[*head, *(cell for case in cases for cell in (case, "faster"))]]
    reasons = {missing.reader: missing.reason for missing in found.missing}
    for name in READERS:
        if name in reasons:
            table.append([name, f"not measured: {reasons[name]}", "–", *["–", "–"] * len(cases)])
            continue
        mine = {case: next(row for row in found.at(case, threads) if row.reader == name) for case in cases}
        cells = []
        for case, row in mine.items():
            low, high = row.quartiles
            faster = ratios(row, found.at(case, threads))
            compared = [f"{faster[kind]:.2f}" if kind in faster else "–" for kind in ("VietOCR", "float32")]
            cells += [f"{row.median:.1f} [{low:.1f}–{high:.1f}]", " / ".join(compared)]
        table.append(
            [name, mine[cases[0]].precision, " / ".join(f"{row.characters:,}" for row in mine.values()), *cells]
        )
    return "\n".join(aligned(table, left=2))


def _stages(found: Bench, threads: int) -> str:
    table = [["Reader", *STAGES, "sum"]]
    for name in READERS:
        rows = [row for row in found.stages if (row.reader, row.threads) == (name, threads)]
        mine = {row.stage: float(np.median(row.ms)) for row in rows}
        if mine:
            cells = [f"{mine[stage]:.2f}" if stage in mine else "–" for stage in STAGES]
            table.append([name, *cells, f"{sum(mine.values()):.2f}"])
    return "\n".join(aligned(table, left=1))


def _cold(starts: Iterable[Cold]) -> str:
    table = [["File", "Engine", "Seconds to the first text", "Memory (MB)"]]
    for cold in starts:
        if cold.reason:
            table.append([cold.file, cold.engine, f"not measured: {cold.reason}", "–"])
            continue
        memory = f"{np.median(cold.peaks) / 1e6:.0f}" if cold.peaks else "not told by this system"
        seconds = f"{np.median(cold.seconds):.2f} [{min(cold.seconds):.2f}–{max(cold.seconds):.2f}]"
        table.append([cold.file, cold.engine, seconds, memory])
    return "\n".join(aligned(table, left=2))


def conditions(found: Bench) -> str:
    """How the numbers came about, in a paragraph."""
    setup = found.setup
    widths = setup.batch_widths
    versions = ", ".join(f"{name} {version}" for name, version in setup.versions.items())
    settings = ", ".join(f"{name} {value}" for name, value in setup.settings.items())
    own = next((row.kind for row in found.timings if row.reader == "OpenVINO float"), None)
    features = ", ".join(setup.cpu_features) or "no int8 features named"
    said = [
        f"{' and '.join(setup.weights)}. From the decoded picture to the text, lines generated (print in DejaVu, the same "
        f"on every machine): one line alone of {_listed(TEXTS)} px at height 32 with {_listed(map(len, TEXTS.values()))} "
        f"characters (VietOCR rounds widths up to tens), and {setup.batch_lines} mixed ones, {widths[0]} to {widths[-1]} px "
        f"(median {widths[len(widths) // 2]}), given to `predict_batch` at once. A line alone has all threads; of the mixed "
        "ones our engines read batches side by side, a thread each, where VietOCR's code has all threads for one batch after "
        "the other. Characters read: of the cases in their order; the decoder takes a step for each and one for each line's "
        "end. Readers take turns call by call after a "
        f"warm-up on each shape; {setup.repeats} timed call(s) of a line, {setup.batch_repeats} of the batch.",
        "faster: × VietOCR / × the fastest float32 row other than VietOCR's own code, in the same case."
        + (f" OpenVINO chose {own} for float weights." if own else ""),
        "Stages are timed apart, so their sum is not quite the line's time; ONNX Runtime runs CNN and encoder as one graph, "
        "and they are told together.",
        f"Cold starts: infer.py with --threads {setup.threads[-1]} on the 320-px line, median [least–most] of "
        f"{setup.batch_repeats}, the files in the disk cache.",
        f"CPU: {setup.cpu} ({features}), {setup.cores} core(s) for this process; {setup.system}; {settings}; {versions}; "
        f"{setup.date}.",
    ]
    if setup.left_out:
        said.append(f"Left out, more threads than cores: {', '.join(map(str, setup.left_out))}.")
    if setup.load is not None:
        said.append(f"Load average before the start: {setup.load:.2f}.")
    if setup.busy:
        said.append("Something else kept the cores busy then, so the times are longer than they could be.")
    if setup.quick:
        said.append("A quick run (--quick): one timed call each; do not quote it.")
    return " ".join(said)


def to_json(found: Bench) -> str:
    """Everything measured, every raw time, and medians, quartiles and ratios beside them."""
    whole = dataclasses.asdict(found)
    for written, row in zip(whole["timings"], found.timings):
        faster = ratios(row, found.at(row.case, row.threads))
        written |= {"median": row.median, "quartiles": row.quartiles, "faster_than": faster}
    whole["choice"] = choice(found)
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _listed(values: Iterable[int]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} and {last}"


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"
