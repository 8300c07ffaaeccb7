"""Matrices of encoder and decoder that stay float in an 8-bit file: how they are named, and that all keep to it."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import tiny_network
import tiny_train
import tiny_transformer

from quantvietocr.checkpoint import Checkpoint, read, write
from quantvietocr.checkpoint.describe import describe
from quantvietocr.checkpoint.matrices import float_and_all, matrices_of
from quantvietocr.cli import main as cli
from quantvietocr.config import load_config
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.quantize import static
from quantvietocr.quantize.methods import prepare_training, scheme_of
from quantvietocr.quantize.scheme import LayerNameError, QuantizeError, Scheme
from quantvietocr.quantize.static import quantize_dynamic
from quantvietocr.train.ship import shipped_checkpoint

#: A pattern of each network, and how many of its matrices it matches.
PATTERNS = {
    "seq2seq": ("transformer.encoder.rnn.*_reverse", 2, 10),
    "transformer": ("transformer.transformer.*.layers.1.linear*", 4, 28),
}
HEADS = list(PATTERNS)


def kept_of(checkpoint: Checkpoint) -> set[str]:
    return {layer for layer, name in matrices_of(checkpoint.tensors).items() if checkpoint.tensors[name].dtype != "i1"}


@pytest.mark.parametrize("head", HEADS)
def test_the_encoders_matrices_come_first_and_in_order(head):
    state = {"seq2seq": tiny, "transformer": tiny_transformer}[head].float_state()
    found = matrices_of(dict(reversed(state.items())))
    assert len(found) == PATTERNS[head][2] and set(found.values()) <= set(state)
    sides = ["encoder" in layer for layer in found]
    assert sides == sorted(sides, reverse=True) and any(sides) and not all(sides)
    assert {layer: f"{layer}.weight" for layer in found if f"{layer}.weight" in state}.items() <= found.items()
    assert "transformer.decoder.attention.v" not in found and "transformer.pos_enc.pe" not in found


@pytest.mark.parametrize("head", HEADS)
def test_quantize_keeps_them_and_the_file_says_so(head, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(static, "float_network", tiny_network.network_of)
    original = tiny_network.float_checkpoint(head)
    weights = str(write(original, tmp_path / "float.safetensors"))
    data, out = str(tiny_network.write_lines(tmp_path / "lines", 2)), tmp_path / "int8.safetensors"
    pattern, count, total = PATTERNS[head]
    common = ["quantize", weights, "--out", str(out), "--float-layers", pattern]
    for more in (["features.0", "--method", "static", "--data", data], ["--method", "dynamic"]):
        assert cli.main([*common, *more]) == 0
        printed, found = capsys.readouterr().out, read(out)
        kept = kept_of(found)
        assert len(kept) == count and (count, total) == float_and_all(found) and found.meta.decoder == "int8"
        assert kept == {name for name in found.meta.float_reasons if name.startswith("transformer.")}
        assert kept == set(Scheme(**found.meta.scheme).float_matrices(tuple(matrices_of(found.tensors))))
        assert f"decoder     int8, {count} of {total} matrices float\n" in printed
        for name in kept:
            tensor = matrices_of(found.tensors)[name]
            assert f"float       {name}: kept float on request" in printed
            np.testing.assert_array_equal(found.tensors[tensor], original.tensors[tensor])
    assert cli.main([*common, "features.0", "--method", "static", "--data", data, "--decoder", "float"]) == 0
    assert "decoder     float\n" in capsys.readouterr().out


@pytest.mark.parametrize("head", HEADS)
def test_max_drop_of_a_dynamic_file_is_of_matrices(head, tmp_path, monkeypatch, capsys):
    weights = str(write(tiny_network.float_checkpoint(head), tmp_path / "float.safetensors"))
    data, out = str(tiny_network.write_lines(tmp_path / "lines", 2)), tmp_path / "int8.safetensors"
    common = ["quantize", weights, "--out", str(out), "--method", "dynamic", "--max-drop"]
    assert cli.main([*common, "5000", "--data", data, "--lines", "1"]) == 0
    total = PATTERNS[head][2]
    assert f"{total} 8-bit: CER" in capsys.readouterr().err and float_and_all(read(out)) == (0, total)
    assert all(layer.precision == "float" for layer in read(out).meta.layers)
    assert cli.main([*common, "0"]) == 2
    assert capsys.readouterr().err.endswith("--max-drop reads real lines: name an annotation with --data.\n")


@pytest.mark.parametrize("head", HEADS)
def test_training_ships_them_float(head):
    pattern, count, _ = PATTERNS[head]
    config = load_config(None, [f"quant.float_layers=['{pattern}']", "data.synth.share=1", "train.method=qat"])
    network = tiny_train.network(head=head)
    cnn = prepare_training(network, config.quant)
    meta = {"seq2seq": tiny.float_checkpoint(), "transformer": tiny_transformer.float_checkpoint()}[head].meta
    cnn.eval()(tiny_network.pictures(1)[0])
    shipped = shipped_checkpoint(network, cnn, config, meta)
    assert len(kept_of(shipped)) == count
    assert {shipped.meta.float_reasons[name] for name in kept_of(shipped)} == {"quant.float_layers"}


def test_a_float_matrix_of_a_gru_is_not_rounded_to_half_precision():
    state = tiny.float_checkpoint()
    whole, mixed = quantize_dynamic(state), quantize_dynamic(state, Scheme(float_layers=(PATTERNS["seq2seq"][0],)))
    assert "float16 weights" in TorchEngine(whole).precision and "float16" not in TorchEngine(mixed).precision


def test_where_all_are_float_the_decoder_is(tmp_path, monkeypatch):
    monkeypatch.setattr(static, "float_network", tiny_network.network_of)
    checkpoint = tiny_network.float_checkpoint("transformer")
    samples = [(static, checkpoint)]  # any: calibration is left out
    monkeypatch.setattr(static, "_calibrate", lambda cnn, *_: cnn(tiny_network.pictures(1)[0]))
    found = static.quantize_static(checkpoint, samples, Scheme(float_layers=("transformer.*",)))
    assert found.meta.decoder == "float" and float_and_all(found) == (28, 28)
    assert "decoder     float\n" in describe(write(found, tmp_path / "q.safetensors"))
    with pytest.raises(QuantizeError, match="all of them are to stay float"):
        quantize_dynamic(checkpoint, Scheme(float_layers=("transformer.*",)))


def test_wrong_names_are_told_before_anything_is_done(monkeypatch):
    checkpoint = tiny_network.float_checkpoint("transformer")
    monkeypatch.setattr(static, "float_network", tiny_network.network_of)
    wrong = Scheme(float_layers=("transformer.encoder.rnn.*",))
    with pytest.raises(LayerNameError, match=r"no layer matches 'transformer.encoder.rnn.\*'; layers are .*linear1"):
        static.quantize_static(checkpoint, [None], wrong)
    with pytest.raises(LayerNameError, match="matches 'encoder.layers.0.linear1'; .* begin with 'transformer.'"):
        static.quantize_static(checkpoint, [None], Scheme(float_layers=("encoder.layers.0.linear1",)))
    with pytest.raises(QuantizeError, match=r"overrides\['transformer.fc'\] is {'weight_bits': 4}; .*give float alone"):
        Scheme(overrides={"transformer.fc": {"weight_bits": 4}})


def test_a_later_override_wins():
    names = tuple(matrices_of(tiny_transformer.float_state()))
    overrides = {"transformer.transformer.*": {"float": True}, "transformer.*.linear1": {"float": False}}
    kept = Scheme(float_layers=("transformer.fc",), overrides=overrides).float_matrices(names)
    expected = {n for n in names if n.startswith("transformer.transformer.") and not n.endswith("linear1")}
    assert set(kept) == expected | {"transformer.fc"}
    config = load_config(None, ["quant.overrides={'transformer.fc': {float: true}}", "data.synth.share=1"])
    assert scheme_of(config.quant).float_matrices(names) == ("transformer.fc",)
