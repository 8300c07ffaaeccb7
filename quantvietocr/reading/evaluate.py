"""How well a checkpoint reads labelled lines."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from ..checkpoint.types import Checkpoint
from ..dataset.annotation import Sample
from ..dataset.batches import eval_batches
from ..engines.base import Encoder
from ..engines.torch_engine import TorchEngine
from ..metrics.accuracy import Score, score
from ..pictures.image import ImageSpec
from .decode import Reading
from .decoder import Decoder
from .recognizer import decoder_of, one_blas_thread, recognize_batch

BATCH = 32  # lines of one width read together


@dataclass(frozen=True)
class Validation:
    """How a set of lines was read.

    Attributes:
        score: Of all lines.
        readings: Each line's class numbers and probabilities.
        right: Whether each line's text is right.
    """

    score: Score
    readings: tuple[Reading, ...]
    right: tuple[bool, ...]


def score_engine(
    engine: Encoder, decoder: Decoder, chars: str, samples: Sequence[Sample], spec: ImageSpec
) -> Validation:
    """Read every sample and score the texts.

    Args:
        engine: Runs the CNN and the encoder.
        decoder: Chooses the characters.
        chars: The characters that the network knows.
        samples: Labelled lines.
        spec: The sizes of picture that the network takes.

    Raises:
        ImageError: For an unreadable picture.
    """
    references = [sample.text for sample in samples]
    predictions, readings = [""] * len(samples), [Reading((), ())] * len(samples)
    with closing(eval_batches(samples, spec, batch_size=BATCH)) as batches, one_blas_thread()():
        for batch in batches:
            lines = batch.images.permute(0, 2, 3, 1).contiguous().numpy()
            for index, (text, reading) in zip(batch.indices, recognize_batch(engine, decoder, chars, lines)):
                predictions[index], readings[index] = text, reading
    right = tuple(reference == text for reference, text in zip(references, predictions))
    return Validation(score(references, predictions), tuple(readings), right)


def score_checkpoint(checkpoint: Checkpoint, samples: Sequence[Sample]) -> Validation:
    """Score a checkpoint as users will run it: on the CPU engine, from its numbers."""
    return score_engine(
        TorchEngine(checkpoint), decoder_of(checkpoint), checkpoint.meta.chars, samples, checkpoint.meta.image
    )
