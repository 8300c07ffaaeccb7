"""A run's folder: the state to resume from, the log, the curves. Every file is written whole or not at all."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..common.figures import save_figure
from ..common.files import replace_whole
from ..errors import UserError


class TrainError(UserError):
    """Training cannot start or go on; the message says why and what to do."""


@dataclass
class Progress:
    """Where a run stands. `position` is (chunk, index) of the next batch of the stream."""

    step: int = 0
    lines: int = 0
    position: tuple[int, int] = (0, 0)
    best: float | None = None
    losses: list[tuple[float, ...]] = field(
        default_factory=list
    )  # step, mean loss, learning rate, and the loss's parts
    parts: list[str] = field(default_factory=list)  # their names, where there is more than one
    scores: list[dict[str, float]] = field(default_factory=list)


def random_state() -> list[torch.Tensor]:
    """Where this process's random generators stand: torch's, and CUDA's where there is one."""
    return [torch.get_rng_state()] + ([torch.cuda.get_rng_state()] if torch.cuda.is_available() else [])


def save_state(folder: Path, progress: Progress, settings: str, ranks: list[list[torch.Tensor]], **parts: Any) -> None:
    """Write `state.pt`: model, optimizer, schedule, random state and progress (tensors and plain values only).

    ranks: `random_state()` of each process; kept where there is more than one.
    """
    state = {
        "settings": settings,
        "progress": dict(vars(progress)),
        "random": torch.get_rng_state(),
        **{name: part.state_dict() for name, part in parts.items()},
    }
    if torch.cuda.is_available():
        state["random_cuda"] = torch.cuda.get_rng_state()
    if len(ranks) > 1:
        state["random_ranks"] = ranks
    with replace_whole(folder / "state.pt") as temporary, temporary.open("wb") as stream:
        torch.save(state, stream)


def load_state(folder: Path) -> dict[str, Any]:
    """Read `state.pt` for --resume. Raises TrainError when there is none."""
    path = folder / "state.pt"
    if not path.exists():
        raise TrainError(f"Nothing to resume: {path} does not exist; start without --resume.")
    return torch.load(path, map_location="cpu", weights_only=True)


def restore_progress(state: dict[str, Any], rank: int = 0) -> Progress:
    """The progress in a loaded state, with the random generators put back, if the run had a process of this rank."""
    ranks = state.get("random_ranks", [])
    if rank < len(ranks):
        found = ranks[rank]
    else:
        found = [state["random"], state.get("random_cuda")] if rank == 0 else [None, None]
    if found[0] is not None:
        torch.set_rng_state(found[0])
    if len(found) > 1 and found[1] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(found[1])
    raw = state["progress"]
    return Progress(**(raw | {"position": tuple(raw["position"]), "losses": [tuple(row) for row in raw["losses"]]}))


def write_curves(folder: Path, progress: Progress, title: str) -> None:
    """`loss.csv`, `scores.csv` and `curves.png` (loss and learning rate; CER and exact lines) of the run so far."""
    _write_csv(folder / "loss.csv", ["step", "loss", "learning_rate", *progress.parts], progress.losses)
    if progress.scores:
        keys = list(progress.scores[-1])
        _write_csv(folder / "scores.csv", keys, [[row.get(key, "") for key in keys] for row in progress.scores])

    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 4), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([row[0] for row in progress.losses], [row[1] for row in progress.losses], color="tab:blue", label="loss")
    for column, (name, color) in enumerate(zip(progress.parts, ("tab:cyan", "tab:purple", "tab:brown")), 3):
        points = [(row[0], row[column]) for row in progress.losses]
        left.plot(*zip(*points), color=color, lw=1, label=name)
    if progress.parts:
        left.legend()
    left.set(
        title="Training",
        xlabel="step (batches)",
        ylabel="loss (parts are weighted)" if progress.parts else "label-smoothed cross-entropy (nats)",
    )
    rate = left.twinx()
    rate.plot([row[0] for row in progress.losses], [row[2] for row in progress.losses], color="tab:gray", lw=1)
    rate.set_ylabel("learning rate")
    for kind, color in (("fake_quant", "tab:orange"), ("converted", "tab:red"), ("float", "tab:green")):
        rows = [row for row in progress.scores if f"{kind}_cer" in row]
        if rows:
            steps = [row["step"] for row in rows]
            right.plot(
                steps, [100 * row[f"{kind}_cer"] for row in rows], color=color, marker="o", ms=3, label=f"CER, {kind}"
            )
            right.plot(
                steps,
                [100 * (1 - row[f"{kind}_exact"]) for row in rows],
                color=color,
                ls="--",
                lw=1,
                marker=".",
                ms=4,
                label=f"lines not exact, {kind}",
            )
    right.set(title="Validation", xlabel="step (batches)", ylabel="% of characters (CER) or of lines", ylim=(0, None))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if progress.scores:
        right.legend()
    figure.suptitle(title)
    save_figure(figure, folder / "curves.png")


def _write_csv(path: Path, header: list[str], rows: list[Any]) -> None:
    with replace_whole(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
