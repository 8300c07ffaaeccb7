"""Every quantization method from one float checkpoint, under one budget, in one table."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import __version__
from ...checkpoint import files
from ...checkpoint.types import Checkpoint
from ...checkpoint.vocab import Vocab
from ...common.yaml_settings import to_yaml
from ...config import Config, FolderConfig, LayerOverride
from ...dataset.annotation import Sample, read_annotation
from ...errors import UserError
from ...quantize.bits.budget import quantize_within
from ...quantize.bits.compact import compact_scheme, quantize_compact
from ...quantize.observers import OBSERVERS
from ...quantize.scheme import Scheme
from ...quantize.static import quantize_dynamic, quantize_static
from ...reading.evaluate import score_checkpoint
from ...train.loop import train
from ..lines.compare import compare
from .report import Budget, MethodRow, MethodTable, write


class MethodError(UserError):
    """The table cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Job:
    """What every method makes its file from.

    source: the float file; checkpoint: its content. data: annotation of the lines to calibrate and train on; samples: its
    lines. config: training settings, the same for every trained method. budget: see `Budget`. out: folder for the files.
    vietocr_yaml: the YAML the network was trained with, where it is not VietOCR's own. command: recorded in the files.
    """

    source: Path
    checkpoint: Checkpoint
    data: Path
    samples: tuple[Sample, ...]
    config: Config
    budget: Budget
    out: Path
    vietocr_yaml: str | None = None
    command: str | None = None

    def scheme(self, **changes: Any) -> Scheme:
        return Scheme(self.config.quant.backend, **changes)


@dataclass(frozen=True)
class Method:
    """A way to a quantized file. make: job → checkpoint, or for a trained one the file that training leaves."""

    name: str
    about: str
    make: Callable[[Job], Checkpoint | Path]
    trained: bool = False


def _dynamic(job: Job) -> Checkpoint:
    return quantize_dynamic(job.checkpoint)


def _static(observer: str) -> Callable[[Job], Checkpoint]:
    def make(job: Job) -> Checkpoint:
        return quantize_static(
            job.checkpoint,
            job.samples,
            job.scheme(observer=observer),
            job.config.quant.decoder,
            job.budget.calibration_lines,
        )

    return make


def _mixed(job: Job) -> Checkpoint:
    budget = job.budget
    return quantize_within(
        job.checkpoint,
        job.samples,
        budget.max_drop,
        lambda made, lines: score_checkpoint(made, lines).score,
        job.scheme(),
        job.config.quant.decoder,
        budget.calibration_lines,
        budget.searched_lines,
        compact=True,
        partial=job.out / "mixed.jsonl",
    ).checkpoint


def _compact(job: Job) -> Checkpoint:
    return quantize_compact(
        job.checkpoint, job.samples, job.scheme(), job.config.quant.decoder, job.budget.calibration_lines
    )


def _trained(name: str, method: str, **quant: Any) -> Callable[[Job], Path]:
    def make(job: Job) -> Path:
        settings = training_settings(job, name, method, **quant)
        folder = Path(settings.train.out)
        # An interrupted training of these settings goes on.
        begun = (folder / "state.pt").is_file() and (folder / "config.yml").read_text(encoding="utf-8") == to_yaml(
            settings
        )
        return train(settings, begun, job.command or "")

    return make


def _compact_trained(job: Job) -> Path:
    bits = compact_scheme(job.checkpoint, job.scheme()).overrides
    overrides = {layer: LayerOverride(**changes) for layer, changes in bits.items()}
    return _trained("qat-compact", "qat", weights="grouped", overrides=overrides, compact=True)(job)


def training_settings(job: Job, name: str, method: str, **quant: Any) -> Config:
    """The job's settings for one method: all alike but for the method and what it needs of `quant`."""
    config, budget = job.config, job.budget
    run = dataclasses.replace(
        config.train, method=method, out=str(job.out / name), steps=budget.steps, validate_every=max(budget.steps, 1)
    )
    settings = dataclasses.replace(
        config,
        train=run,
        model=dataclasses.replace(config.model, weights=str(job.source), vietocr=job.vietocr_yaml),
        data=dataclasses.replace(config.data, train=[FolderConfig(str(job.data), augment=budget.augment)]),
        quant=dataclasses.replace(config.quant, calibration_lines=budget.calibration_lines, **quant),
    )
    settings.validate()
    return settings


#: Every method by name, in the table's order.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("dynamic", "int8 encoder and decoder weights, CNN float; no data", _dynamic),
        *(Method(f"static-{name}", f"int8 CNN, ranges by the {name} observer", _static(name)) for name in OBSERVERS),
        Method(
            "qat-eager",
            "trained with fake quantization, set up by hand",
            _trained("qat-eager", "qat", path="eager"),
            True,
        ),
        Method("qat-fx", "the same, the network traced", _trained("qat-fx", "qat", path="fx"), True),
        Method("pact", "learned clips (PACT)", _trained("pact", "pact"), True),
        Method("lsq", "learned steps (LSQ)", _trained("lsq", "lsq"), True),
        Method("mixed", "4-bit, 8-bit and float layers within a budget", _mixed),
        Method("compact", "large layers in 4 bits (GPTQ), packed", _compact),
        Method("qat-compact", "large layers trained in 4 bits, packed", _compact_trained, True),
    )
}


@dataclass(frozen=True)
class _Made:
    """How a method's file came about, as NAME.json beside it says."""

    settings: str
    seconds: float
    error: str | None = None
    done: bool = False


def make(method: Method, job: Job) -> _Made:
    """Write OUT/NAME.safetensors, unless it is there from the same settings already.

    Seconds of interrupted attempts count. A failure is recorded, and its reason returned.
    """
    path, record = job.out / f"{method.name}.safetensors", job.out / f"{method.name}.json"
    settings = _settings(method, job)
    before = _recorded(record)
    if before.settings != settings:
        before = _Made(settings, 0.0)
    if before.done and path.is_file():
        print(f"{method.name}: {path} is there, from the same settings", file=sys.stderr)
        return before
    print(f"{method.name}: {method.about}", file=sys.stderr)
    path.unlink(missing_ok=True)
    start, error, done = time.perf_counter(), None, False
    try:
        made = method.make(job)
        if isinstance(made, Path):
            shutil.copyfile(made, path)
        else:
            meta = dataclasses.replace(made.meta, source_sha256=files.sha256(job.source), made_with=job.command)
            files.write(dataclasses.replace(made, meta=meta), path)
        done = True
    except Exception as failure:  # one method's failure must not cost the others' hours: it is a row, and the exit code
        if not isinstance(failure, UserError):
            traceback.print_exc()
        error = f"{failure}" if isinstance(failure, UserError) else f"{type(failure).__name__}: {failure}"
        print(f"{method.name} failed: {error}", file=sys.stderr)
    finally:
        found = _Made(settings, before.seconds + time.perf_counter() - start, error, done)
        job.out.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(dataclasses.asdict(found), ensure_ascii=False) + "\n", encoding="utf-8")
    return found


def _settings(method: Method, job: Job) -> str:
    """A digest of all that decides a method's file."""
    parts = [
        method.name,
        __version__,
        files.sha256(job.source),
        files.sha256(job.data),
        repr(job.budget),
        to_yaml(job.config),
        str(job.vietocr_yaml),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _recorded(path: Path) -> _Made:
    try:
        return _Made(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # not there, or cut short
        return _Made("", 0.0)


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
    unknown: str = "stop",
    problems: str = "stop",
    vietocr_yaml: str | None = None,
    command: str | None = None,
) -> MethodTable:
    """Make a file by each method (or those of `only`) and read `test` with all; writes methods.md, .json and .png in `out`.

    source: the float file. data: annotation to calibrate and train on. config: training settings that all trained methods
    share. limit, repeats, threads, unknown, problems: as in `compare.compare`. command: recorded in the files.
    A method that fails is a row that says why. Raises MethodError for an unknown name, and as `compare`.
    """
    for name in only:
        if name not in METHODS:
            raise MethodError(f"--only {name}: no such method; name some of {', '.join(METHODS)}.")
    if min(budget.calibration_lines, budget.searched_lines) < 1:
        raise MethodError(
            f"Methods calibrate on lines and search on lines: --lines is {budget.calibration_lines} and "
            f"--searched-lines {budget.searched_lines}; both must be at least 1."
        )
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
    paths = {name: out / f"{name}.safetensors" for name, found in made.items() if found.done}
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
    read = dict(zip([None, *paths], table.rows))
    rows = [MethodRow.of(source.stem, "the float network", read[None], None)]
    for method in chosen:
        found = made[method.name]
        rows.append(
            MethodRow.of(
                method.name, method.about, read.get(method.name), found.seconds / 60, found.error, method.trained
            )
        )
    spent = dataclasses.replace(budget, batch_size=config.train.batch_size)
    written = MethodTable(table.setup, spent, str(data), tuple(rows))
    write(written, table.rows, out)
    return written
