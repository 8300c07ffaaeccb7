"""The readers of `bench`: VietOCR's own code, our engines, and float runtimes as honest baselines; and their stages."""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ...checkpoint.files import sha256
from ...checkpoint.types import Checkpoint
from ...checkpoint.vietocr_yaml import BridgeError
from ...engines.base import Encoded, EngineError, need
from ...engines.openvino_engine import OpenVinoEngine
from ...engines.torch_engine import TorchEngine
from ...export.onnx import export_onnx
from ...pictures.image import line_pixels, line_tensor, line_width, open_line
from ...reading.predictor import Predictor
from ...reading.recognizer import one_blas_thread, recognize_batch
from ...vietocr_bridge.reader import VietOCRReader
from ..peers import AsterOCR, PeerError
from .timing import FLOAT, READERS, Missing, milliseconds


@dataclass(frozen=True)
class Timed:
    """A reader that runs here.

    Attributes:
        name: of READERS.
        kind: `VietOCR`, `AsterOCR`, or the numbers that our CNN computes in (`float32`, `bf16`, `int8`).
        precision: all that it computes in, in words.
        predict: one picture → text.
        predict_batch: pictures → texts.
        stages: one picture → ms of each stage, by the names in STAGES; None where the reader has no such stages.
    """

    name: str
    kind: str
    precision: str
    predict: Callable[[Image.Image], str]
    predict_batch: Callable[[Sequence[Image.Image]], list[str]]
    stages: Callable[[Image.Image], dict[str, float]] | None


def onnx_models(checkpoints: Sequence[Checkpoint], folder: Path) -> list[Path]:
    """The ONNX file of each checkpoint in `folder`, written where it is not there yet.

    The names carry the checkpoints' sha256: another checkpoint makes another file.
    """
    paths = [folder / f"{Path(one.origin).stem}-{sha256(one.origin)[:12]}.onnx" for one in checkpoints]
    for checkpoint, path in zip(checkpoints, paths):
        if not path.is_file():
            export_onnx(checkpoint, path)
    return paths


def build(
    names: Sequence[str], checkpoints: Sequence[Checkpoint], models: Sequence[Path], threads: int
) -> list[Timed | Missing]:
    """The readers of `names` on (float, int8, slim) checkpoints and their ONNX files, each with `threads` threads.

    A package that is not installed makes a `Missing`. Raises CheckpointError for a file that a runtime cannot run.
    """
    return [_build(name, checkpoints[READERS[name]], models[READERS[name]], threads) for name in names]


def _build(name: str, checkpoint: Checkpoint, model: Path, threads: int) -> Timed | Missing:
    try:
        if name == "VietOCR":
            return _vietocr(checkpoint)
        if name == "AsterOCR":
            return _asterocr(threads)
        if name.startswith("torch"):
            return _ours(name, Predictor(checkpoint, threads, words=None))
        engine = "openvino" if name.startswith("OpenVINO") else "onnxruntime"
        need(engine, f"the reader “{name}”")
        predictor = Predictor(model, threads, engine=engine, words=None)
        if name == "OpenVINO float":
            predictor.recognizer.engine = OpenVinoEngine(
                Checkpoint(checkpoint.tensors, checkpoint.meta, str(model)), threads, None
            )
        return _ours(name, predictor)
    except (EngineError, BridgeError, PeerError) as error:
        return Missing(name, str(error))


@dataclass(frozen=True)
class _Encoded:
    """An engine that has done its work, so that what is left of reading is the decoder."""

    encoded: Encoded

    def encode(self, pixels: np.ndarray) -> Encoded:
        return self.encoded


def _ours(name: str, predictor: Predictor) -> Timed:
    engine = predictor.recognizer.engine
    kind, precision = "float32" if READERS[name] == FLOAT else "int8", engine.precision
    on_torch = engine if isinstance(engine, TorchEngine) else None
    on_openvino = engine if isinstance(engine, OpenVinoEngine) else None
    if name == "OpenVINO float" and on_openvino is not None:
        kind = "float32" if on_openvino.chosen == "f32" else on_openvino.chosen
        precision = f"{kind} CNN and encoder as OpenVINO chose, float32 decoder"

    @torch.inference_mode()
    def stages(picture: Image.Image) -> dict[str, float]:
        before, pixels = milliseconds(lambda: line_pixels(open_line(picture), predictor.spec)[None])
        converting, cnn = 0.0, None
        if on_torch is not None:  # which makes floats of bytes itself; runtimes do it in their graph
            converting, images = milliseconds(lambda: torch.from_numpy(line_tensor(pixels[0])[None]))
            cnn, _ = milliseconds(partial(on_torch.features, images))
        elif on_openvino is not None:
            cnn, _ = milliseconds(partial(on_openvino.features, pixels))
        both, encoded = milliseconds(lambda: engine.encode(pixels))
        both -= converting
        done = _Encoded(encoded)
        with one_blas_thread()():
            decoder, _ = milliseconds(
                lambda: recognize_batch(done, predictor.recognizer.decoder, predictor.meta.chars, pixels)
            )
        middle = {"CNN + encoder": both} if cnn is None else {"CNN": cnn, "encoder": max(0.0, both - cnn)}
        return {"preprocess": before + converting, **middle, "decoder": decoder}

    def read_one(picture: Image.Image) -> str:
        return str(predictor.predict(picture))

    def read_batch(pictures: Sequence[Image.Image]) -> list[str]:
        return [str(text) for text in predictor.predict_batch(pictures)]

    return Timed(name, kind, precision, read_one, read_batch, stages)


def _vietocr(checkpoint: Checkpoint) -> Timed:
    reader = VietOCRReader(checkpoint)
    network: Any = reader.network  # VietOCR's class, which has no types
    spec = checkpoint.meta.image

    def predict_batch(pictures: Sequence[Image.Image]) -> list[str]:
        """As VietOCR's `Predictor.predict_batch`: all lines of one width together."""
        buckets: dict[int, list[int]] = defaultdict(list)
        for index, picture in enumerate(pictures):
            buckets[line_width(*picture.size, spec)].append(index)
        texts = [""] * len(pictures)
        for indices in buckets.values():
            for index, text in zip(indices, reader.predict_batch([pictures[i] for i in indices]), strict=True):
                texts[index] = text
        return texts

    @torch.no_grad()
    def stages(picture: Image.Image) -> dict[str, float]:
        before, batch = milliseconds(lambda: reader.code.process_input(picture, *reader.sizes))
        cnn, features = milliseconds(lambda: network.cnn(batch))
        encoder, _ = milliseconds(lambda: network.transformer.forward_encoder(features))
        whole, _ = milliseconds(lambda: reader.code.translate(batch, network))
        return {"preprocess": before, "CNN": cnn, "encoder": encoder, "decoder": max(0.0, whole - cnn - encoder)}

    precision = f"float32, VietOCR {importlib.metadata.version('vietocr')}'s own code"
    return Timed("VietOCR", "VietOCR", precision, reader.predict, predict_batch, stages)


def _asterocr(threads: int) -> Timed:
    reader = AsterOCR(threads)
    precision = f"float32 on ONNX Runtime, asterocr {reader.version}'s own code"
    return Timed("AsterOCR", "AsterOCR", precision, reader.predict, reader.predict_batch, None)
