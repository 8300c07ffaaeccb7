"""From files to pages: pictures, TIFF files of several pages, PDF files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from ..common.packages import need
from ..pictures.apart import call
from ..pictures.find import SUFFIXES
from ..pictures.image import ImageError, frame_count, open_frame, source_name
from ..pictures.kinds import HEAD_BYTES, PDF_MAGIC, kind_of_file

PAGE_SUFFIXES = SUFFIXES | {".pdf"}
PDF_DPI = 250.0  # pixels per inch at which a PDF's pages are drawn: 8-point letters are then 28 px high
MAX_DRAWN = 40_000_000  # pixels; a larger PDF page is drawn at less
USUAL_DPI = 200.0  # pixels per inch of a picture that does not say, or not believably
BELIEVED_DPI = 100, 1200  # pixels per inch, from and to; cameras write 72 for not knowing


@dataclass(frozen=True)
class PageFile:
    """A file that may hold several pages. `count` and `open` raise ImageError for what is wrong with it.

    Attributes:
        path: the file, or what to call it where its content is given.
        content: its bytes, where it is not on the disk; a PDF is then known by how it begins.
    """

    path: str
    content: bytes | None = None

    @cached_property
    def sha256(self) -> str:
        """Hash of the file's bytes, 64 hexadecimal digits. Raises OSError where they cannot be read."""
        if self.content is not None:
            return hashlib.sha256(self.content).hexdigest()
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def count(self) -> int:
        """Number of pages."""
        with self._named():
            return call(count_pages, self.path, self.content)

    def open(self, number: int) -> tuple[Image.Image, float]:
        """Open a page.

        Args:
            number: of the page, from 1.

        Returns:
            The picture in RGB, upright as viewers show it, and its pixels per inch.

        Raises:
            ImageError: the page cannot be read or drawn.
        """
        with self._named():
            return call(open_page, self.path, self.content, number)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Call content that is given by the name that is given with it."""
        try:
            yield
        except ImageError as error:
            if self.content is None:
                raise
            raise type(error)(str(error).replace(source_name(self.content), self.path, 1)) from error


def count_pages(source: str | bytes) -> int:
    """Number of pages of a file, or of content. Raises ImageError."""
    if not _is_pdf(source):
        return frame_count(source)
    with closing(_pdf(source)) as document:
        return len(document)


def open_page(source: str | bytes, number: int) -> tuple[Image.Image, float]:
    """Page `number`, from 1, of a file or of content, and its pixels per inch. Raises ImageError."""
    if not _is_pdf(source):
        picture = open_frame(source, number - 1)
        return picture, _believed(picture.info.get("dpi"))
    with closing(_pdf(source)) as document:
        try:
            page = document[number - 1]
            width, height = page.get_size()
            dpi = min(PDF_DPI, (MAX_DRAWN / max(width * height, 1)) ** 0.5 * 72)
            return page.render(scale=dpi / 72).to_pil().convert("RGB"), dpi
        except (_pdfium().PdfiumError, ValueError) as error:
            raise ImageError(
                f"{source_name(source)}, page {number}: cannot be drawn ({_reason(error)}); save the PDF again, or the "
                "page as a picture."
            ) from error


def _is_pdf(source: str | bytes) -> bool:
    """Whether it is a PDF: by how its content begins, or by the name of a file that cannot be read."""
    if isinstance(source, bytes):
        return PDF_MAGIC in source[:HEAD_BYTES]
    return Path(source).suffix.lower() == ".pdf" or kind_of_file(source) == "PDF"


def _pdf(source: str | bytes) -> Any:
    pdfium, name = _pdfium(), source_name(source)
    try:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{name}: no such file; check the path.") from error
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror}); check the file and its permissions.") from error
    try:
        document = pdfium.PdfDocument(content)
        document.init_forms()  # without it, what was filled into a form is not drawn
        return document
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise ImageError(f"{name}: encrypted; save the PDF without a password first.") from error
        raise ImageError(f"{name}: not a PDF, or a damaged one ({_reason(error)}); save it again.") from error


def _pdfium() -> Any:
    return need("pypdfium2", "reading PDF files")


def _reason(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def _believed(dpi: Any) -> float:
    """Return the pixels per inch that a picture's file names, if a scanner would write them; else the usual ones."""
    try:
        noted = float(dpi[0])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return USUAL_DPI
    return noted if BELIEVED_DPI[0] <= noted <= BELIEVED_DPI[1] else USUAL_DPI
