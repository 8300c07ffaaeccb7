"""Training, readable from top to bottom: float fine-tuning and quantization-aware training share one loop."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..checkpoint.types import Meta
from ..checkpoint.vocab import Vocab
from ..common.files import write_text
from ..common.machine import has_bf16
from ..common.yaml_settings import to_yaml
from ..config import Config
from ..dataset.annotation import Sample
from ..dataset.batches import BatchStream
from ..dataset.sources import Source
from ..quantize import qat
from ..quantize.methods import prepare_training
from .best import BestKeeper
from .calibrate import calibrate
from .curves import write_curves
from .data import training_sources, validation_samples
from .distill import Distillation, distillation_of
from .distributed import Share, World, joined
from .log import LOG_EVERY, log_losses, postfix, progress_bar
from .objective import Objective
from .optimizer import make_optimizer, make_schedule
from .start import deciding, device_of, starting_point
from .state import Progress, TrainError, load_state, random_state, restore_progress, save_state
from .stop import StopRequests, Terminated


@dataclass
class Run:
    """What one process holds of a run.

    Attributes:
        config: the settings; `settings` is the same as YAML.
        folder: `train.out`.
        world: the processes that train together.
        device: where the network trains.
        network: VietOCR's network, its CNN prepared for fake quantization unless the method is float.
        cnn: that CNN; None for float.
        meta: what the files that come out say of themselves, but for scores and layers.
        sources: training lines, each source with its share.
        valid: validation lines; empty where none are given.
        distillation: the teacher; None without one.
        optimizer: what moves the weights.
        schedule: its learning rates.
        progress: where the run stands.
        resumed: whether it goes on from a `state.pt`.
    """

    config: Config
    settings: str
    folder: Path
    world: World
    device: torch.device
    network: nn.Module
    cnn: qat.PreparedCNN | None
    meta: Meta
    sources: list[tuple[Source, float]]
    valid: tuple[Sample, ...]
    distillation: Distillation | None
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    progress: Progress
    resumed: bool


def train(config: Config, resume: bool = False, command: str = "") -> Path:
    """Train as `config` says, under torchrun together with the other processes.

    Args:
        config: the settings.
        resume: go on from the folder's `state.pt`.
        command: recorded in the file as how it was made.

    Returns:
        Path of the best checkpoint, in the run's folder.

    Raises:
        TrainError, ConfigError, AnnotationError, CheckpointError, BridgeError: each says in one sentence why training
            cannot start or go on.
        Terminated: SIGTERM stopped the run; its state is saved.
        KeyboardInterrupt: Ctrl-C stopped the run; its state is saved.
    """
    with joined(config.train.device) as world:
        Path(config.train.out).mkdir(parents=True, exist_ok=True)
        with world.together():
            run = _prepared(config, resume, command, world)
        _train(run)
        return run.folder / "best.safetensors"


def _prepared(config: Config, resume: bool, command: str, world: World) -> Run:
    """Read the weights and the lines, calibrate, and load the state of a run that goes on."""
    device = device_of(config.train.device, world.local if world.size > 1 else None)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    torch.manual_seed(config.train.seed)  # of every process: random weights must be the same
    network, meta = starting_point(config)
    meta = dataclasses.replace(meta, accuracy={}, made_with=command or None)
    sources, valid = training_sources(config, meta), validation_samples(config, meta)
    cnn = _prepared_cnn(network, config) if config.train.method != "float" else None
    distillation = distillation_of(config, meta, device)
    settings, folder = to_yaml(config), Path(config.train.out)
    state = load_state(folder) if resume else None
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
    if cnn is not None:
        if state is None:
            calibrate(network, cnn, sources, config, meta)
        qat.start_training(cnn)
    optimizer = make_optimizer(network, config.train, config.quant.learned_lr)
    schedule = make_schedule(optimizer, config.train)
    if world.rank:
        torch.manual_seed(config.train.seed + 1_000_003 * world.rank)  # dropout differs
    progress = Progress()
    if state is not None:
        if deciding(state["settings"]) != deciding(settings):
            raise TrainError(
                f"{folder} was started with other settings; resume with those in {folder}/config.yml, "
                "or choose another train.out."
            )
        if any("square" in moments for moments in state["optimizer"]["state"].values()):
            raise TrainError(
                f"{folder}/state.pt is of version 0.1, whose optimizer state this version cannot take over: begin anew "
                "with --restart, with the best float weights of that run as model.weights."
            )
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        progress = restore_progress(state, world.rank)
    if world.rank == 0:
        write_text(folder / "config.yml", settings)
    parts = (config, settings, folder, world, device, network, cnn, meta, sources, valid, distillation)
    return Run(*parts, optimizer, schedule, progress, state is not None)


def _prepared_cnn(network: nn.Module, config: Config) -> qat.PreparedCNN:
    """The network's CNN with fake-quant modules in place of its own, and all dropout switched off."""
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return prepare_training(network, config.quant, config.train.method)


def _train(run: Run) -> None:
    """Take the steps that are left; validate, draw and save on the way."""
    settings, world, progress = run.config.train, run.world, run.progress
    run.network.train()
    world.take_from_first(run.network)
    world.prepare(run.network)
    network_loss = _objective(run)
    objective = world.parallel(network_loss, some_unused=settings.freeze_cnn > 0)
    best = BestKeeper(run.network, run.cnn, run.config, run.meta, run.valid, progress, run.folder)
    window = progress.window
    with (
        closing(world.shares(_stream(run))) as shares,
        StopRequests(world.size > 1) as stop,
        progress_bar(settings.steps, progress.step, run.folder) as bar,
    ):
        if not run.resumed:
            _validate(run, best, before_training=True)
        for share in itertools.islice(shares, settings.steps - progress.step):
            network_loss.freeze_cnn(progress.step < settings.freeze_cnn)
            if run.cnn is not None:
                _apply_schedule(run.cnn, progress.step / settings.steps, run.config)
            world.begin(run.network, share)
            window.append(_step(objective, share, run))
            bar.update(1)
            bar.set_postfix_str(postfix(window, run.schedule, progress, bar))
            last = progress.step == settings.steps
            if progress.step % LOG_EVERY == 0 or last:
                log_losses(window, progress, run.schedule)
            if progress.step % settings.validate_every == 0 or last:
                _validate(run, best)
            stopping = world.any(stop.asked)
            if progress.step % settings.save_every == 0 or last or stopping:
                _save(run)
            if stopping:
                kind = Terminated if world.any(stop.by_sigterm) else KeyboardInterrupt
                raise kind(f"stopped after step {progress.step}; go on with --resume")
    if world.rank == 0:
        best.report()


def _objective(run: Run) -> Objective:
    settings = run.config.train
    bf16 = settings.bf16 if settings.bf16 is not None else run.device.type != "cpu" or has_bf16()
    autocast = torch.autocast(run.device.type, torch.bfloat16, enabled=bf16)
    return Objective(run.network, settings.label_smoothing, autocast, run.device, run.distillation)


def _stream(run: Run) -> BatchStream:
    settings, data = run.config.train, run.config.data
    return BatchStream(
        run.sources,
        Vocab(run.meta.chars),
        settings.batch_size,
        settings.pixels_per_batch,
        data.chunk,
        settings.seed,
        data.workers,
        data.merge_widths,
        start=run.progress.position,
        start_step=run.progress.step,
        rank=run.world.rank,
        ranks=run.world.size,
    )


def _step(objective: Callable[[Share], dict[str, Tensor]], share: Share, run: Run) -> dict[str, float]:
    """One step on a batch, of which `share` is here; returns the batch's loss by parts."""
    parts = objective(share)
    loss = torch.stack(list(parts.values())).sum() * run.world.size  # whose mean over the processes is the batch's
    losses = dict(zip(parts, run.world.sums([part.item() for part in parts.values()])))
    value = sum(losses.values())
    if not math.isfinite(value):
        raise _not_finite("loss", value, share)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(run.network.parameters(), run.config.train.clip_norm).item()
    if not math.isfinite(norm):  # before it is in the weights, and they in the state to resume from
        raise _not_finite("gradient", norm, share)
    run.optimizer.step()
    run.schedule.step()
    run.progress.step += 1
    run.progress.lines += len(share.names)
    run.progress.position = (share.batch.chunk, share.batch.index_in_chunk + 1)
    return losses


def _not_finite(what: str, value: float, share: Share) -> TrainError:
    return TrainError(
        f"The {what} became {value} on the batch of {', '.join(share.names[:8])}"
        f"{' …' if len(share.names) > 8 else ''}: look at these lines, or lower train.max_lr; --resume goes on from "
        "the last state saved."
    )


def _validate(run: Run, best: BestKeeper, before_training: bool = False) -> None:
    """Score what would ship, keep it if it is the best so far, and draw the curves; process 0 alone."""
    with run.world.together():
        if run.world.rank == 0:
            if before_training:
                best.start()
            else:
                best.update()
            write_curves(run.folder, run.progress, f"{run.config.train.method} in {run.folder}")


def _save(run: Run) -> None:
    """Write `state.pt`; process 0 alone, after all have found that they hold the same weights."""
    run.world.check(run.network)
    ranks = run.world.gather(random_state())
    with run.world.together():
        if run.world.rank == 0:
            parts = {"network": run.network, "optimizer": run.optimizer, "schedule": run.schedule}
            save_state(run.folder, run.progress, run.settings, ranks, **parts)


def _apply_schedule(cnn: qat.PreparedCNN, done: float, config: Config) -> None:
    # By comparison, not at one step: a resumed run lands in the same state.
    if done >= config.quant.freeze_observers:
        qat.freeze_observers(cnn)
    if done >= config.quant.freeze_batch_norm:
        qat.freeze_batch_norm(cnn)
