"""Knowledge distillation: a quantized student also learns from the float network it was made from (`distill` settings)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import files
from ..checkpoint.types import Meta
from ..config import Config
from ..shipped import weights_file
from ..vietocr_bridge.network import float_network
from .state import TrainError
from .teacher import teacher_forced_logits


def logits_loss(student: Tensor, teacher: Tensor, targets: Tensor, temperature: float, pad: int = 0) -> Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)), the mean over real characters, in nats.

    student, teacher: logits (N, T, classes); targets (N, T), of which `pad` does not count. The factor T² keeps the size of
    the gradient whatever the temperature. (Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2.)
    """
    wanted = F.log_softmax(teacher.float() / temperature, dim=-1)
    found = F.log_softmax(student.float() / temperature, dim=-1)
    each = F.kl_div(found, wanted, reduction="none", log_target=True).sum(-1)
    real = targets != pad
    return temperature**2 * each[real].sum() / real.sum().clamp(min=1)


def features_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error between CNN features (S, N, C), over all positions and channels. (FitNets: Romero et al. 2015,
    arXiv 1412.6550, equation 3, without the regressor: both have the same shape.)"""
    return F.mse_loss(student.float(), teacher.float())


class Distillation:
    """The teacher, frozen and in evaluation mode, and what it adds to the loss.

    teacher: VietOCR's float network, which is set so. A weight of 0 switches its part off: without `logits` the teacher's
    encoder and decoder do not run.
    """

    def __init__(self, teacher: nn.Module, logits: float, features: float, temperature: float) -> None:
        self.teacher = teacher.eval().requires_grad_(False)
        self.logits, self.features, self.temperature = logits, features, temperature

    def parts(
        self, images: Tensor, tokens: Tensor, targets: Tensor, features: Tensor, logits: Tensor, autocast: Any
    ) -> dict[str, Tensor]:
        """The weighted parts of the loss by name, `logits` and `features`, for the student's features and logits.

        images (N,3,H,W); tokens (T,N); targets (N,T); features (S,N,C); logits (N,T,classes). autocast: the student's.
        """
        with torch.no_grad():
            with autocast:
                expected = self.teacher.cnn(images)
            spoken = teacher_forced_logits(self.teacher.transformer, expected.float(), tokens) if self.logits else None
        found: dict[str, Tensor] = {}
        if spoken is not None:
            found["logits"] = self.logits * logits_loss(logits, spoken, targets, self.temperature)
        if self.features:
            found["features"] = self.features * features_loss(features, expected)
        return found


def distillation_of(config: Config, meta: Meta, device: torch.device) -> Distillation | None:
    """What the settings say: None where both weights are 0. The teacher is `distill.teacher`, or `model.weights`.

    meta: of the student. Raises TrainError for a teacher that is quantized or that reads other characters or sizes,
    CheckpointError, BridgeError.
    """
    wanted, model = config.distill, config.model
    if not wanted.logits and not wanted.features:
        return None
    path = wanted.teacher or model.weights
    loaded = files.read(weights_file(path), model.vietocr)
    if not loaded.is_float:
        raise TrainError(
            f"The teacher {path} is quantized ({loaded.meta.method}): name a float checkpoint with distill.teacher."
        )
    if (loaded.meta.chars, loaded.meta.image) != (meta.chars, meta.image):
        raise TrainError(
            f"The teacher {path} was made for another vocabulary or image size than {model.weights}: name "
            "one of the same with distill.teacher."
        )
    teacher = float_network(loaded, 0.0).to(device, memory_format=torch.channels_last)
    return Distillation(teacher, wanted.logits, wanted.features, wanted.temperature)
