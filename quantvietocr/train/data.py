"""What a run trains and validates on, from its settings."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from ..checkpoint.types import Meta
from ..checkpoint.vocab import Vocab
from ..config import Config, SynthSettings
from ..dataset.annotation import Sample, read_annotation
from ..dataset.sources import FolderSource, Source, SynthSource
from ..pictures.image import ImageSpec

if TYPE_CHECKING:
    from ..synth.lines import SynthConfig


def training_sources(config: Config, meta: Meta) -> list[tuple[Source, float]]:
    """The settings' folders and generator as batch sources; prints what each annotation held and lost."""
    from ..synth.lines import LineGenerator
    from ..synth.lines.degrade import augment

    data = config.data
    sources: list[tuple[Source, float]] = []
    vocab = Vocab(meta.chars)
    for entry in data.train:
        annotation = read_annotation(
            entry.annotation, vocab, unknown=data.unknown, replacement=data.replacement, problems=data.problems
        )
        tqdm.write(annotation.report.summary())
        change = partial(augment, strength=entry.augment) if entry.augment > 0 else None
        sources.append((FolderSource(annotation.samples, meta.image, change), entry.share))
    if data.synth.share > 0:
        generator = LineGenerator(synth_config(data.synth, meta.image), seed=config.train.seed, vocab=meta.chars)
        sources.append((SynthSource(generator, meta.image), data.synth.share))
    return sources


def synth_config(settings: SynthSettings, spec: ImageSpec) -> SynthConfig:
    """What generated lines are to be like by the settings, for a network of this input size."""
    from ..synth.lines import SynthConfig

    knobs = dataclasses.asdict(settings)
    del knobs["share"]
    return SynthConfig(**knobs, max_width=spec.max_width)


def validation_samples(config: Config, meta: Meta) -> tuple[Sample, ...]:
    """The lines of `data.valid`, or `data.valid_lines` of them drawn once; none when there is no `data.valid`."""
    data = config.data
    if not data.valid:
        tqdm.write("No data.valid given: the last weights are kept, unscored.")
        return ()
    annotation = read_annotation(
        data.valid, Vocab(meta.chars), unknown=data.unknown, replacement=data.replacement, problems=data.problems
    )
    tqdm.write(annotation.report.summary())
    samples = annotation.samples
    if data.valid_lines and data.valid_lines < len(samples):
        chosen = np.random.default_rng(0).permutation(len(samples))[: data.valid_lines]
        samples = tuple(samples[i] for i in sorted(chosen))
        tqdm.write(f"Validating on {len(samples)} of them (data.valid_lines), drawn once with seed 0.")
    return samples
