"""Every quantization method from one float checkpoint, under one budget, in one table."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...checkpoint import files
from ...checkpoint.vocab import Vocab
from ...config import Config
from ...dataset.annotation import read_annotation
from ...errors import UserError
from ..lines.compare import compare
from ..lines.report import Row
from ..lines.sets import Problems, Unknown
from .report import Budget, MethodRow, MethodTable, write
from .run import METHODS, Job, Made, Method, make


class MethodError(UserError):
    """The table cannot be made; the message says why and what to do."""


def run(
    source: str | Path,
    data: str | Path,
    test: str | Path,
    out: str | Path,
    config: Config,
    budget: Budget,
    only: Sequence[str] = (),
    limit: int = 0,
    repeats: int = 3,
    threads: int = 1,
    unknown: Unknown = "stop",
    problems: Problems = "stop",
    vietocr_yaml: str | None = None,
    command: str | None = None,
) -> MethodTable:
    """Make a file by each method and read `test` with all; writes methods.md, .json and .png in `out`.

    A method that fails is a row that says why.

    Args:
        source: the float file.
        data: annotation to calibrate and train on.
        test: annotation to read.
        out: folder for the files.
        config: training settings that all trained methods share.
        budget: what each method may use.
        only: names of methods; without, all.
        limit, repeats, threads, unknown, problems: as in `compare`.
        vietocr_yaml: the YAML the network was trained with, where it is not VietOCR's own.
        command: recorded in the files.

    Raises:
        MethodError: an unknown name, or nothing to calibrate on. Else as `compare`.
    """
    _check(only, budget)
    out, source = Path(out), Path(source)
    checkpoint = files.read(source, vietocr_yaml)
    if not checkpoint.is_float:
        raise MethodError(
            f"{source} is already quantized ({checkpoint.meta.method}); give the float checkpoint it was made from."
        )
    annotation = read_annotation(data, Vocab(checkpoint.meta.chars), unknown="skip", problems=problems)
    print(annotation.report.summary(), file=sys.stderr)
    job = Job(source, checkpoint, Path(data), annotation.samples, config, budget, out, vietocr_yaml, command)
    chosen = [METHODS[name] for name in METHODS if not only or name in only]
    made = {method.name: make(method, job) for method in chosen}
    paths = {name: out / f"{name}.safetensors" for name, file in made.items() if file.done}
    (table,) = compare(
        test,
        [source, *paths.values()],
        None,
        config=vietocr_yaml,
        threads=threads,
        limit=limit,
        repeats=repeats,
        unknown=unknown,
        problems=problems,
        command=command,
    )
    rows = _rows(source.stem, chosen, made, dict(zip([None, *paths], table.rows)))
    spent = dataclasses.replace(budget, batch_size=config.train.batch_size)
    written = MethodTable(table.setup, spent, str(data), tuple(rows))
    write(written, table.rows, out)
    return written


def _check(only: Sequence[str], budget: Budget) -> None:
    for name in only:
        if name not in METHODS:
            raise MethodError(f"--only {name}: no such method; name some of {', '.join(METHODS)}.")
    if min(budget.calibration_lines, budget.searched_lines) < 1:
        raise MethodError(
            f"Methods calibrate on lines and search on lines: --lines is {budget.calibration_lines} and "
            f"--searched-lines {budget.searched_lines}; both must be at least 1."
        )


def _rows(
    source: str, chosen: Sequence[Method], made: Mapping[str, Made], compared: Mapping[str | None, Row]
) -> list[MethodRow]:
    """A row for the float network, which `compared` holds under None, and for each method."""
    rows = [MethodRow.of(source, "the float network", compared[None], None)]
    for method in chosen:
        file = made[method.name]
        row = compared.get(method.name)
        rows.append(MethodRow.of(method.name, method.about, row, file.seconds / 60, file.error, method.trained))
    return rows
