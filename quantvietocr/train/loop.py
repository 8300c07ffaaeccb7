"""Training, readable from top to bottom: float fine-tuning and quantization-aware training share one loop."""

from __future__ import annotations

import dataclasses
import itertools
import math
import signal
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ..checkpoint.types import Meta
from ..checkpoint.vocab import Vocab
from ..common.machine import has_bf16
from ..common.yaml_settings import to_yaml
from ..config import Config
from ..dataset.batches import BatchStream
from ..dataset.sources import Source
from ..quantize import qat
from ..quantize.methods import prepare_training
from .data import training_sources, validation_samples
from .distill import distillation_of
from .distributed import Share, World, joined
from .objective import Objective, images_of
from .optimizer import make_optimizer, make_schedule
from .ship import keep_best
from .start import deciding, device_of, starting_point
from .state import Progress, TrainError, load_state, random_state, restore_progress, save_state, write_curves

LOG_EVERY = 10  # steps between points of the loss curve
ECHO = 5.0  # seconds within which one Ctrl-C may come twice, from the terminal and through torchrun


def train(config: Config, resume: bool = False, command: str = "") -> Path:
    """Train as `config` says, under torchrun with the other processes; returns the best checkpoint's path in the run folder.

    resume: go on from the folder's `state.pt`. command: recorded in the file as how it was made.
    Raises TrainError, ConfigError, AnnotationError, CheckpointError, BridgeError, each one sentence.
    """
    with joined(config.train.device) as world:
        return _train(config, resume, command, world)


def _train(config: Config, resume: bool, command: str, world: World) -> Path:
    run = config.train
    folder = Path(run.out)
    folder.mkdir(parents=True, exist_ok=True)
    with world.together():
        device = device_of(run.device, world.local if world.size > 1 else None)
        if run.threads:
            torch.set_num_threads(run.threads)
        torch.manual_seed(run.seed)  # of every process: random weights must be the same

        network, meta = starting_point(config)
        meta = dataclasses.replace(meta, accuracy={}, made_with=command or None)
        sources = training_sources(config, meta)
        valid = validation_samples(config, meta)

        if run.method != "float":
            for module in network.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
            cnn = prepare_training(network, config.quant, run.method)

        distillation = distillation_of(config, meta, device)
        settings = to_yaml(config)
        progress = Progress()
        state = load_state(folder) if resume else None
        network.to(device, memory_format=torch.channels_last)
        if run.method != "float" and state is None:
            calibrate(network, cnn, sources, config, meta)
        if run.method != "float":
            qat.start_training(cnn)
        optimizer = make_optimizer(network, run, config.quant.learned_lr)
        schedule = make_schedule(optimizer, run)
        if world.rank:
            torch.manual_seed(run.seed + 1_000_003 * world.rank)  # dropout differs
        if state is not None:
            if deciding(state["settings"]) != deciding(settings):
                raise TrainError(
                    f"{folder} was started with other settings; resume with those in {folder}/config.yml, "
                    "or choose another train.out."
                )
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            schedule.load_state_dict(state["schedule"])
            progress = restore_progress(state, world.rank)
        if world.rank == 0:
            (folder / "config.yml").write_text(settings, encoding="utf-8")

    network.train()
    bf16 = run.bf16 if run.bf16 is not None else device.type != "cpu" or has_bf16()
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16)
    world.take_from_first(network)
    world.prepare(network)
    objective = world.parallel(Objective(network, run.label_smoothing, autocast, device, distillation))
    stream = BatchStream(
        sources,
        Vocab(meta.chars),
        run.batch_size,
        run.pixels_per_batch,
        config.data.chunk,
        run.seed,
        config.data.workers,
        config.data.merge_widths,
        start=progress.position,
        start_step=progress.step,
        rank=world.rank,
        ranks=world.size,
    )
    save = partial(save_state, folder, progress, settings, network=network, optimizer=optimizer, schedule=schedule)
    window: list[dict[str, float]] = []
    with (
        closing(world.shares(stream)) as shares,
        _interrupt(world.size > 1) as interrupted,
        _bar(run.steps, progress.step, folder) as bar,
    ):
        for share in itertools.islice(shares, run.steps - progress.step):
            if run.method != "float":
                _apply_schedule(cnn, progress.step / run.steps, config)
            world.begin(network, share)
            parts = _step(objective, share, network, optimizer, run.clip_norm, world)
            schedule.step()
            progress.step += 1
            progress.lines += len(share.names)
            progress.position = (share.batch.chunk, share.batch.index_in_chunk + 1)
            window.append(parts)
            bar.update(1)
            bar.set_postfix_str(_postfix(window, schedule, progress, bar))
            if progress.step % LOG_EVERY == 0 or progress.step == run.steps:
                means = _means(window)
                progress.parts = list(means) if len(means) > 1 else []
                each = means.values() if progress.parts else ()
                progress.losses.append((progress.step, sum(means.values()), schedule.get_last_lr()[0], *each))
                window.clear()
            last = progress.step == run.steps
            if progress.step % run.validate_every == 0 or last:
                with world.together():
                    if world.rank == 0:
                        shipped = cnn if run.method != "float" else None
                        keep_best(network, shipped, config, meta, valid, progress, folder, bar)
                        write_curves(folder, progress, f"{run.method} in {folder}")
            stopping = world.any(interrupted.is_set())
            if progress.step % run.save_every == 0 or last or stopping:
                world.check(network)
                ranks = world.gather(random_state())
                with world.together():
                    if world.rank == 0:
                        save(ranks)
            if stopping:
                raise KeyboardInterrupt(f"stopped after step {progress.step}; go on with --resume")
    return folder / "best.safetensors"


@torch.no_grad()
def calibrate(
    network: nn.Module, cnn: nn.Module, sources: list[tuple[Source, float]], config: Config, meta: Meta
) -> None:
    """Measure activation ranges on `quant.calibration_lines` training lines with the float network."""
    qat.start_calibration(cnn)
    wanted = config.quant.calibration_lines
    device = next(network.parameters()).device
    stream = BatchStream(
        sources,
        Vocab(meta.chars),
        config.train.batch_size,
        config.train.pixels_per_batch,
        min(config.data.chunk, wanted),
        config.train.seed + 1,
    )
    with closing(iter(stream)) as batches, tqdm(total=wanted, desc="calibrate", unit="line") as bar:
        while bar.n < wanted:
            batch = next(batches)
            network.cnn(images_of(batch, device))
            bar.update(len(batch.names))


def _step(
    objective: Callable[[Share], dict[str, Tensor]],
    share: Share,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    clip: float,
    world: World,
) -> dict[str, float]:
    """One step on a batch, of which `share` is here; returns the batch's loss by parts."""
    parts = objective(share)
    loss = sum(parts.values()) * world.size  # whose mean over the processes is the batch's
    found = dict(zip(parts, world.sums([part.item() for part in parts.values()])))
    value = sum(found.values())
    if not math.isfinite(value):
        raise _not_finite("loss", value, share)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip).item()
    if not math.isfinite(norm):  # before it is in the weights, and they in the state to resume from
        raise _not_finite("gradient", norm, share)
    optimizer.step()
    return found


def _not_finite(what: str, value: float, share: Share) -> TrainError:
    return TrainError(
        f"The {what} became {value} on the batch of {', '.join(share.names[:8])}"
        f"{' …' if len(share.names) > 8 else ''}: look at these lines, or lower train.max_lr; --resume goes on from "
        "the last state saved."
    )


def _means(window: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(parts[name] for parts in window) / len(window) for name in window[0]}


def _apply_schedule(cnn: nn.Module, done: float, config: Config) -> None:
    # By comparison, not at one step: a resumed run lands in the same state.
    if done >= config.quant.freeze_observers:
        qat.freeze_observers(cnn)
    if done >= config.quant.freeze_batch_norm:
        qat.freeze_batch_norm(cnn)


def _bar(total: int, done: int, folder: Path) -> tqdm:
    return tqdm(total=total, initial=done, desc=folder.name, unit="step", dynamic_ncols=True, mininterval=1.0)


def _postfix(window: list[dict[str, float]], schedule: Any, progress: Progress, bar: tqdm) -> str:
    elapsed = max(bar.format_dict["elapsed"], 1e-9)
    rate = progress.lines / max(progress.step, 1) * (bar.n - bar.initial) / elapsed
    means = _means(window)
    parts = f" ({', '.join(f'{name} {part:.3f}' for name, part in means.items())})" if len(means) > 1 else ""
    return f"loss {sum(means.values()):.3f}{parts} lr {schedule.get_last_lr()[0]:.1e} {rate:.1f} lines/s"


class _interrupt:
    """Turn the first Ctrl-C or SIGTERM into a request to stop after the current step, with the state saved.

    twice: the same request may arrive a second time within `ECHO` seconds, from the terminal and from torchrun.
    """

    def __init__(self, twice: bool = False) -> None:
        self.twice, self.asked = twice, 0.0

    def __enter__(self) -> threading.Event:
        self.event = threading.Event()
        self.before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._ask)
        return self.event

    def _ask(self, number: int, frame: Any) -> None:
        if not self.event.is_set():
            self.asked = time.monotonic()
            self.event.set()
        elif not self.twice or time.monotonic() - self.asked > ECHO:
            raise KeyboardInterrupt

    def __exit__(self, *exc: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
