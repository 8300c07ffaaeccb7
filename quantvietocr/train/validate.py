"""Score a network on annotated lines: what ships (a checkpoint on its engine), or the module being trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import nn

from ..checkpoint.types import Checkpoint
from ..dataset.annotation import Sample
from ..engines.base import Encoded
from ..quantize.qat import observer_switches
from ..reading.evaluate import Validation, score_engine
from ..reading.recognizer import decoder_of
from ..vietocr_bridge.types import Network
from .teacher import encode


class ModuleEngine:
    """The network being trained (fake-quantized or float) as an encoder, on its own device, in float32.

    Args:
        network: VietOCR's.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = cast(Network, network)

    @torch.no_grad()
    def encode(self, pixels: np.ndarray) -> Encoded:
        """See `engines.base.Encoder`."""
        device = next(self.network.parameters()).device
        images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
        memory, *rest = encode(self.network, self.network.cnn(images))
        return tuple(part.contiguous().cpu().numpy() for part in (memory.transpose(0, 1), *rest))


def score_module(network: nn.Module, checkpoint: Checkpoint, samples: Sequence[Sample]) -> Validation:
    """Score a network in training, which is in evaluation mode for the while.

    Ranges stay as they are: evaluation mode does not stop observers, which would learn them from the validation lines.

    Args:
        network: VietOCR's, with or without fake quantization.
        checkpoint: lends decoder weights, vocabulary and picture size.
        samples: the lines.
    """
    modes = {module: module.training for module in network.modules()}
    observing = observer_switches(network)
    before = [switch.clone() for switch in observing]
    network.eval()
    for switch in observing:
        switch.fill_(0)
    try:
        return score_engine(
            ModuleEngine(network), decoder_of(checkpoint), checkpoint.meta.chars, samples, checkpoint.meta.image
        )
    finally:
        for module, mode in modes.items():
            module.training = mode
        for switch, state in zip(observing, before):
            switch.copy_(state)
