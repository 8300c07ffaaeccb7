"""What lies in weights/ and data/samples is what their pages say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quantvietocr import Predictor
from quantvietocr.checkpoint import read
from quantvietocr.checkpoint.costs import costs_of
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.metrics.accuracy import score

ROOT = Path(__file__).resolve().parents[1]
FLOAT = ROOT / "weights" / "vgg_seq2seq-float16.safetensors"
INT8 = ROOT / "weights" / "vgg_seq2seq-qat-int8.safetensors"
SLIM = ROOT / "weights" / "vgg_seq2seq-slim-qat-int8.safetensors"


def test_both_files_come_from_one_training():
    meta, other = read(INT8).meta, read(FLOAT).meta
    assert other.method == "float" and meta.source_sha256 == other.source_sha256 and meta.made_with == other.made_with
    assert meta.scheme["scales"] == "power-of-two"
    assert (meta.method, meta.decoder, meta.backend, meta.activation_bits) == ("qat", "int8", "x86", 7)
    assert {layer.precision for layer in meta.layers if layer.op == "conv"} == {"int8"}
    assert not meta.float_reasons
    assert INT8.stat().st_size <= 23e6


def test_the_slim_file_is_of_the_same_kind_and_small():
    meta, other = read(SLIM).meta, read(INT8).meta
    assert (meta.method, meta.decoder, meta.backend, meta.activation_bits) == ("qat", "int8", "x86", 7)
    assert {layer.precision for layer in meta.layers if layer.op == "conv"} == {"int8"} and not meta.float_reasons
    assert meta.scheme["scales"] == "power-of-two" and (meta.chars, meta.image) == (other.chars, other.image)
    assert SLIM.stat().st_size <= 8e6
    assert costs_of(read(SLIM)).cnn < costs_of(read(INT8)).cnn / 8


@pytest.mark.parametrize("path", [FLOAT, INT8, SLIM], ids=["float", "int8", "slim"])
def test_each_file_says_how_it_was_made(path):
    meta = read(path).meta
    config = re.search(r"--config (\S+)", meta.made_with)
    assert (ROOT / config[1]).is_file()
    assert meta.accuracy["lines"] > 100 and 0 < meta.accuracy["cer"] < 0.2
    assert not Path(meta.accuracy["data"]).is_absolute()


def test_both_read_the_samples_and_eight_bits_cost_little():
    samples = read_annotation(ROOT / "data" / "samples" / "annotation.txt", Vocab()).samples
    assert len(samples) == 40
    texts = [sample.text for sample in samples]
    pictures = [str(sample.path) for sample in samples]
    found = {path: score(texts, Predictor(path, threads=1).predict_batch(pictures)) for path in (FLOAT, INT8, SLIM)}
    # Forty lines of every kind, poor scans too: reading, with room for another machine's rounding, not a benchmark.
    assert found[FLOAT].cer < 0.15
    assert found[INT8].cer < found[FLOAT].cer + 0.02
    assert found[SLIM].cer < found[INT8].cer + 0.03


def test_the_short_names_of_the_command_line_work_in_python():
    assert Predictor("int8").meta.method == "qat" and Predictor("float").meta.method == "float"
    assert Predictor("full").meta == Predictor("int8").meta and Predictor("slim").meta.layers[-1].kernel == (2, 1)
