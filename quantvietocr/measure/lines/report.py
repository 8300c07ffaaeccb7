"""The tables: dataclass rows → markdown and JSON. A number never stands alone: each row has all of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...metrics.intervals import CER_INTERVAL_NOTE
from ..conditions import Conditions, machine, thread_count
from ..markdown import aligned
from ..peers import ASTEROCR_HEIGHT, ASTEROCR_MAX_WIDTH


@dataclass(frozen=True)
class Row:
    """What one reader costs and what it reads. Rates are fractions; ratios and differences are to the row `against`.

    Attributes:
        name: what to call it.
        file: path of its weights or data; None for VietOCR's own code.
        method: float, dynamic, static, qat …, or peer for another project's reader.
        stored: number types in the file.
        engine: what computes.
        precision: in what numbers it computes.
        bytes: size of the file.
        lines: number of lines read.
        exact: share of lines without any error.
        cer: character error rate.
        cer_interval: lower and upper end of its 95 % interval (`metrics.intervals`).
        against: name of the row that this one is compared with: of the same network, where there is one.
        cer_delta: CER above that row's.
        same: share of the lines that it reads exactly as that row does.
        cer_folded: CER with the marks of both sides removed.
        ms_per_line: median of `ms_rounds`, one line at a time or, `together`, in one batch.
        ms_rounds: milliseconds per line of each round.
        cores: CPU time over wall time while it was timed: how many cores its threads really took.
        together: whether all timed lines were given to one process at once.
        plain: whether the network reads alone, without the help of the reading around it.
        size_ratio: how many times smaller.
        speed_ratio: how many times faster.
        auroc: `metrics.trust.auroc`; None where all lines or none are right.
        accepted: `metrics.trust.accept_at_precision` at 99 %.
        ece: `metrics.trust.expected_calibration_error`.
        reliability: the bins behind it: mean confidence, share of right lines, lines.
        confusions: (written, read, count).
    """

    name: str
    file: str | None
    method: str
    stored: str
    engine: str
    precision: str
    bytes: int
    lines: int
    exact: float
    cer: float
    cer_interval: tuple[float, float]
    against: str
    cer_delta: float
    same: float
    cer_folded: float
    ms_per_line: float
    ms_rounds: tuple[float, ...]
    cores: float
    together: bool
    plain: bool
    size_ratio: float
    speed_ratio: float
    auroc: float | None
    accepted: float
    ece: float
    reliability: tuple[tuple[float, float, int], ...]
    confusions: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Setup:
    """What the rows read, and how they were measured.

    Attributes:
        data: the set of lines: a recipe's name, or an annotation's path as given.
        lines: how many there are.
        median_width: of the lines in px, at the network's height.
        reference: name of the row that others are compared with, but for those of another network (`Row.against`).
        timed_lines: how many lines were timed.
        repeats: rounds of timing.
        conditions: the machine, its software and the day.
        wide: what our engines do with lines too wide for the network: `cut` or `squeeze`.
        wide_lines: how many lines are too wide for it.
        words: the word files that our engines read lines in doubt again with. Rows are named by theirs where they
            differ.
        squeezed: row of another project's reader → how many lines are squeezed for it.
    """

    data: str
    lines: int
    median_width: int
    reference: str
    timed_lines: int
    repeats: int
    conditions: Conditions
    wide: str = "squeeze"
    wide_lines: int = 0
    words: tuple[str, ...] = ()
    squeezed: dict[str, int] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """The rows on one set of lines."""

    setup: Setup
    rows: tuple[Row, ...]


def page(tables: Sequence[Table]) -> str:
    """Markdown: the table; of several sets a summary first, then each set's table under its name."""
    if len(tables) == 1:
        return markdown(tables[0].rows, tables[0].setup)
    each = [f"### {table.setup.data}\n\n{markdown(table.rows, table.setup)}" for table in tables]
    return "\n".join([summary(tables), *each])


def summary(tables: Sequence[Table]) -> str:
    """A row per reader: size, exact lines and CER on each set, time; below it what computes."""
    several = len(tables) > 1
    setup, rows = tables[0].setup, tables[0].rows
    rates = (
        [f"{table.setup.data}: {what}" for table in tables for what in ("exact", "CER")]
        if several
        else ["Exact lines", "CER"]
    )
    each = list(zip(*(table.rows for table in tables)))
    times = {same[0].name: time_of(same) for same in each}
    body = [
        [
            same[0].name,
            f"{same[0].bytes / 1e6:.1f}",
            f"{same[0].size_ratio:.2f}",
            *(rate for row in same for rate in (f"{row.exact:.1%}", f"{row.cer:.2%}")),
            f"{time_of(same):.1f}",
            f"{times[same[0].against] / time_of(same):.2f}",
        ]
        for same in each
    ]
    table = aligned([["Weights", "MB", "× smaller", *rates, "ms/line", "× faster"], *body], left=1)
    how = _of_several_sets(tables) if several else conditions_of(rows, setup)
    return "\n".join([*table, "", f"{how} {_computed(rows)}", ""])


def _of_several_sets(tables: Sequence[Table]) -> str:
    setup = tables[0].setup
    lines = ", ".join(f"{table.setup.lines:,} lines of {table.setup.data}" for table in tables)
    return (
        f"The readers read {lines}. ms/line is the mean over all these lines. Each reader has {_threads(setup)}. "
        f"{machine(setup.conditions)} {_compared(tables[0].rows, setup)} "
        "The table of each set says how it was measured."
    )


def _computed(rows: Sequence[Row]) -> str:
    """Which row is computed by what, in a sentence."""
    computed: dict[str, list[str]] = {}
    for row in rows:
        computed.setdefault(f"{row.engine}: {row.precision}", []).append(f"“{row.name}”")
    parts = [f"{', '.join(names)} by {engine}" for engine, names in computed.items()]
    return f"Computed: {'; '.join(parts)}."


def time_of(same: Sequence[Row]) -> float:
    """ms/line of one reader over several sets, each weighing as many as it has lines."""
    return sum(row.ms_per_line * row.lines for row in same) / sum(row.lines for row in same)


#: Head of each column of the full table → a row's cell under it. The differences of a row to itself are dashes.
COLUMNS: dict[str, Callable[[Row], str]] = {
    "Weights": lambda row: row.name,
    "File": lambda row: "—" if row.file is None else Path(row.file).stem,
    "Method": lambda row: row.method,
    "Stored as": lambda row: row.stored,
    "Computed in": lambda row: f"{row.engine}: {row.precision}",
    "MB (MiB)": lambda row: f"{row.bytes / 1e6:.1f} ({row.bytes / 2**20:.1f})",
    "× smaller": lambda row: f"{row.size_ratio:.2f}",
    "Exact lines": lambda row: f"{row.exact:.1%}",
    "CER": lambda row: f"{row.cer:.2%}",
    "CER 95 %": lambda row: percent_range(row.cer_interval),
    "Δ CER": lambda row: f"{100 * row.cer_delta:+.2f} pp",
    "Same text": lambda row: f"{row.same:.1%}",
    "CER without diacritics": lambda row: f"{row.cer_folded:.2%}",
    "ms/line": lambda row: f"{row.ms_per_line:.1f}",
    "× faster": lambda row: f"{row.speed_ratio:.2f}",
    "AUROC": lambda row: "-" if row.auroc is None else f"{row.auroc:.3f}",
    "Accepted at 99 %": lambda row: f"{row.accepted:.1%}",
    "ECE": lambda row: f"{row.ece:.3f}",
}
LEFT_COLUMNS = 5  # of text; the others are numbers


def percent_range(interval: tuple[float, float]) -> str:
    """An interval of fractions, as "0.08–0.15%"."""
    low, high = interval
    return f"{100 * low:.2f}–{high:.2%}"


def markdown(rows: Sequence[Row], setup: Setup) -> str:
    """The table for people, its columns aligned, and the sentences it is worth nothing without."""
    table = [list(COLUMNS)]
    for row in rows:
        cells = {head: cell(row) for head, cell in COLUMNS.items()}
        if row.name == row.against:
            cells |= {"Δ CER": "—", "Same text": "—"}
        table.append(list(cells.values()))
    return "\n".join([*aligned(table, left=LEFT_COLUMNS), "", f"{conditions_of(rows, setup)} {TERMS}", ""])


TERMS = (
    f"{CER_INTERVAL_NOTE} Δ CER is the CER above the row's that × compares with, and Same text the share of lines "
    "read exactly as there. AUROC says how well confidence tells right lines "
    "from wrong ones. Accepted at 99 % is the share of lines above the lowest confidence threshold that keeps 99 % of "
    "them right. ECE is the mean distance of confidence from the share of lines right at it."
)


def conditions_of(rows: Sequence[Row], setup: Setup) -> str:
    """How the numbers of a table came about, as short sentences."""
    return " ".join(
        [
            f"The readers read {setup.lines:,} lines of {setup.data}.",
            f"Their median width is {setup.median_width} px at the network's height.",
            *_widths(rows, setup),
            *_reading(rows, setup),
            "ms/line is the time from the decoded picture to the text.",
            *_timing(rows, setup),
            f"Each reader has {_threads(setup)}; at most {max(row.cores for row in rows):.1f} cores were busy.",
            machine(setup.conditions),
            _compared(rows, setup),
        ]
    )


def _compared(rows: Sequence[Row], setup: Setup) -> str:
    """What ratios and differences are to, in a sentence."""
    others = dict.fromkeys(row.against for row in rows if row.against != setup.reference)
    parts = [f"× compares with “{setup.reference}”"]
    for other in others:
        names = ", ".join(f"“{row.name}”" for row in rows if row.against == other)
        parts.append(f"for {names} with “{other}”")
    return f"{', '.join(parts)}."


def _widths(rows: Sequence[Row], setup: Setup) -> Iterator[str]:
    """What the readers do with wide lines."""
    if setup.wide_lines:
        yield f"{setup.wide_lines:,} lines are too wide for VietOCR's network."
        if setup.wide == "cut":
            squeezing = [*(f"“{row.name}”" for row in rows if row.plain and row.file)]
            squeezing = [*squeezing, "VietOCR's own code"]
            yield (
                f"Our engines read them in parts where that is surer; {' and '.join(squeezing)} "
                f"{'squeeze' if len(squeezing) > 1 else 'squeezes'} them."
            )
        else:
            yield "All its readers squeeze them."
    for name, lines in setup.squeezed.items():
        yield (
            f"{name} takes at most {ASTEROCR_MAX_WIDTH:,} px at height {ASTEROCR_HEIGHT}; {lines:,} wider lines are "
            "squeezed for it."
        )


def _reading(rows: Sequence[Row], setup: Setup) -> Iterator[str]:
    """What our engines do beside running the network."""
    if setup.words:
        yield f"Our engines read lines in doubt again with the words of `{'`, `'.join(setup.words)}`."
    for row in rows:
        if row.plain and row.file:
            yield f"“{row.name}” uses no words, counts no leaders and never reads a line twice, as VietOCR does."


def _timing(rows: Sequence[Row], setup: Setup) -> Iterator[str]:
    """How the time of a line was taken."""
    batched = [row.name for row in rows if row.together]
    yield "The readers read one line at a time."
    if batched:
        yield f"{', '.join(batched)} reads all timed lines by one process, which shares its start among them."
    yield (
        f"The time is the median of {setup.repeats} round(s) over the same {setup.timed_lines} lines of all widths, "
        "after a warm-up; the readers take turns."
    )


def _threads(setup: Setup) -> str:
    return " or ".join(map(thread_count, setup.conditions.threads))


def to_json(tables: Sequence[Table]) -> str:
    """Everything the rows hold: {setup, rows} of one set, {sets: [{setup, rows}, …]} of several."""
    sets = [dataclasses.asdict(table) for table in tables]
    return json.dumps(sets[0] if len(sets) == 1 else {"sets": sets}, ensure_ascii=False, indent=1) + "\n"
