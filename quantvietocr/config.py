"""What a training can be told: the settings, their defaults, and which values no run could use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from .common.yaml_settings import (
    ConfigError,
    NotNegativeFloat,
    NotNegativeInt,
    PositiveFloat,
    PositiveInt,
    Share,
    build,
    override,
    read_tree,
)
from .shipped import config_file

TrainingMethod: TypeAlias = Literal["float", "qat", "pact", "lsq"]


@dataclass
class ModelConfig:
    """The network to start from. `weights` null means random weights; `vietocr` null means VietOCR's vgg_seq2seq.

    `channels`, `pools`, `hidden` and `one_row` say how wide a network of random weights is; weights of a file say it
    themselves.
    """

    weights: str | None = None
    vietocr: str | None = None
    cnn_dropout: Share = 0.1
    channels: list[PositiveInt] | None = None
    pools: list[list[PositiveInt]] | None = None
    hidden: list[PositiveInt] | None = None
    one_row: bool = False


@dataclass
class FolderConfig:
    """One annotated folder: `share` of the lines drawn from it, `augment` strength (0 = as they are)."""

    annotation: str = ""
    share: PositiveFloat = 1.0
    augment: NotNegativeFloat = 1.0


@dataclass
class SynthSettings:
    """Generated lines mixed into training; `share` 0 switches them off."""

    share: NotNegativeFloat = 0.0
    texts: list[str] = field(default_factory=list)
    fonts: list[str] = field(default_factory=list)
    embedded_share: Share = 0.5
    min_chars: PositiveInt = 1
    max_chars: int = 110
    degrade: NotNegativeFloat = 1.0
    style: list[str] = field(default_factory=lambda: ["mixture"])
    capitals: Share = 0.0
    rare: Share = 0.0
    lists: Share = 0.0


@dataclass
class DataConfig:
    train: list[FolderConfig] = field(default_factory=list)
    synth: SynthSettings = field(default_factory=SynthSettings)
    valid: str | None = None
    valid_lines: NotNegativeInt = 0
    unknown: Literal["stop", "skip", "replace"] = "stop"
    replacement: str = ""
    problems: Literal["stop", "skip"] = "stop"
    workers: NotNegativeInt = 1
    chunk: PositiveInt = 512
    merge_widths: NotNegativeInt = 0


@dataclass
class TrainConfig:
    method: TrainingMethod = "qat"
    out: str = "runs/train"
    steps: PositiveInt = 1000
    batch_size: PositiveInt = 16
    pixels_per_batch: PositiveInt = 16 * 32 * 512
    optimizer: Literal["adamw", "muon"] = "adamw"
    max_lr: PositiveFloat = 1e-4
    schedule: Literal["one-cycle", "trapezoid"] = "one-cycle"
    pct_start: Share = 0.1
    cooldown: Share = 0.4
    weight_decay: NotNegativeFloat = 0.01
    label_smoothing: Share = 0.02
    clip_norm: PositiveFloat = 1.0
    freeze_cnn: NotNegativeInt = 0
    seed: NotNegativeInt = 0
    device: str = "auto"
    bf16: bool | None = None
    threads: NotNegativeInt = 0
    validate_every: PositiveInt = 250
    save_every: PositiveInt = 100


@dataclass
class LayerOverride:
    """What one layer, or those of a pattern, get instead; null changes nothing."""

    weight_bits: int | None = None
    activation_bits: int | None = None
    float: bool | None = None


@dataclass
class QuantConfig:
    backend: Literal["x86", "fbgemm", "onednn", "qnnpack"] = "x86"
    path: Literal["eager", "fx"] = "eager"
    observer: str | None = None
    percentile: float = 99.99
    weight_bits: int = 8
    activation_bits: int | None = None
    weights: str = "per-channel"
    activations: str = "affine"
    scales: str | None = None
    decoder: Literal["int8", "float"] = "int8"
    float_layers: list[str] = field(default_factory=list)
    overrides: dict[str, LayerOverride] | None = None
    compact: bool = False
    pact_alpha: PositiveFloat | None = None
    pact_decay: NotNegativeFloat = 2e-5
    lsq_weights: bool = True
    learned_lr: PositiveFloat = 10.0
    calibration_lines: PositiveInt = 256
    freeze_observers: Share = 0.6
    freeze_batch_norm: Share = 0.4


@dataclass
class DistillConfig:
    """What the student learns from a teacher; all weights 0 switch it off."""

    logits: NotNegativeFloat = 0.0
    features: NotNegativeFloat = 0.0
    memory: NotNegativeFloat = 0.0
    every: PositiveInt = 1
    temperature: PositiveFloat = 2.0
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
        """Check what no setting shows alone.

        Raises:
            ConfigError: two settings contradict each other, or there is nothing to train on.
        """
        synth = self.data.synth
        for index, folder in enumerate(self.data.train):
            if not folder.annotation.strip():
                raise ConfigError(f"data.train[{index}].annotation is empty; name the annotation file of that folder.")
        distill = self.distill
        taught = distill.logits or distill.features or distill.memory
        if self.train.method == "float" and taught and distill.teacher is None:
            raise ConfigError(
                "distill has weights, train.method is float and no distill.teacher is named, so that the network would "
                "teach itself: name another one, or set the weights of distill to 0."
            )
        if self.train.freeze_cnn and self.train.method != "float":
            raise ConfigError(
                f"train.freeze_cnn is {self.train.freeze_cnn} and train.method {self.train.method}: activation ranges "
                "of a frozen CNN would go on moving; freeze the CNN in a float run."
            )
        if synth.min_chars > synth.max_chars:
            raise ConfigError(
                f"data.synth.min_chars is {synth.min_chars} and data.synth.max_chars {synth.max_chars}; the "
                "shortest label must not be longer than the longest."
            )
        if not self.data.train and synth.share <= 0:
            raise ConfigError(
                "Nothing to train on: give data.train an annotation (data.train=[{annotation: lines/annotation.txt}]) "
                "or set data.synth.share above 0."
            )


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file over the defaults, then apply what was typed on the command line.

    A shipped file is found by its name, `qat`. A file may name another with `base: other.yml` (relative to itself),
    whose values it overrides. A section left empty changes nothing.

    Args:
        path: the file; None for the defaults alone.
        overrides: `section.key=value` each; values are YAML.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range.
    """
    tree = read_tree(config_file(path)) if path else {}
    typed = [override(tree, text) for text in overrides]
    config = build(Config, tree, str(path) if path else "settings", typed)
    config.validate()
    return config
