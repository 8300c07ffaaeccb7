"""Every quantization method, and the file that it makes from one float checkpoint under one budget."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import __version__
from ...checkpoint import files
from ...checkpoint.types import Checkpoint
from ...common.parsing import json_of
from ...common.yaml_settings import to_yaml
from ...config import Config, FolderConfig, LayerOverride, TrainingMethod
from ...dataset.annotation import Sample
from ...errors import UserError
from ...quantize.bits.budget import quantize_within
from ...quantize.bits.compact import compact_scheme, quantize_compact
from ...quantize.observers import OBSERVERS
from ...quantize.scheme import Scheme
from ...quantize.static import quantize_dynamic, quantize_static
from ...reading.evaluate import score_checkpoint
from ...train.loop import train
from .report import Budget


@dataclass(frozen=True)
class Job:
    """What every method makes its file from.

    Attributes:
        source: the float file.
        checkpoint: its content.
        data: annotation of the lines to calibrate and train on.
        samples: its lines.
        config: training settings, the same for every trained method.
        budget: what the method may use.
        out: folder for the files.
        vietocr_yaml: the YAML the network was trained with, where it is not VietOCR's own.
        command: recorded in the files.
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
    """A way to a quantized file.

    Attributes:
        name: what `--only` and the table call it.
        about: what it is.
        make: job → checkpoint, or for a trained one the file that training leaves.
        trained: whether it trains.
    """

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


def _trained(name: str, method: TrainingMethod, **quant: Any) -> Callable[[Job], Path]:
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


def training_settings(job: Job, name: str, method: TrainingMethod, **quant: Any) -> Config:
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
class Made:
    """How a method's file came about, as NAME.json beside it says.

    Attributes:
        settings: a digest of all that decides the file.
        seconds: of wall time, interrupted attempts included.
        error: why there is no file.
        done: whether there is one.
    """

    settings: str
    seconds: float
    error: str | None = None
    done: bool = False


def make(method: Method, job: Job) -> Made:
    """Write OUT/NAME.safetensors, unless it is there from the same settings already.

    Seconds of interrupted attempts count. A failure is recorded, and its reason returned.
    """
    path, record = job.out / f"{method.name}.safetensors", job.out / f"{method.name}.json"
    settings = _settings(method, job)
    before = _recorded(record)
    if before.settings != settings:
        before = Made(settings, 0.0)
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
        found = Made(settings, before.seconds + time.perf_counter() - start, error, done)
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


def _recorded(path: Path) -> Made:
    try:
        return Made(**json_of(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # not there, or cut short
        return Made("", 0.0)
