"""The benchmark's numbers as Markdown and JSON, and the sentence that they come to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..conditions import Conditions, machine, thread_count
from ..markdown import aligned
from .pictures import TEXTS
from .timing import FLOAT, FOREIGN, READERS, SLIM, STAGES, Milliseconds, Missing

CHOICE_CASE = "320 px"  # `choice` judges lines alone by it
SAME_SPEED = 1.05  # × the fastest time: `choice` calls a reader as fast up to here
#: What `ratios` compares with, for people.
OTHERS = {"VietOCR": "VietOCR", "float32": "the best float32", "bf16": "bf16"}


@dataclass(frozen=True)
class Setup:
    """What was timed, and how.

    Attributes:
        weights: names of the float file, the int8 file and, where one was given, the slim one.
        network: VietOCR's name of the network that they are.
        conditions: the machine, its software and the day; its `threads` are those measured with.
        left_out: thread counts asked for that the cores do not allow.
        repeats: timed calls of a line.
        batch_repeats: timed calls of the batch.
        warm_ups: calls before these that do not count.
        batch_lines: mixed lines in the batch.
        batch_widths: px of each mixed line at the network's height.
        quick: whether it was a quick run, not to be quoted.
        busy: whether the load says that something else kept a core.
        settings: environment variables.
    """

    weights: tuple[str, ...]
    network: str
    conditions: Conditions
    left_out: tuple[int, ...]
    repeats: int
    batch_repeats: int
    warm_ups: int
    batch_lines: int
    batch_widths: tuple[int, ...]
    quick: bool
    busy: bool
    settings: dict[str, str]


@dataclass(frozen=True)
class Timing(Milliseconds):
    """One reader on one case.

    Attributes:
        reader: its name, of READERS.
        kind, precision: as `readers.Timed` has them.
        case: one line of a width, or the batch.
        threads: of the reader.
        lines: of the case.
        characters: read in all lines together; with `lines`, an end each, the decoder's steps.
        ms: milliseconds per line of each timed call.
    """

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
    """`quantvietocr read` of one line in a fresh process.

    Attributes:
        file: name of the weights.
        engine: what `--engine` names.
        threads: what `--threads` names.
        seconds: to the first text, of each run.
        peaks: bytes of memory at most, of each run; empty where the system does not tell.
        text: that it read.
        reason: why it did not read; None where it did.
    """

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

    def readers(self) -> list[str]:
        """The names of the rows, in order: readers of the files that were given."""
        return [name for name in READERS if READERS[name] < len(self.setup.weights)]

    def cases(self) -> list[str]:
        return list(dict.fromkeys(timing.case for timing in self.timings))


def ratios(timing: Timing, rows: Sequence[Timing]) -> dict[str, float]:
    """How many times faster a reader is than VietOCR, the fastest of our float32 rows, and bfloat16.

    Args:
        timing: of the reader.
        rows: of the same case. What is not among them has no ratio.
    """
    others = {kind: [row.median for row in rows if row.kind == kind] for kind in OTHERS}
    return {name: min(times) / timing.median for name, times in others.items() if times}


def choice(found: Bench) -> str:
    """Which engine to choose, by medians: for lines alone at the fewest threads measured, for batches at the most."""
    few, many = found.setup.conditions.threads[0], found.setup.conditions.threads[-1]
    sentences, winners = [], []
    for what, threads, case in (("one line at a time", few, CHOICE_CASE), ("batches", many, found.cases()[-1])):
        rows = found.at(case, threads)
        ours = sorted((row for row in rows if row.kind not in FOREIGN), key=lambda row: row.median)
        slim = [row for row in ours if READERS[row.reader] == SLIM]
        ours = [row for row in ours if row not in slim]
        best = ours[0]
        winners.append(best.reader)
        compared = [(kind, ratio) for kind, ratio in ratios(best, rows).items() if kind != best.kind]
        faster = [f"{ratio:.1f}× as fast as {OTHERS[kind]}" for kind, ratio in compared]
        level = [row.reader for row in ours[1:] if row.median <= SAME_SPEED * best.median]
        beside = f", {' and '.join(level)} within {SAME_SPEED - 1:.0%} of it" if level else ""
        numbers = ", ".join([f"{best.median:.1f} ms a line", *faster])
        sentences.append(f"for {what} on {thread_count(threads)} {best.reader} ({numbers}){beside}{_slim(slim, rows)}")
    unpaid = " Where a float reader is named, int8 does not pay on this machine."
    pays = unpaid if any(READERS[name] == FLOAT for name in winners) else ""
    return f"On this machine choose {'; '.join(sentences)}.{pays}"


def _slim(slim: Sequence[Timing], rows: Sequence[Timing]) -> str:
    """How fast the slim network is beside them: it reads a little worse, so it is no choice of engine."""
    if not slim:
        return ""
    times = f"{slim[0].median:.1f} ms a line, {ratios(slim[0], rows).get('VietOCR', 0):.1f}× as fast as VietOCR"
    return f", or with the slim network {slim[0].reader} ({times})"


def markdown(found: Bench) -> str:
    """The tables for people, and the conditions that they hold under."""
    parts = [choice(found)]
    for threads in found.setup.conditions.threads:
        title = f"**{thread_count(threads)}, ms per line: median [quartiles]; faster: × VietOCR / × best float32**"
        parts += [title, _times(found, threads)]
    for threads in found.setup.conditions.threads:
        parts += [f"**Stages of the 320-px line, {thread_count(threads)}, ms (medians)**", _stages(found, threads)]
    title = "**Cold start: a new process to its first text, and its memory at most**"
    parts += [title, _cold(found.cold), conditions(found)]
    return "\n\n".join(parts) + "\n"


def _times(found: Bench, threads: int) -> str:
    head = ["Reader", "Computed in", "Characters read"]
    cases = found.cases()
    table = [[*head, *(cell for case in cases for cell in (case, "faster"))]]
    reasons = {missing.reader: missing.reason for missing in found.missing}
    for name in found.readers():
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
    for name in found.readers():
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
    """How the numbers came about, as short sentences."""
    setup, widths = found.setup, found.setup.batch_widths
    own = next((row.kind for row in found.timings if row.reader == "OpenVINO float"), None)
    settings = ", ".join(f"{name} {value}" for name, value in setup.settings.items())
    sentences = [
        f"The readers read with {_listed(setup.weights)}, a {setup.network} network.",
        "The time is that from the decoded picture to the text.",
        "The lines are generated: print in DejaVu, the same on every machine.",
        f"One line alone has {_listed(TEXTS)} px at height 32 and {_listed(map(len, TEXTS.values()))} characters.",
        "VietOCR rounds widths up to tens.",
        f"`predict_batch` gets {setup.batch_lines} mixed lines at once, {widths[0]} to {widths[-1]} px wide "
        f"(median {widths[len(widths) // 2]}).",
        "A line alone has all threads.",
        "Of the mixed lines our engines read batches side by side, a thread each. VietOCR's code gives all threads to "
        "one batch after the other, AsterOCR's to one line after the other.",
        "The characters read are those of the cases in their order. The decoder takes a step for each and one for each "
        "line's end.",
        "The readers take turns call by call, after a warm-up on each shape.",
        f"There are {setup.repeats} timed call(s) of a line and {setup.batch_repeats} of the batch.",
        "faster: × VietOCR / × the fastest float32 row of this project, in the same case.",
        *([f"OpenVINO chose {own} for float weights."] if own else []),
        "Stages are timed apart, so their sum is not quite the line's time.",
        "ONNX Runtime runs CNN and encoder as one graph, so they are one stage.",
        f"A cold start is `quantvietocr read` with --threads {setup.conditions.threads[-1]} on the 320-px line, the "
        f"median [least–most] of {setup.batch_repeats}, with the files in the disk cache and Python's code compiled.",
        "ONNX Runtime and OpenVINO start without PyTorch.",
        machine(setup.conditions),
        f"System: {setup.conditions.system}; {settings}.",
    ]
    if setup.left_out:
        sentences.append(f"Left out, more threads than cores: {', '.join(map(str, setup.left_out))}.")
    if setup.busy:
        sentences.append("Something else kept the cores busy then, so the times are longer than they could be.")
    if setup.quick:
        sentences.append("A quick run (--quick): one timed call each; do not quote it.")
    return " ".join(sentences)


def to_json(found: Bench) -> str:
    """Everything measured, every raw time, and medians, quartiles and ratios beside them."""
    whole = dataclasses.asdict(found)
    for written, row in zip(whole["timings"], found.timings):
        faster = ratios(row, found.at(row.case, row.threads))
        written |= {"median": row.median, "quartiles": row.quartiles, "faster_than": faster}
    whole["choice"] = choice(found)
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _listed(values: Iterable[int | str]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} and {last}"
