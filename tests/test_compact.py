"""The compact file: fewer bytes, the same numbers; and 4-bit weights that disturb little."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny
import torch
from tiny import int8_checkpoint

from quantvietocr.checkpoint import CheckpointError, packing, read, write
from quantvietocr.checkpoint.describe import describe
from quantvietocr.checkpoint.folding import float_layers
from quantvietocr.checkpoint.onnx_file import read_onnx
from quantvietocr.checkpoint.packing import PackingError, pack, packings, unpack
from quantvietocr.export.onnx import export_onnx
from quantvietocr.quantize.bits.compact import compact_scheme, four_bit, four_bit_layers, packed, with_weights
from quantvietocr.quantize.grouped import on_grid_int8
from quantvietocr.quantize.scheme import Scheme
from quantvietocr.reading.predictor import Predictor

LARGE = "cnn.model.features.0.weight"


def four_bit_tensor(shape=(6, 5, 3, 3), group=8, seed=0):
    """A multiplier 1 to 18 for each group of a row, times -7 to 7."""
    rng = np.random.default_rng(seed)
    columns = int(np.prod(shape[1:]))
    groups = -(-columns // group)
    rows = rng.integers(-7, 8, (shape[0], groups, group)) * rng.integers(1, 19, (shape[0], groups, 1))
    return rows.reshape(shape[0], -1)[:, :columns].reshape(shape).astype(np.int8)


@pytest.fixture
def compact():
    """A checkpoint whose first convolution is large, 4-bit and packed."""
    weight = four_bit_tensor((5, 3, 3, 3), packing.GROUP)
    return packed(tiny.replaced(int8_checkpoint(), LARGE, weight))


@pytest.mark.parametrize("shape", [(6, 5, 3, 3), (1, 1, 1, 1), (7, 8), (3, 8, 3, 3), (2, 31)])
@pytest.mark.parametrize("bits", [4, 8])
def test_packed_numbers_come_back_exactly(shape, bits):
    tensor = four_bit_tensor(shape)
    how = {"bits": bits, "shape": list(shape), "group": 8}
    stored = pack({"w": tensor, "b": np.zeros(3)}, {"w": how})
    assert sorted(stored) == ["b", "w.packed"]
    found = unpack(stored, {"w": how})
    assert found["w"].dtype == np.int8 and np.array_equal(found["w"], tensor)


def test_extreme_numbers_come_back():
    tensor = np.array([[-128, 112, 0, 16], [127, -127, 0, 0], [0, 0, 0, 0], [-8, 7, 1, 2]], np.int8)
    how = {"bits": 4, "shape": [4, 4], "group": 4}
    assert np.array_equal(unpack(pack({"w": tensor}, {"w": how}), {"w": how})["w"], tensor)


def test_packing_in_4_bits_halves_the_bytes_and_8_bit_numbers_refuse_it():
    tensor = four_bit_tensor((64, 64, 3, 3), 32)
    assert packings({"w": tensor})["w"]["bits"] == 4
    assert pack({"w": tensor}, packings({"w": tensor}))["w.packed"].nbytes < 0.55 * tensor.nbytes
    eight = np.random.default_rng(0).integers(-127, 128, (64, 64), dtype=np.int8)
    assert "w" not in packings({"w": eight})  # evenly spread bytes do not shrink
    with pytest.raises(PackingError, match="w has groups of 32 that are not 4-bit"):
        pack({"w": eight}, {"w": {"bits": 4, "shape": [64, 64], "group": 32}})


def test_every_reader_takes_the_compact_file(compact, tmp_path):
    plain = dataclasses.replace(compact, meta=dataclasses.replace(compact.meta, packed={}))
    small, usual = write(compact, tmp_path / "small.safetensors"), write(plain, tmp_path / "usual.safetensors")
    found, expected = read(small), read(usual)
    assert found.meta.packed[LARGE]["bits"] == 4 and not expected.meta.packed
    assert set(found.tensors) == set(expected.tensors)
    for name, tensor in expected.tensors.items():
        assert found.tensors[name].dtype == tensor.dtype and np.array_equal(found.tensors[name], tensor), name
    pictures = [np.random.default_rng(i).integers(0, 256, (8, 32, 3), dtype=np.uint8) for i in range(3)]
    assert Predictor(small).predict_batch(pictures) == Predictor(usual).predict_batch(pictures)
    exported = read_onnx(export_onnx(found, tmp_path / "small.onnx"))
    assert np.array_equal(exported.tensors[LARGE], compact.tensors[LARGE]) and not exported.meta.packed
    assert (tmp_path / "small.onnx").read_bytes() == export_onnx(expected, tmp_path / "usual.onnx").read_bytes()
    assert "in 4 bits with a scale for each 32, " in describe(small) and "packed" not in describe(usual)


def test_written_again_it_stays_compact(compact, tmp_path):
    first = write(compact, tmp_path / "a.safetensors")
    assert write(read(first), tmp_path / "b.safetensors").read_bytes() == first.read_bytes()


def broken(compact, tmp_path, change):
    """A file whose packed bytes or metadata `change` has edited."""
    stored = pack(compact.tensors, compact.meta.packed)
    meta = {name: dict(how) for name, how in compact.meta.packed.items()}
    change(stored, meta)
    from safetensors.numpy import save

    text = dataclasses.replace(compact.meta, packed=meta).to_json()
    path = tmp_path / "broken.safetensors"
    path.write_bytes(save({name: np.asarray(tensor) for name, tensor in stored.items()}, {"quantvietocr": text}))
    return path


STREAM = LARGE + ".packed"


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda t, m: t.update({STREAM: t[STREAM][:-5].copy()}), "does not hold the"),
        (
            lambda t, m: t.update({STREAM: t[STREAM] ^ (np.arange(t[STREAM].size) == 40).astype(np.uint8)}),
            "damaged|does not",
        ),
        (lambda t, m: t.update({STREAM: np.append(t[STREAM], np.uint8(1))}), "does not hold the"),
        (lambda t, m: t.update({STREAM: t[STREAM].astype(np.int32)}), "must be a row of bytes"),
        (lambda t, m: t.pop(STREAM), "lacks the tensor"),
        (lambda t, m: m[LARGE].update(shape=[2**30, 2**30]), "does not hold the"),
        (lambda t, m: m[LARGE].update(shape=[5, -3, 3, 3]), "does not know"),
        (lambda t, m: m[LARGE].update(bits=3), "does not know"),
        (lambda t, m: m[LARGE].pop("group"), "does not know"),
        (lambda t, m: m[LARGE].update(group=0), "does not know"),
        (lambda t, m: m[LARGE].update(shape=[5, 3, 3]), "4 dimensions above 0 are needed"),
    ],
)
def test_damaged_packed_numbers_are_one_sentence(change, said, compact, tmp_path):
    path = broken(compact, tmp_path, change)
    with pytest.raises(CheckpointError, match=said) as caught:
        read(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_value_past_8_bits_is_refused():
    stream = packing._squeeze(bytes([100]) + bytes([0x0F]) + bytes([0x88]))  # 100 × 7 and more
    how = {"bits": 4, "shape": [1, 4], "group": 4}
    with pytest.raises(PackingError, match="beyond 8 bits"):
        unpack({"w.packed": np.frombuffer(stream, np.uint8)}, {"w": how})


def test_4_bit_weights_lie_on_the_grid_and_are_near():
    weight = np.random.default_rng(0).normal(size=(16, 8, 3, 3)).astype(np.float32)
    weight[:, :2] *= 8  # groups of unlike size, which one scale for a row would serve badly
    integers, scale = four_bit(weight)
    assert packing.fits(integers) and np.abs(integers).max() <= 126
    error = ((integers * scale[:, None, None, None] - weight) ** 2).sum() / (weight**2).sum()
    step = np.abs(weight).reshape(16, -1).max(1) / 7
    one = np.clip(np.rint(weight / step[:, None, None, None]), -7, 7) * step[:, None, None, None]
    assert error < 0.02 and error < 0.5 * ((one - weight) ** 2).sum() / (weight**2).sum()


def test_compensation_disturbs_the_output_less():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(24, 8, 3, 3)).astype(np.float32)
    inputs = (rng.normal(size=(500, 10)) @ rng.normal(size=(10, 72)) + 0.1 * rng.normal(size=(500, 72))).astype(
        np.float32
    )
    moment = torch.from_numpy(inputs.T @ inputs / len(inputs))

    def disturbance(integers, scale):
        difference = (integers * scale[:, None, None, None] - weight).reshape(24, -1)
        return float(((inputs @ difference.T) ** 2).mean())

    compensated = four_bit(weight, moment)
    assert packing.fits(compensated[0])
    assert disturbance(*compensated) < 0.5 * disturbance(*four_bit(weight))


def test_training_sees_the_4_bit_weights_that_conversion_makes():
    weight = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 5, 3, 3)).astype(np.float32)).requires_grad_()
    scheme = Scheme(weights="grouped", weight_bits=4)
    fake = scheme.training_qconfig().weight()
    seen = fake(weight)
    seen.sum().backward()
    assert torch.equal(weight.grad, torch.ones_like(weight))
    scale, zero = fake.calculate_qparams()
    converted = torch.quantize_per_channel(weight.detach(), scale.float(), zero, 0, torch.qint8).int_repr().numpy()
    kept = on_grid_int8(converted)
    assert packing.fits(kept) and not packing.fits(converted)
    np.testing.assert_allclose(seen.detach().numpy(), kept * scale.numpy()[:, None, None, None], rtol=1e-5)
    assert np.array_equal(on_grid_int8(kept), kept)


def test_a_row_of_zeros_and_silent_inputs_are_harmless():
    weight = np.zeros((2, 4, 3, 3), np.float32)
    weight[1] = 1.0
    for moment in (None, torch.zeros(36, 36)):
        integers, scale = four_bit(weight, moment)
        assert not integers[0].any() and np.isfinite(scale).all() and (scale > 0).all()
        assert np.allclose(integers[1] * scale[1], 1.0, rtol=1e-3)


def test_a_float_checkpoint_folds_into_the_given_weights():
    checkpoint = tiny.float_checkpoint()
    checkpoint.tensors["cnn.model.features.4.weight"][0] *= -1  # a batch norm may turn a channel round
    checkpoint.tensors["cnn.model.features.4.weight"][1] = 0
    name = "cnn.model.features.3"
    _, folded = float_layers(checkpoint)
    integers, scale = four_bit(folded[f"{name}.weight"])
    _, again = float_layers(with_weights(checkpoint, {name: (integers, scale)}))
    np.testing.assert_allclose(again[f"{name}.weight"], integers * scale[:, None, None, None], rtol=1e-5, atol=1e-12)


def test_the_scheme_decides_which_layers_get_4_bits():
    checkpoint = tiny.float_checkpoint()
    own = Scheme(overrides={"features.3": {"weight_bits": 4}})
    assert compact_scheme(checkpoint, own) is own
    chosen = compact_scheme(checkpoint, Scheme(overrides={"features.3": {"float": True}})).overrides
    assert chosen["features.3"] == {"float": True, "weight_bits": 4} and chosen["features.7"] == {"weight_bits": 4}
    names = four_bit_layers(checkpoint, compact_scheme(checkpoint, Scheme(float_layers=("features.7",))))
    assert f"{tiny.PREFIX}features.3" in names and f"{tiny.PREFIX}features.7" not in names
