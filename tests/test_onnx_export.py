"""The ONNX file: what is in it, that it holds the checkpoint's numbers, and that runtimes compute what torch does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny_transformer
from tiny import CHARS, FEATURES, PREFIX, float_checkpoint, int8_checkpoint, replaced, transformer

from quantvietocr.checkpoint import Checkpoint, CheckpointError, Layer, read
from quantvietocr.checkpoint.onnx_file import read_onnx
from quantvietocr.cli import main as cli
from quantvietocr.engines.base import STAGES
from quantvietocr.engines.choose import open_file
from quantvietocr.engines.graphs import encoder_graph
from quantvietocr.engines.graphs.builder import Graph
from quantvietocr.engines.graphs.network import input_scale, to_onnx
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.export import verify as onnx_verify
from quantvietocr.export.onnx import export_onnx
from quantvietocr.pictures.image import LEVELS, ImageSpec
from quantvietocr.quantize.recurrent import quantize_decoder
from quantvietocr.reading import decode
from quantvietocr.reading.recognizer import decoder_of

INT8 = Path(__file__).resolve().parents[1] / "weights" / "vgg_seq2seq-qat-int8.safetensors"
PIXELS = np.random.default_rng(3).integers(0, 256, (3, 8, 50, 3), dtype=np.uint8)


def mixed_checkpoint() -> Checkpoint:
    """A float convolution with an output range, an int8 one, a float pool, a float end: every change of precision."""
    rng = np.random.default_rng(5)
    tiny = int8_checkpoint()
    tensors = {name: t for name, t in tiny.tensors.items() if not name.startswith("cnn.")} | transformer()
    tensors = {name: t for name, t in tensors.items() if not name.endswith(".scale")}
    first, second, last = f"{PREFIX}features.0", f"{PREFIX}features.3", f"{PREFIX}last_conv_1x1"
    for name, shape in ((first, (5, 3, 3, 3)), (last, (FEATURES, 4, 1, 1))):
        tensors[f"{name}.weight"] = rng.normal(size=shape).astype(np.float32)
        tensors[f"{name}.bias"] = rng.normal(size=shape[0]).astype(np.float32)
    tensors[f"{second}.weight"] = rng.integers(-127, 128, (4, 5, 3, 3)).astype(np.int8)
    tensors[f"{second}.weight.scale"] = rng.uniform(0.001, 0.01, 4).astype(np.float32)
    tensors[f"{second}.bias"] = rng.normal(size=4).astype(np.float32)
    for name in (first, second):
        tensors[f"{name}.output.scale"] = np.float32(0.03).reshape(())
        tensors[f"{name}.output.zero_point"] = np.int32(3).reshape(())
    layers = (
        Layer(first, "conv", (3, 3), padding=(1, 1), relu=True),
        Layer(second, "conv", (3, 3), padding=(1, 1), precision="int8"),
        Layer(f"{PREFIX}features.6", "avgpool", (2, 2), (2, 2)),
        Layer(f"{PREFIX}features.7", "avgpool", (1, 1)),
        Layer(last, "conv", (1, 1)),
    )
    return Checkpoint(tensors, dataclasses.replace(tiny.meta, layers=layers, decoder="float"))


def float_tiny() -> Checkpoint:
    """The pools of VietOCR's VGG on pictures of 32 pixels."""
    checkpoint = float_checkpoint()
    return dataclasses.replace(checkpoint, meta=dataclasses.replace(checkpoint.meta, image=ImageSpec(32, 32, 64)))


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("make", [int8_checkpoint, mixed_checkpoint, float_tiny])
def test_every_kind_of_layer_computes_what_torch_does(make, engine, tmp_path):
    checkpoint = make()
    pixels = np.repeat(PIXELS, checkpoint.meta.image.height // 8, axis=1)
    _, runtime = open_file(export_onnx(checkpoint, tmp_path / "tiny.onnx"), engine, threads=1)
    found, expected = runtime.stages(pixels), TorchEngine(checkpoint, 1).stages(pixels)
    # Less than a step of quantization: nothing falls on another side of a tie here. torch's int8 encoder has float16
    # weights.
    for ours, theirs in zip(expected, found, strict=True):
        assert ours.shape == theirs.shape and np.abs(ours).max() > 0.1
        np.testing.assert_allclose(theirs, ours, atol=4e-3 * np.abs(ours).max())


def ending_checkpoint() -> Checkpoint:
    """Its decoder ends lines, at different places: 14, 6, 16, 29 and 27 characters."""
    checkpoint = int8_checkpoint()
    return dataclasses.replace(checkpoint, tensors=dict(checkpoint.tensors) | quantize_decoder(transformer(seed=3)))


@pytest.mark.parametrize("make", [ending_checkpoint, float_tiny])
def test_the_loop_decodes_as_the_decoder_in_numpy(make):
    checkpoint = make()
    pixels = np.repeat(
        np.concatenate([PIXELS, PIXELS[:1] // 9, PIXELS[:1] * 0]), checkpoint.meta.image.height // 8, axis=1
    )
    session = onnxruntime.InferenceSession(to_onnx(checkpoint))
    names = ["memory", "hidden", "ids", "probabilities"]
    memory, hidden, ids, chances = session.run(names, {"pixels": pixels, "max_length": np.array(129)})
    readings = decode.greedy(decoder_of(checkpoint), (memory, hidden))
    assert len({reading.ids for reading in readings}) > 1
    for line, reading in enumerate(readings):
        count = len(reading.ids)
        assert tuple(ids[line, :count].tolist()) == reading.ids
        assert set(ids[line, count:].tolist()) <= {decode.EOS}
        expected = [*reading.probabilities, reading.end][: ids.shape[1]]
        np.testing.assert_allclose(chances[line, : len(expected)], expected, atol=1e-5)
        assert not chances[line, count + 1 :].any()
    short = session.run(["ids"], {"pixels": pixels, "max_length": np.array(2)})[0]
    np.testing.assert_array_equal(short, ids[:, :2])


def test_the_same_numbers_give_the_same_bytes_and_others_do_not(tmp_path):
    first = export_onnx(int8_checkpoint(), tmp_path / "one" / "a.onnx").read_bytes()
    second = export_onnx(int8_checkpoint(), tmp_path / "b.onnx").read_bytes()
    assert first == second
    assert to_onnx(replaced(int8_checkpoint(), f"{PREFIX}features.0.bias", np.ones(5, np.float32))) != first
    assert not list(tmp_path.glob("**/*.part"))


@pytest.mark.parametrize("make", [int8_checkpoint, float_checkpoint, tiny_transformer.int8_checkpoint])
def test_onnx_itself_would_write_the_same_bytes(make):
    content = to_onnx(make())
    onnx.checker.check_model(content)
    assert onnx.load_from_string(content).SerializeToString(deterministic=True) == content


@pytest.mark.parametrize("make", [int8_checkpoint, float_checkpoint, tiny_transformer.int8_checkpoint])
def test_engines_get_all_but_the_decoder(make, tmp_path):
    checkpoint = make()
    whole = onnx.load_from_string(to_onnx(checkpoint))
    expected = [value.name for value in whole.graph.output if value.name in STAGES]
    exported = read(export_onnx(checkpoint, tmp_path / "tiny.onnx"))
    for content in (encoder_graph(checkpoint), encoder_graph(exported)):
        part = onnx.load_from_string(content)
        onnx.checker.check_model(content)
        assert [value.name for value in part.graph.input] == ["pixels"]
        assert [value.name for value in part.graph.output] == expected
        assert "Loop" not in {node.op_type for node in part.graph.node}
        assert not any(".decoder." in tensor.name for tensor in part.graph.initializer)


def test_the_file_gives_the_numbers_and_metadata_back(tmp_path):
    checkpoint = int8_checkpoint()
    found = read(export_onnx(checkpoint, tmp_path / "tiny.onnx"))
    assert found.meta == checkpoint.meta
    biases = {name for name in checkpoint.tensors if name.startswith("cnn.") and name.endswith(".bias")}  # int32 there
    for name in checkpoint.tensors.keys() - biases:
        tensor = checkpoint.tensors[name]
        np.testing.assert_array_equal(found.tensors[name], tensor, err_msg=name)
        assert name.endswith("zero_point") or found.tensors[name].dtype == tensor.dtype
    decoder = read_onnx(tmp_path / "tiny.onnx", "transformer.decoder.").tensors
    assert sorted(decoder) == sorted(name for name in checkpoint.tensors if name.startswith("transformer.decoder."))


def test_the_file_says_what_it_is():
    model = onnx.load_from_string(to_onnx(int8_checkpoint()))
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["opset"] == str(model.opset_import[0].version) == "17"
    assert about["method"] == "qat" and "7-bit" in about["activations"] and "x86" in about["activations"]
    assert json.loads(about["vocabulary"]) == ["<pad>", "<sos>", "<eos>", "*", *CHARS]
    assert json.loads(about["ranges"])["cnn.input"] == [pytest.approx(1 / 127), 0]
    assert json.loads(about["image"]) == {"height": 8, "min_width": 8, "max_width": 64}
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert kinds[f"{PREFIX}features.0.weight"] == kinds["transformer.decoder.fc_out.weight"] == onnx.TensorProto.INT8
    assert kinds[f"{PREFIX}features.0.bias.int32"] == onnx.TensorProto.INT32


@pytest.mark.parametrize("zero", [0, 3])
@pytest.mark.parametrize("scale", [0.00786606, 1 / 127, 1 / 255, 0.0039, 0.011])
def test_bytes_are_quantized_as_their_floats_are(scale, zero):
    scale = np.float32(scale)
    found = input_scale(scale, zero)
    expected = np.rint(LEVELS * (np.float32(1) / scale)) + zero
    np.testing.assert_array_equal(np.rint(np.arange(256, dtype=np.float32) / found) + zero, expected)


def test_a_pool_rounds_ties_to_even_as_torch_does(tmp_path):
    """Means of four bytes end in .25, .5 or .75: a quarter of them are ties."""
    name = f"{PREFIX}last_conv_1x1"
    checkpoint = int8_checkpoint()
    pool = Layer(f"{PREFIX}features.0", "avgpool", (2, 2), (2, 2), precision="int8")
    conv = Layer(name, "conv", (1, 1), precision="int8")
    tensors = dict(checkpoint.tensors) | {
        "cnn.input.output.scale": np.float32(0.1 / 3).reshape(()),
        f"{name}.weight": np.full((FEATURES, 3, 1, 1), 1, np.int8),
        f"{name}.weight.scale": np.ones(FEATURES, np.float32),
        f"{name}.bias": np.zeros(FEATURES, np.float32),
        f"{name}.output.scale": np.float32(0.1 / 3).reshape(()),
        f"{name}.output.zero_point": np.int32(0).reshape(()),
    }
    checkpoint = Checkpoint(tensors, dataclasses.replace(checkpoint.meta, layers=(pool, conv)))
    expected = TorchEngine(checkpoint, 1).stages(PIXELS)[0]
    for engine in ("onnxruntime", "openvino"):
        _, runtime = open_file(export_onnx(checkpoint, tmp_path / "pool.onnx"), engine, threads=1)
        np.testing.assert_allclose(runtime.stages(PIXELS)[0], expected, atol=1e-4, err_msg=engine)


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(CheckpointError, match="end in .onnx"):
        export_onnx(int8_checkpoint(), tmp_path / "tiny.bin")
    tiny = replaced(int8_checkpoint(), f"{PREFIX}features.0.weight.scale", np.full(5, 1e-12, np.float32))
    with pytest.raises(CheckpointError, match="too large for int32"):
        export_onnx(tiny, tmp_path / "tiny.onnx")
    assert not list(tmp_path.iterdir())


def test_verify_passes_a_right_file_and_fails_a_wrong_one(lines, tmp_path, capsys, monkeypatch):
    command = ["export", str(INT8), "--format", "onnx", "--verify", str(lines / "annotation.txt"), "--out"]
    assert cli.main([*command, str(tmp_path / "right.onnx")]) == 0
    said = capsys.readouterr().out
    assert "onnxruntime: 0 of 8 lines" in said and "openvino: 0 of 8 lines" in said

    make = Graph.weight

    def wrong(self, name):
        made = make(self, name)
        if name.endswith("features.10.weight"):
            self.constant(name + ".scale", self.tensors[name + ".scale"] * np.float32(1.1))
        return made

    monkeypatch.setattr(Graph, "weight", wrong)
    assert cli.main([*command, str(tmp_path / "wrong.onnx")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "wrong.onnx" in said and "computes other features" in said


def test_verify_fails_where_too_many_texts_differ():
    difference = onnx_verify.Difference("onnxruntime", 1000, (("a.png", "a", "b"),) * 2, 0.9, 0.01, 1, 0.1, 0.01)
    assert onnx_verify.failure([difference]) is None
    worse = dataclasses.replace(difference, texts=(("a.png", "a", "b"),) * 3)
    assert "reads 3 of 1000 lines otherwise" in onnx_verify.failure([difference, worse])


def test_float_weights_export_for_vietocr_alone_and_verify_is_for_onnx(float_weights, tmp_path, capsys):
    assert (
        cli.main(
            ["export", str(float_weights), "--format", "vietocr", "--out", str(tmp_path / "a.pth"), "--verify", "x"]
        )
        == 2
    )
    assert "--verify" in capsys.readouterr().err
