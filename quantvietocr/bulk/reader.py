"""What a worker does with documents: bytes in, rows out. Whatever is wrong with one of them is its row's error."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from PIL import Image

from ..common.packages import MissingPackageError
from ..errors import UserError
from ..pictures.decoding import MendedWarning
from ..pictures.image import open_line, source_name
from .documents import Document, content_of
from .schema import Row, error_row, line_row, page_row
from .settings import Settings

Message = int | list[Row]  # how many pages the document at hand has; or rows of it


class Reader(Protocol):
    """Reads documents.

    Attributes:
        about: sentences that say what computes.
    """

    about: list[str]

    def read(self, documents: Sequence[Document]) -> Iterator[Message]:
        """Read documents.

        Args:
            documents: one of pages; or several lines, which are read together.

        Returns:
            For each document of pages the number of its pages, then the row of each page that is not done yet.
        """


OpenReader = Callable[[], Reader]  # is called in the worker; must be something that can be pickled


def open_reader(settings: Settings) -> Reader:
    """The reader for these settings, on one thread. Raises UserError."""
    from ..reading.predictor import Predictor

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # image.py refuses such a picture, in a sentence
    predictor = Predictor(
        settings.weights, 1, engine=settings.runtime, config=settings.config, options=settings.options
    )
    return LineReader(settings, predictor) if settings.lines else PageReader(settings, predictor)


class LineReader:
    """Reads pictures of one line each.

    Args:
        settings: of the job.
        predictor: reads lines.
    """

    def __init__(self, settings: Settings, predictor: Any) -> None:
        self.settings, self.predictor, self.about = settings, predictor, list(predictor.about)

    def read(self, documents: Sequence[Document]) -> Iterator[list[Row]]:
        """See Reader."""
        weights = self.settings.weights_sha256
        started = time.perf_counter()
        rows: list[Row | None] = []
        hashes: dict[int, str] = {}
        candidates: dict[int, Any] = {}
        for index, document in enumerate(documents):
            sha256 = ""
            try:
                content = content_of(document, self.settings.max_bytes)
                sha256 = hashlib.sha256(content).hexdigest()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", MendedWarning)
                    candidates[index] = self.predictor.candidates_of(open_line(content))
            except Exception as error:  # whatever is wrong with one document, the others are read
                rows.append(error_row(document.uri, _sentence(error, document.uri), 0, 0, sha256, 0.0, weights))
                continue
            rows.append(None)
            hashes[index] = sha256
        lines = self.predictor.lines_from_candidates(list(candidates.values()))
        ms = (time.perf_counter() - started) * 1000 / max(len(documents), 1)
        for (index, sha256), line in zip(hashes.items(), lines):
            rows[index] = line_row(documents[index].uri, sha256, line.text, line.confidence, ms, weights)
        yield [row for row in rows if row is not None]


class PageReader:
    """Reads receipts and other pages.

    Args:
        settings: of the job.
        predictor: reads lines.
    """

    def __init__(self, settings: Settings, predictor: Any) -> None:
        from ..receipt.detect import about, open_detector

        self.settings, self.predictor = settings, predictor
        self.detector = open_detector(settings.detector, 1)
        self.about = [*predictor.about, about(self.detector)]

    def read(self, documents: Sequence[Document]) -> Iterator[Message]:
        """See Reader."""
        for document in documents:
            yield from self._pages(document)

    def _pages(self, document: Document) -> Iterator[Message]:
        from ..receipt.pages import PageFile

        weights, sha256 = self.settings.weights_sha256, ""
        try:
            content = content_of(document, self.settings.max_bytes)
            sha256 = hashlib.sha256(content).hexdigest()
            file = PageFile(document.uri, content)
            count = file.count
        except Exception as error:  # whatever is wrong with one document, the others are read
            yield [error_row(document.uri, _sentence(error, document.uri), 0, 0, sha256, 0.0, weights)]
            return
        yield count
        for number in range(1, count + 1):
            if number in document.done:
                continue
            started = time.perf_counter()
            try:
                row = self._page(file, number, count, sha256, started)
            except Exception as error:  # whatever is wrong with one page, the others are read
                ms = (time.perf_counter() - started) * 1000
                sentence = _sentence(error, document.uri)
                row = error_row(document.uri, sentence, number, count, sha256, ms, weights)
            yield [row]

    def _page(self, file: Any, number: int, count: int, sha256: str, started: float) -> Row:
        from ..receipt.read import read_page

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", MendedWarning)
            picture, dpi = file.open(number)
        page = read_page(
            picture,
            self.predictor,
            self.detector,
            source=file.path,
            number=number,
            count=count,
            dpi=dpi,
            source_sha256=sha256,
        )
        mended = " ".join(str(one.message) for one in caught if issubclass(one.category, MendedWarning))
        ms = (time.perf_counter() - started) * 1000
        return page_row(page, file.path, ms, self.settings.weights_sha256, mended.replace(source_name(b""), file.path))


def _sentence(error: Exception, uri: str) -> str:
    """Why a page could not be read. A package that is missing concerns every page, and is raised again."""
    if isinstance(error, MissingPackageError | ModuleNotFoundError):
        raise error
    if isinstance(error, UserError):
        return str(error).replace(source_name(b""), uri, 1)
    reason = " ".join(str(error).split()).rstrip(".")
    return f"{uri}: passed over ({type(error).__name__}: {reason})."
