"""What the server does with an upload: bytes in, what is read on one page out."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from typing import Any, Protocol

from PIL import Image

from ..common.files import reader_name
from ..errors import UserError
from ..pictures.image import MAX_PIXELS
from ..reading.predictor import Predictor
from ..receipt.detect import about, open_detector
from ..receipt.pages import PageFile
from ..receipt.pdf import searchable_pdf
from ..receipt.read import read_page
from ..receipt.tilt import upright

MAX_BYTES = 20 * 2**20  # of an upload: a phone's largest photograph, or a scan of some pages
MAX_SHOWN_SIDE = 1800  # pixels: longer side of the picture that is sent back
JPEG_QUALITY = 82  # of that picture, on Pillow's scale to 95


class Reading(Protocol):
    """What the server needs to know of reading.

    Attributes:
        about: for the page: "readers" (each "name", "file", "about": sentences), "detector" (a sentence), "limits"
            ("bytes", "pixels").
    """

    about: dict[str, Any]

    def read(self, content: bytes, name: str, number: int, reader: int, plain: bool) -> dict[str, Any]:
        """Read one page of an upload.

        Args:
            content: the file's bytes.
            name: what to call the file.
            number: of the page, from 1.
            reader: which of `about["readers"]` reads, from 0.
            plain: leave picture and PDF away.

        Returns:
            {"page": `Page.to_json`}; unless plain, also "picture": a data: URL of the upright page, at most
            MAX_SHOWN_SIDE pixels long, and "pdf": the searchable PDF in base64, or "pdf_error": why there is none.

        Raises:
            UserError: a file that cannot be read.
        """


class PageReading:
    """`Reading` with checkpoints.

    All are opened at once, so that a bad one is reported before anybody comes; the second is let go again until
    somebody compares. Nothing is written: what is sent back is made in memory, the PDF too. It goes out with the
    answer, since making it costs little beside reading, and the upload is gone by the time somebody asks for it.

    Args:
        weights: one or two files, of which the first is the usual reader.
        threads: CPU threads, as `Predictor` takes them.
        detector: name of what finds the lines.

    Raises:
        CheckpointError: a file that is no checkpoint.
        EngineError: an engine that is missing.
    """

    def __init__(self, weights: Sequence[str | os.PathLike], threads: int = 0, detector: str = "auto") -> None:
        self.weights, self.threads = tuple(weights), threads
        opened = [Predictor(path, threads=threads) for path in weights]
        self.predictors: list[Predictor | None] = [opened[0], *[None] * (len(opened) - 1)]
        self.detector = open_detector(detector, threads)
        self.files = [reader_name(path) for path in weights]
        kinds = ["float" if predictor.meta.method == "float" else "int8" for predictor in opened]
        names = kinds if len(set(kinds)) == len(kinds) else self.files
        self.readers: list[dict[str, Any]] = [
            {"name": name, "file": file, "about": predictor.about}
            for name, file, predictor in zip(names, self.files, opened)
        ]
        self.about = {
            "readers": self.readers,
            "detector": about(self.detector),
            "limits": {"bytes": MAX_BYTES, "pixels": MAX_PIXELS},
        }

    def read(self, content: bytes, name: str, number: int, reader: int, plain: bool) -> dict[str, Any]:
        """See Reading."""
        file = PageFile(name, content)
        count = file.count
        if number > count:
            raise UserError(f"{name}: has {count} page(s) and no page {number}; ask for another.")
        picture, dpi = file.open(number)
        page = read_page(
            picture,
            self._predictor(reader),
            self.detector,
            source=name,
            number=number,
            count=count,
            dpi=dpi,
            source_sha256=file.sha256,
            reader=self.files[reader],
        )
        if plain:
            return {"page": page.to_json()}
        shown = upright(picture, page)
        answer = {"page": page.to_json(), "picture": _data_url(shown)}
        try:
            return answer | {"pdf": base64.b64encode(searchable_pdf(page, shown)).decode("ascii")}
        except UserError as error:
            return answer | {"pdf_error": str(error)}

    def _predictor(self, reader: int) -> Predictor:
        """Uploads take turns, so that no two of them load it."""
        predictor = self.predictors[reader]
        if predictor is None:
            predictor = self.predictors[reader] = Predictor(self.weights[reader], threads=self.threads)
        return predictor


def _data_url(picture: Image.Image) -> str:
    shown = picture.copy()
    shown.thumbnail((MAX_SHOWN_SIDE, MAX_SHOWN_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    shown.save(file, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
