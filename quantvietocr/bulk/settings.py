"""What decides what is read: the weights and how they read. Pages of two such settings do not get into one folder."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import UserError
from ..reading.options import USUAL, ReadingOptions
from .documents import MAX_MEGABYTES
from .parquet_rows import Columns
from .schema import SCHEMA_VERSION


@dataclass(frozen=True)
class Settings:
    """How documents are read. It goes to every worker.

    Attributes:
        weights: the checkpoint's file.
        lines: whether each picture is one line; else documents hold pages.
        options: what is done about lines beyond reading them once.
        detector: what finds the lines of a page, one of `receipt.detect.DETECTORS`.
        runtime: what computes, one of `engines.choose.ENGINES`.
        config: the YAML of a float model; None where it has VietOCR's vocabulary.
        max_bytes: of a document.
        columns: which columns of parquet files hold what.
    """

    weights: str
    lines: bool = False
    options: ReadingOptions = USUAL
    detector: str = "auto"
    runtime: str = "auto"
    config: str | None = None
    max_bytes: int = MAX_MEGABYTES * 10**6
    columns: Columns = field(default_factory=Columns)

    @cached_property
    def weights_sha256(self) -> str:
        """Hash of the weights. Raises UserError."""
        try:
            with open(self.weights, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"{self.weights}: cannot be read ({error.strerror}); check the path.") from error

    def about(self) -> dict[str, Any]:
        """What decides the rows, as JSON: two jobs with the same may share a folder."""
        about = {
            "schema_version": SCHEMA_VERSION,
            "reads": "lines" if self.lines else "pages",
            "weights": os.path.basename(self.weights),
            "weights_sha256": self.weights_sha256,
            "options": {key: str(value) for key, value in dataclasses.asdict(self.options).items()},
            "runtime": self.runtime,
        }
        return about if self.lines else about | {"detector": detector_version(self.detector)}

    @property
    def fingerprint(self) -> str:
        """Hash of `about`, 64 hexadecimal digits; the weights' name does not count."""
        about = {key: value for key, value in self.about().items() if key != "weights"}
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def detector_version(name: str) -> str:
    """What finds lines where this detector is asked for, without loading it."""
    has_rapidocr = all(importlib.util.find_spec(package) for package in ("rapidocr", "onnxruntime"))
    if name == "profile" or (name == "auto" and not has_rapidocr):
        return "profile"
    return f"rapidocr {importlib.metadata.version('rapidocr')}" if has_rapidocr else "rapidocr"
