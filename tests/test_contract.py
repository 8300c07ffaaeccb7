"""What every file does on every engine: architecture × method × engine, on networks of a few numbers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tiny
import tiny_transformer
import torch
import yaml
from PIL import Image

from quantvietocr.checkpoint import Checkpoint, read, write
from quantvietocr.checkpoint.describe import describe
from quantvietocr.checkpoint.matrices import matrices_of
from quantvietocr.checkpoint.onnx_file import read_onnx
from quantvietocr.checkpoint.recognise import SUPPORTED
from quantvietocr.checkpoint.types import CheckpointError
from quantvietocr.checkpoint.vietocr_yaml import BridgeError
from quantvietocr.cli import main as cli
from quantvietocr.engines.choose import installed, open_file
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.export.onnx import export_onnx
from quantvietocr.export.torchscript import export_torchscript
from quantvietocr.quantize.static import quantize_dynamic
from quantvietocr.reading import decode
from quantvietocr.reading.predictor import Predictor
from quantvietocr.reading.recognizer import decoder_of
from quantvietocr.vietocr_bridge.reader import VietOCRReader

ARCHITECTURES = {"seq2seq": tiny, "transformer": tiny_transformer}
LAST = f"{tiny.PREFIX}last_conv_1x1.weight"
METHODS = ("float", "dynamic", "qat", "mixed")
ENGINES = ("torch", "onnxruntime", "openvino")


def made(architecture: ModuleType, method: str) -> Checkpoint:
    if method == "qat":
        return architecture.int8_checkpoint()
    if method == "mixed":
        return tiny.with_float_matrices(architecture.int8_checkpoint())
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
    assert (checkpoint.meta.seq_modeling, checkpoint.meta.method) == (architecture, method.replace("mixed", "qat"))
    return path, export_onnx(checkpoint, folder / "file.onnx")


def pictures(spec, width: int = 40, count: int = 3) -> np.ndarray:
    return np.random.default_rng(width).integers(0, 256, (count, spec.height, width, 3), np.uint8)


def test_the_file_says_which_matrices_are_float_and_keeps_them_so_in_every_form(written):
    """The checkpoint, its description and its ONNX file, which holds the encoder's matrices as well."""
    checkpoint, graph = read(written[0]), read_onnx(written[1])
    layers = matrices_of(checkpoint.tensors)
    kept = [layer for layer, name in layers.items() if checkpoint.tensors[name].dtype != np.int8]
    assert len(kept) in (0, 2, len(layers))
    assert sorted(layers) == sorted(matrices_of(graph.tensors))
    for name in layers.values():
        assert graph.tensors[name].dtype == checkpoint.tensors[name].dtype
        np.testing.assert_array_equal(graph.tensors[name], checkpoint.tensors[name])
    if len(kept) == 2:
        for said in (describe(written[0]), describe(written[1])):
            assert f"decoder     int8, 2 of {len(layers)} matrices float" in said
            assert all(f"float       {layer}: too sensitive" in said for layer in kept)


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


#: What readers are asked for; every engine is asked for the first three.
OPTIONS = (
    {},
    {"beam": 3},
    {"whitelist": "ab"},
    {"words": None, "leaders": "keep", "wide": "squeeze"},
    {"leaders": "drop"},
    {"retries": 2},
    {"beam": 2, "follow_states": False, "whitelist": "ab"},
)


@pytest.mark.parametrize("name", ENGINES)
def test_a_predictor_reads_lines_alone_as_together_with_every_option(written, name):
    if not installed(name):
        pytest.skip(f"{name} is not installed")
    spec = read(written[0]).meta.image
    # The last one is three times as wide as the network takes.
    images = [pictures(spec, width, 1)[0] for width in (spec.min_width, 40, 40, spec.max_width, 3 * spec.max_width)]
    for options in OPTIONS if name == "torch" else OPTIONS[:3]:
        reader = Predictor(written[name != "torch"], threads=1, engine=name, **options)
        texts, confidences = reader.predict_batch(images, return_prob=True)
        assert texts == [reader.predict(image) for image in images]
        assert all(0 <= confidence <= 1 for confidence in confidences)
        assert "whitelist" not in options or not set("".join(texts)) - set("ab")
        does_not_apply = "leaders drop leaves nothing out: the attention of a vgg_transformer" in " ".join(reader.about)
        assert does_not_apply == (options == {"leaders": "drop"} and reader.meta.seq_modeling == "transformer")


def test_torchscript_is_of_seq2seq_alone_and_says_so(written, tmp_path):
    checkpoint = read(written[0])
    if checkpoint.meta.seq_modeling == "seq2seq":
        assert export_torchscript(checkpoint, tmp_path / "file.pt").is_file()
        return
    with pytest.raises(CheckpointError, match="is a vgg_transformer network.*use --format onnx"):
        export_torchscript(checkpoint, tmp_path / "file.pt")


def yaml_of(path: Path, architecture: str, **changes) -> Path:
    """The YAML that the tiny network of an architecture was trained with, or another."""
    heads = {"transformer": {"nhead": tiny_transformer.HEADS}} if architecture == "transformer" else {}
    settings = {"seq_modeling": architecture, "vocab": tiny.CHARS, **heads, **changes}
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return path


def test_a_float_file_goes_back_to_vietocr_which_reads_the_same(written, tmp_path, capsys, monkeypatch):
    # VietOCR builds its VGG at full width alone; the tiny ones say so, unless they are let through.
    monkeypatch.setattr("quantvietocr.checkpoint.layout.has_own_widths", lambda tensors: True)
    checkpoint, out = read(written[0]), tmp_path / "own.pth"
    code = cli.main(["export", str(written[0]), "--format", "vietocr", "--out", str(out)])
    if not checkpoint.is_float:
        said = capsys.readouterr().err
        assert code == 2 and "VietOCR runs float weights alone: export the float checkpoint it was made from." in said
        return
    assert code == 0
    theirs = VietOCRReader(read(out, yaml_of(tmp_path / "own.yml", checkpoint.meta.seq_modeling)))
    images = [Image.fromarray(pictures(checkpoint.meta.image, width, 1)[0]) for width in (40, 64)]
    ours = Predictor(checkpoint, threads=1, words=None, leaders="keep", wide="squeeze")
    assert ours.predict_batch(images) == [theirs.predict(image) for image in images]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_of_one_network_with_the_yaml_of_another_are_refused(architecture, tmp_path):
    module = ARCHITECTURES[architecture]
    state = {name: torch.from_numpy(np.array(t)) for name, t in module.float_state().items()}
    torch.save(state, tmp_path / "mine.pth")
    (other,) = set(ARCHITECTURES) - {architecture}
    width = {"seq2seq": "decoder_embedded", "transformer": "dim_feedforward"}[architecture]
    size = {"seq2seq": tiny.HIDDEN, "transformer": 20}[architecture]
    shape = {"seq2seq": "decoder.embedding", "transformer": "embed_tgt"}[architecture]
    for changes, error, said in (
        (
            {"seq_modeling": other},
            BridgeError,
            f"describes the head '{other}' and the weights have the head '{architecture}'",
        ),
        (
            {"backbone": "resnet50"},
            BridgeError,
            f"describes backbone 'resnet50' with '{architecture}': only a VGG with",
        ),
        ({"backbone": "vgg11_bn"}, CheckpointError, "have backbone vgg19_bn, and .*own.yml says vgg11_bn"),
        (
            {"transformer": {"nhead": 2, width: size + 8}},
            CheckpointError,
            f"have {width} {size}, and .* says {size + 8}",
        ),
        ({"vocab": "abc"}, CheckpointError, rf"transformer.{shape}.weight has shape \[9, .* needs \[7, "),
    ):
        config = yaml_of(tmp_path / "own.yml", architecture, **changes)
        with pytest.raises(error, match=said) as refusal:
            read(tmp_path / "mine.pth", config)
        assert "\n" not in str(refusal.value)
    assert read(tmp_path / "mine.pth", yaml_of(tmp_path / "own.yml", architecture)).meta.seq_modeling == architecture


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_vgg_of_another_depth_is_refused_by_the_tensor_that_tells_it(architecture, tmp_path):
    module = ARCHITECTURES[architecture]
    state = {name: torch.from_numpy(np.array(t)) for name, t in module.float_state(stages=(2, 2, 3, 3, 3)).items()}
    torch.save(state, tmp_path / "vgg16.pth")
    with pytest.raises(
        CheckpointError, match=r"features.24.weight is a convolution where a vgg19_bn has none: "
    ) as refusal:
        read(tmp_path / "vgg16.pth", yaml_of(tmp_path / "own.yml", architecture))
    assert SUPPORTED in str(refusal.value)
    state = module.float_state(stages=(1, 1, 2, 2, 2))
    torch.save({name: torch.from_numpy(np.array(t)) for name, t in state.items()}, tmp_path / "vgg11.pth")
    assert len(read(tmp_path / "vgg11.pth", yaml_of(tmp_path / "own.yml", architecture)).tensors) == len(state)
