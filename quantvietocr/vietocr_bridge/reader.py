"""VietOCR's own code as a reader, to compare with."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..checkpoint.types import Checkpoint
from .network import float_network, import_vietocr, save_vietocr


class VietOCRReader:
    """VietOCR's own network and its `process_input` and `translate`, as its `Predictor` calls them (greedy).

    VietOCR's `Predictor` cannot be imported itself: it needs packages that no longer install.

    Args:
        checkpoint: A float checkpoint.

    Raises:
        BridgeError: Where VietOCR is not installed.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        vietocr = import_vietocr()
        self.code = vietocr.translate
        self.vocab = vietocr.Vocab(checkpoint.meta.chars)
        self.sizes = dataclasses.astuple(checkpoint.meta.image)
        self.network = float_network(checkpoint)

    def predict(self, img: Image.Image, return_prob: bool = False) -> Any:
        """The text of an RGB picture of a line, or (text, confidence in [0,1]: the mean over its characters)."""
        texts, confidences = self.predict_batch([img], return_prob=True)
        return (texts[0], confidences[0]) if return_prob else texts[0]

    def predict_batch(self, imgs: Sequence[Image.Image], return_prob: bool = False) -> Any:
        """As `predict`, of pictures that have one width once they are resized, as in VietOCR's buckets.

        Returns:
            The texts, or (texts, confidences in [0,1]).
        """
        batch = torch.cat([self.code.process_input(img, *self.sizes) for img in imgs])
        with np.errstate(invalid="ignore"):  # VietOCR divides 0 by 0 for a line without characters
            ids, confidences = self.code.translate(batch, self.network)
        texts = self.vocab.batch_decode(ids.tolist())
        return (texts, np.nan_to_num(confidences).tolist()) if return_prob else texts

    def file_bytes(self) -> int:
        """Size of the .pth that VietOCR would load these weights from."""
        with tempfile.TemporaryDirectory() as folder:
            return save_vietocr(self.network.state_dict(), Path(folder) / "weights.pth").stat().st_size
