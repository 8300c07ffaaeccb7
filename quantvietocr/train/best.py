"""The best network of a run so far: scored on the validation lines as it would ship, and kept in the run's folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import nn
from tqdm import tqdm

from ..checkpoint import files
from ..checkpoint.types import Checkpoint, Meta
from ..config import Config
from ..dataset.annotation import Sample
from ..metrics.accuracy import Score
from ..quantize.qat import PreparedCNN
from ..reading.evaluate import Validation, score_checkpoint
from . import ship
from .state import Progress
from .trust import chosen_confidence
from .validate import score_module


class BestKeeper:
    """Keeps `best.safetensors`, and beside an int8 one `best-float.safetensors`: the float weights under it.

    The network before the first step counts too: a training that makes nothing better leaves what it began with, which
    for the quantizing methods is the static conversion with the calibrated ranges.

    Args:
        network: VietOCR's network in training.
        cnn: its CNN with fake-quant modules; None for float.
        config: the run's settings.
        meta: what the files say of themselves, but for scores and layers.
        samples: validation lines; without any, the last network is kept, unscored.
        progress: of the run; scores are added to it.
        folder: of the run.
    """

    def __init__(
        self,
        network: nn.Module,
        cnn: PreparedCNN | None,
        config: Config,
        meta: Meta,
        samples: tuple[Sample, ...],
        progress: Progress,
        folder: Path,
    ) -> None:
        self.network, self.cnn, self.config, self.meta = network, cnn, config, meta
        self.samples, self.progress, self.folder = samples, progress, folder
        self._about_confidence = ""

    def start(self) -> None:
        """Score what would ship before the first step: for the quantizing methods, the static conversion."""
        if self.samples and self.config.model.weights is not None:  # random weights read nothing
            self._score("static")

    def update(self) -> None:
        """Score what would ship now; keep it if it is the best so far."""
        if self.samples:
            self._score(self.config.train.method)
            return
        for name, checkpoint in self._files(self.config.train.method).items():
            files.write(checkpoint, self.folder / name)

    def report(self) -> None:
        """Say once, at the end, which step was kept, and what became of its confidence."""
        if self.progress.best_step == 0:
            tqdm.write(
                "No step made it read the validation lines better: best.safetensors is what training began with"
                f"{', calibrated and converted' if self.cnn is not None else ''}. More lines, more steps or another "
                "train.max_lr may."
            )
        elif self.progress.best_step is not None:
            tqdm.write(f"best.safetensors is of step {self.progress.best_step}.")
        if self._about_confidence:
            tqdm.write(f"best.safetensors: {self._about_confidence}")

    def _score(self, method: str) -> None:
        made = self._files(method)
        read = score_checkpoint(made["best.safetensors"], self.samples)
        scores: dict[str, Score] = {"float" if self.cnn is None else "converted": read.score}
        if self.cnn is not None:
            scores["fake_quant"] = score_module(self.network, made["best.safetensors"], self.samples).score
        step = self.progress.step
        row: dict[str, float] = {"step": step, "lines": self.progress.lines}
        for kind, score in scores.items():
            row |= {f"{kind}_exact": score.exact, f"{kind}_cer": score.cer, f"{kind}_cer_folded": score.cer_folded}
            tqdm.write(
                f"step {step}: {kind}: exact {score.exact:.2%}, CER {score.cer:.2%}, "
                f"without diacritics {score.cer_folded:.2%} ({score.lines} lines)"
            )
        self.progress.scores.append(row)
        if self.progress.best is not None:
            kept = next(row for row in self.progress.scores if row["step"] == self.progress.best_step)
            # Of equals, the one that misreads fewer letters: a small validation set often ties.
            best = self.progress.best, kept[f"{next(iter(scores))}_cer_folded"]
            if (read.score.cer, read.score.cer_folded) >= best:
                return
        self.progress.best, self.progress.best_step = read.score.cer, step
        for name, checkpoint in made.items():
            reading = read if name == "best.safetensors" else score_checkpoint(checkpoint, self.samples)
            files.write(self._with_score(checkpoint, reading), self.folder / name)

    def _files(self, method: str) -> dict[str, Checkpoint]:
        """The files' contents by their names, the one that is scored first."""
        shipped = ship.shipped_checkpoint(self.network, self.cnn, self.config, self.meta, method)
        made = {"best.safetensors": shipped}
        if self.cnn is not None:
            made["best-float.safetensors"] = ship.float_checkpoint(self.network, self.cnn, self.meta)
        return made

    def _with_score(self, checkpoint: Checkpoint, read: Validation) -> Checkpoint:
        """The file with its validation score, and the better confidence for its readings of the validation lines."""
        confidence, sentence = chosen_confidence(read, self.meta.confidence)
        if checkpoint.is_float == (self.cnn is None):  # the file that ships, not the float weights beside it
            self._about_confidence = sentence
        score = read.score
        accuracy = {
            "lines": score.lines,
            "exact": round(score.exact, 6),
            "cer": round(score.cer, 6),
            "cer_folded": round(score.cer_folded, 6),
            "data": "/".join(Path(self.config.data.valid or "").parts[-2:]),
        }
        meta = dataclasses.replace(checkpoint.meta, accuracy=accuracy, confidence=confidence)
        return dataclasses.replace(checkpoint, meta=meta)
