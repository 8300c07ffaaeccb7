"""The rows of a comparison before anything is read: checkpoints, VietOCR's own code, other readers."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...checkpoint.files import read, sha256, yaml_for
from ...checkpoint.layout import LAST_CONVOLUTION
from ...checkpoint.matrices import float_and_all
from ...checkpoint.types import Checkpoint
from ...errors import UserError
from ...pictures.image import ImageSpec
from ...reading.options import USUAL, ReadingOptions
from ...reading.predictor import Predictor
from ...shipped import WEIGHTS, hashes
from ...vietocr_bridge.reader import VietOCRReader
from ..peers import OTHER_READERS, AsterOCR, RapidOCR, Tesseract, squeezed_for_asterocr

PLAIN = ReadingOptions(wide="squeeze", leaders="keep", retries=0, words=None)  # the network alone, as VietOCR reads
ROW_ORDER = ("wide", "retries", "words", "leaders", "beam", "whitelist")  # in which a row's name tells its options
OTHER_NETWORKS = {"transformer": "transformer "}  # before the name of a row, by `seq_modeling`
BATCH = 32  # lines of one width that our engines read at once


class CompareError(UserError):
    """The comparison cannot be made; the message says why and what to do."""


class Reader(Protocol):
    """Anything that reads lines: `Predictor`, VietOCR's own code, another project's reader."""

    def predict(self, img: Any, return_prob: bool = False) -> Any: ...

    def predict_batch(self, imgs: Sequence[Any], return_prob: bool = False) -> Any: ...


@dataclass(frozen=True)
class Contestant:
    """A reader and what is known of it before it reads.

    Attributes:
        name: what it is called in the tables.
        file: path of its weights or data; None for VietOCR's own code.
        method: float, dynamic, static, qat …, or peer for another project's reader.
        stored: number types in the file.
        engine: what computes.
        precision: in what numbers it computes.
        bytes: size of the file.
        reader: what reads.
        versions: of the software that it adds to the comparison.
        together: whether it is a program that takes long to start, so that it is timed and reads in large batches.
        plain: whether the network reads alone, without the help of the reading around it.
        network: what kind of VietOCR's networks it is, its `seq_modeling`; None for another project's reader.
        squeezes: (width, height) of a picture in px → whether it has to be squeezed for this reader; None where the
            conditions tell it of all our engines.
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
    plain: bool = False
    network: str | None = None
    squeezes: Callable[[int, int], bool] | None = None


def stored_as(checkpoint: Checkpoint) -> str:
    """The number types of a checkpoint's weights, for people."""
    if checkpoint.is_float:
        return str(checkpoint.tensors[f"{LAST_CONVOLUTION}.weight"].dtype)
    kept, convolutions = _float_layers(checkpoint)
    cnn = "float32" if kept == convolutions else "int8"
    if 0 < kept < convolutions:
        cnn += f" ({kept} of {convolutions} layers float32)"
    four = sum(how["bits"] == 4 for how in checkpoint.meta.packed.values())
    compact = f", packed ({four} layers in 4 bits)" if checkpoint.meta.packed else ""
    decoder = checkpoint.meta.decoder.replace("float", "float32")
    left, matrices = float_and_all(checkpoint)
    if 0 < left < matrices:
        decoder += f" ({left} of {matrices} matrices float32)"
    return f"CNN {cnn}, decoder {decoder}{compact}"


def name_of(checkpoint: Checkpoint, plain: bool = False) -> str:
    """What a checkpoint is, as a table's row is called.

    Args:
        checkpoint: its metadata decide.
        plain: whether its network reads alone.

    Returns:
        "float"; or "int8, " and which part of the network is in int8, with "(shipped)" where the checkpoint is the file
        that quantvietocr comes with. Of a network alone no more than the number type is said. Before it stands which
        network it is, unless it is a `vgg_seq2seq`.
    """
    return f"{OTHER_NETWORKS.get(checkpoint.meta.seq_modeling, '')}{_bits_of(checkpoint, plain)}"


def _bits_of(checkpoint: Checkpoint, plain: bool) -> str:
    bits = "float" if checkpoint.is_float else "int8"
    if any(how["bits"] == 4 for how in checkpoint.meta.packed.values()):
        bits = "int4 and int8"
    if plain:
        return f"{bits}, network alone"
    if checkpoint.is_float:
        return bits
    kept, convolutions = _float_layers(checkpoint)
    part = "decoder only" if kept == convolutions else "all"
    if checkpoint.meta.decoder == "float":
        part = "CNN only"
    if 0 < kept < convolutions:
        part += f" but {kept} of {convolutions} layers"
    left, matrices = float_and_all(checkpoint)
    if 0 < left < matrices:
        part += f"{' and' if 0 < kept < convolutions else ' but'} {left} of {matrices} matrices"
    shipped = _shipped_as(checkpoint)
    return f"{'slim ' * (shipped == 'slim')}{bits}, {part}{' (shipped)' * (shipped is not None)}"


def _float_layers(checkpoint: Checkpoint) -> tuple[int, int]:
    """How many of a quantized checkpoint's convolutions are float, and how many there are."""
    convolutions = [layer for layer in checkpoint.meta.layers if layer.op == "conv"]
    return sum(layer.precision != "int8" for layer in convolutions), len(convolutions)


def _shipped_as(checkpoint: Checkpoint) -> str | None:
    """The short name of the shipped quantized file that a checkpoint was read from a copy of; None of another."""
    path = Path(checkpoint.origin)
    if not path.is_file():
        return None
    digest, known = sha256(path), hashes()
    return next((name for name in ("int8", "slim") if known.get(WEIGHTS[name]) == digest), None)


def contestants(
    paths: Sequence[Path],
    vietocr: bool,
    other_readers: Sequence[str],
    config: str | os.PathLike | None,
    threads: int,
    options: Sequence[ReadingOptions] = (USUAL,),
    plain: Sequence[Path] = (),
) -> tuple[list[Contestant], str, ImageSpec]:
    """Open every reader of a comparison.

    Args:
        paths: checkpoints.
        vietocr: whether VietOCR's own code reads first, on the first float checkpoint of each network.
        other_readers: of `peers.OTHER_READERS`.
        config: the YAML that `.pth` files were trained with, if it is not VietOCR's own.
        threads: of each reader; 0 leaves its choice.
        options: how our engines read, a row of each checkpoint for each.
        plain: checkpoints whose network also reads alone, as VietOCR reads: a row each after those of `paths`.

    Returns:
        The rows in order (VietOCR, checkpoints, networks alone, other readers), every character that a checkpoint
        knows, and the image sizes of the first row's network.

    Raises:
        CompareError: a reader is not known or named twice, or there are no float weights for VietOCR's own code.
        CheckpointError, BridgeError, PeerError, WordsError: a reader cannot be opened.
    """
    checkpoints = [read(path, yaml_for(path, config)) for path in [*paths, *plain]]
    names = _names(paths, checkpoints[: len(paths)])
    made: list[Contestant] = []
    for path, name, checkpoint in zip(paths, names, checkpoints):
        for one, called in zip(options, _called(name, options)):
            reader = Predictor(checkpoint, threads=threads, batch_size=BATCH, options=one)
            made.append(_contestant(called, path, checkpoint, reader))
    for path, checkpoint in zip(plain, checkpoints[len(paths) :]):
        reader = Predictor(checkpoint, threads=threads, batch_size=BATCH, options=PLAIN)
        name = name_of(checkpoint, plain=True)
        made.append(_contestant(name if len(plain) == 1 else f"{name} ({path.stem})", path, checkpoint, reader, True))
    _check_names([*(row.name for row in made), *other_readers])
    chars = "".join(dict.fromkeys("".join(checkpoint.meta.chars for checkpoint in checkpoints)))
    sources = {one.meta.seq_modeling: one for one in reversed(checkpoints) if one.is_float}  # of each network the first
    own = [one for one in checkpoints if one is sources.get(one.meta.seq_modeling)] if vietocr else []
    spec = (own or checkpoints)[0].meta.image
    if vietocr:
        if not own:
            raise CompareError(
                f"--vietocr runs VietOCR's own code on float weights, and none of "
                f"{', '.join(path.stem for path in paths)} is float: add the float checkpoint to --weights."
            )
        made = [*map(_vietocr, own), *made]
    return [*made, *(_other_reader(name, threads, chars) for name in other_readers)], chars, spec


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


def _names(paths: Sequence[Path], checkpoints: Sequence[Checkpoint]) -> list[str]:
    """What each checkpoint is; where two are the same, with the file's stem, or where that is the same too its path."""
    names = [name_of(checkpoint) for checkpoint in checkpoints]
    stems = [path.stem for path in paths]
    return [
        name if names.count(name) == 1 else f"{name} ({path.stem if stems.count(path.stem) == 1 else path})"
        for name, path in zip(names, paths)
    ]


def _check_names(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise CompareError(f"{next(n for n in names if names.count(n) > 1)} is named twice; name each reader once.")


def _contestant(name: str, path: Path, checkpoint: Checkpoint, reader: Predictor, plain: bool = False) -> Contestant:
    return Contestant(
        name,
        str(path),
        checkpoint.meta.method,
        stored_as(checkpoint),
        reader.recognizer.engine.name,
        reader.recognizer.engine.precision,
        path.stat().st_size,
        reader,
        plain=plain,
        network=checkpoint.meta.seq_modeling,
    )


def _vietocr(source: Checkpoint) -> Contestant:
    own = VietOCRReader(source)
    version = importlib.metadata.version("vietocr")
    return Contestant(
        f"VietOCR {version}, {name_of(source)}",
        None,
        "float",
        "float32",
        "VietOCR's own code, torch",
        "float32",
        own.file_bytes(),
        own,
        {"vietocr": version},
        plain=True,
        network=source.meta.seq_modeling,
    )


def _other_reader(name: str, threads: int, chars: str) -> Contestant:
    if name not in OTHER_READERS:
        raise CompareError(f"--peer {name}: no such reader; name one of {', '.join(OTHER_READERS)}.")
    if name == "tesseract":
        return _tesseract(Tesseract(threads))
    if name == "rapidocr":
        rapidocr = RapidOCR(threads)
        return _on_onnxruntime(f"RapidOCR {rapidocr.version} ({rapidocr.data.stem})", name, rapidocr, chars)
    asterocr = AsterOCR(threads)
    row = _on_onnxruntime(f"AsterOCR {asterocr.version}", name, asterocr, chars)
    return dataclasses.replace(row, squeezes=squeezed_for_asterocr)


def _tesseract(reader: Tesseract) -> Contestant:
    stored = reader.stored()
    return Contestant(
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


def _on_onnxruntime(name: str, package: str, reader: RapidOCR | AsterOCR, chars: str) -> Contestant:
    lacking = len(set(chars) - reader.characters())
    return Contestant(
        name,
        str(reader.data),
        "peer",
        "ONNX float32",
        f"ONNX Runtime, cannot write {lacking} of the {len(set(chars))} characters",
        "float32",
        reader.data.stat().st_size,
        reader,
        {package: reader.version, "onnxruntime": importlib.metadata.version("onnxruntime")},
    )
