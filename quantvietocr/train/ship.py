"""What a run would ship as it stands: scored on the validation lines, and kept if it is the best so far."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..checkpoint import files
from ..checkpoint.types import Checkpoint, Meta
from ..config import Config
from ..dataset.annotation import Sample
from ..metrics.accuracy import Score
from ..quantize import qat
from ..quantize.bits.compact import packed
from ..quantize.export import quantized_checkpoint
from ..quantize.methods import scheme_of
from ..reading.confidence import ConfidenceError, fit
from ..reading.evaluate import Validation, score_checkpoint
from .state import Progress
from .validate import score_module


def keep_best(
    network: nn.Module,
    cnn: nn.Module | None,
    config: Config,
    meta: Meta,
    samples: tuple[Sample, ...],
    progress: Progress,
    folder: Path,
    bar: tqdm,
) -> None:
    """Score the network and what would ship of it; keep the latter if it is the best so far.

    With a quantized network, its float weights are kept beside it, `best-float.safetensors`: the same training for readers
    of float files, VietOCR among them.
    """
    shipped = shipped_checkpoint(network, cnn, config, meta)
    if not samples:
        files.write(shipped, folder / "best.safetensors")
        if cnn is not None:
            files.write(float_checkpoint(network, cnn, meta), folder / "best-float.safetensors")
        return
    read = score_checkpoint(shipped, samples)
    scores: dict[str, Score] = {"float" if cnn is None else "converted": read.score}
    if cnn is not None:
        scores["fake_quant"] = score_module(network, shipped, samples).score
    row: dict[str, float] = {"step": progress.step, "lines": progress.lines}
    for kind, found in scores.items():
        row |= {f"{kind}_exact": found.exact, f"{kind}_cer": found.cer, f"{kind}_cer_folded": found.cer_folded}
        bar.write(
            f"step {progress.step}: {kind}: exact {found.exact:.2%}, CER {found.cer:.2%}, "
            f"without diacritics {found.cer_folded:.2%} ({found.lines} lines)"
        )
    progress.scores.append(row)
    best = next(iter(scores.values()))
    if progress.best is None or best.cer < progress.best:
        progress.best = best.cer
        files.write(_scored(shipped, read, config, bar), folder / "best.safetensors")
        if cnn is not None:
            twin = float_checkpoint(network, cnn, meta)
            files.write(_scored(twin, score_checkpoint(twin, samples), config, bar), folder / "best-float.safetensors")


def _scored(shipped: Checkpoint, read: Validation, config: Config, bar: tqdm) -> Checkpoint:
    """`shipped` with its validation score, and its confidence fitted to what was right in it."""
    about: dict[str, Any] = {}
    try:
        about["confidence"] = dataclasses.asdict(fit(read.readings, read.right))
    except ConfidenceError as error:
        bar.write(f"{error} The file keeps the confidence it started with.")
    score = read.score
    accuracy = {
        "lines": score.lines,
        "exact": round(score.exact, 6),
        "cer": round(score.cer, 6),
        "cer_folded": round(score.cer_folded, 6),
        "data": "/".join(Path(config.data.valid).parts[-2:]),
    }
    return dataclasses.replace(shipped, meta=dataclasses.replace(shipped.meta, accuracy=accuracy, **about))


def float_checkpoint(network: nn.Module, cnn: nn.Module | None, meta: Meta) -> Checkpoint:
    """The network's float weights as a half-precision file; cnn: the quantized CNN in training, None where none is."""
    state = _arrays(network.state_dict())
    if cnn is not None:
        kept = {name: t for name, t in state.items() if not name.startswith("cnn.")}
        state = kept | {f"cnn.model.{name}": t for name, t in _arrays(qat.float_state(cnn)).items()}
    # A batch-norm variance can lie past half precision's 65,504; such a tensor stays single.
    halves = {name: t.astype(np.float16 if np.abs(t).max() < 6e4 else np.float32) for name, t in state.items()}
    return Checkpoint(halves, dataclasses.replace(meta, method="float", torch_version=torch.__version__))


def shipped_checkpoint(network: nn.Module, cnn: nn.Module | None, config: Config, meta: Meta) -> Checkpoint:
    """The file content that the network in training would ship as: half-precision float, or converted to int8."""
    if cnn is None:
        return float_checkpoint(network, None, meta)
    method, quant = config.train.method, config.quant
    about = qat.described(meta, cnn, scheme_of(quant, method), method, quant.decoder, "quant.float_layers")
    shipped = quantized_checkpoint(qat.convert_cnn(cnn), _arrays(network.state_dict()), about)
    return packed(shipped) if quant.compact else shipped


def _arrays(state: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {
        name: t.detach().float().cpu().numpy() for name, t in state.items() if not name.endswith("num_batches_tracked")
    }
