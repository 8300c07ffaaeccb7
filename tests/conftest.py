"""What several tests share: the shipped weights, an int8 version of them, and a few lines that they can read."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before NumPy and torch load, and for the programs that tests start: the work is small, and threads that wait for each
# other spin on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
from matplotlib import get_data_path

if TYPE_CHECKING:
    from quantvietocr.synth.receipts import ReceiptGenerator

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "weights" / "vgg_seq2seq-float16.safetensors"
SHIPPED_INT8 = ROOT / "weights" / "vgg_seq2seq-qat-int8.safetensors"
SHIPPED_SLIM = ROOT / "weights" / "vgg_seq2seq-slim-qat-int8.safetensors"

if str(ROOT) not in sys.path:  # for `import infer`
    sys.path.insert(0, str(ROOT))

# A shell starts what it runs in the background with Ctrl-C ignored, and so would be the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def float_weights() -> Path:
    """The shipped float checkpoint, or the one that QUANTVIETOCR_TEST_WEIGHTS names."""
    path = Path(os.environ.get("QUANTVIETOCR_TEST_WEIGHTS", SHIPPED))
    if not path.is_file():
        pytest.skip(f"no trained weights at {path}: name a float vgg_seq2seq checkpoint with QUANTVIETOCR_TEST_WEIGHTS")
    return path


@pytest.fixture(scope="session")
def int8_weights(float_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The float checkpoint with int8 encoder and decoder."""
    from quantvietocr.checkpoint import read, write
    from quantvietocr.quantize.static import quantize_dynamic

    return write(quantize_dynamic(read(float_weights)), tmp_path_factory.mktemp("weights") / "dynamic.safetensors")


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of eight short, clean generated lines: `img/000000.png` to `img/000007.png` and `annotation.txt`."""
    from quantvietocr.synth.lines import LineGenerator, SynthConfig

    fonts = tuple(f"{get_data_path()}/fonts/ttf/DejaVu{name}.ttf" for name in ("Sans", "Serif"))
    config = SynthConfig(fonts=fonts, min_chars=4, max_chars=14, degrade=0.0, style="letter")
    folder = tmp_path_factory.mktemp("lines")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))  # not into the user's font verdicts
        return LineGenerator(config, seed=0).write(folder / "lines", 8, progress=False).parent


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, float_weights: Path) -> dict[str, tuple[Path, Path]]:
    """The shipped checkpoints, each with its ONNX file."""
    from quantvietocr.checkpoint import read
    from quantvietocr.export.onnx import export_onnx

    folder = tmp_path_factory.mktemp("onnx")
    files = {"int8": SHIPPED_INT8, "float": float_weights, "slim": SHIPPED_SLIM}
    return {name: (path, export_onnx(read(path), folder / f"{name}.onnx")) for name, path in files.items()}


@pytest.fixture(scope="session")
def pixels(lines: Path) -> list[np.ndarray]:
    """The lines, as the network takes them."""
    from quantvietocr.pictures.image import line_pixels, open_line

    return [line_pixels(open_line(path)) for path in sorted((lines / "img").iterdir())]


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random int8 network that ends its lines: one cut off at the greatest length has no confidence."""
    from tiny import int8_checkpoint, transformer

    from quantvietocr.checkpoint import write
    from quantvietocr.quantize.recurrent import quantize_decoder

    checkpoint = int8_checkpoint()
    ending = dict(checkpoint.tensors) | quantize_decoder(transformer(seed=26))
    return write(dataclasses.replace(checkpoint, tensors=ending), tmp_path_factory.mktemp("tiny") / "tiny.safetensors")


@pytest.fixture
def own_font_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Font verdicts of a test stay in its own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def modules_font_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Font verdicts of a module's tests stay in a folder of theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def clean_receipts(modules_font_cache: None) -> ReceiptGenerator:
    """Receipts as they are printed, none photographed, in fonts that matplotlib brings."""
    from test_receipts_synth import FONTS

    from quantvietocr.synth.receipts import ReceiptConfig, ReceiptGenerator

    return ReceiptGenerator(ReceiptConfig(FONTS, degrade=0.0), seed=2)


@pytest.fixture(autouse=True)
def no_handler_left_behind() -> Iterator[None]:
    """torch's DataLoader leaves its SIGCHLD handler in the process. After OpenVINO has run here, the end of any child
    then ends the tests with a segmentation fault, in `waitpid`, where the kernel cannot place the handler's frame."""
    yield
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
