"""TODO"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..checkpoint.types import Checkpoint


class VietOCRReader:
    """VietOCR's own network and its `process_input` and `translate`, as its `Predictor` calls them (greedy).

    VietOCR's `Predictor` cannot be imported itself: it needs packages that no longer install.
    """

    def __init__(self, checkpoint: Checkpoint, vietocr_yaml: str | os.PathLike | None = None) -> None:
        from .network import float_network, import_vietocr

        vietocr = import_vietocr()
        self.code = vietocr.translate
        self.vocab = vietocr.Vocab(checkpoint.meta.chars)
        self.sizes = dataclasses.astuple(checkpoint.meta.image)
        self.network = float_network(checkpoint, vietocr_yaml)

    def predict(self, img: Image.Image, return_prob: bool = False) -> Any:
        texts, confidences = self.predict_batch([img], return_prob=True)
        return (texts[0], confidences[0]) if return_prob else texts[0]

    def predict_batch(self, imgs: Sequence[Image.Image], return_prob: bool = False) -> Any:
        """Pictures of one width once resized, as in VietOCR's buckets."""
        batch = torch.cat([self.code.process_input(img, *self.sizes) for img in imgs])
        with np.errstate(invalid="ignore"):  # VietOCR divides 0 by 0 for a line without characters
            ids, confidences = self.code.translate(batch, self.network)
        texts = self.vocab.batch_decode(ids.tolist())
        return (texts, np.nan_to_num(confidences).tolist()) if return_prob else texts

    def file_bytes(self) -> int:
        """Size of the .pth that VietOCR would load these weights from."""
        from .network import save_vietocr

        with tempfile.TemporaryDirectory() as folder:
            return save_vietocr(self.network.state_dict(), Path(folder) / "weights.pth").stat().st_size
