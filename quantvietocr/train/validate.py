"""Score a network on annotated lines: what ships (a checkpoint on its engine), or the module being trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ..checkpoint.types import Checkpoint
from ..dataset.annotation import Sample
from ..reading.evaluate import Validation, score_engine
from ..reading.recognizer import decoder_of


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
        return score_engine(
            ModuleEngine(network), decoder_of(checkpoint), checkpoint.meta.chars, samples, checkpoint.meta.image
        )
    finally:
        for module, mode in modes.items():
            module.training = mode
        for switch, before in zip(observers, watching):
            switch.copy_(before)
