"""Finds the lines of a page: RapidOCR's text detector where it is installed, projection profiles where it is not."""

from __future__ import annotations

import importlib.metadata
import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ..common.packages import how_to_install
from ..errors import UserError
from ..pictures.boxes import Box
from .profile import find_lines

DETECTORS = ("auto", "rapidocr", "profile")
# Sizes of the picture that the detection network sees, in pixels.
MAX_PIXELS = 800_000  # its memory and time grow with the number of pixels
MIN_SHORTER_SIDE = 736  # a smaller page is enlarged until its shorter side has so many, within MAX_PIXELS
MAX_WIDTH = 1800  # RapidOCR pads a strip until its height is a fourth of its width
MIN_SEEN_SIDE = 368  # a page whose shorter side would be seen smaller is looked at in parts, or small print is lost
OVERLAP = 0.25  # × the shorter side of a page: how far its parts reach into each other, several rows of print
UNCLIP = 1.45  # growth of a box around its text; with RapidOCR's 1.6, boxes take in marks of the rows above and below


class DetectorError(UserError):
    """A detector is not installed, or fails; the message says what to do."""


class Detector(Protocol):
    """Finds text.

    Attributes:
        name: what is at work, for people.
    """

    name: str

    def find(self, page: Image.Image) -> list[Box]:
        """Return the lines of an RGB picture, in any order; none where there is no text."""


class RapidDetector:
    """The text detector that the package `rapidocr` carries, on ONNX Runtime; nothing is downloaded.

    Args:
        threads: CPU threads; 0 leaves the choice to ONNX Runtime.

    Raises:
        DetectorError: the package is missing, or does not hold one network.

    Source:
        PP-OCRv6; differentiable binarization, Liao et al. 2020, arXiv 1911.08947.
    """

    def __init__(self, threads: int = 0) -> None:
        try:
            import onnxruntime
            import rapidocr
            from omegaconf import OmegaConf
            from rapidocr.ch_ppocr_det import TextDetector
            from rapidocr.utils.typings import EngineType
        except ImportError as error:
            raise DetectorError(
                f"--detector rapidocr: cannot be imported ({error}); {how_to_install('rapidocr')}."
            ) from error
        models = sorted(Path(rapidocr.__file__).parent.glob("models/*_det_*.onnx"))
        if len(models) != 1:
            raise DetectorError(
                f"--detector rapidocr: the package holds {len(models)} detection networks "
                "(models/*_det_*.onnx) and one is expected; run `pip install --force-reinstall "
                "rapidocr==3.10.0`."
            )
        self.name = f"RapidOCR {importlib.metadata.version('rapidocr')} ({models[0].stem})"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        # RapidOCR's own session needs 240 MB for a page, and more for pages of many sizes: without an arena every
        # tensor is a block of its own, and a pattern is kept for each size. These options need 110 MB for any sizes.
        options.enable_cpu_mem_arena, options.enable_mem_pattern = True, False
        session = onnxruntime.InferenceSession(str(models[0]), options, providers=["CPUExecutionProvider"])
        settings = {
            "engine_type": EngineType.ONNXRUNTIME,
            "session": session,
            "unclip_ratio": UNCLIP,
            "limit_type": "max",
            "limit_side_len": MAX_PIXELS,  # no side is longer, so that RapidOCR takes the picture as it is given
        }
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        self.engine: Any = TextDetector(
            OmegaConf.create(settings, flags={"allow_objects": True})  # type: ignore[arg-type]  # it reads it as a dict
        )

    def find(self, page: Image.Image) -> list[Box]:
        """Return the lines of an RGB picture, as `Detector` says. A long page is looked at in parts."""
        boxes: list[Box] = []
        for part in _parts(page.size):
            left, top, *_ = part.outer
            found = self._find(page if part.outer == (0, 0, *page.size) else page.crop(part.outer))
            boxes += [moved for box in found if part.owns(moved := box.moved(left, top))]
        return boxes

    def _find(self, page: Image.Image) -> list[Box]:
        """Return the lines of a picture that is looked at as a whole."""
        largest = (MAX_PIXELS / (page.width * page.height)) ** 0.5
        scale = min(largest, MAX_WIDTH / page.width, max(1.0, MIN_SHORTER_SIDE / min(page.size)))
        width, height = (max(1, round(side * scale)) for side in page.size)
        seen = page if (width, height) == page.size else page.resize((width, height), Image.Resampling.BICUBIC)
        bgr = np.ascontiguousarray(np.asarray(seen)[:, :, ::-1])
        quads = self.engine(bgr).boxes
        if quads is None:
            return []
        across, down = page.width / width, page.height / height
        scaled = [[(float(x) * across, float(y) * down) for x, y in quad] for quad in quads]
        return [Box((first, second, third, fourth)) for first, second, third, fourth in scaled]


@dataclass(frozen=True)
class _Part:
    """A part of a page.

    Attributes:
        outer: what is looked at: left, top, right and bottom, in pixels of the page.
        inner: the parts' inner rectangles cover the page once; a line belongs to the part that has its middle.
    """

    outer: tuple[int, int, int, int]
    inner: tuple[float, float, float, float]

    def owns(self, box: Box) -> bool:
        """Whether the middle of a box lies in the inner rectangle."""
        left, top, right, bottom = box.bounds
        x, y = (left + right) / 2, (top + bottom) / 2
        return self.inner[0] <= x < self.inner[2] and self.inner[1] <= y < self.inner[3]


def _parts(size: tuple[int, int]) -> list[_Part]:
    """Cut a page along its longer side, so that each part is seen large enough; most pages are one part.

    Args:
        size: width and height of the page, in pixels.

    Returns:
        The parts in order.
    """
    shorter, longer = sorted(size)
    most = MAX_PIXELS / min(shorter, MIN_SEEN_SIDE) ** 2 * shorter  # pixels of a part along the longer side
    overlap = round(OVERLAP * shorter)
    count = 1 if longer <= most else math.ceil((longer - overlap) / (most - overlap))
    step = (longer - overlap) / count
    ends = [-math.inf, *(round(index * step) + overlap / 2 for index in range(1, count)), math.inf]
    parts = []
    for index in range(count):
        start, end = round(index * step), min(longer, round((index + 1) * step) + overlap)
        if size[1] >= size[0]:
            parts.append(_Part((0, start, size[0], end), (-math.inf, ends[index], math.inf, ends[index + 1])))
        else:
            parts.append(_Part((start, 0, end, size[1]), (ends[index], -math.inf, ends[index + 1], math.inf)))
    return parts


class ProfileDetector:
    """Finds rows and columns of ink (see `profile`): for clean, flat scans, without any extra package."""

    name = "projection profiles (for clean scans)"

    def find(self, page: Image.Image) -> list[Box]:
        """Return the lines of an RGB picture, as `Detector` says."""
        return find_lines(page)


def open_detector(name: str = "auto", threads: int = 0) -> Detector:
    """Open a detector.

    Args:
        name: one of DETECTORS; `auto` takes RapidOCR's where it is installed.
        threads: CPU threads of RapidOCR's; 0 leaves the choice to ONNX Runtime.

    Returns:
        The detector.

    Raises:
        DetectorError: there is no such detector, or it is not installed.
    """
    if name not in DETECTORS:
        raise DetectorError(f"{name}: no detector is called so; take {', '.join(DETECTORS)}.")
    if name == "profile":
        return ProfileDetector()
    try:
        return RapidDetector(threads)
    except DetectorError:
        if name == "rapidocr":
            raise
        return ProfileDetector()


def about(detector: Detector) -> str:
    """Say in a sentence what finds the lines, and what would do it better."""
    better = ""
    if isinstance(detector, ProfileDetector):
        better = f"; photographs and crowded pages need RapidOCR: {how_to_install('rapidocr')}"
    return f"detector: {detector.name}{better}."
