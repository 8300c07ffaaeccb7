"""`infer.py --receipt PATH… --out DIR`."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from .. import Predictor
from ..errors import UserError
from ..pictures.find import find_pictures
from ..receipt.detect import about, open_detector
from ..receipt.files import outside, read_files, reader_name
from ..receipt.pages import PAGE_SUFFIXES
from .shared import reading_options


def run(options: argparse.Namespace, say: Callable[[object], None]) -> int:
    """Read the pages that infer.py's options name into `options.out`; the exit code: 0 all read, 1 some not.

    Raises UserError where nothing can be done, OSError where `options.out` cannot be written.
    """
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # image.py refuses such a picture, in a sentence
    found = find_pictures(options.paths, PAGE_SUFFIXES)
    out = Path(options.out)
    paths, inside = outside(found.paths, out)
    for sentence in found.notes + found.problems:
        say(sentence)
    if inside:
        say(f"{inside} files in {out} are results: not read.")
    if not paths:
        raise UserError("no pages to read; name pictures, PDF files, folders or patterns.")
    out.mkdir(parents=True, exist_ok=True)  # if it cannot be, then before the long part
    reading = reading_options(options)
    predictor = Predictor(
        options.weights,
        options.threads,
        batch_size=options.batch_size,
        engine=options.engine,
        config=options.config,
        options=reading,
    )
    detector = open_detector(options.detector, options.threads)
    say("\ninfer.py: ".join([*predictor.about, about(detector)]))
    tally = read_files(
        paths,
        options.paths,
        predictor,
        detector,
        out,
        reader_name(options.weights, **reading.unusual()),
        options.format,
        say,
    )
    if not tally.read + tally.kept:
        say(f"{tally}.")
        return 2
    say(f"{tally}; the results are in {out}.")
    return 1 if tally.failed or found.problems else 0
