"""Batch norm and activation ranges that see a whole batch, of which each process holds a share."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .state import TrainError


def is_observer(module: nn.Module) -> bool:
    """Whether a module is an observer of torch.ao, and not a fake-quant module that holds one."""
    return hasattr(module, "calculate_qparams") and not hasattr(module, "activation_post_process")


class _Sum(torch.autograd.Function):
    """The sum over the processes; so is its gradient."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


class WholeBatchNorm(nn.BatchNorm2d):
    """Batch norm by the statistics of all processes' lines together. (torch's SyncBatchNorm runs only on GPUs.)

    Attributes:
        counts: whether this process's lines are part of them.
    """

    # VietOCR's batch norms keep running statistics, with a momentum; torch allows None for each.
    num_batches_tracked: Tensor
    running_mean: Tensor
    running_var: Tensor
    momentum: float

    counts = True

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        own = values if self.counts else values * 0
        number = torch.tensor(
            [own.numel() // own.shape[1] if self.counts else 0], dtype=values.dtype, device=values.device
        )
        sums = _Sum.apply(torch.cat([own.sum((0, 2, 3)), number]))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centered = values - mean[:, None, None]
        squares = centered.square() if self.counts else centered.square() * 0
        variance = _Sum.apply(squares.sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            unbiased = variance * (count / (count - 1).clamp(min=1))
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        factor = self.weight * torch.rsqrt(variance + self.eps)
        return (centered * factor[:, None, None] + self.bias[:, None, None]).to(x.dtype)


@torch.no_grad()
def reduce_range(observer: nn.Module, inputs: Any, output: Any) -> None:
    """After an observer has seen this process's share: the range it would have of the whole batch.

    An average that starts at m in every process and moves to m + c (low - m) in each is least where low is.
    """
    if not observer.training:  # process 0 validates, alone
        return
    low, high = (getattr(observer, name, None) for name in ("min_val", "max_val"))
    if hasattr(observer, "histogram") or not isinstance(low, Tensor) or not isinstance(high, Tensor):
        raise TrainError(
            f"Several processes cannot train with the observer {type(observer).__name__}, whose ranges do not "
            "follow from each one's share: use quant.observer=moving-average or minmax."
        )
    ends = torch.stack([-low, high])
    dist.all_reduce(ends, dist.ReduceOp.MAX)
    low.copy_(-ends[0])
    high.copy_(ends[1])
