"""Knowledge distillation (settings `distill`): a quantized student also learns from the float network it came from."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import files
from ..checkpoint.types import Meta
from ..config import Config
from ..shipped import weights_file
from ..vietocr_bridge.network import float_network
from ..vietocr_bridge.types import Network
from .state import TrainError
from .teacher import teacher_forced_logits


def logits_loss(student: Tensor, teacher: Tensor, targets: Tensor, temperature: float, pad: int = 0) -> Tensor:
    """T² KL(softmax(teacher / T) ‖ softmax(student / T)), the mean over real characters.

    The factor T² keeps the size of the gradient whatever the temperature.

    Args:
        student: logits (N, T, classes).
        teacher: logits (N, T, classes).
        targets: (N, T), class numbers.
        temperature: T.
        pad: class number of padding, which does not count.

    Returns:
        A scalar, in nats.

    Source:
        Hinton, Vinyals and Dean 2015, arXiv 1503.02531, section 2
    """
    teacher_logs = F.log_softmax(teacher.float() / temperature, dim=-1)
    student_logs = F.log_softmax(student.float() / temperature, dim=-1)
    each = F.kl_div(student_logs, teacher_logs, reduction="none", log_target=True).sum(-1)
    real = targets != pad
    return temperature**2 * each[real].sum() / real.sum().clamp(min=1)


def features_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error between CNN features (S, N, C), over all positions and channels.

    Source:
        FitNets: Romero et al. 2015, arXiv 1412.6550, equation 3, without the regressor, for both have the same shape
    """
    return F.mse_loss(student.float(), teacher.float())


class Distillation:
    """The teacher, frozen and in evaluation mode, and what it adds to the loss.

    Args:
        teacher: VietOCR's float network, which is frozen here.
        logits: weight of that part; at 0 the teacher's encoder and decoder do not run.
        features: weight of that part; 0 switches it off.
        temperature: both networks' logits are divided by it.
    """

    def __init__(self, teacher: nn.Module, logits: float, features: float, temperature: float) -> None:
        self.teacher = cast(Network, teacher.eval().requires_grad_(False))
        self.logits, self.features, self.temperature = logits, features, temperature

    def parts(
        self, images: Tensor, tokens: Tensor, targets: Tensor, features: Tensor, logits: Tensor, autocast: Any
    ) -> dict[str, Tensor]:
        """The weighted parts of the loss by name.

        Args:
            images: (N, 3, H, W).
            tokens: (T, N), go token and characters.
            targets: (N, T), class numbers.
            features: (S, N, C), the student's.
            logits: (N, T, classes), the student's.
            autocast: the context manager that the student's CNN runs in.

        Returns:
            `logits` and `features`, where their weights are not 0.
        """
        with torch.no_grad():
            with autocast:
                expected = self.teacher.cnn(images)
            taught = teacher_forced_logits(self.teacher.transformer, expected.float(), tokens) if self.logits else None
        losses: dict[str, Tensor] = {}
        if taught is not None:
            losses["logits"] = self.logits * logits_loss(logits, taught, targets, self.temperature)
        if self.features:
            losses["features"] = self.features * features_loss(features, expected)
        return losses


def distillation_of(config: Config, meta: Meta, device: torch.device) -> Distillation | None:
    """What the settings `distill` ask for; None where both weights are 0.

    Args:
        config: the settings; the teacher is `distill.teacher`, or `model.weights` where none is named.
        meta: of the student.
        device: where the teacher goes.

    Raises:
        TrainError: the teacher is quantized, or reads other characters or sizes.
        CheckpointError, BridgeError: it cannot be read.
    """
    wanted, model = config.distill, config.model
    if not wanted.logits and not wanted.features:
        return None
    path = wanted.teacher or model.weights
    if path is None:
        raise TrainError("distill has weights and no teacher: name a float checkpoint with distill.teacher.")
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
    teacher = float_network(loaded, 0.0).to(device)
    teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
    return Distillation(teacher, wanted.logits, wanted.features, wanted.temperature)
