"""Training, readable from top to bottom: float fine-tuning and quantization-aware training share one loop."""

from __future__ import annotations

import dataclasses
import itertools
import math
import signal
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn
from tqdm import tqdm

from .. import checkpoint as files
from ..checkpoint import Checkpoint, Meta
from ..confidence import ConfidenceError, fit
from ..config import Config, to_yaml
from ..dataset.annotation import Sample
from ..dataset.batches import Batch, BatchStream
from ..dataset.sources import Source
from ..metrics import Score
from ..quantize import qat
from ..quantize.export import quantized_checkpoint
from ..vietocr_bridge import VietOCRConfig, build_float, float_network, read_yaml
from ..vocab import Vocab
from .data import training_sources, validation_samples
from .optimizer import make_optimizer, make_schedule
from .state import Progress, TrainError, load_state, restore_progress, save_state, write_curves
from .teacher import label_smoothing_loss, teacher_forced_logits
from .validate import score_checkpoint, score_module

LOG_EVERY = 10  # steps between points of the loss curve


def train(config: Config, resume: bool = False, command: str = "") -> Path:
    """Train as `config` says; returns the best checkpoint's path in the run folder.

    resume: go on from the folder's `state.pt`. command: recorded in the file as how it was made.
    Raises TrainError, ConfigError, AnnotationError, CheckpointError, BridgeError, each one sentence.
    """
    run = config.train
    folder = Path(run.out)
    folder.mkdir(parents=True, exist_ok=True)
    device = _device(run.device)
    if run.threads:
        torch.set_num_threads(run.threads)
    torch.manual_seed(run.seed)

    network, meta = _starting_point(config)
    meta = dataclasses.replace(meta, accuracy={}, made_with=command or None)
    sources = training_sources(config, meta)
    valid = validation_samples(config, meta)

    if run.method == "qat":
        for module in network.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        cnn = qat.prepare_cnn(network, config.quant.backend, config.quant.float_layers, qat=True)

    settings = to_yaml(config)
    progress = Progress()
    state = load_state(folder) if resume else None
    network.to(device, memory_format=torch.channels_last)
    if run.method == "qat" and state is None:
        calibrate(network, cnn, sources, config, meta)
    if run.method == "qat":
        qat.start_training(cnn)
    optimizer = make_optimizer(network, run)
    schedule = make_schedule(optimizer, run)
    if state is not None:
        if _deciding(state["settings"]) != _deciding(settings):
            raise TrainError(f"{folder} was started with other settings; resume with those in {folder}/config.yml, "
                             "or choose another train.out.")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        progress = restore_progress(state)
    (folder / "config.yml").write_text(settings, encoding="utf-8")

    network.train()
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=run.bf16)
    stream = BatchStream(
        sources, Vocab(meta.chars), run.batch_size, run.pixels_per_batch, config.data.chunk, run.seed,
        config.data.workers, config.data.merge_widths, start=progress.position, start_step=progress.step,
    )  # fmt: skip
    save = partial(save_state, folder, progress, settings, network=network, optimizer=optimizer, schedule=schedule)
    window: list[float] = []
    with closing(iter(stream)) as batches, _interrupt() as interrupted, _bar(run.steps, progress.step, folder) as bar:
        for batch in itertools.islice(batches, run.steps - progress.step):
            if run.method == "qat":
                _apply_schedule(cnn, progress.step / run.steps, config)
            loss = _step(network, batch, optimizer, autocast, device, run.label_smoothing, run.clip_norm)
            schedule.step()
            progress.step += 1
            progress.lines += len(batch.names)
            progress.position = (batch.chunk, batch.index_in_chunk + 1)
            window.append(loss)
            bar.update(1)
            bar.set_postfix_str(_postfix(window, schedule, progress, bar))
            if progress.step % LOG_EVERY == 0 or progress.step == run.steps:
                progress.losses.append((progress.step, sum(window) / len(window), schedule.get_last_lr()[0]))
                window.clear()
            last = progress.step == run.steps
            if progress.step % run.validate_every == 0 or last:
                _validate(network, cnn if run.method == "qat" else None, config, meta, valid, progress, folder, bar)
                write_curves(folder, progress, f"{run.method} in {folder}")
            if progress.step % run.save_every == 0 or last or interrupted.is_set():
                save()
            if interrupted.is_set():
                raise KeyboardInterrupt(f"stopped after step {progress.step}; go on with --resume")
    return folder / "best.safetensors"


def _deciding(settings: str) -> dict[str, Any]:
    """The settings that decide the result: not how many threads and workers, nor when to look and save.

    Nor, with a trapezoid, how many steps: a run that is going well may be told to go on for longer.
    """
    tree = yaml.safe_load(settings)
    for section, key in (("train", "threads"), ("train", "device"), ("train", "validate_every"), ("train", "save_every"),
                         ("data", "workers")):  # fmt: skip
        tree[section].pop(key)
    if tree["train"].get("schedule") == "trapezoid":
        tree["train"].pop("steps")
    return tree


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainError(f"train.device is {name!r} but torch sees no CUDA device: use train.device=cpu.")
    return torch.device(name)


def _starting_point(config: Config) -> tuple[nn.Module, Meta]:
    """VietOCR's network to train, and what its files will say of it."""
    model, run = config.model, config.train
    dropout = model.cnn_dropout if run.method == "float" else 0.0
    if model.weights is None:
        if run.method == "qat":
            raise TrainError("QAT fine-tunes a trained network: name one with model.weights=FILE, or train one with train.method=float first.")
        architecture = read_yaml(model.vietocr) if model.vietocr else VietOCRConfig()
        return build_float(architecture, dropout), files.float_meta(model.vietocr)
    loaded = files.read(model.weights, model.vietocr)
    if not loaded.is_float:
        raise TrainError(f"{model.weights} is already quantized ({loaded.meta.method}); training starts from the float checkpoint.")
    network = float_network(loaded, model.vietocr, dropout)
    return network, dataclasses.replace(loaded.meta, source_sha256=files.sha256(model.weights))


@torch.no_grad()
def calibrate(network: nn.Module, cnn: nn.Module, sources: list[tuple[Source, float]], config: Config, meta: Meta) -> None:
    """Measure activation ranges on `quant.calibration_lines` training lines with the float network."""
    qat.start_calibration(cnn)
    wanted = config.quant.calibration_lines
    device = next(network.parameters()).device
    stream = BatchStream(sources, Vocab(meta.chars), config.train.batch_size, config.train.pixels_per_batch,
                         min(config.data.chunk, wanted), config.train.seed + 1)  # fmt: skip
    with closing(iter(stream)) as batches, tqdm(total=wanted, desc="calibrate", unit="line") as bar:
        while bar.n < wanted:
            batch = next(batches)
            network.cnn(_images(batch, device))
            bar.update(len(batch.names))


def _images(batch: Batch, device: torch.device) -> torch.Tensor:
    images = batch.images.to(device, non_blocking=True).float() / 255
    return images.contiguous(memory_format=torch.channels_last)


def _step(
    network: nn.Module, batch: Batch, optimizer: torch.optim.Optimizer, autocast: Any, device: torch.device,
    smoothing: float, clip: float,
) -> float:  # fmt: skip
    with autocast:
        features = network.cnn(_images(batch, device))
    logits = teacher_forced_logits(network.transformer, features.float(), batch.tgt_input.to(device))
    loss = label_smoothing_loss(logits, batch.tgt_output.to(device), smoothing)
    value = loss.item()
    if not math.isfinite(value):
        raise TrainError(f"The loss became {value} on the batch of {', '.join(batch.names[:8])}"
                         f"{' …' if len(batch.names) > 8 else ''}: look at these lines, or lower train.max_lr.")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), clip)
    optimizer.step()
    return value


def _apply_schedule(cnn: nn.Module, done: float, config: Config) -> None:
    # By comparison, not at one step: a resumed run lands in the same state.
    if done >= config.quant.freeze_observers:
        qat.freeze_observers(cnn)
    if done >= config.quant.freeze_batch_norm:
        qat.freeze_batch_norm(cnn)


def _validate(
    network: nn.Module, cnn: nn.Module | None, config: Config, meta: Meta, samples: tuple[Sample, ...],
    progress: Progress, folder: Path, bar: tqdm,
) -> None:  # fmt: skip
    """Score the network and what would ship of it; keep the latter if it is the best so far."""
    shipped = shipped_checkpoint(network, cnn, config, meta)
    if not samples:
        files.write(shipped, folder / "best.safetensors")
        return
    read = score_checkpoint(shipped, samples)
    scores: dict[str, Score] = {"float" if cnn is None else "converted": read.score}
    if cnn is not None:
        scores["fake_quant"] = score_module(network, shipped, samples).score
    row: dict[str, float] = {"step": progress.step, "lines": progress.lines}
    for kind, found in scores.items():
        row |= {f"{kind}_exact": found.exact, f"{kind}_cer": found.cer, f"{kind}_cer_folded": found.cer_folded}
        bar.write(f"step {progress.step}: {kind}: exact {found.exact:.2%}, CER {found.cer:.2%}, "
                  f"without diacritics {found.cer_folded:.2%} ({found.lines} lines)")
    progress.scores.append(row)
    best = next(iter(scores.values()))
    if progress.best is None or best.cer < progress.best:
        progress.best = best.cer
        try:
            about = {"confidence": dataclasses.asdict(fit(read.readings, read.right))}
        except ConfidenceError as error:
            bar.write(f"{error} The file keeps the confidence it started with.")
            about = {}
        accuracy = {"lines": best.lines, "exact": round(best.exact, 6), "cer": round(best.cer, 6),
                    "cer_folded": round(best.cer_folded, 6), "data": "/".join(Path(config.data.valid).parts[-2:])}  # fmt: skip
        about = dataclasses.replace(shipped.meta, accuracy=accuracy, **about)
        files.write(dataclasses.replace(shipped, meta=about), folder / "best.safetensors")


def shipped_checkpoint(network: nn.Module, cnn: nn.Module | None, config: Config, meta: Meta) -> Checkpoint:
    """The file content that the network in training would ship as: half-precision float, or converted to int8."""
    state = {name: t.detach().float().cpu().numpy() for name, t in network.state_dict().items()
             if not name.endswith("num_batches_tracked")}
    if cnn is None:
        # A batch-norm variance can lie past half precision's 65,504; such a tensor stays single.
        halves = {name: t.astype(np.float16 if np.abs(t).max() < 6e4 else np.float32) for name, t in state.items()}
        return Checkpoint(halves, dataclasses.replace(meta, method="float", torch_version=torch.__version__))
    backend = config.quant.backend
    reasons = {f"cnn.model.{name}": "quant.float_layers" for name in cnn.float_names}
    about = dataclasses.replace(
        meta, method="qat", decoder=config.quant.decoder, backend=backend,
        activation_bits=qat.ACTIVATION_BITS[backend], float_reasons=reasons,
    )  # fmt: skip
    return quantized_checkpoint(qat.convert_cnn(cnn), state, about)


def _bar(total: int, done: int, folder: Path) -> tqdm:
    return tqdm(total=total, initial=done, desc=folder.name, unit="step", dynamic_ncols=True, mininterval=1.0)


def _postfix(window: list[float], schedule: Any, progress: Progress, bar: tqdm) -> str:
    elapsed = max(bar.format_dict["elapsed"], 1e-9)
    rate = progress.lines / max(progress.step, 1) * (bar.n - bar.initial) / elapsed
    return f"loss {np.mean(window):.3f} lr {schedule.get_last_lr()[0]:.1e} {rate:.1f} lines/s"


class _interrupt:
    """Turn the first Ctrl-C or SIGTERM into a request to stop after the current step, with the state saved."""

    def __enter__(self) -> threading.Event:
        self.event = threading.Event()
        self.before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._ask)
        return self.event

    def _ask(self, number: int, frame: Any) -> None:
        if self.event.is_set():
            raise KeyboardInterrupt
        self.event.set()

    def __exit__(self, *exc: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
