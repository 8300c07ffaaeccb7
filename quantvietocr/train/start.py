"""Where a run begins: its device, its network, and the settings that a resumed one must share."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import torch
import yaml
from torch import nn
from tqdm import tqdm

from ..checkpoint import files
from ..checkpoint.types import Meta
from ..checkpoint.vietocr_yaml import VietOCRConfig, read_yaml
from ..common.yaml_settings import build
from ..config import Config
from ..shipped import weights_file
from ..vietocr_bridge.network import float_network
from .state import TrainError
from .widths import random_network, refuse_other_widths


def deciding(settings: str) -> dict[str, Any]:
    """The settings that decide the result: not how many threads and workers, nor when to look and save.

    Nor, with a trapezoid, how many steps: a run that is going well may be told to go on for longer.
    """
    # Through the settings of today: a run may go on after a setting was added to them, at its default.
    tree = dataclasses.asdict(build(Config, yaml.safe_load(settings), "the settings in state.pt"))
    for section, key in (
        ("train", "threads"),
        ("train", "device"),
        ("train", "validate_every"),
        ("train", "save_every"),
        ("data", "workers"),
    ):
        tree[section].pop(key)
    if tree["train"].get("schedule") == "trapezoid":
        tree["train"].pop("steps")
    return tree


def device_of(name: str, local: int | None = None) -> torch.device:
    """`train.device` as a device.

    Args:
        name: the setting.
        local: this process's number among several on its machine, each of which has its own GPU; None alone.

    Raises:
        TrainError: a GPU is asked for and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainError(f"train.device is {name!r} but torch sees no CUDA device: use train.device=cpu.")
    return torch.device(name, local) if name == "cuda" and local is not None else torch.device(name)


def starting_point(config: Config) -> tuple[nn.Module, Meta]:
    """VietOCR's network to train, and what its files will say of it.

    Raises:
        TrainError: the weights are quantized, of other widths than the settings say, or missing where the method needs
            some.
        CheckpointError, BridgeError: they cannot be read.
    """
    model, run = config.model, config.train
    dropout = model.cnn_dropout if run.method == "float" else 0.0
    if model.weights is None:
        if run.method != "float":
            raise TrainError(
                f"{run.method.upper()} fine-tunes a trained network: name one with model.weights=FILE, or train one "
                "with train.method=float first."
            )
        architecture = read_yaml(model.vietocr) if model.vietocr else VietOCRConfig()
        return random_network(model, architecture, files.float_meta(model.vietocr), dropout)
    weights = weights_file(model.weights)
    loaded = files.read(weights, model.vietocr)
    for note in loaded.notes:
        tqdm.write(note, file=sys.stderr)
    if not loaded.is_float:
        raise TrainError(
            f"{model.weights} is already quantized ({loaded.meta.method}); training starts from the float checkpoint."
        )
    refuse_other_widths(model, loaded)
    trained_with = read_yaml(model.vietocr, loaded.meta.seq_modeling) if model.vietocr else None
    network = float_network(loaded, dropout, trained_with.dropout if trained_with else None)
    return network, dataclasses.replace(loaded.meta, source_sha256=files.sha256(weights))
