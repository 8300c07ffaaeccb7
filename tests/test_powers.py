"""Power-of-two scales: every scale is one, every range still fits, and all engines compute the same integers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny_network
import torch

from quantvietocr.checkpoint import Checkpoint, read
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.config import LayerOverride, QuantConfig
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.engines.choose import installed, open_file
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.export.onnx import export_onnx
from quantvietocr.pictures.image import line_pixels, open_line
from quantvietocr.quantize import qat
from quantvietocr.quantize.export import quantized_checkpoint
from quantvietocr.quantize.learned.ranges import bits_for_learned_ranges
from quantvietocr.quantize.methods import prepare_training, scheme_of
from quantvietocr.quantize.observers import OBSERVERS
from quantvietocr.quantize.powers import on_grid
from quantvietocr.quantize.scheme import QuantizeError, Scheme
from quantvietocr.quantize.static import quantize_static

POWERS = Scheme(scales="power-of-two")


def is_power(scales) -> bool:
    return bool((np.frexp(np.asarray(scales, dtype=np.float64))[0] == 0.5).all())


@pytest.mark.parametrize("name", OBSERVERS)
@pytest.mark.parametrize("low", [0.0, -1.3])
@pytest.mark.parametrize("activations", ["affine", "symmetric"])
def test_an_activation_range_fits_the_rounded_scale(name, low, activations):
    values = torch.empty(4000).uniform_(low, 5.1, generator=torch.Generator().manual_seed(1))
    found = []
    for scales in ("any", "power-of-two"):
        scheme = dataclasses.replace(POWERS, scales=scales, activations=activations)
        observer = scheme.activation_observer(scheme.everywhere, name)()
        observer(values)
        found.append([number.item() for number in observer.calculate_qparams()])
    (plain, _), (scale, zero) = found
    assert is_power(scale) and 127 / 128 * plain <= scale < 2 * plain
    assert zero % 2 == 0 and 0 <= zero <= 128
    if name == "minmax":
        assert -zero * scale <= values.min() and (128 - zero + 2 * (low < 0)) * scale >= values.max()


@pytest.mark.parametrize("top, expected", [(1.0, 2**-7), (1.001, 2**-6), (0.51, 2**-7), (0.5, 2**-8)])
def test_a_range_that_fits_128_steps_does_not_double(top, expected):
    observer = POWERS.activation_observer(POWERS.everywhere, "minmax")()
    observer(torch.tensor([0.0, top]))
    scale, zero = observer.calculate_qparams()
    assert (scale.item(), zero.item()) == (expected, 0)


@pytest.mark.parametrize("weights", ["per-channel", "per-tensor"])
def test_weights_keep_their_largest(weights):
    scheme = dataclasses.replace(POWERS, weights=weights)
    weight = (
        torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0))
        * torch.logspace(-3, 0, 6)[:, None, None, None]
    )
    weight[0, 0, 0, 0] = 127 * 2**-12
    observer = scheme.weight_observer(scheme.everywhere, training=False)()
    observer(weight)
    scale, zero = observer.calculate_qparams()
    largest = weight.abs().amax(dim=(1, 2, 3)) if weights == "per-channel" else weight.abs().max().reshape(1)
    assert is_power(scale) and not zero.any()
    assert ((largest / scale > 63.4) & (largest / scale <= 127.001)).all()


def test_a_bias_is_in_steps_of_the_sums():
    scales = np.array([2**-9, 2**-7], dtype=np.float32)
    found = on_grid(np.array([0.1, -0.3], dtype=np.float32), 2**-4, scales)
    assert found.dtype == np.float32 and (found / (scales * 2**-4) == np.round(found / (scales * 2**-4))).all()
    assert np.abs(found - [0.1, -0.3]).max() <= 2**-12


def numbers_of_file(made: Checkpoint) -> None:
    """Asserts that every scale is a power of two, every zero point even, every bias on its grid."""
    scale = made.tensors["cnn.input.output.scale"]
    for layer in made.meta.layers:
        if layer.op == "conv":
            steps = made.tensors[f"{layer.name}.bias"] / (
                made.tensors[f"{layer.name}.weight.scale"].astype(np.float64) * scale
            )
            assert (steps == np.round(steps)).all()
            assert is_power(made.tensors[f"{layer.name}.weight.scale"])
            assert made.tensors[f"{layer.name}.output.zero_point"] % 2 == 0
            scale = made.tensors[f"{layer.name}.output.scale"]
        assert is_power(scale)


@pytest.mark.parametrize("path", ["eager", "fx"])
def test_training_ends_in_powers_of_two(path):
    float_file = tiny_network.float_checkpoint()
    network = tiny_network.network_of(float_file)
    settings = QuantConfig(path=path, scales="power-of-two")
    cnn = prepare_training(network, settings)
    qat.start_calibration(cnn)
    cnn(tiny_network.pictures(1)[0])
    qat.start_training(cnn)
    optimizer = torch.optim.SGD(cnn.parameters(), lr=1e-3)
    cnn(tiny_network.pictures(2)[1]).square().sum().backward()
    optimizer.step()
    scheme = scheme_of(settings)
    meta = qat.described(float_file.meta, cnn, scheme, "qat", "int8", "")
    state = {name: t.detach().numpy() for name, t in network.state_dict().items()}
    made = quantized_checkpoint(qat.convert_cnn(cnn), state, meta)
    numbers_of_file(made)
    assert made.meta.scheme["scales"] == "power-of-two"


@pytest.mark.parametrize(
    "spare, settings",
    [
        (True, {}),
        (True, {"activation_bits": 8}),
        (True, {"overrides": {"features.0": LayerOverride(activation_bits=8)}}),
        (True, {"weights": "per-tensor"}),
        (False, {"weights": "grouped"}),
        (False, {"weight_bits": 7}),
        (False, {"activation_bits": 6}),
        (False, {"overrides": {"features.0": LayerOverride(weight_bits=4)}}),
    ],
)
def test_scales_are_powers_where_nothing_is_said_and_levels_can_be_spared(spare, settings):
    assert scheme_of(QuantConfig(**settings)).scales == ("power-of-two" if spare else "any")
    assert scheme_of(QuantConfig(**settings, scales="any")).scales == "any"
    assert scheme_of(QuantConfig(weights=settings.get("weights", "per-channel")), "lsq").scales == "any"


def test_what_learns_its_scales_or_has_many_is_refused():
    with pytest.raises(QuantizeError, match="groups of 4-bit weights have more"):
        Scheme(weights="grouped", scales="power-of-two")
    with pytest.raises(QuantizeError, match="PACT and LSQ learn their ranges"):
        bits_for_learned_ranges(POWERS)
    with pytest.raises(QuantizeError, match="quant.scales is 'two'; it must be one of any, power-of-two"):
        Scheme(scales="two")


def test_all_engines_compute_the_same_integers(float_weights, lines, tmp_path):
    runtimes = [name for name in ("onnxruntime", "openvino") if installed(name)]
    if not runtimes:
        pytest.skip("neither onnxruntime nor openvino is installed")
    float_file = read(float_weights)
    samples = read_annotation(lines / "annotation.txt", Vocab(float_file.meta.chars)).samples
    made = quantize_static(float_file, samples, POWERS, lines=4)
    numbers_of_file(made)
    torch_engine = TorchEngine(made, 1)
    others = [open_file(export_onnx(made, tmp_path / "powers.onnx"), name, 1)[1] for name in runtimes]
    for sample in samples:
        pixels = line_pixels(open_line(sample.path), made.meta.image)[None]
        features = torch_engine.stages(pixels)[0]
        for engine in others:
            np.testing.assert_array_equal(engine.stages(pixels)[0], features, err_msg=engine.name)
