"""Every way to int8 keeps one contract, and the traced path makes the numbers of the one prepared by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_network
import torch
import torch.nn.functional as F
from torch import nn

from quantvietocr.checkpoint import read, write
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.config import QuantConfig, TrainConfig
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.quantize import fx, qat, static
from quantvietocr.quantize.export import numbers_of, quantized_checkpoint
from quantvietocr.quantize.methods import prepare_training, scheme_of
from quantvietocr.quantize.observers import OBSERVERS
from quantvietocr.quantize.scheme import QuantizeError, Scheme
from quantvietocr.reading.predictor import Predictor
from quantvietocr.train.optimizer import make_optimizer

PICTURES = tiny_network.pictures()
PATHS = ("eager", "fx")


@pytest.fixture(scope="module")
def checkpoint():
    return tiny_network.float_checkpoint()


def calibrated(checkpoint, scheme, path):
    network = tiny_network.network_of(checkpoint)
    cnn = qat.prepare_cnn(network, scheme, qat=False, path=path)
    with torch.no_grad():
        for picture in PICTURES:
            cnn(picture)
    return cnn


def trained(checkpoint, method="qat", steps=2, optimizer="adamw", **quant):
    """Network and CNN after calibration and a few steps towards other features, in evaluation mode."""
    network = tiny_network.network_of(checkpoint)
    settings = QuantConfig(**quant)
    cnn = prepare_training(network, settings, method)
    qat.start_calibration(cnn)
    with torch.no_grad():
        for picture in PICTURES:
            cnn(picture)
    qat.start_training(cnn)
    qat.freeze_batch_norm(cnn)
    moves = make_optimizer(network, TrainConfig(max_lr=1e-3, optimizer=optimizer), settings.learned_lr)
    for step in range(steps):
        loss = (cnn(PICTURES[step % len(PICTURES)]) - 0.3).square().mean()
        moves.zero_grad()
        loss.backward()
        moves.step()
    qat.freeze_observers(cnn)
    return network.eval(), cnn


def contract(checkpoint, cnn, method, scheme, folder):
    """The converted CNN, its file, and the file read again compute the same features; returns these and the file."""
    converted = qat.convert_cnn(cnn)
    meta = qat.described(checkpoint.meta, cnn, scheme, method, "int8", "")
    made = quantized_checkpoint(converted, checkpoint.tensors, meta)
    again = read(write(made, folder / "made.safetensors"))
    assert again.meta == made.meta and again.meta.method == method and Scheme(**again.meta.scheme) == scheme
    with torch.no_grad():
        features = converted(PICTURES[0])
        from_file = [
            TorchEngine(file).features(PICTURES[0]).transpose(-1, -2).flatten(2).permute(2, 0, 1)
            for file in (made, again)
        ]
        tiny_network.round_biases(converted)
        rounded = converted(PICTURES[0])
    assert torch.equal(*from_file) and torch.equal(rounded, from_file[0])
    step = float(made.tensors["cnn.model.last_conv_1x1.output.scale"])
    annotation = read_annotation(tiny_network.write_lines(folder / "lines"), Vocab(checkpoint.meta.chars))
    paths = [str(sample.path) for sample in annotation.samples]
    assert Predictor(made, threads=1).predict_batch(paths) == Predictor(again, threads=1).predict_batch(paths)
    return features, again, step


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("observer", OBSERVERS)
def test_static_keeps_the_contract(checkpoint, tmp_path, observer, path):
    scheme = Scheme(observer=observer)
    cnn = calibrated(checkpoint, scheme, path)
    features, _, step = contract(checkpoint, cnn, "static", scheme, tmp_path)
    with torch.no_grad():
        wanted = tiny_network.network_of(checkpoint).cnn(PICTURES[0])
    assert 0 < (features - wanted).abs().mean() < 0.3 * wanted.std() + step


FEW = {"weight_bits": 4, "activation_bits": 5}


@pytest.mark.parametrize(
    ("method", "path", "bits"),
    [
        *((method, path, {}) for method in ("qat", "pact", "lsq") for path in PATHS),
        ("qat", "eager", FEW),
        ("pact", "eager", FEW),
        ("lsq", "eager", FEW),
        ("lsq", "fx", FEW | {"weights": "per-tensor"}),
    ],
    ids=str,
)
def test_training_keeps_the_contract(checkpoint, tmp_path, method, path, bits):
    settings = QuantConfig(path=path, **bits)
    _, cnn = trained(checkpoint, method, path=path, **bits)
    features, file, step = contract(checkpoint, cnn, method, scheme_of(settings, method), tmp_path)
    with torch.no_grad():
        apart = (cnn(PICTURES[0]) - features).abs()
    assert (
        apart.mean() < step
    )  # a rounding that falls the other way goes through up to seventeen layers of few channels
    top = 2 ** (scheme_of(settings, method).weight_bits - 1) - 1
    weights = [t for name, t in file.tensors.items() if t.dtype == np.int8 and name.startswith("cnn.")]
    assert len(weights) == 17 and all(np.abs(w).max() <= top for w in weights)
    assert any(np.abs(w).max() == top for w in weights)
    if bits.get("weight_bits") == 4:
        assert max(len(np.unique(w)) for w in weights) <= 15


@pytest.mark.parametrize(
    "scheme",
    [
        *(Scheme(observer=name) for name in OBSERVERS),
        Scheme(scales="power-of-two"),
        Scheme("onednn", weights="per-tensor", activations="symmetric"),
        Scheme(float_layers=("features.0", "last_conv_1x1")),
        Scheme(overrides={"features.1*": {"weight_bits": 4, "activation_bits": 4}}),
    ],
    ids=lambda scheme: str({k: v for k, v in scheme.to_dict().items() if v != Scheme().to_dict()[k]}),
)
def test_eager_and_fx_make_the_same_integers(checkpoint, scheme):
    by_hand, traced = (numbers_of(qat.convert_cnn(calibrated(checkpoint, scheme, path))) for path in PATHS)
    assert by_hand[0] == traced[0]
    assert by_hand[1].keys() == traced[1].keys()
    assert [name for name in by_hand[1] if not np.array_equal(by_hand[1][name], traced[1][name])] == []


def test_eager_and_fx_train_alike(checkpoint):
    networks = [trained(checkpoint, path=path)[1] for path in PATHS]
    with torch.no_grad():
        assert torch.equal(*(cnn(PICTURES[0]) for cnn in networks))
    tensors = [numbers_of(qat.convert_cnn(cnn))[1] for cnn in networks]
    assert [name for name in tensors[0] if not np.array_equal(tensors[0][name], tensors[1][name])] == []


@pytest.mark.parametrize("method", ["qat", "pact", "lsq"])
@pytest.mark.parametrize("activations", [None, 5])
def test_each_layer_computes_what_it_was_trained_as(checkpoint, method, activations):
    """Fed the same integers, layers differ by one step where a sum lies on the edge; clips and pools stay."""
    _, cnn = trained(checkpoint, method, steps=4, activation_bits=activations)
    # Brighter than any picture, beyond the calibrated ranges: x86's 7-bit ones with 8-bit weights would overflow there.
    x, worst, levels = PICTURES[0] * (1 if method == "qat" else 1.5), {}, 0
    with torch.no_grad():
        for (name, fake), real in zip(cnn.body.named_children(), qat.convert_cnn(cnn).body.children(), strict=True):
            simulated, x = fake(x if not x.is_quantized else x.dequantize()), real(x)
            if x.is_quantized:
                worst[name] = float((simulated - x.dequantize()).abs().max() / x.q_scale())
                levels = max(levels, len(x.int_repr().unique()))
    assert len(worst) == 22 and max(worst.values()) < 1.5
    assert levels > (16 if activations else 64)


class Branches(nn.Module):
    """What a hand-prepared path would have to name place by place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.twice = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        y = self.twice(x)
        return self.last(torch.cat([self.twice(y) + x, F.relu(y)], dim=1))


@pytest.mark.parametrize("training", [False, True])
def test_tracing_finds_functional_operations_and_modules_used_twice(training):
    torch.manual_seed(0)
    network, scheme = Branches(), Scheme()
    with torch.no_grad():
        wanted = network(PICTURES[0])
    graph = fx.trace(
        network, PICTURES[0], {}, scheme.training_qconfig if training else scheme.calibration_qconfig, training
    )
    for picture in PICTURES:
        graph(picture)
    converted = fx.convert(graph.eval())
    kinds = [
        type(converted.get_submodule(n.target)).__name__
        if n.op == "call_module"
        else getattr(n.target, "__name__", n.target)
        for n in converted.graph.nodes
        if n.op.startswith("call")
    ]
    # One way in and one out: all between is int8, the module used twice in both places.
    assert kinds == [
        "quantize_per_tensor",
        "ConvReLU2d",
        "max_pool2d",
        "Conv2d",
        "Conv2d",
        "add",
        "relu",
        "cat",
        "Conv2d",
        "dequantize",
    ]
    assert sum(n.target == "twice" for n in converted.graph.nodes) == 2
    assert 0 < (converted(PICTURES[0]) - wanted).abs().mean() < 0.1 * wanted.std()


class Deciding(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_what_cannot_be_traced_and_an_unknown_path_are_said(checkpoint):
    with pytest.raises(QuantizeError, match="cannot be traced.*quant.path=eager"):
        fx.trace(Deciding(), PICTURES[0], {}, Scheme().calibration_qconfig, False)
    with pytest.raises(QuantizeError, match="'jit'.*eager or fx"):
        qat.prepare_cnn(tiny_network.network_of(checkpoint), Scheme(), qat=True, path="jit")


def test_static_by_either_path_from_lines(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(static, "float_network", tiny_network.network_of)
    samples = read_annotation(tiny_network.write_lines(tmp_path), Vocab(checkpoint.meta.chars)).samples
    made = [
        static.quantize_static(checkpoint, samples, Scheme(observer="kl"), lines=5, seed=3, path=path) for path in PATHS
    ]
    assert made[0].meta == made[1].meta
    assert all(np.array_equal(made[0].tensors[name], made[1].tensors[name]) for name in made[0].tensors)
    other = static.quantize_static(checkpoint, samples, Scheme(observer="kl"), lines=2, seed=4)
    assert other.tensors["cnn.model.features.0.output.scale"] != made[0].tensors["cnn.model.features.0.output.scale"]
