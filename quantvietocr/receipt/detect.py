"""Finding the lines of a page: RapidOCR's text detector where it is installed, projection profiles where it is not."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from quantvietocr.errors import UserError

from .page import Box
from .profile import find_lines

DETECTORS = ("auto", "rapidocr", "profile")
INSTALL = "pip install -r requirements-receipt.txt"
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
            import onnxruntime  # noqa: F401  RapidOCR says so only once it reads
            import rapidocr
        except ImportError as error:
            raise DetectorError(f"--detector rapidocr: cannot be imported ({error}); run `{INSTALL}`.") from error
        models = sorted(Path(rapidocr.__file__).parent.glob("models/*_det_*.onnx"))
        if len(models) != 1:
            raise DetectorError(f"--detector rapidocr: the package holds {len(models)} detection networks "
                                "(models/*_det_*.onnx) and one is expected; run `pip install --force-reinstall "
                                "rapidocr==3.10.0`.")  # fmt: skip
        self.name = f"RapidOCR {importlib.metadata.version('rapidocr')} ({models[0].stem})"
        self.engine = rapidocr.RapidOCR(params={
            "Global.log_level": "error", "Global.use_preprocess_img": False,  # which makes a thin picture endlessly wide
            "Det.model_path": str(models[0]), "Det.limit_type": "max", "Det.limit_side_len": MOST_PIXELS,  # as it is given
            "Det.unclip_ratio": UNCLIP, "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
        })  # fmt: skip

    def find(self, page: Image.Image) -> list[Box]:
        """See Detector."""
        most = (MOST_PIXELS / (page.width * page.height)) ** 0.5
        scale = min(most, WIDEST / page.width, max(1.0, SHORTEST_SIDE / min(page.size)))
        width, height = (max(1, round(side * scale)) for side in page.size)
        seen = page if (width, height) == page.size else page.resize((width, height), Image.Resampling.BICUBIC)
        bgr = np.ascontiguousarray(np.asarray(seen)[:, :, ::-1])
        found = self.engine(bgr, use_det=True, use_cls=False, use_rec=False).boxes
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
    better = f"; photographs and crowded pages need `{INSTALL}`" if isinstance(detector, ProfileDetector) else ""
    return f"detector: {detector.name}{better}."
