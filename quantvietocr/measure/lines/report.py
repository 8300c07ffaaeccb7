"""The tables: dataclass rows → markdown and JSON. A number never stands alone: each row has all of them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ..markdown import aligned


@dataclass(frozen=True)
class Row:
    """What one reader costs and what it reads. Rates are fractions; ratios and the difference are to `Setup.reference`.

    name: what to call it. file: the checkpoint or a peer's data, None for VietOCR's own code. method: float, dynamic,
    static, qat …, or peer for another reader.
    stored: number types in the file. engine, precision: what computes, and in what numbers. bytes: size of the file.
    lines, exact, cer, cer_folded: see `metrics.Score`. cer_delta: CER above the reference's. ms_per_line: median over
    `ms_rounds`, one line at a time or, `together`, in one batch. cores: CPU time over wall time while timing, what the
    threads really took.
    size_ratio: how many times smaller, speed_ratio: how many times faster. auroc, accepted: see `metrics.auroc` (None
    where all lines or none are right) and `metrics.accept_at_precision` at 99 %. ece, reliability:
    `metrics.expected_calibration_error` and the bins behind it. confusions: (written, read, count).
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
    cer_delta: float
    cer_folded: float
    ms_per_line: float
    ms_rounds: tuple[float, ...]
    cores: float
    together: bool
    size_ratio: float
    speed_ratio: float
    auroc: float | None
    accepted: float
    ece: float
    reliability: tuple[tuple[float, float, int], ...]
    confusions: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Setup:
    """Where and how the rows were measured. data: the set of lines, a recipe's name or an annotation's path as given.

    wide_lines: how many of them are too wide for the network, which our engines `cut` or `squeeze` (wide).
    words: the word files that our engines read lines in doubt again with; rows are named by theirs where they differ.
    """

    data: str
    lines: int
    median_width: int
    reference: str
    timed_lines: int
    repeats: int
    threads: int
    cpu: str
    cpu_features: tuple[str, ...]
    versions: dict[str, str]
    date: str
    command: str | None
    wide: str = "squeeze"
    wide_lines: int = 0
    words: tuple[str, ...] = ()


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
    """A row per reader, short enough for a first page: size, exact lines and CER on each set, time; below, what computes."""
    several = len(tables) > 1
    setup, rows = tables[0].setup, tables[0].rows
    rates = (
        [f"{table.setup.data}: {what}" for table in tables for what in ("exact", "CER")]
        if several
        else ["Exact lines", "CER"]
    )
    each = list(zip(*(table.rows for table in tables)))
    base = next(time_of(same) for same in each if same[0].name == setup.reference)
    body = [
        [
            same[0].name,
            f"{same[0].bytes / 1e6:.1f}",
            f"{same[0].size_ratio:.2f}",
            *(rate for row in same for rate in (f"{row.exact:.1%}", f"{row.cer:.2%}")),
            f"{time_of(same):.1f}",
            f"{base / time_of(same):.2f}",
        ]
        for same in each
    ]
    if several:
        lines = ", ".join(f"{table.setup.lines:,} lines of {table.setup.data}" for table in tables)
        how = (
            f"{lines}. ms/line: mean over all these lines, {setup.threads} thread(s). {machine(setup)} ×: against "
            f"“{setup.reference}”. How they were measured is said below the table of each set."
        )
    else:
        how = conditions(rows, setup)
    computed: dict[str, list[str]] = {}
    for row in rows:
        computed.setdefault(f"{row.engine}: {row.precision}", []).append(row.name)
    what = "; ".join(f"{', '.join(names)} by {engine}" for engine, names in computed.items())
    table = aligned([["Weights", "MB", "× smaller", *rates, "ms/line", "× faster"], *body], left=1)
    return "\n".join([*table, "", f"{how} Computed: {what}.", ""])


def time_of(same: Sequence[Row]) -> float:
    """ms/line of one reader over several sets, each weighing as many as it has lines."""
    return sum(row.ms_per_line * row.lines for row in same) / sum(row.lines for row in same)


def markdown(rows: Sequence[Row], setup: Setup) -> str:
    """The table for people, its columns aligned, and the sentence it is worth nothing without."""
    head = [
        "Weights",
        "Method",
        "Stored as",
        "Computed in",
        "MB (MiB)",
        "× smaller",
        "Exact lines",
        "CER",
        "Δ CER",
        "CER without diacritics",
        "ms/line",
        "× faster",
        "AUROC",
        "Accepted at 99 %",
        "ECE",
    ]
    table = [head] + [
        [
            row.name,
            row.method,
            row.stored,
            f"{row.engine}: {row.precision}",
            f"{row.bytes / 1e6:.1f} ({row.bytes / 2**20:.1f})",
            f"{row.size_ratio:.2f}",
            f"{row.exact:.1%}",
            f"{row.cer:.2%}",
            "—" if row.name == setup.reference else f"{100 * row.cer_delta:+.2f} pp",
            f"{row.cer_folded:.2%}",
            f"{row.ms_per_line:.1f}",
            f"{row.speed_ratio:.2f}",
            "-" if row.auroc is None else f"{row.auroc:.3f}",
            f"{row.accepted:.1%}",
            f"{row.ece:.3f}",
        ]
        for row in rows
    ]
    terms = (
        "Δ: CER above the reference's. AUROC: how well confidence tells right lines from wrong ones. Accepted at 99 %: share "
        "of lines above the lowest confidence threshold that keeps 99 % of them right. ECE: mean distance of confidence "
        "from the share of lines right at it."
    )
    return "\n".join([*aligned(table, left=4), "", f"{conditions(rows, setup)} {terms}", ""])


def conditions(rows: Sequence[Row], setup: Setup) -> str:
    """How the numbers of a table came about, in a paragraph."""
    batched = [row.name for row in rows if row.together]
    together = f" ({', '.join(batched)}: all timed lines by one process, its startup shared)" if batched else ""
    how = {
        "cut": "our engines read them in parts where that is surer, VietOCR's own code squeezes them",
        "squeeze": "all squeeze them",
    }[setup.wide]
    wide = f" {setup.wide_lines:,} of them are too wide for the network: {how}." if setup.wide_lines else ""
    words = (
        f" Lines in doubt our engines read again with the words of `{'`, `'.join(setup.words)}`." if setup.words else ""
    )
    return (
        f"{setup.lines:,} lines of {setup.data}, median width {setup.median_width} px at the network's height.{wide}{words} "
        f"ms/line: one line at a time{together}, from the decoded picture to the text, median of {setup.repeats} round(s) over the "
        f"same {setup.timed_lines} lines of all widths, after a warm-up, the rows taking turns; {setup.threads} thread(s), "
        f"at most {max(row.cores for row in rows):.1f} cores busy. {machine(setup)} ×: against “{setup.reference}”."
    )


def machine(setup: Setup) -> str:
    """Processor, versions and day, in two sentences."""
    features = ", ".join(setup.cpu_features) or "no AVX2"
    versions = ", ".join(f"{name} {version}" for name, version in setup.versions.items())
    return f"CPU: {setup.cpu} ({features}). {versions}; {setup.date}."


def to_json(tables: Sequence[Table]) -> str:
    """Everything the rows hold: {setup, rows} of one set, {sets: [{setup, rows}, …]} of several."""
    sets = [dataclasses.asdict(table) for table in tables]
    return json.dumps(sets[0] if len(sets) == 1 else {"sets": sets}, ensure_ascii=False, indent=1) + "\n"
