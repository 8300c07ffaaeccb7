"""All sets of a score beside each other, the real ones first: fields right and wrong, lines, and time by stage."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...common.wording import counted
from ...metrics.edits import edit_distance
from ...receipt.page import FIELD_NAMES
from ..conditions import Conditions, machine, thread_count
from ..markdown import aligned
from .readers import STAGES, PageContestant, Reading
from .report import NOTE, Table, markdown
from .verdicts import LENIENT, Verdict, Verdicts

FIELD_ORDER = ("total", "date", "shop", "address")  # of the columns: what a user checks first
FIELDS_NOTE = (
    "A cell has four numbers of pages: right · wrong · unsure · absent. A wrong value was given as if it were right, "
    "an unsure one was given and marked so, and of an absent one nothing was given. Other readers have no rules for "
    "fields, so this project's rules take them out of their lines."
)
STAGES_NOTE = (
    "The stages are means over the pages, in ms: opening the file; finding lines; cutting them out; turning them into "
    "text; rows and fields. A dash stands where a reader does not tell. The whole page is the mean as well, and "
    "ms/page above is the median without opening the file."
)
LINES_NOTE = (
    "Lines: CER is the edits over the characters of the labels, an exact line has none. Without spaces, neither labels "
    "nor texts have any. Lines of an annotation are crops, the same for each reader; those of generated pages are as "
    "each reader found them, so a line that it missed counts as deleted."
)


@dataclass(frozen=True)
class PageRow:
    """One reader on the pages of one set.

    Attributes:
        data: name of the set.
        reader: name of the reader.
        pages: how many it read.
        fields: name → how often it was right, wrong, unsure, absent.
        ms_per_page: median, from the decoded picture to rows and fields.
        ms_quartiles: between which the middle half of the pages lies.
        stages: stage → mean, in milliseconds; a stage of which the reader does not tell has no entry.
        whole_ms: mean from the file to rows and fields.
        unreadable: names of the pictures that could not be opened.

    Where no page was read, the times are not a number.
    """

    data: str
    reader: str
    pages: int
    fields: dict[str, Verdicts]
    ms_per_page: float
    ms_quartiles: tuple[float, float]
    stages: dict[str, float]
    whole_ms: float
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class LineRow:
    """One reader on the lines of one set; rates are fractions.

    Attributes:
        data: name of the set.
        reader: name of the reader.
        lines: how many lines.
        characters: how many characters their labels have.
        cer: character error rate.
        exact: share of lines without an error.
        cer_no_spaces: the same of texts and labels without their spaces.
        exact_no_spaces: likewise.
    """

    data: str
    reader: str
    lines: int
    characters: int
    cer: float
    exact: float
    cer_no_spaces: float
    exact_no_spaces: float


@dataclass(frozen=True)
class Scored:
    """Everything that a score has measured.

    Attributes:
        pages: a row for each set and reader, the real sets first.
        lines: likewise.
        generated: of each generated set its own table.
        engines: reader → what computes, and what finds the lines.
        conditions: how it was measured.
    """

    pages: tuple[PageRow, ...]
    lines: tuple[LineRow, ...]
    generated: tuple[Table, ...]
    engines: dict[str, str]
    conditions: Conditions


def page_row(
    data: str,
    contestant: PageContestant,
    readings: Sequence[Reading],
    fields: dict[str, Verdicts],
    unreadable: tuple[str, ...] = (),
) -> PageRow:
    """Make the row of one reader on the pages of one set.

    Args:
        data: name of the set.
        contestant: the reader.
        readings: of the pages that it read.
        fields: name → what became of it.
        unreadable: names of the pictures that could not be opened.
    """
    if not readings:
        nothing = math.nan
        return PageRow(data, contestant.name, 0, fields, nothing, (nothing, nothing), {}, nothing, unreadable)
    times = [reading.ms for reading in readings]
    low, high = np.percentile(times, (25, 75))
    stages = {
        stage: statistics.fmean(reading.stages[stage] for reading in readings)
        for stage in STAGES
        if all(stage in reading.stages for reading in readings)
    }
    whole = statistics.fmean(times) + stages.get("open", 0.0)
    return PageRow(
        data,
        contestant.name,
        len(readings),
        fields,
        statistics.median(times),
        (float(low), float(high)),
        stages,
        whole,
        unreadable,
    )


def line_row(data: str, reader: str, pairs: Sequence[tuple[int, str, str]]) -> LineRow:
    """Make the row of one reader on the lines of one set.

    Args:
        data: name of the set.
        reader: name of the reader.
        pairs: how many lines they are, their label and their text, both composed (NFC).
    """
    bare = [(count, "".join(written.split()), "".join(read.split())) for count, written, read in pairs]
    lines, characters = sum(count for count, _, _ in pairs), sum(len(written) for _, written, _ in pairs)
    rates = []
    for some in (pairs, bare):
        edits = sum(edit_distance(written, read) for _, written, read in some)
        rates.append(edits / max(sum(len(written) for _, written, _ in some), 1))
        rates.append(sum(count for count, written, read in some if written == read) / max(lines, 1))
    return LineRow(data, reader, lines, characters, *rates)


def page_of_tables(scored: Scored) -> str:
    """Return the tables for people, and what their numbers mean."""
    lines = [*aligned(_lines(scored.lines), left=2), ""] if scored.lines else []
    parts = [
        *aligned(_fields(scored.pages), left=2),
        "",
        *lines,
        *aligned(_stages(scored.pages), left=2),
        "",
        f"{_conditions(scored)} {FIELDS_NOTE} {LENIENT} Generated receipts: shop and address have to be equal but for "
        f"white space. {f'{LINES_NOTE} ' if lines else ''}{STAGES_NOTE}",
        "",
    ]
    return "\n".join([*parts, *(markdown(table) for table in scored.generated)])


def front_table(scored: Scored) -> str:
    """Return a short table for a first page: each reader on the first set of lines and the first set of pages."""
    pages = {row.reader: row for row in scored.pages if row.data == scored.pages[0].data}
    lines = {row.reader: row for row in scored.lines if row.data == scored.lines[0].data} if scored.lines else {}
    some = next(iter(pages.values()))
    rows = [["Reader", "Lines exact", "CER", "Totals right", "wrong", "Dates right", "wrong"]]
    for reader, row in pages.items():
        line = lines.get(reader)
        rates = ["-", "-"] if line is None else [f"{line.exact:.1%}", f"{line.cer:.2%}"]
        total, date = row.fields["total"], row.fields["date"]
        rows.append([reader, *rates, *map(str, (total.right, total.wrong, date.right, date.wrong))])
    count = f"{next(iter(lines.values())).lines} lines and " if lines else ""
    note = (
        f"The same {count}{some.pages} pages for each reader, measured {scored.conditions.date}. Totals and dates are "
        "counted; what was marked as unsure, or not given, is neither right nor wrong."
    )
    return "\n".join([*aligned(rows, left=1), "", note, ""])


def to_json(scored: Scored) -> str:
    """Return the rows of pages and lines as JSON."""
    known = dataclasses.asdict(scored)
    del known["generated"]  # each has a file of its own
    for row in known["pages"]:
        if not row["pages"]:  # JSON has no way to write what is not a number
            row |= dict.fromkeys(("ms_per_page", "ms_quartiles", "whole_ms"))
    notes = [FIELDS_NOTE, LENIENT, LINES_NOTE, STAGES_NOTE, NOTE]
    return json.dumps(known | {"notes": notes}, ensure_ascii=False, indent=1) + "\n"


def _fields(rows: Sequence[PageRow]) -> list[list[str]]:
    head = ["Pages", "Reader", *(name.capitalize() for name in FIELD_ORDER), "ms/page"]
    return [head] + [
        [row.data, row.reader, *(str(row.fields[name]) for name in FIELD_ORDER), _ms(row.ms_per_page)] for row in rows
    ]


def _lines(rows: Sequence[LineRow]) -> list[list[str]]:
    head = ["Lines", "Reader", "Lines", "CER", "Exact", "CER without spaces", "Exact without spaces"]
    return [head] + [
        [
            row.data,
            row.reader,
            f"{row.lines:,}",
            f"{row.cer:.2%}",
            f"{row.exact:.1%}",
            f"{row.cer_no_spaces:.2%}",
            f"{row.exact_no_spaces:.1%}",
        ]
        for row in rows
    ]


def _stages(rows: Sequence[PageRow]) -> list[list[str]]:
    head = ["Pages", "Reader", *STAGES, "whole page"]
    return [head] + [
        [
            row.data,
            row.reader,
            *(f"{row.stages[stage]:,.0f}" if stage in row.stages else "-" for stage in STAGES),
            _ms(row.whole_ms),
        ]
        for row in rows
    ]


def _ms(milliseconds: float) -> str:
    """Write a time, or a dash where no page was read."""
    return "-" if math.isnan(milliseconds) else f"{milliseconds:,.0f}"


def _conditions(scored: Scored) -> str:
    """Say how the numbers came about, in short sentences."""
    sets = {row.data: row for row in reversed(scored.pages)}
    judged = [
        f"{name}: {counted(row.pages, 'page')}; judged are "
        + ", ".join(f"{row.fields[field].judged} × {field}" for field in FIELD_ORDER if row.fields[field].judged)
        + "."
        + (f" Not opened, and counted as absent: {', '.join(row.unreadable)}." if row.unreadable else "")
        for name, row in reversed(sets.items())
    ]
    threads = " or ".join(map(thread_count, scored.conditions.threads))
    engines = " ".join(f"“{name}”: {engine}." for name, engine in scored.engines.items())
    return (
        f"{' '.join(judged)} The readers take turns at each page, after one that is not timed. Each has {threads}. "
        f"{engines} {machine(scored.conditions)}"
    )


def verdicts_by_field(verdicts: Sequence[dict[str, Verdict]]) -> dict[str, Verdicts]:
    """Count the verdicts of pages field by field.

    Args:
        verdicts: of each page, field → verdict; a field that is not judged there has no entry.
    """
    return {name: Verdicts.of(page[name] for page in verdicts if name in page) for name in FIELD_NAMES}
