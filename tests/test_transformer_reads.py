"""A transformer of real widths on pictures of lines: beside VietOCR's own code, in 8 bits, on every engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import small_transformer
from conftest import SHIPPED

from quantvietocr.checkpoint import Checkpoint, read, write
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.cli import main as cli
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.engines.choose import ONNX_ENGINES, installed, open_file
from quantvietocr.export.onnx import export_onnx
from quantvietocr.export.verify import MAX_MEAN_STEPS, verify
from quantvietocr.pictures.image import open_line
from quantvietocr.quantize.static import quantize_static
from quantvietocr.reading.predictor import Predictor
from quantvietocr.vietocr_bridge.reader import VietOCRReader

#: As VietOCR reads: once, whole, everything that is decoded.
PLAIN = {"wide": "squeeze", "leaders": "keep", "words": None}


@pytest.fixture(scope="module")
def network() -> Checkpoint:
    if not SHIPPED.is_file():
        pytest.skip(f"no trained weights at {SHIPPED}")
    return small_transformer.float_checkpoint(SHIPPED)


@pytest.fixture(scope="module")
def pictures(lines) -> list[Path]:
    return sorted((lines / "img").iterdir())


def test_it_reads_what_vietocr_reads_with_its_weights(network, pictures):
    theirs = VietOCRReader(network)
    expected = [theirs.predict(open_line(path)) for path in pictures]
    reader = Predictor(network, threads=1, **PLAIN)
    assert reader.predict_batch(pictures) == expected
    assert len(set(expected)) > 4 and any(len(text) > 3 for text in expected)  # it does read


def test_static_int8_reads_nearly_as_float_on_every_engine(network, lines, pictures, tmp_path):
    samples = read_annotation(lines / "annotation.txt", Vocab()).samples
    quantized = read(write(quantize_static(network, samples), tmp_path / "q.safetensors"))
    assert quantized.meta.seq_modeling == "transformer" and quantized.meta.decoder == "int8"
    path = export_onnx(quantized, tmp_path / "q.onnx")
    for one in verify(quantized, path, pictures):
        assert one.mean_steps <= MAX_MEAN_STEPS and not one.texts, str(one)
    for name in ONNX_ENGINES:
        if installed(name):
            file, engine = open_file(path, name, 1)
            assert file.meta.heads == 8 and engine.name == name


def test_it_goes_back_to_vietocr(network, tmp_path, capsys):
    """`export --format vietocr` of a file of ours: VietOCR's network takes it, and its numbers are the same."""
    write(network, tmp_path / "mine.safetensors")
    assert (
        cli.main(
            ["export", str(tmp_path / "mine.safetensors"), "--format", "vietocr", "--out", str(tmp_path / "m.pth")]
        )
        == 0
    )
    assert "for VietOCR's Predictor" in capsys.readouterr().out
    again = read(tmp_path / "m.pth")
    assert again.meta.seq_modeling == "transformer" and set(again.tensors) == set(network.tensors)
    for name, tensor in network.tensors.items():
        np.testing.assert_array_equal(again.tensors[name], tensor.astype(again.tensors[name].dtype), err_msg=name)
