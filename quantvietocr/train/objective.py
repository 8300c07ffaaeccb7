"""What a step makes smaller: the loss on the texts, and what a teacher adds to it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..dataset.batches import Batch
from ..vietocr_bridge.types import Network
from .distill import Distillation
from .distributed import Share
from .teacher import label_smoothing_loss, teacher_forced_logits


def images_of(batch: Batch, device: torch.device) -> Tensor:
    """A batch's pictures as the network takes them: float32 (N,3,H,W) in [0,1], channels innermost."""
    images = batch.images.to(device, non_blocking=True).float() / 255
    return images.contiguous(memory_format=torch.channels_last)


class Objective(nn.Module):
    """A network and its loss on a share of a batch, by parts: `text` (label-smoothed cross-entropy), and the teacher's.

    The parts' sum over all processes' shares, each as its fraction of the batch, is the loss of the batch.

    Args:
        network: VietOCR's, in training.
        smoothing: `train.label_smoothing`.
        autocast: a context manager, for the CNN.
        device: where the network is.
        distillation: the teacher; None without one.
    """

    def __init__(
        self,
        network: nn.Module,
        smoothing: float,
        autocast: AbstractContextManager[Any],
        device: torch.device,
        distillation: Distillation | None = None,
    ) -> None:
        super().__init__()
        self.network = cast(Network, network)
        self.smoothing, self.autocast, self.device, self.distillation = smoothing, autocast, device, distillation

    def forward(self, share: Share) -> dict[str, Tensor]:
        batch = share.batch
        images = images_of(batch, self.device)
        tokens, targets = batch.tgt_input.to(self.device), batch.tgt_output.to(self.device)
        with self.autocast:
            features = self.network.cnn(images)
        logits = teacher_forced_logits(self.network.transformer, features.float(), tokens)
        parts = {"text": label_smoothing_loss(logits, targets, self.smoothing)}
        if self.distillation is not None:
            parts |= self.distillation.parts(images, tokens, targets, features, logits, self.autocast)
        if share.lines == 1:
            return parts
        return {name: part * (share.lines if name == "features" else share.characters) for name, part in parts.items()}
