"""What turns gradients into steps: AdamW, or Muon for the matrices with AdamW for the rest; and the learning rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ..config import TrainConfig

# Coefficients of Jordan's quintic: five rounds bring every singular value of a normalised matrix near 1 (0.7 to 1.2).
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
# Root mean square of AdamW's steps, times the learning rate (Moonlight, arXiv 2502.16982, section 2.2). Muon's are
# scaled to the same, so that one learning rate and one weight decay serve both.
UPDATE_RMS = 0.2
MOMENTUM = 0.95  # of Muon, as Jordan trains
BETAS, EPS = (0.9, 0.98), 1e-9  # of AdamW, as VietOCR trains
MIN_KERNEL = 4  # rows and columns; a smaller matrix has too few directions for Muon to balance


class MuonAdamW(torch.optim.Optimizer):
    """Muon for weight matrices, torch's AdamW for everything else.

    Muon replaces a matrix's momentum by the nearest orthogonal matrix, so that weak directions move as far as strong
    ones. A convolution counts as the matrix (out, in x kernel). Biases, batch norms, embeddings and the output layer
    keep AdamW.

    Args:
        matrices: what Muon moves.
        others: what AdamW moves.
        lr: learning rate of both.
        weight_decay: of both, per unit of learning rate.
        more: further groups for AdamW, with settings of their own.

    Source:
        Jordan 2024, https://kellerjordan.github.io/posts/muon
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        more: Iterable[dict[str, Any]] = (),
    ) -> None:
        rest = [{"params": list(others)}, *more]
        self.adamw = torch.optim.AdamW(rest, lr=lr, betas=BETAS, eps=EPS, weight_decay=weight_decay)
        groups = [{"params": list(matrices), "muon": True}, *self.adamw.param_groups]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay, "muon": False})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here calls a closure
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            if group["muon"]:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._move(parameter, group["lr"], group["weight_decay"])
        # Loading a state replaces groups and state by others, so AdamW is given this optimizer's each time.
        self.adamw.param_groups = [group for group in self.param_groups if not group["muon"]]
        self.adamw.state = self.state
        self.adamw.step()

    def _move(self, parameter: nn.Parameter, lr: float, weight_decay: float) -> None:
        """One step of Muon, with Nesterov momentum."""
        grad, state = parameter.grad, self.state[parameter]
        assert grad is not None
        if not state:
            state["momentum"] = torch.zeros_like(grad)
        momentum = state["momentum"].lerp_(grad, 1 - MOMENTUM)
        matrix = grad.lerp(momentum, MOMENTUM).flatten(1)
        change = orthogonal(matrix) * (UPDATE_RMS * max(matrix.shape) ** 0.5)
        parameter.mul_(1 - lr * weight_decay)
        parameter.add_(change.view(grad.shape), alpha=-lr)


def orthogonal(matrix: Tensor) -> Tensor:
    """The orthogonal factor of a matrix, roughly: Newton–Schulz in `ROUNDS` quintic steps.

    Args:
        matrix: (rows, columns).

    Returns:
        A matrix of that shape whose singular values are about 1.

    Each step multiplies X by a polynomial of X Xᵀ, and these commute: the rounds run on the small Gram matrix alone and
    the large one is multiplied once, a third of the arithmetic for a 512 x 4608 convolution.
    """
    a, b, c = QUINTIC
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide.float()
    gram = wide @ wide.T
    gram /= gram.trace().clamp_min(1e-20)  # the squared Frobenius norm
    scale = (wide.square().sum()).sqrt().clamp_min(1e-10)
    product: Tensor | None = None
    for number in range(ROUNDS):
        factor = b * gram + c * (gram @ gram)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if number + 1 < ROUNDS:
            gram = factor @ gram @ factor
    assert product is not None  # there are rounds
    factor = (product @ wide) / scale
    return factor if matrix.shape[0] <= matrix.shape[1] else factor.T


def make_optimizer(network: nn.Module, run: TrainConfig, learned_lr: float = 1.0) -> torch.optim.Optimizer:
    """The optimizer of `train.optimizer` over all of the network's parameters.

    Args:
        network: in training.
        run: its settings.
        learned_lr: how many times faster the ranges that PACT and LSQ learn move; they have no weight decay.
    """
    named, ranges = [], []
    for name, parameter in network.named_parameters():
        if name.rpartition(".")[2].startswith("learned_"):
            ranges.append(parameter)
        else:
            named.append((name, parameter))
    learned: list[dict[str, Any]] = (
        [{"params": ranges, "lr": run.max_lr * learned_lr, "weight_decay": 0.0}] if ranges else []
    )
    if run.optimizer == "adamw":
        groups: list[dict[str, Any]] = [{"params": [parameter for _, parameter in named]}, *learned]
        return torch.optim.AdamW(groups, lr=run.max_lr, betas=BETAS, eps=EPS, weight_decay=run.weight_decay)
    matrices = [parameter for name, parameter in named if _is_matrix(name, parameter)]
    others = [parameter for name, parameter in named if not _is_matrix(name, parameter)]
    return MuonAdamW(matrices, others, run.max_lr, run.weight_decay, learned)


def make_schedule(optimizer: torch.optim.Optimizer, run: TrainConfig) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate of each step: OneCycle (Smith and Topin 2018), or a trapezoid.

    A trapezoid rises over `pct_start` of the steps, stays, and falls to 0 over the last `cooldown` of them. Until it
    falls it depends on the number of steps only through the rise.

    Source:
        Hägele et al. 2024, arXiv 2405.18392 (the trapezoid)
    """
    if run.schedule == "one-cycle":
        total = run.steps + 1
        # torch divides by the length of a rise less one step; a rise of one begins at the peak, as shorter ones do.
        rise = 0.0 if run.pct_start * total == 1 else run.pct_start
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=total,
            pct_start=rise,
            cycle_momentum=False,
        )
    rise, fall = max(run.pct_start * run.steps, 1), max(run.cooldown * run.steps, 1)
    return torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: max(0.0, min(1.0, (step + 1) / rise, (run.steps - step) / fall))
    )


def _is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether Muon moves it: weights of convolutions, recurrences and inner products, except those on characters."""
    characters = "embedding" in name or "fc_out" in name
    return parameter.ndim >= 2 and not characters and min(parameter.flatten(1).shape) >= MIN_KERNEL
