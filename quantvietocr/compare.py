"""What quantization changed: accuracy, size and time of several checkpoints on the same lines, in one table."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Sequence

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from . import report
from .checkpoint import Checkpoint, read
from .dataset.annotation import Sample, read_annotation
from .dataset.batches import cut_by_width
from .errors import UserError
from .image import ImageSpec, line_size, line_width, open_line
from .metrics import accept_at_precision, auroc, confusions, score
from .predictor import Predictor
from .report import Row, Setup
from .vocab import Vocab

TIMED_LINES = 40
BATCH = 32
PRECISION = 0.99  # of the lines accepted by confidence


class CompareError(UserError):
    """The comparison cannot be made; the message says why and what to do."""


class Reader(Protocol):
    """Anything that reads lines: `Predictor`, or VietOCR's own code."""

    def predict(self, img: Any, return_prob: bool = False) -> Any: ...

    def predict_batch(self, imgs: Sequence[Any], return_prob: bool = False) -> Any: ...


@dataclass(frozen=True)
class Entry:
    """A reader and what is known of it before it reads."""

    name: str
    file: str | None
    method: str
    stored: str
    engine: str
    precision: str
    bytes: int
    reader: Reader


class VietOCRReader:
    """VietOCR's own network and its `process_input` and `translate`, as its `Predictor` calls them (greedy).

    VietOCR's `Predictor` cannot be imported itself: it needs packages that no longer install.
    """

    def __init__(self, checkpoint: Checkpoint, vietocr_yaml: str | os.PathLike | None = None) -> None:
        from .vietocr_bridge import float_network
        from .vietocr_bridge import import_vietocr

        vietocr = import_vietocr()
        self.code = vietocr.translate
        self.vocab = vietocr.Vocab(checkpoint.meta.chars)
        self.sizes = dataclasses.astuple(checkpoint.meta.image)
        self.network = float_network(checkpoint, vietocr_yaml)

    def predict(self, img: Image.Image, return_prob: bool = False) -> Any:
        texts, confidences = self.predict_batch([img], return_prob=True)
        return (texts[0], confidences[0]) if return_prob else texts[0]

    def predict_batch(self, imgs: Sequence[Image.Image], return_prob: bool = False) -> Any:
        """Pictures of one width once resized, as in VietOCR's buckets."""
        batch = torch.cat([self.code.process_input(img, *self.sizes) for img in imgs])
        with np.errstate(invalid="ignore"):  # VietOCR divides 0 by 0 for a line without characters
            ids, confidences = self.code.translate(batch, self.network)
        texts = self.vocab.batch_decode(ids.tolist())
        return (texts, np.nan_to_num(confidences).tolist()) if return_prob else texts

    def file_bytes(self) -> int:
        """Size of the .pth that VietOCR would load these weights from."""
        from .vietocr_bridge import save_vietocr

        with tempfile.TemporaryDirectory() as folder:
            return save_vietocr(self.network.state_dict(), Path(folder) / "weights.pth").stat().st_size


def compare(
    annotation: str | os.PathLike,
    weights: Sequence[str | os.PathLike],
    out: str | os.PathLike | None = None,
    vietocr: bool = False,
    config: str | os.PathLike | None = None,
    threads: int = 1,
    limit: int = 0,
    repeats: int = 3,
    unknown: str = "stop",
    problems: str = "stop",
    command: str | None = None,
) -> list[Row]:
    """Read the annotated lines with every checkpoint and return a row for each, in order.

    out: folder for `table.md`, `table.json`, `table.png` and `texts.tsv` (every line as each row read it).
    vietocr: put VietOCR's own code first, on the first float weights. config: the YAML that `.pth` files were trained
    with, if it is not VietOCR's own. threads: for every row alike; 0 leaves torch's choice. limit: draw that many lines,
    with seed 0; 0 takes all. repeats: timing rounds. unknown, problems: what to do with lines whose text is outside the
    vocabulary, or that cannot be used (`read_annotation`). command: recorded in `table.json`.
    Raises CompareError, CheckpointError, AnnotationError, ImageError, BridgeError.
    """
    if not weights or repeats < 1 or threads < 0 or limit < 0:
        raise CompareError("A comparison needs at least one checkpoint and one round; threads and limit are 0 or more.")
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads or before)
        entries, chars, spec = _entries([Path(w) for w in weights], vietocr, config, threads)
        samples = _samples(annotation, chars, unknown, problems, limit)
        widths = [line_width(*line_size(sample.path), spec) for sample in samples]
        timed = _spread(samples, widths)
        times = _time([entry.reader for entry in entries], timed, repeats)
        read_as = _read_all([entry.reader for entry in entries], samples, widths)
        setup = _setup(annotation, entries, widths, len(timed), repeats, command)
    finally:
        torch.set_num_threads(before)
    rows = _rows(entries, samples, read_as, times, setup.reference)
    if out is not None:
        report.write(rows, setup, out)
        _write_texts(rows, samples, read_as, Path(out) / "texts.tsv")
    return rows


def stored_as(checkpoint: Checkpoint) -> str:
    """The number types of a checkpoint's weights, for people."""
    if checkpoint.is_float:
        return str(checkpoint.tensors["cnn.model.last_conv_1x1.weight"].dtype)
    convolutions = [layer for layer in checkpoint.meta.layers if layer.op == "conv"]
    kept = sum(layer.precision != "int8" for layer in convolutions)
    cnn = "float32" if kept == len(convolutions) else "int8"
    if 0 < kept < len(convolutions):
        cnn += f" ({kept} of {len(convolutions)} layers float32)"
    return f"CNN {cnn}, decoder {checkpoint.meta.decoder.replace('float', 'float32')}"


def _entries(
    paths: Sequence[Path], vietocr: bool, config: str | os.PathLike | None, threads: int
) -> tuple[list[Entry], str, ImageSpec]:
    """The readers, every character that any of them knows, and the image sizes to group lines by."""
    entries: list[Entry] = []
    checkpoints: list[Checkpoint] = []
    for path in paths:
        # Files of our own carry their vocabulary; the YAML is for VietOCR's.
        checkpoint = read(path, config if path.suffix != ".safetensors" else None)
        reader = Predictor(checkpoint, threads=threads, batch_size=BATCH)
        stems = [other.stem for other in paths]
        name = path.stem if stems.count(path.stem) == 1 else str(path)
        entries.append(Entry(name, str(path), checkpoint.meta.method, stored_as(checkpoint), reader.engine.name,
                             reader.engine.precision, path.stat().st_size, reader))  # fmt: skip
        checkpoints.append(checkpoint)
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise CompareError(f"{next(n for n in names if names.count(n) > 1)} is named twice; name each checkpoint once.")
    chars = "".join(dict.fromkeys("".join(checkpoint.meta.chars for checkpoint in checkpoints)))
    source = next((checkpoint for checkpoint in checkpoints if checkpoint.is_float), None)
    if not vietocr:
        return entries, chars, checkpoints[0].meta.image
    if source is None:
        raise CompareError(f"--vietocr runs VietOCR's own code on float weights, and none of {', '.join(names)} is float: "
                           "add the float checkpoint to --weights.")
    own = VietOCRReader(source, config if Path(source.origin).suffix != ".safetensors" else None)
    entry = Entry(f"VietOCR {importlib.metadata.version('vietocr')} (float)", None, "float", "float32",
                  "VietOCR's own code, torch", "float32", own.file_bytes(), own)  # fmt: skip
    return [entry, *entries], chars, source.meta.image


def _samples(annotation: str | os.PathLike, chars: str, unknown: str, problems: str, limit: int) -> tuple[Sample, ...]:
    found = read_annotation(annotation, Vocab(chars), unknown=unknown, problems=problems)
    tqdm.write(found.report.summary())
    if not limit or limit >= len(found.samples):
        return found.samples
    chosen = sorted(np.random.default_rng(0).permutation(len(found.samples))[:limit])
    tqdm.write(f"Comparing on {limit} of them, drawn with seed 0.")
    return tuple(found.samples[i] for i in chosen)


def _spread(samples: Sequence[Sample], widths: Sequence[int]) -> list[Image.Image]:
    """Up to TIMED_LINES pictures at even steps through all widths: their mean time stands for that of all lines."""
    order = np.argsort(widths, kind="stable")
    places = np.linspace(0, len(order) - 1, min(TIMED_LINES, len(order))).round().astype(int)
    return [open_line(samples[order[place]].path) for place in places]


def _time(readers: Sequence[Reader], pictures: Sequence[Image.Image], repeats: int) -> list[tuple[list[float], float]]:
    """For each reader the milliseconds per line of each round, and the cores it kept busy.

    A first round warms up: torch prepares its kernels for each width anew. The readers take turns, so that whatever
    else the machine does falls on all of them.
    """
    rounds: list[list[float]] = [[] for _ in readers]
    busy, passed = [0.0] * len(readers), [0.0] * len(readers)
    with tqdm(total=(repeats + 1) * len(readers) * len(pictures), desc="timing", unit="line") as bar:
        for number in range(repeats + 1):
            for place, reader in enumerate(readers):
                wall, cpu = time.perf_counter(), time.process_time()
                for picture in pictures:
                    reader.predict(picture, return_prob=True)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                bar.update(len(pictures))
                if number:
                    rounds[place].append(1000 * wall / len(pictures))
                    busy[place] += cpu
                    passed[place] += wall
    return [(times, cpu / wall) for times, cpu, wall in zip(rounds, busy, passed)]


def _read_all(
    readers: Sequence[Reader], samples: Sequence[Sample], widths: Sequence[int]
) -> list[tuple[list[str], list[float]]]:
    """Texts and confidences of every sample, by every reader, in batches of one width."""
    found: list[tuple[list[str], list[float]]] = [([""] * len(samples), [0.0] * len(samples)) for _ in readers]
    with tqdm(total=len(samples) * len(readers), desc="reading", unit="line") as bar:
        for cut in cut_by_width(widths, BATCH)[::-1]:
            pictures = [open_line(samples[i].path) for i in cut]
            for reader, (texts, confidences) in zip(readers, found):
                for i, text, confidence in zip(cut, *reader.predict_batch(pictures, return_prob=True)):
                    texts[i], confidences[i] = text, confidence
                bar.update(len(cut))
    return found


def _rows(
    entries: Sequence[Entry], samples: Sequence[Sample], read_as: Sequence[tuple[list[str], list[float]]],
    times: Sequence[tuple[list[float], float]], reference: str,
) -> list[Row]:  # fmt: skip
    references = [sample.text for sample in samples]
    scores = [score(references, texts) for texts, _ in read_as]
    middle = [statistics.median(rounds) for rounds, _ in times]
    base = next(place for place, entry in enumerate(entries) if entry.name == reference)
    rows = []
    for place, entry in enumerate(entries):
        (texts, confidences), found, (rounds, cores) = read_as[place], scores[place], times[place]
        right = [a == b for a, b in zip(references, texts)]
        known = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry) if field.name != "reader"}
        rows.append(Row(
            **known, lines=found.lines, exact=found.exact, cer=found.cer, cer_delta=found.cer - scores[base].cer,
            cer_folded=found.cer_folded, ms_per_line=middle[place], ms_rounds=tuple(rounds), cores=cores,
            size_ratio=entries[base].bytes / entry.bytes, speed_ratio=middle[base] / middle[place],
            auroc=auroc(confidences, right), accepted=accept_at_precision(confidences, right, PRECISION),
            confusions=tuple(confusions(references, texts)),
        ))  # fmt: skip
    return rows


def _setup(
    annotation: str | os.PathLike, entries: Sequence[Entry], widths: Sequence[int], timed: int, repeats: int, command: str | None
) -> Setup:
    reference = next((entry for entry in entries if entry.method == "float"), entries[0])
    cpu, features = report.processor()
    names = ["quantvietocr", "torch", "numpy"] + ["vietocr"] * any(isinstance(entry.reader, VietOCRReader) for entry in entries)
    return Setup(
        data=str(annotation), lines=len(widths), median_width=int(statistics.median(widths)), reference=reference.name,
        timed_lines=timed, repeats=repeats, threads=torch.get_num_threads(), cpu=cpu, cpu_features=features,
        versions={"Python": platform.python_version()} | {name: _version(name) for name in names},
        date=datetime.date.today().isoformat(), command=command,
    )  # fmt: skip


def _version(package: str) -> str:
    from . import __version__

    return __version__ if package == "quantvietocr" else importlib.metadata.version(package)


def _write_texts(
    rows: Sequence[Row], samples: Sequence[Sample], read_as: Sequence[tuple[list[str], list[float]]], path: Path
) -> None:
    """Every line as each row read it: path, reference, a column for each row."""
    table = [["path", "reference", *(row.name for row in rows)]]
    table += [[str(sample.path), sample.text, *texts] for sample, *texts in zip(samples, *(texts for texts, _ in read_as))]
    lines = ["\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in cells) for cells in table]
    report.write_text(path, "\n".join(lines) + "\n")
