"""Any number of pictures, read window by window: the next window is opened and resized while this one is read.

Memory stays that of two windows, however many pictures there are; results come in the order of the paths.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

from PIL import Image

from ..pictures.image import ImageError, open_line
from .predictor import Candidates, Predictor

FIRST_WINDOW, WINDOW = 16, 512  # pictures at a time: few at first, to show something; then enough to fill batches
THUMBNAIL = (2000, 64)  # px: the greatest width and height of a picture that is kept to be drawn


@dataclass(frozen=True)
class Line:
    """A picture as it was read.

    Attributes:
        path: The picture's.
        text: What was read; empty where the picture could not be.
        confidence: The chance in [0,1] that the text is right; 0 where the picture could not be read.
        error: Why the picture could not be read; None where it was.
        thumbnail: The picture, small, where it is wanted.
    """

    path: str
    text: str = ""
    confidence: float = 0.0
    error: str | None = None
    thumbnail: Image.Image | None = None


def read_stream(
    predictor: Predictor,
    paths: Iterable[str],
    thumbnails: int = 0,
    progress: Callable[[int], object] = lambda count: None,
) -> Iterator[list[Line]]:
    """Read pictures window by window. One more thread than the predictor's opens them.

    Args:
        predictor: What reads.
        paths: The pictures.
        thumbnails: How many of the first pictures read are kept, small, with their lines.
        progress: Is told how many more lines are done, every few lines.

    Yields:
        Windows of lines, in the order of `paths`; a picture that cannot be read is a line with its error.
    """
    with ThreadPoolExecutor(1) as opener, closing(_windows(paths)) as windows:
        first = next(windows, None)
        opened = opener.submit(_open_all, predictor, first, thumbnails) if first else None
        while opened:
            lines, candidates = opened.result()
            thumbnails -= sum(line.thumbnail is not None for line in lines)
            following = next(windows, None)
            opened = opener.submit(_open_all, predictor, following, thumbnails) if following else None
            progress(len(lines) - len(candidates))
            read = predictor.lines_from_candidates(list(candidates.values()), progress)
            for index, line in zip(candidates, read):
                lines[index] = replace(lines[index], text=line.text, confidence=line.confidence)
            yield lines


def _windows(paths: Iterable[str]) -> Generator[list[str]]:
    rest, size = iter(paths), FIRST_WINDOW
    while window := list(islice(rest, size)):
        yield window
        size = min(2 * size, WINDOW)


def _open_all(predictor: Predictor, paths: list[str], thumbnails: int) -> tuple[list[Line], dict[int, Candidates]]:
    """A line for each path, and the network's input of those that can be read, by index."""
    lines: list[Line] = []
    candidates: dict[int, Candidates] = {}
    for index, path in enumerate(paths):
        try:
            picture = open_line(path)
        except ImageError as error:
            lines.append(Line(path, error=str(error)))
            continue
        candidates[index] = predictor.candidates_of(picture)
        if len(candidates) <= thumbnails:
            picture.thumbnail(THUMBNAIL)
            lines.append(Line(path, thumbnail=picture))
        else:
            lines.append(Line(path))
    return lines, candidates
