"""Score a network on annotated lines: what ships (a checkpoint on its engine), or the module being trained."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Sequence

import numpy as np
import torch
from torch import nn

from ..dataset.annotation import Sample
from ..dataset.batches import eval_batches
from ..decode import Decoder, Reading
from ..engines.base import Encoder
from ..engines.torch_engine import TorchEngine
from ..checkpoint import Checkpoint
from ..image import ImageSpec
from ..metrics import Score, score
from ..predictor import decoder_of, one_blas_thread, read_lines


@dataclass(frozen=True)
class Validation:
    """The score of a set of lines, each line's reading, and whether it is right."""

    score: Score
    readings: tuple[Reading, ...]
    right: tuple[bool, ...]


class ModuleEngine:
    """The network being trained (fake-quantized or float) as an encoder, on its own device, in float32."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    @torch.no_grad()
    def encode(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 pixels (N,H,W,3) → memory (N,S,2E), hidden (N,D)."""
        device = next(self.network.parameters()).device
        images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
        memory, hidden = self.network.transformer.encoder(self.network.cnn(images))
        return memory.transpose(0, 1).contiguous().cpu().numpy(), hidden.cpu().numpy()


def score_engine(engine: Encoder, decoder: Decoder, chars: str, samples: Sequence[Sample], spec: ImageSpec) -> Validation:
    """Read every sample and score the texts. Raises ImageError for an unreadable picture."""
    references = [sample.text for sample in samples]
    predictions, readings = [""] * len(samples), [Reading((), ())] * len(samples)
    with closing(eval_batches(samples, spec, batch_size=32)) as batches, one_blas_thread()():
        for batch in batches:
            lines = batch.images.permute(0, 2, 3, 1).contiguous().numpy()
            for index, (text, reading) in zip(batch.indices, read_lines(engine, decoder, chars, lines)):
                predictions[index], readings[index] = text, reading
    right = tuple(reference == text for reference, text in zip(references, predictions))
    return Validation(score(references, predictions), tuple(readings), right)


def score_checkpoint(checkpoint: Checkpoint, samples: Sequence[Sample]) -> Validation:
    """Score a checkpoint as users will run it: on the CPU engine, from its numbers."""
    return score_engine(TorchEngine(checkpoint), decoder_of(checkpoint), checkpoint.meta.chars, samples, checkpoint.meta.image)


def score_module(network: nn.Module, checkpoint: Checkpoint, samples: Sequence[Sample]) -> Validation:
    """Score `network` as it trains (evaluation mode for the while); `checkpoint` lends decoder weights and vocabulary.

    Ranges stay as they are: evaluation mode does not stop observers, which would learn them from the validation lines.
    """
    modes = {module: module.training for module in network.modules()}
    observers = [module.observer_enabled for module in network.modules() if hasattr(module, "observer_enabled")]
    watching = [switch.clone() for switch in observers]
    network.eval()
    for switch in observers:
        switch.fill_(0)
    try:
        return score_engine(ModuleEngine(network), decoder_of(checkpoint), checkpoint.meta.chars, samples, checkpoint.meta.image)
    finally:
        for module, mode in modes.items():
            module.training = mode
        for switch, before in zip(observers, watching):
            switch.copy_(before)
