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

from ..common.wording import on_one_line
from ..pictures.apart import call
from ..pictures.image import ImageError, open_line
from .confidence import LineText
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
        size: Width and height of the picture in pixels; None where it was not read from a file.
    """

    path: str
    text: str = ""
    confidence: float = 0.0
    error: str | None = None
    thumbnail: Image.Image | None = None
    size: tuple[int, int] | None = None


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
            for index, line in zip(candidates, _read_all(predictor, lines, candidates, progress)):
                lines[index] = line
            yield lines


def _read_all(
    predictor: Predictor, lines: list[Line], candidates: dict[int, Candidates], progress: Callable[[int], object]
) -> list[Line]:
    """The lines of the candidates, read together; one by one where that fails, so that only those fail that must."""
    told = 0

    def tell(count: int) -> None:
        nonlocal told
        told += count
        progress(count)

    try:
        read = predictor.lines_from_candidates(list(candidates.values()), tell)
    except Exception:  # whatever is wrong with one line, the others are read
        progress(len(candidates) - told)
        return [_read_one(predictor, lines[index], one) for index, one in candidates.items()]
    return [_taken(lines[index], line) for index, line in zip(candidates, read)]


def _read_one(predictor: Predictor, line: Line, candidates: Candidates) -> Line:
    try:
        (read,) = predictor.lines_from_candidates([candidates])
    except Exception as error:
        return replace(line, error=_passed_over(line.path, error), thumbnail=None)
    return _taken(line, read)


def _taken(line: Line, read: LineText) -> Line:
    return replace(line, text=read.text, confidence=read.confidence)


def _passed_over(path: str, error: Exception) -> str:
    """Say why a line could not be read that no other error explains."""
    reason = " ".join(str(error).split()).rstrip(".")
    return f"{on_one_line(path)}: passed over ({type(error).__name__}{reason and ': '}{reason})."


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
            picture = call(open_line, path)
            candidates[index] = predictor.candidates_of(picture)
        except ImageError as error:
            lines.append(Line(path, error=str(error)))
            continue
        except Exception as error:  # whatever is wrong with one picture, the others are read
            lines.append(Line(path, error=_passed_over(path, error)))
            continue
        size = picture.size
        if len(candidates) <= thumbnails:
            picture.thumbnail(THUMBNAIL)
            lines.append(Line(path, thumbnail=picture, size=size))
        else:
            lines.append(Line(path, size=size))
    return lines, candidates
