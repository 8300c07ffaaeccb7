"""The rows of a comparison before anything is read: checkpoints, VietOCR's own code, other readers."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...checkpoint.files import read
from ...checkpoint.types import Checkpoint
from ...errors import UserError
from ...pictures.image import ImageSpec
from ...reading.options import USUAL, ReadingOptions
from ...reading.predictor import Predictor
from ...vietocr_bridge.reader import VietOCRReader
from ..peers import PEERS, RapidOCR, Tesseract

BATCH = 32
ROW_ORDER = ("wide", "retries", "words", "leaders", "beam", "whitelist")  # in which a row's name tells its options


class CompareError(UserError):
    """The comparison cannot be made; the message says why and what to do."""


class Reader(Protocol):
    """Anything that reads lines: `Predictor`, VietOCR's own code, a peer."""

    def predict(self, img: Any, return_prob: bool = False) -> Any: ...

    def predict_batch(self, imgs: Sequence[Any], return_prob: bool = False) -> Any: ...


@dataclass(frozen=True)
class Entry:
    """A reader and what is known of it before it reads.

    versions: of the software it adds to the comparison. together: it is a program that takes long to start, so it is timed
    and reads in large batches.
    """

    name: str
    file: str | None
    method: str
    stored: str
    engine: str
    precision: str
    bytes: int
    reader: Reader
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    together: bool = False


def stored_as(checkpoint: Checkpoint) -> str:
    """The number types of a checkpoint's weights, for people."""
    if checkpoint.is_float:
        return str(checkpoint.tensors["cnn.model.last_conv_1x1.weight"].dtype)
    convolutions = [layer for layer in checkpoint.meta.layers if layer.op == "conv"]
    kept = sum(layer.precision != "int8" for layer in convolutions)
    cnn = "float32" if kept == len(convolutions) else "int8"
    if 0 < kept < len(convolutions):
        cnn += f" ({kept} of {len(convolutions)} layers float32)"
    four = sum(how["bits"] == 4 for how in checkpoint.meta.packed.values())
    compact = f", packed ({four} layers in 4 bits)" if checkpoint.meta.packed else ""
    return f"CNN {cnn}, decoder {checkpoint.meta.decoder.replace('float', 'float32')}{compact}"


def entries(
    paths: Sequence[Path],
    vietocr: bool,
    peers: Sequence[str],
    config: str | os.PathLike | None,
    threads: int,
    options: Sequence[ReadingOptions] = (USUAL,),
) -> tuple[list[Entry], str, ImageSpec]:
    """The rows in order (VietOCR, checkpoints, peers), every character a checkpoint knows, and its image sizes.

    Raises CompareError, CheckpointError, BridgeError, PeerError, WordsError.
    """
    made: list[Entry] = []
    checkpoints: list[Checkpoint] = []
    for path in paths:
        # Files of our own carry their vocabulary; the YAML is for VietOCR's.
        checkpoint = read(path, config if path.suffix != ".safetensors" else None)
        stems = [other.stem for other in paths]
        name = path.stem if stems.count(path.stem) == 1 else str(path)
        for one, called in zip(options, _called(name, options)):
            reader = Predictor(checkpoint, threads=threads, batch_size=BATCH, options=one)
            engine = reader.recognizer.engine
            made.append(
                Entry(
                    called,
                    str(path),
                    checkpoint.meta.method,
                    stored_as(checkpoint),
                    engine.name,
                    engine.precision,
                    path.stat().st_size,
                    reader,
                )
            )
        checkpoints.append(checkpoint)
    names = [entry.name for entry in made] + list(peers)
    if len(set(names)) < len(names):
        raise CompareError(f"{next(n for n in names if names.count(n) > 1)} is named twice; name each reader once.")
    chars = "".join(dict.fromkeys("".join(checkpoint.meta.chars for checkpoint in checkpoints)))
    source = next((checkpoint for checkpoint in checkpoints if checkpoint.is_float), None)
    spec = (source if vietocr and source else checkpoints[0]).meta.image
    if vietocr:
        if source is None:
            raise CompareError(
                f"--vietocr runs VietOCR's own code on float weights, and none of {', '.join(names)} is "
                "float: add the float checkpoint to --weights."
            )
        made.insert(0, _vietocr(source, config))
    return [*made, *(_peer(name, threads, chars) for name in peers)], chars, spec


def _called(name: str, options: Sequence[ReadingOptions]) -> list[str]:
    """The names of a checkpoint's rows: what differs among them, and what no sentence below the table tells."""
    names = []
    for one in options:
        told = {
            field: value
            for field, value in dataclasses.asdict(one).items()
            if any(getattr(other, field) != value for other in options) and not (field == "retries" and not value)
        } | {field: value for field, value in one.unusual().items() if field in ("retries", "beam", "whitelist")}
        told |= {"words": Path(one.words or "none").name} if "words" in told else {}
        names.append(", ".join([name, *(f"{field} {told[field]}" for field in ROW_ORDER if field in told)]))
    return names


def _vietocr(source: Checkpoint, config: str | os.PathLike | None) -> Entry:
    own = VietOCRReader(source, config if Path(source.origin).suffix != ".safetensors" else None)
    version = importlib.metadata.version("vietocr")
    return Entry(
        f"VietOCR {version} (float)",
        None,
        "float",
        "float32",
        "VietOCR's own code, torch",
        "float32",
        own.file_bytes(),
        own,
        {"vietocr": version},
    )


def _peer(name: str, threads: int, chars: str) -> Entry:
    if name not in PEERS:
        raise CompareError(f"--peer {name}: no such reader; name one of {', '.join(PEERS)}.")
    if name == "tesseract":
        reader = Tesseract(threads)
        stored = reader.stored()
        return Entry(
            f"Tesseract {reader.version} (vie)",
            str(reader.data),
            "peer",
            stored,
            "Tesseract LSTM, startup shared by a batch",
            {"int8": "int8", "float": "float32"}.get(stored, stored),
            reader.data.stat().st_size,
            reader,
            {"tesseract": reader.version},
            together=True,
        )
    peer = RapidOCR(threads)
    lacking = len(set(chars) - peer.characters())
    return Entry(
        f"RapidOCR {peer.version} ({peer.data.stem})",
        str(peer.data),
        "peer",
        "ONNX float32",
        f"ONNX Runtime, cannot write {lacking} of the {len(set(chars))} characters",
        "float32",
        peer.data.stat().st_size,
        peer,
        {"rapidocr": peer.version, "onnxruntime": importlib.metadata.version("onnxruntime")},
    )
