"""The table: dataclass rows → markdown, JSON, PNG. A number never stands alone: each row has all of them."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

from .errors import UserError


class ReportError(UserError):
    """A table cannot be written where it was to go."""


@dataclass(frozen=True)
class Row:
    """What one reader costs and what it reads. Rates are fractions; ratios and the difference are to `Setup.reference`.

    name: what to call it. file: the checkpoint, None for VietOCR's own code. method: float, dynamic, static, qat …
    stored: number types in the file. engine, precision: what computes, and in what numbers. bytes: size of the file.
    lines, exact, cer, cer_folded: see `metrics.Score`. cer_delta: CER above the reference's. ms_per_line: median over
    `ms_rounds`, one line at a time. cores: CPU time over wall time while timing, what the threads really took.
    size_ratio: how many times smaller, speed_ratio: how many times faster. auroc, accepted: see `metrics.auroc` (None
    where all lines or none are right) and `metrics.accept_at_precision` at 99 %. confusions: (written, read, count).
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
    size_ratio: float
    speed_ratio: float
    auroc: float | None
    accepted: float
    confusions: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class Setup:
    """Where and how the rows were measured."""

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


def markdown(rows: Sequence[Row], setup: Setup) -> str:
    """The table for people, its columns aligned, and the sentence it is worth nothing without."""
    head = ["Weights", "Method", "Stored as", "Computed in", "MB (MiB)", "× smaller", "Exact lines", "CER", "Δ CER",
            "CER without diacritics", "ms/line", "× faster", "AUROC", "Accepted at 99 %"]  # fmt: skip
    table = [head] + [[
        row.name, row.method, row.stored, f"{row.engine}: {row.precision}",
        f"{row.bytes / 1e6:.1f} ({row.bytes / 2**20:.1f})", f"{row.size_ratio:.2f}", f"{row.exact:.1%}", f"{row.cer:.2%}",
        "—" if row.name == setup.reference else f"{100 * row.cer_delta:+.2f} pp", f"{row.cer_folded:.2%}",
        f"{row.ms_per_line:.1f}", f"{row.speed_ratio:.2f}", "-" if row.auroc is None else f"{row.auroc:.3f}",
        f"{row.accepted:.1%}",
    ] for row in rows]  # fmt: skip
    table = [[cell.replace("|", "\\|") for cell in cells] for cells in table]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(head))]
    right = [column > 3 for column in range(len(head))]
    lines = ["| " + " | ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(cells, widths, right)) + " |"
             for cells in table]  # fmt: skip
    lines.insert(1, "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right)) + "|")
    return "\n".join([*lines, "", conditions(rows, setup), ""])


def conditions(rows: Sequence[Row], setup: Setup) -> str:
    """How the numbers of a table came about, in a paragraph."""
    features = ", ".join(setup.cpu_features) or "no AVX2"
    versions = ", ".join(f"{name} {version}" for name, version in setup.versions.items())
    return (
        f"{setup.lines:,} lines of {setup.data}, median width {setup.median_width} px at the network's height. ms/line: one "
        f"line at a time, from the decoded picture to the text, median of {setup.repeats} round(s) over the "
        f"same {setup.timed_lines} lines of all widths, after a warm-up, the rows taking turns; {setup.threads} thread(s), at "
        f"most {max(row.cores for row in rows):.1f} cores busy. CPU: {setup.cpu} ({features}). {versions}; {setup.date}. "
        f"×, Δ: against “{setup.reference}”. AUROC: how well confidence tells "
        "right lines from wrong ones. Accepted at 99 %: share of lines above the lowest confidence threshold that "
        "keeps 99 % of them right."
    )


def processor() -> tuple[str, tuple[str, ...]]:
    """The processor's name, and which of the features that int8 kernels use it has."""
    wanted = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8", "asimd", "asimddp", "i8mm")
    try:
        pairs = [line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines()]
    except OSError:  # not Linux
        return platform.processor() or platform.machine(), ()
    about = {key.strip(): value.strip() for key, _, value in reversed(pairs)}  # the first core's, of equal ones
    flags = about.get("flags", about.get("Features", "")).split()
    return about.get("model name", platform.machine()), tuple(flag for flag in wanted if flag in flags)


def to_json(rows: Sequence[Row], setup: Setup) -> str:
    """Everything the rows hold, confusions and rounds too."""
    whole: dict[str, Any] = {"setup": dataclasses.asdict(setup), "rows": [dataclasses.asdict(row) for row in rows]}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def draw(rows: Sequence[Row], setup: Setup, path: str | os.PathLike) -> Path:
    """Bar charts of size, character error rate and time per line, as one PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from .plot import save_figure

    threads = f"{setup.threads} thread{'s' if setup.threads > 1 else ''}"
    charts = [
        ("Size of the file (MB)", [row.bytes / 1e6 for row in rows], "{:.1f}"),
        ("Character error rate (%)", [100 * row.cer for row in rows], "{:.2f}"),
        (f"Time per line (ms, {threads})", [row.ms_per_line for row in rows], "{:.1f}"),
    ]
    figure = Figure(figsize=(13, 1.7 + 0.42 * len(rows)), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    colors = ["#9aa5b1" if row.method == "float" else "#1f6fb2" for row in rows]
    for axes, (title, values, form) in zip(figure.subplots(1, len(charts), sharey=True), charts):
        bars = axes.barh(range(len(rows)), values, color=colors, height=0.62)
        axes.bar_label(bars, [form.format(value) for value in values], padding=3, fontsize=9)
        axes.set_title(title, fontsize=10.5)
        axes.set_xlim(0, max(max(values), 1e-9) * 1.2)
        axes.set_yticks(range(len(rows)), [row.name for row in rows], parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=9)
    axes.invert_yaxis()
    title = f"{setup.lines:,} lines of {setup.data}; {setup.cpu}\ngrey: float, blue: 8-bit"
    figure.suptitle(title, fontsize=11, parse_math=False)
    return save_figure(figure, path)


def write(rows: Sequence[Row], setup: Setup, out: str | os.PathLike) -> None:
    """`table.md`, `table.json` and `table.png` in folder `out`, each whole or not at all."""
    out = Path(out)
    write_text(out / "table.md", markdown(rows, setup))
    write_text(out / "table.json", to_json(rows, setup))
    draw(rows, setup, out / "table.png")


def insert_section(path: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- table NAME -->` and `<!-- end NAME -->` in a Markdown file.

    Raises ReportError when the file or one of the two lines is not there.
    """
    opening, closing = f"<!-- table {name} -->", f"<!-- end {name} -->"
    if not path.is_file():
        raise ReportError(f"--into: there is no file {path}; name a Markdown file and a section, README.md#{name or 'NAME'}.")
    before, first, rest = path.read_text(encoding="utf-8").partition(opening)
    _, last, after = rest.partition(closing)
    if not (first and last):
        raise ReportError(f"{path} has no section {name!r}: write {opening} and {closing}, a line each, where the table belongs.")
    write_text(path, f"{before}{opening}\n\n{text.strip()}\n\n{closing}{after}")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    os.replace(temporary, path)
