"""What the verbs that read share: counts, sentences on stderr, the reader."""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shared import reading_options

if TYPE_CHECKING:
    from ..reading.predictor import Predictor
    from ..reading.stream import Line

MAX_PAGE_HINTS = 3  # sentences about pictures that look like pages; more would bury the rest
MIN_PAGE_SIDE = 250  # pixels; a scan of one line is lower
MIN_PAGE_SHAPE = 0.5  # height per width from which on a large picture is no line


@dataclass
class Session:
    """What is known while lines are read.

    Attributes:
        options: of the command line.
        failed: how many pictures could not be read.
        read: how many were.
        doubtful: how many of those with a confidence below LOW_CONFIDENCE.
        kept: how many had a row already.
        announced: paths of which stderr has said already that they are missing.
        drawn: thumbnail, text and confidence of the first, for --plot.
        pages: how many looked like pages.
    """

    options: argparse.Namespace
    failed: int = 0
    read: int = 0
    doubtful: int = 0
    kept: int = 0
    announced: set[str] = field(default_factory=set)
    drawn: list[tuple[Any, str, float]] = field(default_factory=list)
    pages: int = 0

    def say(self, sentence: object) -> None:
        """A sentence on stderr, whatever else was asked for."""
        print(f"{self.options.program}: {sentence}", file=sys.stderr)

    def note(self, sentence: object) -> None:
        """One that --quiet leaves out."""
        if not self.options.quiet:
            self.say(sentence)


def open_predictor(session: Session, weights: Path) -> Predictor:
    """Load what reads, and say what computes."""
    from .. import Predictor

    _note_mended(session)
    options = session.options
    predictor = Predictor(
        str(weights),
        options.threads,
        batch_size=options.batch_size,
        engine=options.engine,
        config=options.config,
        options=reading_options(options),
    )
    session.note(f"\n{options.program}: ".join(predictor.about))
    return predictor


def _note_mended(session: Session) -> None:
    """From now on, say as a sentence which damaged pictures were read all the same."""
    from ..pictures.decoding import MendedWarning

    usual = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, MendedWarning):
            session.note(f"warning: {message}")
        else:
            usual(message, category, *where, **more)

    warnings.showwarning = show


def hint_at_page(session: Session, line: Line) -> None:
    """Say so where a picture was read as one line that looks like a page."""
    if line.size is None:
        return
    width, height = line.size
    if min(width, height) < MIN_PAGE_SIDE or height < MIN_PAGE_SHAPE * width:
        return
    session.pages += 1
    if session.pages <= MAX_PAGE_HINTS:
        session.note(
            f"{line.path}: looks like a page ({width} x {height} pixels) and was read as one line; "
            "`quantvietocr receipts` reads pages."
        )
