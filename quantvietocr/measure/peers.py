"""Other readers for a comparison on the same crops: Tesseract (a program), RapidOCR and AsterOCR (Python packages)."""

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

OTHER_READERS = ("tesseract", "rapidocr", "asterocr")  # as --peer names them
# Measured on 300 generated and 400 scanned lines with Tesseract 5.3: crops below 48 px read better enlarged to 48
# (exact lines 44.0 → 49.3 % and 67.8 → 70.0 %) than as they are. A border of 10 px, white or of the crop's own edge,
# made them worse or no better (CER 5.07 → 5.08 % and 1.45 → 1.51 %).
TESSERACT_HEIGHT = 48  # px; lower crops are enlarged to it
MIN_TESSERACT_WIDTH = 3  # px; Tesseract refuses narrower lines
ASTEROCR_HEIGHT = 32  # px, of the network's pictures
ASTEROCR_MAX_WIDTH = 1024  # px at that height: the network has 256 positions of 4 px


class PeerError(UserError):
    """Another reader is not installed, or fails; the message says what to do."""


class Tesseract:
    """The `tesseract` program with Vietnamese data, its neural network alone, a crop taken for one line (psm 7).

    A batch is one process that reads a list of pictures. The confidence of a line is that of its least certain word:
    any wrong word makes a wrong line, and it separates right lines from wrong better than the words' mean or product
    (AUROC 0.90, 0.88, 0.87 on the generated lines, 0.87, 0.80, 0.84 on the scanned). Crops below TESSERACT_HEIGHT are
    enlarged to it.

    Raises:
        PeerError: the program or its Vietnamese data is missing, or the program fails.
    """

    def __init__(self, threads: int = 1) -> None:
        """Find the program and its data.

        Args:
            threads: of OpenMP; 0 leaves Tesseract's choice.
        """
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
        quoted_folder = re.search(r'"(.+)"', heading)
        if quoted_folder is None:
            raise PeerError(
                "--peer tesseract: this Tesseract does not say where its data is (`tesseract --list-langs`), as "
                "versions before 5 do not; install Tesseract 5."
            )
        self.data = Path(quoted_folder[1]) / "vie.traineddata"
        if not self.data.is_file():
            raise PeerError(
                f"--peer tesseract: {self.data} is not there although Tesseract lists vie; set "
                "TESSDATA_PREFIX to the folder that holds it."
            )
        self.version = [*self._run(["--version"]).split(), "", "unknown"][1]

    def predict(self, img: Image.Image, return_prob: bool = False) -> Any:
        """One line by a process of its own; a batch is many times faster."""
        texts, confidences = self.predict_batch([img], return_prob=True)
        return (texts[0], confidences[0]) if return_prob else texts[0]

    def predict_batch(self, imgs: Sequence[Image.Image], return_prob: bool = False) -> Any:
        """RGB pictures by one process: texts (NFC), or (texts, confidences in [0, 1]); "" and 0 without a word."""
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
        listing = subprocess.run(
            ["combine_tessdata", "-l", str(self.data)], capture_output=True, text=True, check=False
        ).stdout
        mode = re.search(r"int_mode=(\d)", listing)
        return {"0": "float", "1": "int8"}.get(mode[1] if mode else "", "not told by combine_tessdata")

    def _run(self, arguments: list[str], folder: str | None = None) -> str:
        done = subprocess.run(
            ["tesseract", *arguments], cwd=folder, env=self.environment, capture_output=True, check=False
        )
        if done.returncode:
            reason = " ".join(done.stderr.decode("utf-8", "replace").split()) or "nothing on stderr"
            raise PeerError(
                f"Tesseract failed (exit code {done.returncode}) at `tesseract {' '.join(arguments)}`: {reason[-300:]}"
            )
        return done.stdout.decode("utf-8")


class RapidOCR:
    """The recognition network that the `rapidocr` package carries, on ONNX Runtime; no detection, nothing downloaded.

    Confidence is RapidOCR's own: the mean probability of the characters.

    Raises:
        PeerError: the package or its network is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        """Open the network.

        Args:
            threads: of ONNX Runtime; 0 leaves its choice.
        """
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
        readings = self.engine.recognize_txt([np.ascontiguousarray(np.asarray(img)[:, :, ::-1]) for img in imgs])  # BGR
        texts = [unicodedata.normalize("NFC", text).strip() for text in readings.txts or ()]
        return (texts, [float(share) for share in readings.scores or ()]) if return_prob else texts

    def characters(self) -> set[str]:
        """What the network can write; its file lists them, a line each, and RapidOCR adds the space."""
        import onnxruntime

        listed = onnxruntime.InferenceSession(str(self.data), providers=["CPUExecutionProvider"]).get_modelmeta()
        return {" ", *listed.custom_metadata_map["character"].splitlines()}


class AsterOCR:
    """The network and the decoding that the `asterocr` package carries, on ONNX Runtime; nothing is downloaded.

    Its pictures, its decoding and its batches, one line after another, are the package's own. The network takes lines
    of at most ASTEROCR_MAX_WIDTH px at height 32 and fails on wider ones, so these are squeezed to that width. The
    package tells no confidence. This one is the probability of the least certain character, as a line is wrong where
    one character is.

    Raises:
        PeerError: the package or its network is missing.
    """

    def __init__(self, threads: int = 1) -> None:
        """Open the network.

        Args:
            threads: of ONNX Runtime; 0 leaves its choice.
        """
        try:
            import asterocr
            import onnxruntime
        except ImportError as error:
            raise PeerError(f"--peer asterocr: cannot be imported ({error}); {how_to_install('asterocr')}.") from error
        self.data = Path(asterocr.__file__).parent / "assets" / "asternet.onnx"
        if not self.data.is_file():  # the package would look for it in other folders and on the network
            raise PeerError(
                "--peer asterocr: the package does not hold its network (assets/asternet.onnx); run "
                "`pip install --force-reinstall asterocr==1.0.2`."
            )
        self.version = importlib.metadata.version("asterocr")
        self.engine = asterocr.AsterOCR(model_path=str(self.data))
        options = onnxruntime.SessionOptions()  # the package's own session takes every core
        options.intra_op_num_threads = threads
        self.engine.session = onnxruntime.InferenceSession(str(self.data), options, providers=["CPUExecutionProvider"])

    def predict(self, img: Image.Image, return_prob: bool = False) -> Any:
        """One line: its text (NFC), or (text, confidence in [0, 1])."""
        pixels = self.engine.preprocess_image(_squeezed(img))
        (log_probabilities,) = self.engine.session.run([self.engine.output_name], {self.engine.input_name: pixels})
        text = unicodedata.normalize("NFC", self.engine.decode_ctc(log_probabilities)).strip()
        return (text, self._confidence(log_probabilities[:, 0])) if return_prob else text

    def predict_batch(self, imgs: Sequence[Image.Image], return_prob: bool = False) -> Any:
        """RGB pictures, one after another: texts, or (texts, confidences)."""
        readings = [self.predict(img, return_prob=True) for img in imgs]
        texts = [text for text, _ in readings]
        return (texts, [confidence for _, confidence in readings]) if return_prob else texts

    def characters(self) -> set[str]:
        """What the network can write."""
        vocab = self.engine.vocab
        return {char for index, char in vocab.idx2char.items() if index != vocab.blank_idx}

    def _confidence(self, log_probabilities: np.ndarray) -> float:
        """The probability of the least certain character that decoding keeps, 0 where it keeps none.

        Args:
            log_probabilities: (positions, characters), of one line.
        """
        best = log_probabilities.argmax(axis=1)
        kept = (best != self.engine.vocab.blank_idx) & (np.diff(best, prepend=-1) != 0)
        return float(np.exp(log_probabilities.max(axis=1)[kept].min())) if kept.any() else 0.0


def squeezed_for_asterocr(width: int, height: int) -> bool:
    """Whether a picture of a line is too wide for AsterOCR's network.

    Args:
        width: of the picture, px.
        height: of the picture, px.
    """
    return width * ASTEROCR_HEIGHT > ASTEROCR_MAX_WIDTH * height


def _squeezed(img: Image.Image) -> Image.Image:
    """A picture that AsterOCR's network takes, resized as the package does it."""
    if not squeezed_for_asterocr(*img.size):
        return img
    return img.resize((ASTEROCR_MAX_WIDTH, ASTEROCR_HEIGHT), Image.Resampling.BILINEAR)


def _enlarged(img: Image.Image) -> Image.Image:
    """At least TESSERACT_HEIGHT high, in proportion, and wide enough for Tesseract to take it."""
    height = max(img.height, TESSERACT_HEIGHT)
    width = max(round(img.width * height / img.height), MIN_TESSERACT_WIDTH)
    return img if (width, height) == img.size else img.resize((width, height), Image.Resampling.LANCZOS)


def _pages(table: str) -> dict[int, list[tuple[str, float]]]:
    """Tesseract's TSV as page number → its words and their confidences in [0, 1].

    It has twelve columns: level (1 page … 5 word), page number, eight numbers of where it is, confidence in %, text.
    """
    pages: dict[int, list[tuple[str, float]]] = {}
    for row in table.splitlines()[1:]:
        cells = row.split("\t", 11)
        if cells[0] == "1":
            pages[int(cells[1])] = []
        elif cells[0] == "5" and cells[11].strip():
            pages[int(cells[1])].append((cells[11].strip(), float(cells[10]) / 100))
    return pages
