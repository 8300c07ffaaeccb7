"""Other readers, for a comparison on the same crops: Tesseract (its program) and RapidOCR (its Python package)."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..common.packages import how_to_install
from ..errors import UserError

PEERS = ("tesseract", "rapidocr")
# Measured on 300 generated and 400 scanned lines with Tesseract 5.3: crops below 48 px read better enlarged to 48 (exact
# lines 44.0 → 49.3 % and 67.8 → 70.0 %) than as they are, and a border of 10 px, white or of the crop's own edge, made
# them worse or no better (CER 5.07 → 5.08 % and 1.45 → 1.51 %).
TESSERACT_HEIGHT = 48
FEWEST_PIXELS = 3  # Tesseract refuses narrower lines


class PeerError(UserError):
    """Another reader is not installed, or fails; the message says what to do."""


class Tesseract:
    """The `tesseract` program with Vietnamese data, its neural network alone, a crop taken for one line (psm 7).

    A batch is one process that reads a list of pictures. The confidence of a line is that of its least certain word: any
    wrong word makes a wrong line, and it separates right lines from wrong better than the words' mean or product
    (AUROC 0.90, 0.88, 0.87 on the generated lines, 0.87, 0.80, 0.84 on the scanned). Crops below TESSERACT_HEIGHT are
    enlarged to it. threads: OpenMP threads; 0 leaves Tesseract's choice.
    Raises PeerError where the program or its Vietnamese data is missing, or it fails.
    """

    def __init__(self, threads: int = 1) -> None:
        self.environment = os.environ | ({"OMP_THREAD_LIMIT": str(threads)} if threads else {})
        if shutil.which("tesseract") is None:
            raise PeerError(
                "--peer tesseract: there is no program tesseract on the PATH; run `apt-get install "
                "tesseract-ocr tesseract-ocr-vie`."
            )
        heading, *languages = self._run(["--list-langs"]).splitlines() or [""]
        if "vie" not in map(str.strip, languages):
            raise PeerError(
                "--peer tesseract: Tesseract has no Vietnamese data (`tesseract --list-langs` does not list "
                "vie); run `apt-get install tesseract-ocr-vie`."
            )
        place = re.search(r'"(.+)"', heading)
        if place is None:
            raise PeerError(
                "--peer tesseract: this Tesseract does not say where its data is (`tesseract --list-langs`), as "
                "versions before 5 do not; install Tesseract 5."
            )
        self.data = Path(place[1]) / "vie.traineddata"
        if not self.data.is_file():
            raise PeerError(
                f"--peer tesseract: {self.data} is not there although Tesseract lists vie; set "
                "TESSDATA_PREFIX to the folder that holds it."
            )
        self.version = (self._run(["--version"]).split() + ["", "unknown"])[1]

    def predict(self, img: Image.Image, return_prob: bool = False) -> Any:
        """One line by a process of its own; a batch is many times faster."""
        texts, confidences = self.predict_batch([img], return_prob=True)
        return (texts[0], confidences[0]) if return_prob else texts[0]

    def predict_batch(self, imgs: Sequence[Image.Image], return_prob: bool = False) -> Any:
        """RGB pictures by one process: texts (NFC), or (texts, confidences in [0, 1]); "" and 0 where it finds no word."""
        with tempfile.TemporaryDirectory() as folder:
            names = [f"{number}.ppm" for number in range(len(imgs))]
            for name, img in zip(names, imgs):
                _enlarged(img).save(Path(folder, name))  # PPM: nothing to unpack
            Path(folder, "list.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
            table = self._run(["list.txt", "stdout", "-l", "vie", "--psm", "7", "--oem", "1", "tsv"], folder)
        pages = _pages(table)
        if sorted(pages) != list(range(1, len(imgs) + 1)):
            raise PeerError(
                f"Tesseract was given {len(imgs)} pictures and told of {len(pages)} pages: try another version "
                f"than {self.version}."
            )
        words = [pages[number] for number in sorted(pages)]
        texts = [unicodedata.normalize("NFC", " ".join(word for word, _ in line)) for line in words]
        return (texts, [min((share for _, share in line), default=0.0) for line in words]) if return_prob else texts

    def stored(self) -> str:
        """The number type of the network's weights, which `combine_tessdata` (of Tesseract's package) tells."""
        if shutil.which("combine_tessdata") is None:
            return "not told: no combine_tessdata"
        found = subprocess.run(["combine_tessdata", "-l", str(self.data)], capture_output=True, text=True, check=False)
        mode = re.search(r"int_mode=(\d)", found.stdout)
        return {"0": "float", "1": "int8"}.get(mode[1] if mode else "", "not told by combine_tessdata")

    def _run(self, arguments: list[str], folder: str | None = None) -> str:
        done = subprocess.run(
            ["tesseract", *arguments], cwd=folder, env=self.environment, capture_output=True, check=False
        )
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split()) or "nothing on stderr"
            raise PeerError(
                f"Tesseract failed (exit code {done.returncode}) at `tesseract {' '.join(arguments)}`: {said[-300:]}"
            )
        return done.stdout.decode("utf-8")


class RapidOCR:
    """The recognition network that the `rapidocr` package carries, on ONNX Runtime; no detection, nothing downloaded.

    Confidence is RapidOCR's own: the mean probability of the characters. threads: 0 leaves ONNX Runtime's choice.
    Raises PeerError where the package or its network is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        try:
            import onnxruntime  # noqa: F401  RapidOCR says so only once it reads
            import rapidocr
        except ImportError as error:
            raise PeerError(f"--peer rapidocr: cannot be imported ({error}); {how_to_install('rapidocr')}.") from error
        models = sorted(Path(rapidocr.__file__).parent.glob("models/*_rec_*.onnx"))
        if len(models) != 1:
            raise PeerError(
                f"--peer rapidocr: the package holds {len(models)} recognition networks (models/*_rec_*.onnx) "
                "and one is expected; run `pip install --force-reinstall rapidocr==3.10.0`."
            )
        self.data = models[0]
        self.version = importlib.metadata.version("rapidocr")
        self.engine = rapidocr.RapidOCR(
            params={
                "Global.log_level": "error",
                "Rec.model_path": str(self.data),
                "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
            }
        )

    def predict(self, img: Image.Image, return_prob: bool = False) -> Any:
        """One line."""
        texts, confidences = self.predict_batch([img], return_prob=True)
        return (texts[0], confidences[0]) if return_prob else texts[0]

    def predict_batch(self, imgs: Sequence[Image.Image], return_prob: bool = False) -> Any:
        """RGB pictures: texts (NFC), or (texts, confidences in [0, 1])."""
        found = self.engine.recognize_txt([np.ascontiguousarray(np.asarray(img)[:, :, ::-1]) for img in imgs])  # BGR
        texts = [unicodedata.normalize("NFC", text).strip() for text in found.txts]
        return (texts, [float(share) for share in found.scores]) if return_prob else texts

    def characters(self) -> set[str]:
        """What the network can write; its file lists them, a line each, and RapidOCR adds the space."""
        import onnxruntime

        listed = onnxruntime.InferenceSession(str(self.data), providers=["CPUExecutionProvider"]).get_modelmeta()
        return {" ", *listed.custom_metadata_map["character"].splitlines()}


def _enlarged(img: Image.Image) -> Image.Image:
    """At least TESSERACT_HEIGHT high, in proportion, and wide enough for Tesseract to take it."""
    height = max(img.height, TESSERACT_HEIGHT)
    width = max(round(img.width * height / img.height), FEWEST_PIXELS)
    return img if (width, height) == img.size else img.resize((width, height), Image.Resampling.LANCZOS)


def _pages(table: str) -> dict[int, list[tuple[str, float]]]:
    """Tesseract's TSV as page number → its words and their confidences in [0, 1].

    Twelve columns: level (1 page … 5 word), page number, eight places in the page, confidence in %, text.
    """
    pages: dict[int, list[tuple[str, float]]] = {}
    for row in table.splitlines()[1:]:
        cells = row.split("\t", 11)
        if cells[0] == "1":
            pages[int(cells[1])] = []
        elif cells[0] == "5" and cells[11].strip():
            pages[int(cells[1])].append((cells[11].strip(), float(cells[10]) / 100))
    return pages
