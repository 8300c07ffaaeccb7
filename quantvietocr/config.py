"""What a training can be told: the settings, their defaults, and which values no run could use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .common.yaml_settings import ConfigError, build, override, read_tree
from .shipped import config_file


@dataclass
class ModelConfig:
    """The network to start from. `weights` null means random weights; `vietocr` null means VietOCR's vgg_seq2seq."""

    weights: str | None = None
    vietocr: str | None = None
    cnn_dropout: float = 0.1


@dataclass
class FolderConfig:
    """One annotated folder: `share` of the lines drawn from it, `augment` strength (0 = as they are)."""

    annotation: str = ""
    share: float = 1.0
    augment: float = 1.0


@dataclass
class SynthSettings:
    """Generated lines mixed into training; `share` 0 switches them off."""

    share: float = 0.0
    texts: list[str] = field(default_factory=list)
    fonts: list[str] = field(default_factory=list)
    embedded_share: float = 0.5
    min_chars: int = 1
    max_chars: int = 110
    degrade: float = 1.0
    style: list[str] = field(default_factory=lambda: ["mixture"])
    capitals: float = 0.0
    rare: float = 0.0
    lists: float = 0.0


@dataclass
class DataConfig:
    train: list[FolderConfig] = field(default_factory=list)
    synth: SynthSettings = field(default_factory=SynthSettings)
    valid: str | None = None
    valid_lines: int = 0
    unknown: str = "stop"
    replacement: str = ""
    problems: str = "stop"
    workers: int = 1
    chunk: int = 512
    merge_widths: int = 0


@dataclass
class TrainConfig:
    method: str = "qat"
    out: str = "runs/train"
    steps: int = 1000
    batch_size: int = 16
    pixels_per_batch: int = 16 * 32 * 512
    optimizer: str = "adamw"
    max_lr: float = 1e-4
    schedule: str = "one-cycle"
    pct_start: float = 0.1
    cooldown: float = 0.4
    weight_decay: float = 0.01
    label_smoothing: float = 0.02
    clip_norm: float = 1.0
    seed: int = 0
    device: str = "auto"
    bf16: bool | None = None
    threads: int = 0
    validate_every: int = 250
    save_every: int = 100


@dataclass
class LayerOverride:
    """What one layer, or those of a pattern, get instead; null changes nothing."""

    weight_bits: int | None = None
    activation_bits: int | None = None
    float: bool | None = None


@dataclass
class QuantConfig:
    backend: str = "x86"
    path: str = "eager"
    observer: str | None = None
    percentile: float = 99.99
    weight_bits: int = 8
    activation_bits: int | None = None
    weights: str = "per-channel"
    activations: str = "affine"
    scales: str | None = None
    decoder: str = "int8"
    float_layers: list[str] = field(default_factory=list)
    overrides: dict[str, LayerOverride] | None = None
    compact: bool = False
    pact_alpha: float | None = None
    pact_decay: float = 2e-5
    lsq_weights: bool = True
    learned_lr: float = 10.0
    calibration_lines: int = 256
    freeze_observers: float = 0.6
    freeze_batch_norm: float = 0.4


@dataclass
class DistillConfig:
    """What the student learns from the float teacher; both weights 0 switch it off."""

    logits: float = 0.0
    features: float = 0.0
    temperature: float = 2.0
    teacher: str | None = None


@dataclass
class Config:
    """Everything `train_qat.py` reads; `configs/base.yml` is the commented whole."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    quant: QuantConfig = field(default_factory=QuantConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)

    def validate(self) -> None:
        """Raise ConfigError for a value that no run could use."""
        _one_of("train.method", self.train.method, ("float", "qat", "pact", "lsq"))
        _one_of("train.optimizer", self.train.optimizer, ("adamw", "muon"))
        _one_of("train.schedule", self.train.schedule, ("one-cycle", "trapezoid"))
        _one_of("quant.backend", self.quant.backend, ("x86", "fbgemm", "onednn", "qnnpack"))
        _one_of("quant.path", self.quant.path, ("eager", "fx"))
        _one_of("quant.decoder", self.quant.decoder, ("int8", "float"))
        _one_of("data.unknown", self.data.unknown, ("stop", "skip", "replace"))
        _one_of("data.problems", self.data.problems, ("stop", "skip"))
        data, run, synth = self.data, self.train, self.data.synth
        positive = {
            "train.steps": run.steps,
            "train.batch_size": run.batch_size,
            "train.pixels_per_batch": run.pixels_per_batch,
            "train.max_lr": run.max_lr,
            "train.clip_norm": run.clip_norm,
            "train.validate_every": run.validate_every,
            "train.save_every": run.save_every,
            "quant.calibration_lines": self.quant.calibration_lines,
            "quant.learned_lr": self.quant.learned_lr,
            "distill.temperature": self.distill.temperature,
            "data.chunk": data.chunk,
            "data.synth.min_chars": synth.min_chars,
        }
        not_negative = {
            "train.weight_decay": run.weight_decay,
            "quant.pact_decay": self.quant.pact_decay,
            "distill.logits": self.distill.logits,
            "distill.features": self.distill.features,
            "train.seed": run.seed,
            "train.threads": run.threads,
            "data.valid_lines": data.valid_lines,
            "data.workers": data.workers,
            "data.merge_widths": data.merge_widths,
            "data.synth.share": synth.share,
            "data.synth.degrade": synth.degrade,
        }
        shares = {
            "train.pct_start": run.pct_start,
            "train.cooldown": run.cooldown,
            "train.label_smoothing": run.label_smoothing,
            "model.cnn_dropout": self.model.cnn_dropout,
            "quant.freeze_observers": self.quant.freeze_observers,
            "quant.freeze_batch_norm": self.quant.freeze_batch_norm,
            "data.synth.embedded_share": synth.embedded_share,
            "data.synth.capitals": synth.capitals,
            "data.synth.rare": synth.rare,
            "data.synth.lists": synth.lists,
        }
        if self.quant.pact_alpha is not None:
            positive["quant.pact_alpha"] = self.quant.pact_alpha
        for index, folder in enumerate(data.train):
            if not folder.annotation.strip():
                raise ConfigError(f"data.train[{index}].annotation is empty; name the annotation file of that folder.")
            positive[f"data.train[{index}].share"] = folder.share
            not_negative[f"data.train[{index}].augment"] = folder.augment
        # Written so that nan fails each of them.
        for key, value in positive.items():
            if not 0 < value < math.inf:
                raise ConfigError(f"{key} is {value}; it must be greater than 0, and finite.")
        for key, value in not_negative.items():
            if not 0 <= value < math.inf:
                raise ConfigError(f"{key} is {value}; it must be 0 or more, and finite.")
        for key, value in shares.items():
            if not 0 <= value <= 1:
                raise ConfigError(f"{key} is {value}; it must lie between 0 and 1.")
        if run.method == "float" and (self.distill.logits or self.distill.features):
            raise ConfigError(
                "distill has weights and train.method is float: distillation teaches a quantized student; choose "
                "another train.method, or set distill.logits and distill.features to 0."
            )
        if synth.min_chars > synth.max_chars:
            raise ConfigError(
                f"data.synth.min_chars is {synth.min_chars} and data.synth.max_chars {synth.max_chars}; the "
                "shortest label must not be longer than the longest."
            )
        if not data.train and synth.share <= 0:
            raise ConfigError(
                "Nothing to train on: give data.train an annotation (data.train=[{annotation: lines/annotation.txt}]) "
                "or set data.synth.share above 0."
            )


def _one_of(key: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ConfigError(f"{key} is {value!r}; it must be one of {', '.join(allowed)}.")


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file over the defaults, then apply `section.key=value` overrides (values are YAML).

    A shipped file is found by its name, `qat`. A file may name another with `base: other.yml` (relative to itself),
    whose values it overrides. A section left empty changes nothing. Raises ConfigError for an unknown key, a wrong type
    or a value out of range.
    """
    tree = read_tree(config_file(path)) if path else {}
    config = build(Config, tree, str(path) if path else "settings")
    if overrides:  # built again, so that a mistake in one of them is not said to stand in the file
        for text in overrides:
            override(tree, text)
        config = build(Config, tree, "the command line")
    config.validate()
    return config
