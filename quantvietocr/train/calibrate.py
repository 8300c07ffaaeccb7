"""Activation ranges before the first step: measured on training lines."""

from __future__ import annotations

from contextlib import closing

import torch
from torch import nn
from tqdm import tqdm

from ..checkpoint.types import Meta
from ..checkpoint.vocab import Vocab
from ..config import Config
from ..dataset.batches import BatchStream
from ..dataset.sources import Source
from ..quantize import qat
from .objective import images_of


@torch.no_grad()
def calibrate(
    network: nn.Module, cnn: qat.PreparedCNN, sources: list[tuple[Source, float]], config: Config, meta: Meta
) -> None:
    """Measure activation ranges on `quant.calibration_lines` training lines with the float network."""
    qat.start_calibration(cnn)
    wanted = config.quant.calibration_lines
    device = next(network.parameters()).device
    stream = BatchStream(
        sources,
        Vocab(meta.chars),
        config.train.batch_size,
        config.train.pixels_per_batch,
        min(config.data.chunk, wanted),
        config.train.seed + 1,
    )
    with closing(iter(stream)) as batches, tqdm(total=wanted, desc="calibrate", unit="line") as bar:
        while bar.n < wanted:
            batch = next(batches)
            cnn(images_of(batch, device))
            bar.update(len(batch.names))
