"""Readings of pages and lines, each kept in a file as soon as it is there, so that an interrupted run goes on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image
from tqdm import tqdm

from ... import __version__
from ...common.parsing import json_of
from ...pictures.image import ImageError, open_line
from .match import Piece, quad_of
from .readers import PageContestant, Reading
from .real import RealLines


class Picture(Protocol):
    """A page to read.

    Attributes:
        path: the picture.
        sha256: of its bytes.
    """

    @property
    def path(self) -> Path: ...

    @property
    def sha256(self) -> str: ...


class Notes:
    """What every reader made of every page, in a file with a JSON object a line.

    Args:
        path: the file.
        resume: whether to take what it holds; else it begins anew.
    """

    def __init__(self, path: Path, resume: bool) -> None:
        self.path = path
        if not resume:
            path.unlink(missing_ok=True)
        self.known = _noted(path)
        if self.known and not path.read_bytes().endswith(b"\n"):  # cut short: what is added is a line of its own
            self._append("")
        self.warm: set[str] = set()

    def read_pages(
        self, contestants: Sequence[PageContestant], pictures: Sequence[Picture], name: str
    ) -> list[list[Reading | None]]:
        """Read every page with every reader that has not read it. A picture that cannot be opened is named.

        The readers take turns at each page. Each reads its first page twice, and the first time is not taken.

        Args:
            contestants: the readers.
            pictures: the pages.
            name: of these pages, for the progress bar.

        Returns:
            For each reader, its readings in the order of the pages; None where the picture cannot be opened.
        """
        readings: list[list[Reading | None]] = [[] for _ in contestants]
        with tqdm(total=len(contestants) * len(pictures), desc=name, unit="page") as bar:
            for page in pictures:
                for mine, reading in zip(readings, self._read_page(contestants, page)):
                    mine.append(reading)
                bar.update(len(contestants))
        return readings

    def _read_page(self, contestants: Sequence[PageContestant], page: Picture) -> list[Reading | None]:
        keys = [f"{contestant.name} {contestant.key} {__version__} {page.sha256}" for contestant in contestants]
        if not all(key in self.known for key in keys):
            try:
                picture, open_ms = _open(page.path)
            except ImageError as error:
                tqdm.write(f"{error} It counts as absent for every reader.", file=sys.stderr)
                return [None] * len(keys)
            for contestant, key in zip(contestants, keys):
                if key not in self.known:
                    self._note(key, dataclasses.asdict(self._read(contestant, picture, open_ms)))
        return [_reading(self.known[key]) for key in keys]

    def read_lines(self, contestants: Sequence[PageContestant], lines: RealLines) -> list[list[str]]:
        """Read crops of lines with every reader that has not read them.

        Args:
            contestants: the readers.
            lines: the crops.

        Returns:
            For each reader, the text of each crop.
        """
        which = hashlib.sha256(" ".join(lines.sha256).encode()).hexdigest()
        texts = []
        for contestant in tqdm(contestants, desc=lines.name, unit="reader"):
            key = f"{contestant.name} {contestant.key} {__version__} lines {which}"
            if key not in self.known:
                pictures = [open_line(sample.path) for sample in lines.samples]
                self._note(key, {"texts": contestant.reader.read_lines(pictures)})
            texts.append(self.known[key]["texts"])
        return texts

    def _read(self, contestant: PageContestant, picture: Image.Image, open_ms: float) -> Reading:
        if contestant.name not in self.warm:
            contestant.reader.read(picture)
            self.warm.add(contestant.name)
        reading = contestant.reader.read(picture)
        return dataclasses.replace(reading, stages={"open": open_ms, **reading.stages})

    def _note(self, key: str, noted: dict[str, Any]) -> None:
        row = json.dumps({"key": key, **noted}, ensure_ascii=False)
        self._append(row)
        self.known[key] = json_of(row)

    def _append(self, row: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as log:
            log.write(row + "\n")


def _open(path: Path) -> tuple[Image.Image, float]:
    """Return the picture and how long it took to open, in milliseconds."""
    start = time.perf_counter()
    picture = open_line(path)
    return picture, 1000 * (time.perf_counter() - start)


def _noted(path: Path) -> dict[str, Any]:
    """Return what an earlier run noted, by key."""
    if not path.is_file():
        return {}
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            noted = json_of(line)
        except ValueError:
            continue  # interrupted while it was written: that page is read again
        known[noted["key"]] = noted
    return known


def _reading(noted: dict[str, Any]) -> Reading:
    return Reading(
        tuple(Piece(quad_of(piece["box"]), piece["text"]) for piece in noted["pieces"]),
        noted["fields"],
        tuple((name, quantity, price) for name, quantity, price in noted["items"]),
        noted["ms"],
        noted["recogniser_ms"],
        noted.get("stages", {}),  # version 0.1.0 noted neither
        tuple(noted.get("unsure", ())),
    )
