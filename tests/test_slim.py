"""Slim networks: what is kept, that the fit is the best there is, that every reader takes the narrow file."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny
import tiny_network
import tiny_transformer
import torch
from PIL import Image

from quantvietocr.checkpoint import Checkpoint, Meta, read, write
from quantvietocr.checkpoint.costs import costs_of
from quantvietocr.checkpoint.describe import describe
from quantvietocr.checkpoint.layout import NORM_PARTS, channels_of, norm_of, operations_of, rows_at_once
from quantvietocr.checkpoint.types import CheckpointError
from quantvietocr.checkpoint.validation import validate
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.cli import main as cli
from quantvietocr.config import load_config
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.export.onnx import export_onnx
from quantvietocr.quantize import qat
from quantvietocr.quantize.export import quantized_checkpoint
from quantvietocr.quantize.scheme import Scheme
from quantvietocr.quantize.static import quantize_static
from quantvietocr.reading.predictor import Predictor
from quantvietocr.slim.choose import choose_channels
from quantvietocr.slim.fit import SlimError, fit, patches
from quantvietocr.slim.prune import slim, widths_for
from quantvietocr.train.start import starting_point
from quantvietocr.train.state import TrainError
from quantvietocr.vietocr_bridge.network import float_network

WIDTHS = [4, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 8, 8, 8, 8]  # of `tiny_network`


@pytest.fixture(scope="module")
def full() -> Checkpoint:
    return tiny_network.float_checkpoint()


@pytest.fixture(scope="module")
def narrow(full) -> Checkpoint:
    """Three channels a layer and one row of positions."""
    return slim(full, tiny_network.pictures(8), [3] * 16, one_row=True)[0]


def encoded_by(checkpoint: Checkpoint, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Memory and hidden state by VietOCR's own code."""
    network = float_network(checkpoint)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        memory, hidden = network.transformer.encoder(network.cnn(images))
    return memory.transpose(0, 1).numpy(), hidden.numpy()


def pixels_of(width: int = 64, count: int = 2) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 32, width, 3), dtype=np.uint8)


def test_a_channel_that_says_what_another_says_is_not_kept():
    """0 and 1 are the same and the strongest; 2 is weak; 3 is strong and the next layer does not use it."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 4)) * [3.0, 3.0, 1.0, 5.0]
    values[:, 1] = values[:, 0]
    uses = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64))
    covariance = torch.from_numpy(np.cov(values.T))
    assert choose_channels(covariance, uses, 2) in ([0, 2], [1, 2])
    assert choose_channels(covariance, uses, 4) == [0, 1, 2, 3]  # what tells nothing more is kept last


def test_a_fit_finds_the_weights_and_gains_where_the_relu_cuts():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 6, generator=generator)
    inputs = torch.cat([x, torch.ones(len(x), 1)], 1)
    weights = torch.randn(7, 3, generator=generator)
    found, missed = fit(inputs, inputs @ weights, relu=False)
    torch.testing.assert_close(found, weights, atol=1e-2, rtol=1e-2)
    assert missed < 1e-6
    wanted = inputs @ weights + 0.5 * torch.randn(4000, 3, generator=generator) - 1
    wanted = torch.where(wanted < 0, wanted - 5 * torch.rand(4000, 3, generator=generator), wanted)  # what ReLU hides
    plain, _ = fit(inputs, wanted, relu=False)
    error = ((inputs @ plain).relu() - wanted.relu()).square().sum()
    _, missed = fit(inputs, wanted, relu=True)
    spread = (wanted.relu() - wanted.relu().mean(0)).square().sum()
    assert missed < 0.8 * error / spread


def test_patches_are_what_a_convolution_sees():
    x, weight = torch.randn(2, 3, 6, 5), torch.randn(4, 3, 3, 3)
    expected = torch.nn.functional.conv2d(x, weight, padding=1).flatten(2).transpose(1, 2).flatten(0, 1)
    positions = torch.tensor([0, 7, 31, 59])
    seen = patches(x, (3, 3), (1, 1), positions)
    torch.testing.assert_close(seen[:, :-1] @ weight.flatten(1).T, expected[positions])
    rows = (
        torch.nn.functional.conv2d(x, weight[:, :, :, :1].repeat(1, 1, 2, 1)).flatten(2).transpose(1, 2).flatten(0, 1)
    )
    seen = patches(x, (6, 1), (0, 0), torch.tensor([3, 9]))
    assert seen.shape == (2, 19) and rows.shape[0] == 2 * 1 * 5
    torch.testing.assert_close(seen[:, :-1] @ weight[:, :, :, :1].repeat(1, 1, 2, 1).flatten(1).T, rows[[3, 9]])


def test_with_all_channels_nothing_changes(full):
    same, layers = slim(full, tiny_network.pictures(8), WIDTHS)
    pixels = pixels_of()
    for found, expected in zip(encoded_by(same, pixels), encoded_by(full, pixels)):
        np.testing.assert_allclose(found, expected, atol=2e-2)
    assert max(layer.missed for layer in layers) < 1e-3 and [layer.kept for layer in layers] == [*WIDTHS, tiny.FEATURES]


def test_a_slim_file_says_its_widths_and_every_engine_reads_it(narrow, tmp_path):
    path = write(narrow, tmp_path / "slim.safetensors")
    again = read(path)
    assert channels_of(again.tensors) == (3,) * 16 and rows_at_once(again.tensors) == 2
    pixels = pixels_of()
    expected = encoded_by(again, pixels)
    assert expected[0].shape[1] == 16  # a position for each column of the last map, not for each row of each
    for found, wanted in zip(TorchEngine(again).encode(pixels), expected):
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert "3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 6 channels" in describe(path)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_slim_int8_reads_the_same_on_every_engine(narrow, engine, tmp_path):
    pytest.importorskip(engine)
    samples = read_annotation(tiny_network.write_lines(tmp_path / "lines"), Vocab(tiny.CHARS)).samples
    int8 = quantize_static(narrow, samples, lines=6)
    path = write(int8, tmp_path / "slim.safetensors")
    graph = export_onnx(read(path), tmp_path / "slim.onnx")
    pictures = [str(sample.path) for sample in samples]
    ours = Predictor(path, threads=1).predict_batch(pictures, return_prob=True)
    theirs = Predictor(graph, threads=1, engine=engine).predict_batch(pictures, return_prob=True)
    assert ours[0] == theirs[0]
    np.testing.assert_allclose(ours[1], theirs[1], atol=0.02)


@pytest.mark.parametrize("path", ["eager", "fx"])
def test_quantization_aware_training_takes_a_slim_network(narrow, path):
    """Fake-quantized and converted outputs agree, and the engine computes the converted integers to the last bit."""
    network = float_network(narrow)
    cnn = qat.prepare_cnn(network, Scheme(), qat=True, path=path)
    qat.start_calibration(cnn)
    pictures = tiny_network.pictures(4)
    with torch.no_grad():
        for picture in pictures:
            cnn(picture)
    qat.start_training(cnn)
    cnn.eval().apply(torch.ao.quantization.disable_observer)
    converted = qat.convert_cnn(cnn)
    tiny_network.round_biases(converted)
    state = {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
    meta = Meta(method="qat", chars=tiny.CHARS, decoder="int8", backend="x86", activation_bits=7)
    checkpoint = quantized_checkpoint(converted, state, meta)
    engine = TorchEngine(checkpoint)
    for picture in pictures:
        with torch.no_grad():
            expected = converted(picture)
            found = engine.encode_features(engine.features(picture))[0]
            assert torch.equal(found, expected)
            assert (cnn(picture) - expected).abs().mean() < 0.2 * expected.std()
    cnn.train()
    cnn(pictures[0]).square().sum().backward()
    weights = [parameter for name, parameter in cnn.named_parameters() if "last_conv" in name and parameter.ndim == 4]
    assert [tuple(weight.shape) for weight in weights] == [(tiny.FEATURES, 3, 2, 1)]
    assert weights[0].grad is not None and weights[0].grad.abs().sum() > 0


def test_costs_are_those_of_the_network(narrow, full):
    """Counted by hand: a position for each of 16 columns of 64 px, or two."""
    costs, wide = costs_of(narrow, 64), costs_of(full, 64)
    assert (costs.positions, wide.positions) == (16, 32)
    sizes = [32 * 64, 32 * 64, 16 * 32, 16 * 32, *[8 * 16] * 4, *[4 * 16] * 4, *[2 * 16] * 4]
    products = [27 * 3 * sizes[0], *(9 * 3 * 3 * size for size in sizes[1:])]
    assert costs.cnn == sum(products) + 16 * tiny.FEATURES * 3 * 2
    norms = [norm_of(index) for op, index in operations_of(narrow.tensors) if op == "conv"]
    folded = {f"{norm}.{part}" for norm in norms for part in NORM_PARTS}
    assert costs.parameters == sum(t.size for name, t in narrow.tensors.items() if name not in folded)


def test_widths_follow_from_shares(full):
    wide = tiny.float_checkpoint()
    assert widths_for(wide, [1.0]) == list(channels_of(wide.tensors))
    for keep, why in (([0.5, 0.5], "give one, or 5"), ([0.0], "above 0"), ([1.5], "at most 1")):
        with pytest.raises(SlimError, match=why):
            widths_for(full, keep)
    with pytest.raises(SlimError, match="give 16, at most 4, 4, 5"):
        slim(full, tiny_network.pictures(1), [9] * 16)
    with pytest.raises(SlimError, match="give 16"):
        slim(full, tiny_network.pictures(1), [2] * 5)


def test_a_one_row_network_can_be_slimmed_again(narrow):
    again, layers = slim(narrow, tiny_network.pictures(8), [3] * 16)
    assert rows_at_once(again.tensors) == 2 and max(layer.missed for layer in layers) < 1e-2
    pixels = pixels_of()
    for found, expected in zip(encoded_by(again, pixels), encoded_by(narrow, pixels)):
        np.testing.assert_allclose(found, expected, atol=2e-2)


def test_a_transformer_gets_narrower_and_keeps_its_rows():
    full = tiny_transformer.float_checkpoint()
    widths = [2] * 16
    made, _ = slim(full, tiny_network.pictures(4), widths)
    validate(made)
    assert channels_of(made.tensors) == (2,) * 16
    with pytest.raises(SlimError, match="leave --one-row away"):
        slim(full, tiny_network.pictures(4), widths, one_row=True)


def test_lines_that_show_nothing_are_one_sentence(full):
    with pytest.raises(SlimError, match="all their pixels are alike"):
        slim(full, [torch.zeros(2, 3, 32, 64)], [3] * 16)


def test_a_last_convolution_of_other_rows_is_refused(narrow):
    name = "cnn.model.last_conv_1x1.weight"
    wrong = tiny.replaced(narrow, name, np.repeat(narrow.tensors[name], 2, axis=2))
    with pytest.raises(CheckpointError, match="reads 4 rows at once, and the map before it has 2"):
        validate(wrong)


def test_the_verb_writes_a_file_and_its_picture(full, tmp_path, capsys):
    source = write(full, tmp_path / "float.safetensors")
    lines = tiny_network.write_lines(tmp_path / "lines")
    out = tmp_path / "slim.safetensors"
    arguments = ["slim", str(source), "--data", str(lines), "--channels", *["3"] * 16, "--one-row", "--out", str(out)]
    assert cli.main(arguments) == 0
    assert "widths      3 3 3" in capsys.readouterr().out
    assert read(out).meta.source_sha256 and "--one-row" in (read(out).meta.made_with or "")
    assert Image.open(tmp_path / "slim.layers.png").size[0] > 500
    assert cli.main(["slim", str(source), "--data", str(lines), "--keep", "2", "--out", str(out)]) == 2
    assert cli.main(["slim", str(source), "--data", str(lines), "--out", str(tmp_path / "x.pth")]) == 2
    int8 = write(tiny.int8_checkpoint(), tmp_path / "int8.safetensors")
    assert cli.main(["slim", str(int8), "--data", str(lines), "--out", str(out)]) == 2
    assert "is quantized" in capsys.readouterr().err
    assert cli.main(["slim", str(source), "--data", str(lines), "--lines", "0", "--out", str(out)]) == 2
    assert "0 asked for" in capsys.readouterr().err
    graph = export_onnx(read(source), tmp_path / "float.onnx")
    assert cli.main(["describe", str(graph)]) == 0
    assert cli.main(["slim", str(graph), "--data", str(lines), "--out", str(out)]) == 2
    assert cli.main(["export", str(out), "--format", "vietocr", "--out", str(tmp_path / "slim.pth")]) == 2
    assert "VietOCR builds its VGG at full width alone" in capsys.readouterr().err


def test_settings_say_how_wide_random_weights_are():
    network, meta = starting_point(
        load_config(
            None,
            [
                "data.synth.share=1",
                "train.method=float",
                "model.channels=[4, 4, 6, 8, 8]",
                "model.hidden=[12, 16]",
                "model.one_row=true",
            ],
        )
    )
    state = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    assert channels_of(state) == (4, 4, 4, 4, *[6] * 4, *[8] * 8) and rows_at_once(state) == 2
    validate(Checkpoint(state, meta))
    assert network.transformer.encoder.rnn.hidden_size == 12 and network.transformer.decoder.rnn.hidden_size == 16


@pytest.mark.parametrize(
    "setting, why",
    [
        ("model.channels=[4, 4]", "takes 5 numbers, one for each stage, or 16"),
        ("model.hidden=[4]", "must be two sizes"),
        ("model.pools=[[2, 2]]", "must be 5 pairs"),
        ("model.pools=[[4, 2], [4, 2], [4, 1], [1, 1], [1, 1]]", "leaves nothing of an image"),
        ("model.pools=[[2, 8], [2, 8], [2, 4], [2, 1], [1, 1]]", "leaves nothing of an image"),
    ],
)
def test_widths_that_do_not_fit_are_one_sentence(setting, why):
    with pytest.raises(TrainError, match=why):
        starting_point(load_config(None, ["data.synth.share=1", "train.method=float", setting]))


def test_other_widths_than_the_files_are_refused(narrow, tmp_path):
    path = write(dataclasses.replace(narrow), tmp_path / "slim.safetensors")

    def start(*settings: str):
        return starting_point(load_config(None, ["data.synth.share=1", f"model.weights={path}", *settings]))

    assert start("model.channels=[3, 3, 3, 3, 3]", "model.one_row=true")[1].chars == tiny.CHARS
    with pytest.raises(TrainError, match="model.channels is .* has .*quantvietocr slim"):
        start("model.channels=[4, 3, 3, 3, 3]")
    with pytest.raises(TrainError, match="model.hidden"):
        start("model.hidden=[5, 4]")
