"""What every file does on every engine: architecture × method × engine, on networks of a few numbers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tiny
import tiny_transformer

from quantvietocr.checkpoint import Checkpoint, read, write
from quantvietocr.checkpoint.types import CheckpointError
from quantvietocr.engines.choose import installed, open_file
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.export.onnx import export_onnx
from quantvietocr.export.torchscript import export_torchscript
from quantvietocr.quantize.static import quantize_dynamic
from quantvietocr.reading import decode
from quantvietocr.reading.predictor import Predictor
from quantvietocr.reading.recognizer import decoder_of

ARCHITECTURES = {"seq2seq": tiny, "transformer": tiny_transformer}
LAST = f"{tiny.PREFIX}last_conv_1x1.weight"
METHODS = ("float", "dynamic", "qat")
ENGINES = ("torch", "onnxruntime", "openvino")


def made(architecture: ModuleType, method: str) -> Checkpoint:
    if method == "qat":
        return architecture.int8_checkpoint()
    original = architecture.float_checkpoint()
    weight = original.tensors[LAST]
    original = tiny.replaced(original, LAST, weight * np.float32(1e-5))  # features of about 1, as trained networks have
    return original if method == "float" else quantize_dynamic(original)


@pytest.fixture(scope="module", params=[(name, method) for name in ARCHITECTURES for method in METHODS], ids="-".join)
def written(request, tmp_path_factory) -> tuple[Path, Path]:
    """A checkpoint and its ONNX file."""
    architecture, method = request.param
    folder = tmp_path_factory.mktemp("contract")
    path = write(made(ARCHITECTURES[architecture], method), folder / "file.safetensors")
    checkpoint = read(path)
    assert (checkpoint.meta.seq_modeling, checkpoint.meta.method) == (architecture, method)
    return path, export_onnx(checkpoint, folder / "file.onnx")


def pictures(spec, width: int = 40, count: int = 3) -> np.ndarray:
    return np.random.default_rng(width).integers(0, 256, (count, spec.height, width, 3), np.uint8)


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_reads_every_file_alike(written, name):
    if not installed(name):
        pytest.skip(f"{name} is not installed")
    checkpoint = read(written[0])
    expected = TorchEngine(checkpoint, 1)
    file, engine = open_file(written[name != "torch"], name, 1)
    pixels = pictures(checkpoint.meta.image)
    outputs, found = expected.stages(pixels), engine.stages(pixels)
    assert len(outputs) == len(found) == (3 if checkpoint.meta.seq_modeling == "seq2seq" else 2)
    # Of int8 features a value at a tie may fall on its other side, and what follows from them differs then.
    step = float(checkpoint.tensors.get(f"{tiny.PREFIX}last_conv_1x1.output.scale", 1e-3))
    np.testing.assert_allclose(found[0], outputs[0], atol=1.01 * step)
    if np.allclose(found[0], outputs[0], atol=1e-3):
        for theirs, ours in zip(found[1:], outputs[1:], strict=True):
            np.testing.assert_allclose(theirs, ours, atol=5e-3)
    # Whole or alone: the same outputs, the same readings, and those of the other engine from the same outputs.
    alone = [engine.encode(line[None]) for line in pixels]
    for parts, whole in zip(zip(*alone), engine.encode(pixels), strict=True):
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-4)
    readings = decode.greedy(decoder_of(file), found[1:])
    again = decode.greedy(decoder_of(checkpoint), found[1:])
    assert [reading.ids for reading in readings] == [reading.ids for reading in again]


def test_the_graph_itself_reads_as_the_decoder_does(written):
    """In any language: the file holds the whole network, to class numbers and probabilities."""
    runtime = pytest.importorskip("onnxruntime")
    checkpoint = read(written[0])
    session = runtime.InferenceSession(written[1], providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs() if output.name in ("memory", "hidden")]
    pixels = pictures(checkpoint.meta.image)
    outputs = session.run([*names, "ids", "probabilities"], {"pixels": pixels, "max_length": np.array(129)})
    *encoded, ids, chances = outputs
    readings = decode.greedy(decoder_of(checkpoint), tuple(encoded))
    for reading, line, probabilities in zip(readings, ids, chances, strict=True):
        length = len(reading.ids)
        assert tuple(line[:length]) == reading.ids and set(line[length:]) <= {decode.EOS}
        np.testing.assert_allclose(probabilities[:length], reading.probabilities, atol=1e-4)
        if length < len(line):
            assert probabilities[length] == pytest.approx(reading.end, abs=1e-4)


def test_a_predictor_reads_lines_alone_as_together_with_every_option(written):
    checkpoint = read(written[0])
    spec = checkpoint.meta.image
    images = [pictures(spec, width, 1)[0] for width in (spec.min_width, 40, 40, spec.max_width)]
    for options in ({}, {"beam": 3}, {"whitelist": "ab"}, {"words": None, "leaders": "keep", "wide": "squeeze"}):
        reader = Predictor(checkpoint, threads=1, **options)
        texts, confidences = reader.predict_batch(images, return_prob=True)
        assert texts == [reader.predict(image) for image in images]
        assert all(0 <= confidence <= 1 for confidence in confidences)
        assert "whitelist" not in options or not set("".join(texts)) - set("ab")


def test_torchscript_is_of_seq2seq_alone_and_says_so(written, tmp_path):
    checkpoint = read(written[0])
    if checkpoint.meta.seq_modeling == "seq2seq":
        assert export_torchscript(checkpoint, tmp_path / "file.pt").is_file()
        return
    with pytest.raises(CheckpointError, match="is a vgg_transformer network.*use --format onnx"):
        export_torchscript(checkpoint, tmp_path / "file.pt")
