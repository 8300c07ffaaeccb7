"""What a run trains and validates on, from its settings."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
from tqdm import tqdm

from ..checkpoint import Meta
from ..config import Config
from ..dataset.annotation import Sample, read_annotation
from ..dataset.sources import FolderSource, Source, SynthSource
from ..vocab import Vocab


def training_sources(config: Config, meta: Meta) -> list[tuple[Source, float]]:
    """The settings' folders and generator as batch sources; prints what each annotation held and lost."""
    from ..dataset.synth import LineGenerator, SynthConfig
    from ..dataset.synth.degrade import augment

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
        knobs = dataclasses.asdict(data.synth)
        share = knobs.pop("share")
        generator = LineGenerator(SynthConfig(**knobs, max_width=meta.image.max_width), seed=config.train.seed, vocab=meta.chars)
        sources.append((SynthSource(generator, meta.image), share))
    return sources


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
