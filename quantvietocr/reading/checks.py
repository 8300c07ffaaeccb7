"""What a reading claims, checked against the picture: that there is a line at all, and how long its runs are."""

from __future__ import annotations

import numpy as np

from .confidence import LineText
from .leaders import MARKS
from .leaders.find import ink, stretches
from .runs import recounted

BLANK = LineText("", 0.0, 0.0)  # the text of a picture in which there is nothing to read
MIN_RULE_SHARE = 0.8  # of the characters: with so many underscores, a reading is of a rule, or of nothing
MIN_UNDERSCORES = 2  # of a reading that may be of nothing
RULE_INKED, CLEAR_INKED = 0.5, 0.05  # share of a row's pixels: inked by a rule, and clear of ink
MIN_CLEAR_ROWS = 0.3  # share of the rows that are clear where there is a rule
MAX_SHORT = 3  # characters: so few may be read in anything
RIM = 2  # px: what is looked at around a line, which is paper
EVEN_LEVELS = 40  # grey levels: paper differs less from its middle one
MIN_EVEN_RIM = 0.7  # share of the rim that is paper: 0.78 and more in 98 real lines of 4 characters or fewer
NO_PAPER_CHANCE = 0.5  # that a short text is right where no paper is around it


def checked(pixels: np.ndarray, line: LineText) -> LineText:
    """Check a reading in which no rule or leader was found.

    Args:
        pixels: The line, uint8 (H,W,3).
        line: How it was read.

    Returns:
        The line; `BLANK` where the picture holds nothing; with another count, or less confidence, where it shows that
        the reading is doubtful.
    """
    text = line.text.replace(" ", "")
    if text.count("_") >= max(MIN_UNDERSCORES, MIN_RULE_SHARE * len(text)):
        return line if _has_rule(pixels) else BLANK
    if text and not text.strip(MARKS) and not ink(pixels)[1].any():
        return BLANK
    if 0 < len(text) <= MAX_SHORT and not _has_paper(pixels):
        return LineText.of_parts(line.text, [line], NO_PAPER_CHANCE)
    return recounted(pixels, line)


def _has_rule(pixels: np.ndarray) -> bool:
    """Whether a picture holds a rule, thin or as thick as a third of a picture that was cut out closely."""
    if stretches(pixels):
        return True
    rows = ink(pixels)[1].mean(axis=1)
    return bool(rows.max() > RULE_INKED and (rows < CLEAR_INKED).mean() > MIN_CLEAR_ROWS)


def _has_paper(pixels: np.ndarray) -> bool:
    """Whether the rim of a picture is even, as paper is around a line, and a photograph's is not."""
    grey = pixels.astype(np.float32).mean(axis=2)
    rim = np.concatenate([grey[:RIM].ravel(), grey[-RIM:].ravel(), grey[:, :RIM].ravel(), grey[:, -RIM:].ravel()])
    return bool((np.abs(rim - np.median(rim)) < EVEN_LEVELS).mean() >= MIN_EVEN_RIM)
