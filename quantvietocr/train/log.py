"""What a run says of itself while it goes on: the points of its loss curve, and its progress bar."""

from __future__ import annotations

from pathlib import Path

import torch
from tqdm import tqdm

from .state import Progress

LOG_EVERY = 10  # steps between points of the loss curve


def log_losses(
    window: list[dict[str, float]], progress: Progress, schedule: torch.optim.lr_scheduler.LRScheduler
) -> None:
    """Add a point to the loss curve: the means of the steps since the last one."""
    means = _means(window)
    progress.parts = list(means) if len(means) > 1 else []
    parts = means.values() if progress.parts else ()
    rate = float(schedule.get_last_lr()[0])
    progress.losses.append((progress.step, sum(means.values()), rate, *parts))
    window.clear()


def progress_bar(total: int, done: int, folder: Path) -> tqdm:
    """The bar of a run's steps."""
    return tqdm(total=total, initial=done, desc=folder.name, unit="step", dynamic_ncols=True, mininterval=1.0)


def postfix(
    window: list[dict[str, float]], schedule: torch.optim.lr_scheduler.LRScheduler, progress: Progress, bar: tqdm
) -> str:
    """What stands behind the bar: mean loss since the last point of the curve, learning rate and speed."""
    elapsed = max(bar.format_dict["elapsed"], 1e-9)
    rate = progress.lines / max(progress.step, 1) * (bar.n - bar.initial) / elapsed
    means = _means(window)
    parts = f" ({', '.join(f'{name} {part:.3f}' for name, part in means.items())})" if len(means) > 1 else ""
    return f"loss {sum(means.values()):.3f}{parts} lr {schedule.get_last_lr()[0]:.1e} {rate:.1f} lines/s"


def _means(window: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(parts[name] for parts in window) / len(window) for name in window[0]}
