"""Quantization: what QAT sees is what conversion makes, and what the file holds is what the engine runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tiny_network import round_biases

from quantvietocr.checkpoint import Meta, read, write
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.common.machine import processor
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.pictures.image import line_pixels, line_tensor, open_line
from quantvietocr.quantize import qat
from quantvietocr.quantize.export import quantized_checkpoint
from quantvietocr.quantize.recurrent import quantize_rows
from quantvietocr.quantize.scheme import ACTIVATION_BITS, LayerNameError, QuantizeError, Scheme
from quantvietocr.quantize.static import quantize_dynamic, quantize_static
from quantvietocr.quantize.stubs import AveragePool
from quantvietocr.reading.predictor import Predictor
from quantvietocr.train.validate import score_module
from quantvietocr.vietocr_bridge.network import float_network


@pytest.fixture(scope="module")
def pictures(lines):
    """The generated lines as network inputs, narrow ones only: float32 (1,3,32,W) each."""
    samples = read_annotation(lines / "annotation.txt", Vocab()).samples
    pixels = sorted((line_pixels(open_line(sample.path)) for sample in samples), key=lambda p: p.shape[1])
    return [torch.from_numpy(line_tensor(p))[None] for p in pixels[:4]]


@pytest.fixture(scope="module")
def float_checkpoint(float_weights):
    return read(float_weights)


def prepared(checkpoint, pictures, backend="x86", float_layers=()):
    """A calibrated fake-quant network in evaluation mode, and its CNN."""
    network = float_network(checkpoint)
    cnn = qat.prepare_cnn(network, Scheme(backend, float_layers=float_layers), qat=True)
    qat.start_calibration(cnn)
    with torch.no_grad():
        for picture in pictures:
            cnn(picture)
    qat.start_training(cnn)
    cnn.apply(torch.ao.quantization.disable_observer)
    return network.eval(), cnn


def checkpoint_of(network, cnn, backend="x86", decoder="int8"):
    state = {name: t.detach().numpy() for name, t in network.state_dict().items()}
    meta = Meta(method="qat", decoder=decoder, backend=backend, activation_bits=ACTIVATION_BITS[backend])
    return quantized_checkpoint(qat.convert_cnn(cnn), state, meta)


def test_fake_quantized_weights_differ_from_float_ones_and_lie_on_the_grid(float_checkpoint, pictures):
    _, cnn = prepared(float_checkpoint, pictures)
    layer = cnn.body.last_conv_1x1
    fake = layer.weight_fake_quant(layer.weight).detach()
    assert not torch.equal(fake, layer.weight)
    steps = fake / layer.weight_fake_quant.scale[:, None, None, None]
    assert torch.allclose(steps, steps.round(), atol=1e-3)
    assert steps.abs().max() > 100  # it uses the 8 bits


def test_a_qconfig_that_is_not_for_training_would_be_noticed(float_checkpoint, pictures):
    """`get_default_qconfig` under prepare_qat leaves weights as they are: the trap this package must not fall into."""
    assert isinstance(Scheme().training_qconfig().weight(), torch.ao.quantization.FakeQuantize)
    assert not isinstance(torch.ao.quantization.get_default_qconfig("x86").weight(), torch.ao.quantization.FakeQuantize)


@pytest.mark.parametrize("backend", sorted(ACTIVATION_BITS))
def test_each_layer_fake_quantizes_to_what_the_kernel_computes(float_checkpoint, pictures, backend, monkeypatch):
    """Fed the same integers, a fake-quant layer and its kernel differ by one step where sums lie on the edge, pools
    (whose rounding torch's eager QAT leaves out) by nothing."""
    # Without VNNI the kernels of 8-bit activations saturate, but for QNNPACK's, which sum in 32 bits on any CPU.
    if ACTIVATION_BITS[backend] == 8 and not {"avx_vnni", "avx512_vnni", "amx_int8"} & set(processor()[1]):
        monkeypatch.setattr(torch.backends.quantized, "engine", "qnnpack")
    _, cnn = prepared(float_checkpoint, pictures, backend)
    converted = qat.convert_cnn(cnn)
    x, worst = pictures[-1], {}
    with torch.no_grad():
        for (name, fake), real in zip(cnn.body.named_children(), converted.body.children(), strict=True):
            simulated, x = fake(x if not x.is_quantized else x.dequantize()), real(x)
            if x.is_quantized:
                worst[name] = float((simulated - x.dequantize()).abs().max() / x.q_scale())
    pools = [value for name, value in worst.items() if isinstance(getattr(cnn.body, name), AveragePool)]
    assert len(pools) == 4 and len(worst) == 4 + 17 + 1
    assert max(pools) < 0.5
    assert max(worst.values()) < 1.5
    assert max(worst.values()) > 0  # they are different computations


def test_fake_quant_and_converted_outputs_agree_end_to_end(float_checkpoint, pictures):
    _, cnn = prepared(float_checkpoint, pictures)
    converted = qat.convert_cnn(cnn)
    step = float(converted.body.last_conv_1x1.scale)
    for picture in pictures:
        with torch.no_grad():
            apart = (cnn.features(picture) - converted.features(picture)).abs() / step
        # Each layer may flip a rounding or two; over seventeen layers that stays about one step.
        assert apart.max() < 2.5
        assert apart.mean() < 0.3


@pytest.mark.parametrize("float_layers", [[], ["features.0"], ["last_conv_1x1"], ["features.3", "features.2*"]])
def test_the_engine_computes_what_the_converted_modules_do(float_checkpoint, pictures, float_layers):
    network, cnn = prepared(float_checkpoint, pictures, float_layers=float_layers)
    converted = qat.convert_cnn(cnn)
    checkpoint = checkpoint_of(network, cnn)
    convolutions = [layer for layer in checkpoint.meta.layers if layer.op == "conv"]
    assert len(convolutions) == 17
    assert [layer.name.removeprefix("cnn.model.") for layer in convolutions if layer.precision == "float"] == list(
        cnn.float_names
    )
    engine = TorchEngine(checkpoint)
    if not float_layers:
        round_biases(converted)
    for picture in pictures[:2]:
        with torch.no_grad():
            expected, found = converted.features(picture), engine.features(picture)
        if not float_layers:
            assert torch.equal(found, expected)  # integers: the same to the last bit
        else:
            # A float layer sums in another order; what it feeds may round to the neighbouring step.
            assert (found - expected).abs().mean() < 0.02 * expected.std()


@pytest.mark.parametrize("backend", sorted(ACTIVATION_BITS))
def test_every_backend_by_name(float_checkpoint, pictures, backend):
    network, cnn = prepared(float_checkpoint, pictures[:1], backend)
    checkpoint = checkpoint_of(network, cnn, backend)
    scale = float(checkpoint.tensors["cnn.input.output.scale"])
    brightest = float(pictures[0].max())
    assert scale == pytest.approx(brightest / (127 if ACTIVATION_BITS[backend] == 7 else 255), rel=0.02)


def test_an_unknown_backend_and_an_unknown_layer_are_named(float_checkpoint):
    with pytest.raises(QuantizeError, match="tpu.*x86, fbgemm"):
        Scheme("tpu")
    with pytest.raises(LayerNameError, match="features.1'.*features.0"):
        qat.prepare_cnn(float_network(float_checkpoint), Scheme(float_layers=["features.1"]), qat=True)


def test_observers_and_batch_norm_freeze(float_checkpoint, pictures):
    network = float_network(float_checkpoint)
    cnn = qat.prepare_cnn(network, Scheme(), qat=True)
    qat.start_calibration(cnn)
    cnn(pictures[0])
    qat.start_training(cnn)
    layer = cnn.body.features_0

    def moved() -> tuple[bool, bool]:
        scale, mean = layer.activation_post_process.scale.clone(), layer.bn.running_mean.clone()
        with torch.no_grad():
            cnn(pictures[1] * 0.5)
        return not torch.equal(scale, layer.activation_post_process.scale), not torch.equal(mean, layer.bn.running_mean)

    assert moved() == (True, True)
    qat.freeze_observers(cnn)
    assert moved() == (False, True)
    qat.freeze_batch_norm(cnn)
    assert moved() == (False, False)


def test_validation_lines_do_not_move_the_ranges_being_trained(float_checkpoint, pictures, lines):
    network, cnn = prepared(float_checkpoint, pictures[:1])
    qat.start_training(cnn)
    network.train()
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    samples = read_annotation(lines / "annotation.txt", Vocab()).samples[:2]
    found = score_module(network, checkpoint_of(network, cnn), samples)
    assert found.score.lines == 2 and network.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())
    cnn(pictures[-1])
    assert any(not torch.equal(buffer, before[name]) for name, buffer in network.named_buffers())


def test_conversion_leaves_the_training_network_alone(float_checkpoint, pictures):
    _, cnn = prepared(float_checkpoint, pictures[:1])
    before = {name: tensor.clone() for name, tensor in cnn.state_dict().items()}
    cnn.train()
    qat.convert_cnn(cnn)
    assert cnn.training
    after = cnn.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_sizes_and_the_same_text_after_saving(float_checkpoint, lines, tmp_path):
    """CNN-only int8 is the tutorials' 29 MB, all int8 under 23 MB; a file reads as what was in memory."""
    samples = read_annotation(lines / "annotation.txt", Vocab()).samples
    everything = quantize_static(float_checkpoint, samples, lines=4)
    for decoder, limit in (("int8", 23.0), ("float", 29.5)):
        checkpoint = everything
        if decoder == "float":
            kept = {n: t for n, t in everything.tensors.items() if not n.startswith("transformer.")}
            rest = {
                n: t.astype(np.float32) for n, t in float_checkpoint.tensors.items() if n.startswith("transformer.")
            }
            checkpoint = dataclasses.replace(
                everything, tensors=kept | rest, meta=dataclasses.replace(everything.meta, decoder="float")
            )
        path = write(checkpoint, tmp_path / f"{decoder}.safetensors")
        assert limit - 1.0 < path.stat().st_size / 1e6 <= limit
        pictures = [str(sample.path) for sample in samples]
        assert Predictor(path, threads=1).predict_batch(pictures) == Predictor(checkpoint, threads=1).predict_batch(
            pictures
        )


def test_dynamic_quantization_needs_no_data_and_stays_near(float_checkpoint, pictures):
    quantized = quantize_dynamic(float_checkpoint)
    assert quantized.meta.method == "dynamic"
    assert all(layer.precision == "float" for layer in quantized.meta.layers)
    assert quantized.tensors["transformer.encoder.rnn.weight_hh_l0"].dtype == np.int8
    pixels = (pictures[-1][0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)[None]
    memory, hidden = TorchEngine(quantized).encode(pixels)
    expected_memory, expected_hidden = TorchEngine(float_checkpoint).encode(pixels)
    assert 0 < np.abs(memory - expected_memory).mean() < 0.03
    assert np.abs(hidden - expected_hidden).mean() < 0.05


def test_quantize_rows_rounds_each_row_to_its_own_scale():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(5, 7)).astype(np.float32) * np.array([[1], [10], [0.1], [1e-3], [0]], dtype=np.float32)
    quantized, scale = quantize_rows(weight)
    assert quantized.dtype == np.int8 and np.abs(quantized[:4]).max(axis=1).tolist() == [127] * 4
    assert np.all(np.abs(quantized * scale[:, None] - weight) <= scale[:, None] / 2 * (1 + 1e-5))
    assert scale[4] == 1 and not quantized[4].any()
