"""Finds the lines of a page: RapidOCR's text detector where it is installed, projection profiles where it is not."""

from __future__ import annotations

import functools
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
MIN_SEEN_SIDE = 368  # pixels; a page that would be seen narrower is looked at in parts, or small print is lost
OVERLAP = 0.25  # × the width of a page: how far its parts reach into each other, several rows of print
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
        giving_back = onnxruntime.RunOptions()  # the arena's memory, after each page: lines are read without it
        giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        session.run = functools.partial(session.run, run_options=giving_back)
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
        parts = _parts(*page.size)
        for part in parts:
            seen = page if len(parts) == 1 else page.crop((0, part.top, page.width, part.bottom))
            boxes += [moved for box in self._find(seen) if part.owns(moved := box.moved(0, part.top))]
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
    """A part of a page, from edge to edge.

    Attributes:
        top: where it begins, in pixels of the page.
        bottom: where it ends.
        first: where the rows begin that belong to it. Parts reach into each other, and a row belongs to one of them.
        last: where they end.
    """

    top: int
    bottom: int
    first: float
    last: float

    def owns(self, box: Box) -> bool:
        """Whether the middle of a box lies where rows belong to this part."""
        _, top, _, bottom = box.bounds
        return self.first <= (top + bottom) / 2 < self.last


def _parts(width: int, height: int) -> list[_Part]:
    """Cut a long page between its top and bottom, so that each part is seen large enough; most pages are one part.

    Args:
        width: of the page, in pixels.
        height: of the page. A page that is wider than high is one part: its rows may be as long as it is.

    Returns:
        The parts, from the top.
    """
    longest = MAX_PIXELS / min(width, MIN_SEEN_SIDE) ** 2 * width  # pixels of height at which a part is seen so small
    if height <= max(longest, width):
        return [_Part(0, height, -math.inf, math.inf)]
    overlap = round(OVERLAP * width)
    count = math.ceil((height - overlap) / (longest - overlap))
    step = (height - overlap) / count
    tops = [round(index * step) for index in range(count)]
    borders = [-math.inf, *(top + overlap / 2 for top in tops[1:]), math.inf]
    bottoms = [*(top + overlap for top in tops[1:]), height]
    return [_Part(*part) for part in zip(tops, bottoms, borders, borders[1:])]


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
