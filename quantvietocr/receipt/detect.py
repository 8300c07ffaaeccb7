"""Finding the lines of a page: RapidOCR's text detector where it is installed, projection profiles where it is not."""

from __future__ import annotations

import importlib.metadata
import logging
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from ..common.packages import how_to_install
from ..errors import UserError
from ..pictures.boxes import Box
from .profile import find_lines

DETECTORS = ("auto", "rapidocr", "profile")
# What the network sees: at most as many pixels, since its memory and time grow with them; a smaller page is enlarged until
# its shorter side has so many, if it then keeps to the former. No wider than so: RapidOCR pads a strip to a fourth of its
# width.
MOST_PIXELS, SHORTEST_SIDE, WIDEST = 800_000, 736, 1800
UNCLIP = 1.45  # less than RapidOCR's 1.6, whose boxes take in marks of the rows above and below


class DetectorError(UserError):
    """A detector is not installed, or fails; the message says what to do."""


class Detector(Protocol):
    """Finds text. `name` says what is at work, for people."""

    name: str

    def find(self, page: Image.Image) -> list[Box]:
        """The lines of an RGB picture, in any order; empty where there is no text."""


class RapidDetector:
    """The text detector that the `rapidocr` package carries (PP-OCRv6, differentiable binarization) on ONNX Runtime;
    nothing downloaded. threads: 0 leaves ONNX Runtime's choice. Raises DetectorError where it is missing."""

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
        # RapidOCR's own session needs 240 MB for a page, and more for pages of many sizes: without an arena every tensor
        # is a block of its own, and a pattern is kept for each size. So it is 110 MB, for any number of sizes.
        options.enable_cpu_mem_arena, options.enable_mem_pattern = True, False
        session = onnxruntime.InferenceSession(str(models[0]), options, providers=["CPUExecutionProvider"])
        settings = {
            "engine_type": EngineType.ONNXRUNTIME,
            "session": session,
            "unclip_ratio": UNCLIP,
            "limit_type": "max",
            "limit_side_len": MOST_PIXELS,  # the picture as it is given
        }
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)
        self.engine = TextDetector(OmegaConf.create(settings, flags={"allow_objects": True}))

    def find(self, page: Image.Image) -> list[Box]:
        """See Detector."""
        most = (MOST_PIXELS / (page.width * page.height)) ** 0.5
        scale = min(most, WIDEST / page.width, max(1.0, SHORTEST_SIDE / min(page.size)))
        width, height = (max(1, round(side * scale)) for side in page.size)
        seen = page if (width, height) == page.size else page.resize((width, height), Image.Resampling.BICUBIC)
        bgr = np.ascontiguousarray(np.asarray(seen)[:, :, ::-1])
        found = self.engine(bgr).boxes
        if found is None:
            return []
        across, down = page.width / width, page.height / height
        return [Box(tuple((float(x) * across, float(y) * down) for x, y in box)) for box in found]


class ProfileDetector:
    """Rows and columns of ink (see `profile`): for clean, flat scans, without any extra package."""

    name = "projection profiles (for clean scans)"

    def find(self, page: Image.Image) -> list[Box]:
        """See Detector."""
        return find_lines(page)


def open_detector(name: str = "auto", threads: int = 0) -> Detector:
    """The detector of that name; auto takes RapidOCR's where it is installed. Raises DetectorError."""
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
    """One sentence on what finds the lines, and on what would do it better."""
    better = (
        f"; photographs and crowded pages need RapidOCR: {how_to_install('rapidocr')}"
        if isinstance(detector, ProfileDetector)
        else ""
    )
    return f"detector: {detector.name}{better}."
