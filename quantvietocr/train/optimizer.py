"""What turns gradients into steps: AdamW, or Muon for the matrices with AdamW for the rest; and the learning rate."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..config import TrainConfig

# Jordan's quintic: five rounds bring every singular value of a normalised matrix near 1 (0.7 to 1.2).
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
# AdamW's steps have a root mean square of about this times the learning rate (Moonlight, arXiv 2502.16982, section
# 2.2); Muon's are scaled to the same, so that one learning rate and one weight decay serve both.
UPDATE_RMS = 0.2
BETAS, EPS = (0.9, 0.98), 1e-9  # of AdamW, as VietOCR trains


class MuonAdamW(torch.optim.Optimizer):
    """Muon (Jordan 2024, https://kellerjordan.github.io/posts/muon) for weight matrices, AdamW for everything else.

    Muon replaces a matrix's momentum by the nearest orthogonal matrix, so that weak directions move as far as strong
    ones. A convolution counts as the matrix (out, in x kernel). Biases, batch-norm, embeddings and the output layer
    keep AdamW. more: further groups with settings of their own, `muon` among them.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = BETAS,
        eps: float = EPS,
        more: Iterable[dict[str, object]] = (),
    ) -> None:
        groups = [{"params": list(matrices), "muon": True}, {"params": list(others), "muon": False}, *more]
        super().__init__(groups, dict(lr=lr, weight_decay=weight_decay, momentum=momentum, betas=betas, eps=eps))

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                change = self._muon if group["muon"] else self._adam
                parameter.add_(change(parameter.grad, self.state[parameter], group), alpha=-group["lr"])

    @staticmethod
    def _muon(grad: Tensor, state: dict[str, Tensor], group: dict[str, float]) -> Tensor:
        if not state:
            state["momentum"] = torch.zeros_like(grad)
        momentum = state["momentum"].lerp_(grad, 1 - group["momentum"])
        ahead = grad.lerp(momentum, group["momentum"])  # Nesterov
        matrix = ahead.flatten(1)
        return (orthogonal(matrix) * (UPDATE_RMS * max(matrix.shape) ** 0.5)).view(grad.shape)

    @staticmethod
    def _adam(grad: Tensor, state: dict[str, Tensor], group: dict[str, object]) -> Tensor:
        if not state:
            state |= {"step": torch.zeros(()), "mean": torch.zeros_like(grad), "square": torch.zeros_like(grad)}
        first, second = group["betas"]
        state["step"] += 1
        state["mean"].lerp_(grad, 1 - first)
        state["square"].mul_(second).addcmul_(grad, grad, value=1 - second)
        count = state["step"].item()
        spread = (state["square"] / (1 - second**count)).sqrt_().add_(group["eps"])
        return state["mean"] / (1 - first**count) / spread


def orthogonal(matrix: Tensor) -> Tensor:
    """The orthogonal factor of `matrix` (rows, columns), roughly: Newton–Schulz in `ROUNDS` quintic steps.

    Each step multiplies X by a polynomial of X Xᵀ, and these commute: the rounds run on the small Gram matrix alone and
    the large one is multiplied once, a third of the arithmetic for a 512 x 4608 convolution.
    """
    a, b, c = QUINTIC
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide.float()
    gram = wide @ wide.T
    gram /= gram.trace().clamp_min(1e-20)  # the squared Frobenius norm
    scale = (wide.square().sum()).sqrt().clamp_min(1e-10)
    product = None
    for number in range(ROUNDS):
        factor = b * gram + c * (gram @ gram)
        factor.diagonal().add_(a)
        product = factor if product is None else factor @ product
        if number + 1 < ROUNDS:
            gram = factor @ gram @ factor
    found = (product @ wide) / scale
    return found if matrix.shape[0] <= matrix.shape[1] else found.T


def make_optimizer(network: nn.Module, run: TrainConfig, learned_lr: float = 1.0) -> torch.optim.Optimizer:
    """The optimizer of `train.optimizer` over all of the network's parameters.

    learned_lr: by how much the ranges that PACT and LSQ learn move faster; they have no weight decay.
    """
    named, ranges = [], []
    for name, parameter in network.named_parameters():
        if name.rpartition(".")[2].startswith("learned_"):
            ranges.append(parameter)
        else:
            named.append((name, parameter))
    learned = [{"params": ranges, "lr": run.max_lr * learned_lr, "weight_decay": 0.0}] if ranges else []
    if run.optimizer == "adamw":
        groups = [{"params": [parameter for _, parameter in named]}, *learned]
        return torch.optim.AdamW(groups, lr=run.max_lr, betas=BETAS, eps=EPS, weight_decay=run.weight_decay)
    matrices = [parameter for name, parameter in named if _is_matrix(name, parameter)]
    others = [parameter for name, parameter in named if not _is_matrix(name, parameter)]
    return MuonAdamW(
        matrices, others, run.max_lr, run.weight_decay, more=[group | {"muon": False} for group in learned]
    )


def make_schedule(optimizer: torch.optim.Optimizer, run: TrainConfig) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate of each step: OneCycle (Smith and Topin 2018), or a trapezoid.

    A trapezoid rises over `pct_start` of the steps, stays, and falls to 0 over the last `cooldown` of them (Hägele et al.
    2024, arXiv 2405.18392). Until it falls it does not depend on the number of steps but for the rise.
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
    """Whether Muon moves it: weights of convolutions, recurrences and inner products, but for those on characters."""
    characters = "embedding" in name or "fc_out" in name
    return parameter.ndim >= 2 and not characters and min(parameter.flatten(1).shape) > 3
