"""PACT and LSQ: their gradients are those of the papers, their parameters learn, and a run resumes."""

from __future__ import annotations

import pytest
import tiny_network
import torch
from test_fx import trained

import train_qat
from quantvietocr.checkpoint import read, write
from quantvietocr.config import QuantConfig, TrainConfig, load_config
from quantvietocr.engines.cpu import int8_warning
from quantvietocr.quantize.learned.lsq import LSQActivation, LSQWeight, lsq_qconfig
from quantvietocr.quantize.learned.pact import PACTFakeQuantize, pact_qconfig
from quantvietocr.quantize.methods import scheme_of
from quantvietocr.quantize.scheme import QuantizeError, Scheme
from quantvietocr.train import loop, start
from quantvietocr.train.optimizer import make_optimizer
from quantvietocr.train.state import load_state


@pytest.fixture(scope="module")
def checkpoint():
    return tiny_network.float_checkpoint()


def started(module, x):
    """A learned fake-quant module whose range is that of `x`."""
    module.disable_fake_quant()
    module(x)
    module.adopt()
    module.enable_fake_quant()
    return module


def test_pact_clips_and_its_gradients_are_those_of_the_paper():
    module = started(pact_qconfig(Scheme(activation_bits=4), None, 2.0, 0.5).activation(), torch.tensor([-3.0, 5.0]))
    assert module.learned_clip.tolist() == [-2.0, 2.0]  # two-sided, for values below 0 were seen
    x = torch.tensor([[-4.0, -2.5, -1.0, 0.2, 1.99, 2.0, 7.0]], requires_grad=True)
    y = module(x)
    levels = ((y - y.min()) * 15 / 4).detach()
    assert torch.allclose(levels, levels.round(), atol=1e-5) and len(levels.unique()) > 3
    weights = torch.arange(1.0, 8.0)
    (y * weights).sum().backward()
    # dy/dα = 1 from α on and dy/dβ = 1 below β; L2 adds λ times each; x passes between them.
    assert module.learned_clip.grad.tolist() == [1 + 2 + 0.5 * -2, 6 + 7 + 0.5 * 2]
    assert x.grad[0].tolist() == [0, 0, 3, 4, 5, 0, 0]


def test_pact_starts_from_calibration_or_from_a_number():
    seen = torch.tensor([0.0, 3.0])
    assert started(pact_qconfig(Scheme(), None, None, 0.0).activation(), seen).learned_clip.tolist() == pytest.approx(
        [0, 3]
    )
    module = started(pact_qconfig(Scheme(activation_bits=8), None, 20.0, 0.0).activation(), seen)
    assert module.learned_clip.tolist() == [0, 20]
    scale, zero_point = module.calculate_qparams()  # folded to a plain range
    assert (float(scale), int(zero_point)) == (pytest.approx(20 / 255), 0)
    with pytest.raises(QuantizeError, match="activations=affine"):
        pact_qconfig(Scheme(activations="symmetric"), None, None, 0.0)


def slope(values: torch.Tensor, step: torch.Tensor, low: int, high: int) -> torch.Tensor:
    """dy/ds of Esser et al. 2020, equation 3, written out."""
    ratio = values / step
    return torch.where(ratio <= low, float(low), torch.where(ratio >= high, float(high), ratio.round() - ratio))


def test_lsq_gradients_are_those_of_the_paper():
    torch.manual_seed(0)
    seen = torch.rand(2, 3, 4, 4) * 4
    module = started(lsq_qconfig(Scheme("onednn"), None, True).activation(), seen)
    x = (seen * 1.3).requires_grad_()  # some past the range
    weights = torch.randn_like(x)
    (module(x) * weights).sum().backward()
    step, picture = module.start, x[0].numel()
    expected = (slope(x.detach(), step, 0, 255) * weights).sum() * (picture * 255) ** -0.5 * step
    assert module.learned_step.grad == pytest.approx(float(expected), rel=1e-4)
    assert torch.equal(x.grad, torch.where(x / step <= 255, weights, torch.zeros(())))

    weight = torch.randn(5, 3, 3, 3)
    module = lsq_qconfig(Scheme(weight_bits=4), None, True).weight()
    module.allocate(5)
    started(module, weight * 0.8)  # so that the clip matters
    factors = torch.randn_like(weight)
    (module(weight) * factors).sum().backward()
    step = module.start[:, None, None, None]
    expected = (slope(weight, step, -7, 7) * factors).sum(dim=(1, 2, 3)) * (27 * 7) ** -0.5 * module.start
    assert torch.allclose(module.learned_step.grad, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("method", ["pact", "lsq"])
def test_ranges_are_learned_at_their_own_rate_and_without_weight_decay(checkpoint, method, optimizer):
    network, cnn = trained(checkpoint, method, steps=0)
    before = {name: p.clone() for name, p in network.named_parameters() if "learned_" in name}
    kinds = {"pact": [PACTFakeQuantize], "lsq": [LSQActivation, LSQWeight]}[method]
    assert [sum(isinstance(m, kind) for m in cnn.modules()) for kind in kinds] == [17] * len(kinds)
    _, cnn = trained(checkpoint, method, steps=2, optimizer=optimizer)
    after = {f"cnn.{name}": p for name, p in cnn.named_parameters() if "learned_" in name}
    assert before.keys() == after.keys() and len(before) == 17 * len(kinds)
    assert sum(not torch.equal(before[name], after[name]) for name in before) > 0.9 * len(before)
    groups = make_optimizer(network, TrainConfig(max_lr=1e-3, optimizer=optimizer), 7.0).param_groups
    assert [len(g["params"]) for g in groups if g["lr"] == pytest.approx(7e-3) and g["weight_decay"] == 0] == [
        len(before)
    ]
    assert sum(len(g["params"]) for g in groups) == len(list(network.parameters()))


def test_bits_keep_the_kernels_sums_within_16_bits_and_stand_in_the_file():
    """u8 x s8 pairs: 2 * 255 * 63 fits 32,767, 2 * 255 * 127 does not."""
    assert (scheme_of(QuantConfig(), "qat").bits, scheme_of(QuantConfig(), "qat").weight_bits) == (7, 8)
    for backend, weights in (("x86", 7), ("fbgemm", 7), ("onednn", 8), ("qnnpack", 8)):
        scheme = scheme_of(QuantConfig(backend=backend), "lsq")
        assert (scheme.bits, scheme.weight_bits) == (8, weights)
        warning = int8_warning(scheme.bits, ("avx2",), "x86_64", scheme.weight_bits)
        assert (warning is None) == (weights == 7)


@pytest.mark.parametrize(("method", "path"), [("pact", "eager"), ("lsq", "fx")])
def test_a_stopped_run_resumes_to_the_same_weights(checkpoint, tmp_path, monkeypatch, method, path):
    monkeypatch.setattr(start, "float_network", tiny_network.network_of)
    annotation = tiny_network.write_lines(tmp_path / "lines")
    weights = tmp_path / "float.safetensors"
    write(checkpoint, weights)

    def settings(out: str, *more: str) -> list[str]:
        return [
            f"model.weights={weights}",
            f"data.train=[{{annotation: {annotation}}}]",
            "data.workers=0",
            "data.chunk=6",
            f"train.method={method}",
            f"quant.path={path}",
            f"train.out={tmp_path / out}",
            "train.steps=4",
            "train.batch_size=2",
            "train.bf16=false",
            "train.device=cpu",
            "train.threads=1",
            "train.save_every=2",
            "quant.calibration_lines=4",
            *more,
        ]

    loop.train(load_config(None, settings("whole")))
    save = loop.save_state

    def save_and_stop(folder, progress, *rest, **state):
        save(folder, progress, *rest, **state)
        if progress.step == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        loop.train(load_config(None, settings("stopped")))
    monkeypatch.setattr(loop, "save_state", save)
    assert train_qat.main(["--resume", *settings("stopped")]) == 0
    expected, found = (load_state(tmp_path / name)["network"] for name in ("whole", "stopped"))
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    made = read(tmp_path / "whole" / "best.safetensors")
    assert (made.meta.method, made.meta.activation_bits, made.meta.scheme["weight_bits"]) == (method, 8, 7)
