"""The state that a run resumes from, `state.pt`, written whole or not at all."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..common.files import replace_whole
from ..errors import UserError

MAX_REASON = 120  # characters of torch's message that are passed on


class TrainError(UserError):
    """Training cannot start or go on; the message says why and what to do."""


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: optimizer steps taken.
        lines: training lines seen in them.
        position: (chunk, index in chunk) of the next batch of the stream.
        best: lowest character error rate on the validation lines so far; None before the first.
        best_step: the step it was reached at; 0 is the network before training.
        losses: rows of step, mean loss since the row before, learning rate, and the loss's parts.
        parts: names of these parts, where there is more than one.
        scores: a row for each validation, by column of `scores.csv`.
        window: the loss's parts of each step since the last row of `losses`.
    """

    step: int = 0
    lines: int = 0
    position: tuple[int, int] = (0, 0)
    best: float | None = None
    best_step: int | None = None
    losses: list[tuple[float, ...]] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)
    window: list[dict[str, float]] = field(default_factory=list)


def random_state() -> list[torch.Tensor]:
    """Where this process's random generators stand: torch's, and CUDA's where there is one."""
    return [torch.get_rng_state()] + ([torch.cuda.get_rng_state()] if torch.cuda.is_available() else [])


def save_state(folder: Path, progress: Progress, settings: str, ranks: list[list[torch.Tensor]], **parts: Any) -> None:
    """Write `state.pt`, of tensors and plain values only.

    Args:
        folder: of the run.
        progress: where the run stands.
        settings: its settings as YAML.
        ranks: `random_state()` of each process; kept where there is more than one.
        parts: what has a `state_dict()`, by its name in the file: network, optimizer and schedule.
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
        torch.save(_interned(state), stream)


def _interned(value: Any) -> Any:
    """The same value with one object for all equal strings.

    A pickle names an object that it has written already, and a resumed run has other objects than one that was never
    stopped: this makes their files the same, byte for byte. A network's state dict has strings of its own in both.
    """
    if isinstance(value, str):
        return sys.intern(value)
    if type(value) is dict:
        return {_interned(key): _interned(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_interned, value))
    return value


def load_state(folder: Path) -> dict[str, Any]:
    """Read `state.pt` for --resume.

    Raises:
        TrainError: there is none, or it is damaged.
    """
    path = folder / "state.pt"
    if not path.exists():
        raise TrainError(f"Nothing to resume: {path} does not exist; start without --resume.")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # damaged bytes may raise anything on the way, none of it from the file's own code
        why = str(error).partition("\n")[0][:MAX_REASON] or "it ends too early"
        raise TrainError(
            f"{path} is damaged ({why}): copy it again, or begin anew with --restart, with the run's "
            "best-float.safetensors as model.weights."
        ) from error


def restore_progress(state: dict[str, Any], rank: int = 0) -> Progress:
    """The progress in a loaded state, with the random generators put back, if the run had a process of this rank."""
    ranks = state.get("random_ranks", [])
    if rank < len(ranks):
        generators = ranks[rank]
    else:
        generators = [state["random"], state.get("random_cuda")] if rank == 0 else [None, None]
    if generators[0] is not None:
        torch.set_rng_state(generators[0])
    if len(generators) > 1 and generators[1] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(generators[1])
    raw = state["progress"]
    return Progress(**(raw | {"position": tuple(raw["position"]), "losses": [tuple(row) for row in raw["losses"]]}))
