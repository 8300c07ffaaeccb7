"""Knowledge distillation (settings `distill`): a quantized or narrower student also learns from another network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint import files
from ..checkpoint.types import Checkpoint, Meta
from ..config import Config
from ..engines.torch_engine import TorchEngine
from ..shipped import weights_file
from ..vietocr_bridge.network import float_network
from ..vietocr_bridge.types import Network
from .state import TrainError
from .teacher import decoder_logits
from .teacher import encode as encoder_outputs


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


def memory_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared error between encoder outputs (S, N, 2E), as a share of the variance of the teacher's; mean over lines.

    A teacher whose encoder takes one step for each row of a column has k times as many positions as a student that
    takes one for the column: what counts then is the mean over the k.

    Source:
        Ding, Chen and Huo 2019, "Compressing CNN-DBLSTM models for OCR with teacher-student learning and Tucker
        decomposition", Pattern Recognition 96, section 3.1 (inner values are matched, not logits alone)
    """
    rows = teacher.shape[0] // student.shape[0]
    expected = teacher.float().unflatten(0, (student.shape[0], rows)).mean(1)
    error = (student.float() - expected).square().mean((0, 2))
    return (error / expected.var(dim=(0, 2))).mean()


@dataclass(frozen=True)
class Outputs:
    """What a network gives for a batch.

    Attributes:
        features: (S, N, C), of the CNN.
        encoded: of the encoder, as `teacher.encode` gives it.
        logits: (N, T, classes) for the known texts.
    """

    features: Tensor
    encoded: tuple[Tensor, ...]
    logits: Tensor


@dataclass(frozen=True)
class Taught:
    """What a teacher gives for a batch: as `Outputs`, with None for what nobody asked."""

    features: Tensor
    encoded: tuple[Tensor, ...] | None = None
    logits: Tensor | None = None


class Teacher(Protocol):
    """A frozen network that teaches."""

    def __call__(self, pixels: Tensor, images: Tensor, tokens: Tensor | None, encode: bool, autocast: Any) -> Taught:
        """Run the network without gradients.

        Args:
            pixels: (N, 3, H, W), uint8.
            images: The same, float32 in [0,1], on the device where the student is.
            tokens: (T, N), go token and characters; None where no logits are wanted.
            encode: whether the encoder's outputs are wanted.
            autocast: the context manager that the student's CNN runs in.
        """
        ...


class FloatTeacher:
    """VietOCR's float network as a teacher.

    Args:
        network: which is frozen here, and put in evaluation mode.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = cast(Network, network.eval().requires_grad_(False))

    @torch.no_grad()
    def __call__(self, pixels: Tensor, images: Tensor, tokens: Tensor | None, encode: bool, autocast: Any) -> Taught:
        """See `Teacher`."""
        with autocast:
            features = self.network.cnn(images)
        if not encode and tokens is None:
            return Taught(features)
        encoded = encoder_outputs(self.network, features.float())
        logits = None if tokens is None else decoder_logits(self.network, encoded, tokens)
        return Taught(features, encoded, logits)


class Int8Teacher:
    """A quantized checkpoint as a teacher, on torch's int8 kernels: several times faster than its float one on a CPU.

    Args:
        checkpoint: quantized.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.engine = TorchEngine(checkpoint)

    def __call__(self, pixels: Tensor, images: Tensor, tokens: Tensor | None, encode: bool, autocast: Any) -> Taught:
        """See `Teacher`; it gives no logits."""
        arrays = self.engine.stages(np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy()))
        features, memory, *rest = (torch.from_numpy(array).to(images.device) for array in arrays)
        return Taught(features.transpose(0, 1), (memory.transpose(0, 1), *rest))


class Distillation:
    """A teacher, and what it adds to the loss.

    Args:
        teacher: what teaches.
        logits: weight of that part; at 0 the teacher's decoder does not run.
        features: weight of that part; 0 switches it off.
        temperature: both networks' logits are divided by it.
        memory: weight of that part; 0 switches it off.
        every: batches from one that the teacher sees to the next. On those its parts count as many times as much, in
            between they are 0.
    """

    def __init__(
        self, teacher: Teacher, logits: float, features: float, temperature: float, memory: float = 0.0, every: int = 1
    ) -> None:
        self.teacher, self.temperature, self.every = teacher, temperature, every
        self.logits, self.features, self.memory = every * logits, every * features, every * memory

    def _check_shapes(self, student: Outputs, taught: Taught) -> None:
        """Raise TrainError where what is to be matched has other sizes."""
        pairs = [("features", student.features, taught.features, 1)] if self.features else []
        if self.memory and taught.encoded is not None:
            memory, *rest = taught.encoded
            pairs += [("memory", student.encoded[0], memory, max(1, len(memory) // len(student.encoded[0])))]
            pairs += [("memory", own, other, 1) for own, other in zip(student.encoded[1:], rest)]
        for name, own, other, rows in pairs:
            if (rows * own.shape[0], *own.shape[1:]) != tuple(other.shape):
                raise TrainError(
                    f"distill.{name} compares values of the shapes {list(own.shape)} (student) and {list(other.shape)} "
                    "(teacher), which do not fit: set it to 0, or choose a teacher of the same widths behind its CNN."
                )

    def silent(self, student: Outputs) -> dict[str, Tensor]:
        """The same parts where the teacher does not see the batch: 0 each."""
        wanted = {"logits": self.logits, "features": self.features, "memory": self.memory}
        return {name: student.features.new_zeros(()) for name, weight in wanted.items() if weight}

    def parts(
        self, pixels: Tensor, images: Tensor, tokens: Tensor, targets: Tensor, student: Outputs, autocast: Any
    ) -> dict[str, Tensor]:
        """The weighted parts of the loss by name.

        Args:
            pixels: (N, 3, H, W), uint8.
            images: (N, 3, H, W), float32.
            tokens: (T, N), go token and characters.
            targets: (N, T), class numbers.
            student: what the student gives.
            autocast: the context manager that the student's CNN runs in.

        Returns:
            `logits`, `features` and `memory`, where their weights are not 0.
        """
        taught = self.teacher(pixels, images, tokens if self.logits else None, self.memory > 0, autocast)
        self._check_shapes(student, taught)
        losses: dict[str, Tensor] = {}
        if taught.logits is not None:
            losses["logits"] = self.logits * logits_loss(student.logits, taught.logits, targets, self.temperature)
        if self.features:
            losses["features"] = self.features * features_loss(student.features, taught.features)
        if self.memory and taught.encoded is not None:
            memory, *rest = taught.encoded
            pairs = zip(student.encoded[1:], rest)
            last = sum(((own - other).square().mean(1) / other.var(dim=1)).mean() for own, other in pairs)
            losses["memory"] = self.memory * (memory_loss(student.encoded[0], memory) + last)
        return losses


def distillation_of(config: Config, meta: Meta, device: torch.device) -> Distillation | None:
    """What the settings `distill` ask for; None where all weights are 0.

    Args:
        config: the settings; the teacher is `distill.teacher`, or `model.weights` where none is named.
        meta: of the student.
        device: where the teacher goes.

    Raises:
        TrainError: the teacher reads other characters or sizes, or is quantized and its logits are wanted.
        CheckpointError, BridgeError: it cannot be read.
    """
    wanted, model = config.distill, config.model
    if not wanted.logits and not wanted.features and not wanted.memory:
        return None
    path = wanted.teacher or model.weights
    if path is None:
        raise TrainError("distill has weights and no teacher: name a checkpoint with distill.teacher.")
    weights = weights_file(path)
    loaded = files.read(weights, files.yaml_for(weights, model.vietocr))
    if (loaded.meta.chars, loaded.meta.image) != (meta.chars, meta.image):
        raise TrainError(
            f"The teacher {path} was made for another vocabulary or image size than {model.weights}: name "
            "one of the same with distill.teacher."
        )
    if wanted.memory and loaded.meta.seq_modeling != meta.seq_modeling:
        raise TrainError(
            f"The teacher {path} has the head {loaded.meta.seq_modeling!r} and the network {meta.seq_modeling!r}, "
            "whose encoders give other things: set distill.memory to 0. Logits and features can be learned."
        )
    knobs = wanted.logits, wanted.features, wanted.temperature, wanted.memory, wanted.every
    if not loaded.is_float:
        if wanted.logits:
            raise TrainError(
                f"The teacher {path} is quantized ({loaded.meta.method}), and only a float one gives logits: name a "
                "float checkpoint with distill.teacher, or set distill.logits to 0."
            )
        return Distillation(Int8Teacher(loaded), *knobs)
    teacher = float_network(loaded, 0.0).to(device)
    teacher.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
    return Distillation(FloatTeacher(teacher), *knobs)
