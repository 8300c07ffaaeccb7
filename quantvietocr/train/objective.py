"""What a step makes smaller: the loss on the texts, and what a teacher adds to it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..dataset.batches import Batch
from ..vietocr_bridge.types import Network
from .distill import Distillation, Outputs
from .distributed import Share
from .teacher import decoder_logits, encode, label_smoothing_loss


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

    Attributes:
        cnn_frozen: whether the CNN stays as it is: in evaluation mode, without gradients.
    """

    cnn_frozen = False

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

    def freeze_cnn(self, frozen: bool) -> None:
        """Let the CNN stay as it is from here on, or train it."""
        if frozen != self.cnn_frozen:
            self.network.cnn.train(not frozen)
            self.cnn_frozen = frozen

    def forward(self, share: Share) -> dict[str, Tensor]:
        batch = share.batch
        images = images_of(batch, self.device)
        tokens, targets = batch.tgt_input.to(self.device), batch.tgt_output.to(self.device)
        with self.autocast, torch.set_grad_enabled(not self.cnn_frozen):
            features = self.network.cnn(images)
        encoded = encode(self.network, features.float())
        logits = decoder_logits(self.network, encoded, tokens)
        parts = {"text": label_smoothing_loss(logits, targets, self.smoothing)}
        if self.distillation is not None:
            student = Outputs(features, encoded, logits)
            if batch.step % self.distillation.every:
                parts |= self.distillation.silent(student)
            else:
                parts |= self.distillation.parts(batch.images, images, tokens, targets, student, self.autocast)
        if share.lines == 1:
            return parts
        return {
            name: part * (share.characters if name in ("text", "logits") else share.lines)
            for name, part in parts.items()
        }
