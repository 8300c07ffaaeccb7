"""Which layers suffer: measured as it would ship, and turned into a mixture that holds a budget."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny
import tiny_network
from PIL import Image

from quantvietocr.checkpoint import read, write
from quantvietocr.checkpoint.describe import describe
from quantvietocr.checkpoint.matrices import matrices_of
from quantvietocr.checkpoint.packing import fits
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.cli import main as cli
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.measure.methods.sensitivity import csv, draw_sensitivity, sentences
from quantvietocr.pictures.image import line_pixels, open_line
from quantvietocr.quantize import static
from quantvietocr.quantize.bits import mixed
from quantvietocr.quantize.bits.budget import drawn, quantize_within
from quantvietocr.quantize.bits.heads import Reference
from quantvietocr.quantize.bits.mixed import FLOAT, alternatives, search
from quantvietocr.quantize.bits.sensitivity import Setting, measure, noise_of
from quantvietocr.quantize.recurrent import quantize_decoder
from quantvietocr.quantize.scheme import QuantizeError, Scheme
from quantvietocr.reading.decode import EOS, GO, MAX_LENGTH, greedy
from quantvietocr.reading.evaluate import score_checkpoint
from quantvietocr.reading.recognizer import decoder_of


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    path = tiny_network.write_lines(tmp_path_factory.mktemp("lines"), 6)
    return read_annotation(path, Vocab(tiny_network.tiny.CHARS)).samples


@pytest.fixture(scope="module", params=["seq2seq", "transformer"])
def numbers(samples, request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(static, "float_network", tiny_network.network_of)
        return alternatives(ending(request.param), samples, lines=6, four_bit=True)


#: What is added to the end's logit, so that the lines end after 1 to 13 characters and a few more, or at the limit.
ENDS = {"seq2seq": ("transformer.decoder.fc_out.bias", 0.8), "transformer": ("transformer.fc.bias", 0.6)}


def ending(head):
    checkpoint = tiny_network.float_checkpoint(head)
    name, more = ENDS[head]
    return tiny.replaced(checkpoint, name, checkpoint.tensors[name] + more * np.eye(9, dtype=np.float32)[EOS])


@pytest.fixture(scope="module")
def lines(samples):
    return samples[2:]


@pytest.fixture(scope="module")
def results(numbers, lines):
    return measure(numbers, lines, (8, 4))


def encoded(checkpoint, samples):
    """Each line alone, by the engine that ships."""
    engine = TorchEngine(checkpoint)
    return [engine.encode(line_pixels(open_line(s.path))[None]) for s in samples]


def logits(checkpoint, samples, ids):
    """Of each line alone, on the way through the characters that the float network reads; their mean is taken off."""
    decoder, found = decoder_of(checkpoint), []
    for parts, line in zip(encoded(checkpoint, samples), ids, strict=True):
        state, token = decoder.start(parts), GO
        for following in (*line, EOS)[: min(MAX_LENGTH + 1, decoder.limit)]:
            values, _ = decoder.step(np.array([token]), state)
            found.append(values[0] - values[0].mean())
            token = following
    return np.stack(found)


def scored(checkpoint, samples):
    return score_checkpoint(checkpoint, samples).score


def by_setting(results):
    return {r.setting: r for r in results}


def test_a_mixture_of_8_bits_throughout_is_the_static_file(numbers):
    composed = numbers.compose(numbers.everywhere(8))
    assert composed.meta.layers == numbers.static.meta.layers and composed.meta.scheme == numbers.static.meta.scheme
    assert set(composed.tensors) == set(numbers.static.tensors)
    assert all(np.array_equal(composed.tensors[name], t) for name, t in numbers.static.tensors.items())


def test_every_mixture_is_a_whole_file(numbers, tmp_path):
    names = list(numbers.sizes)
    rng = np.random.default_rng(0)
    for _ in range(6):
        bits = {name: int(rng.choice([4, 8, FLOAT] if name in numbers.four else [8, FLOAT])) for name in names}
        found = read(write(numbers.compose(bits), tmp_path / "mixed.safetensors"))
        precision = {layer.name: layer.precision for layer in found.meta.layers if layer.op == "conv"}
        stored = {layer: str(found.tensors[name].dtype) for layer, name in numbers.matrices.items()}
        precision |= {layer: kind.replace("float32", "float") for layer, kind in stored.items()}
        assert precision == {name: "float" if chosen == FLOAT else "int8" for name, chosen in bits.items()}
        assert set(found.meta.float_reasons) == {name for name, chosen in bits.items() if chosen == FLOAT}
        assert all(fits(found.tensors[f"{name}.weight"]) for name, chosen in bits.items() if chosen == 4)
        scheme, convolutions = Scheme(**found.meta.scheme), [name for name in names if name not in numbers.matrices]
        for name, layer in scheme.layers([name.removeprefix(mixed.PREFIX) for name in convolutions]).items():
            assert (FLOAT if layer.float else layer.weight_bits) == bits[mixed.PREFIX + name]
        stays = scheme.float_matrices(tuple(numbers.matrices))
        assert set(stays) == {name for name in numbers.matrices if bits[name] == FLOAT} != set(numbers.matrices)
        assert f"decoder     int8, {len(stays)} of {len(numbers.matrices)} matrices float" in describe(found.origin)
        # The mixture is a scheme that makes the same file anew.
        again = quantize_decoder(numbers.original.tensors, found.meta.float_reasons)
        assert all(np.array_equal(found.tensors[name], tensor) for name, tensor in again.items())


@pytest.mark.parametrize("kind", ["all", "alone", "all but"])
@pytest.mark.parametrize("bits", [8, 4])
def test_shortcuts_give_what_the_engine_gives(kind, bits, numbers, lines, results):
    """A setting that starts from kept activations is measured as if read whole."""
    engine, decoder = encoded(numbers.original, lines), decoder_of(numbers.original)
    ids = [reading.ids for parts in engine for reading in greedy(decoder, parts)]
    reference = logits(numbers.original, lines, ids)
    for setting in [one for one in by_setting(results) if (one.kind, one.bits) == (kind, bits)][::9]:
        name = setting.layer
        chosen = numbers.everywhere(bits)
        if kind == "alone":
            chosen = numbers.everywhere(FLOAT) | {name: chosen[name]}
        elif kind == "all but":
            chosen = chosen | {name: FLOAT}
        mixture = numbers.compose(chosen)
        noise = ((logits(mixture, lines, ids) - reference) ** 2).sum() / (reference**2).sum()
        found = by_setting(results)[setting]
        assert found.noise == pytest.approx(noise, rel=1e-2, abs=1e-12)
        assert (found.cer, found.exact) == (scored(mixture, lines).cer, scored(mixture, lines).exact)


def test_float_is_the_base_and_fewer_bits_are_noisier(numbers, results):
    base = results[0]
    assert base.setting.kind == "float" and base.noise == 0 and base.cer_delta == 0
    assert len(results) == 1 + 2 * (1 + 2 * len(numbers.sizes)) - len(numbers.matrices)  # which have no 4 bits
    noise = noise_of(results)
    assert sum(noise[name, 4] > noise[name, 8] > 0 for name in numbers.four) >= len(numbers.four) - 2
    assert all(noise[name, 8] > 0 for name in numbers.matrices)


def test_an_interrupted_measurement_goes_on(numbers, samples, results, tmp_path, monkeypatch):
    path = tmp_path / "partial.jsonl"
    mixed_widths = [dataclasses.replace(s, path=tmp_path / f"{i}.png") for i, s in enumerate(samples)]
    for place, sample in enumerate(mixed_widths):  # two widths, so two batches
        pixels = np.random.default_rng(place).integers(0, 256, (32, 64 + 40 * (place % 2), 3), np.uint8)
        Image.fromarray(pixels).save(sample.path)
    wanted = [Setting("all", 8)]
    whole = measure(numbers, mixed_widths, partial=path, wanted=wanted)
    head, first, *_ = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f'{head}\n{first}\n[1, [{{"tex', encoding="utf-8")
    read_again = []
    compare = Reference.compare

    def counted(self, *given):
        read_again.append(len(self.ids))
        return compare(self, *given)

    monkeypatch.setattr(Reference, "compare", counted)
    assert measure(numbers, mixed_widths, partial=path, wanted=wanted) == whole
    assert sum(read_again) == 3 * 2  # the second width, under two settings
    read_again.clear()
    measure(numbers, mixed_widths[:5], partial=path, wanted=wanted)
    assert sum(read_again) == 5 * 2  # other lines: nothing of the file counts


def test_csv_picture_and_sentences(results, tmp_path):
    lines = csv(results).splitlines()
    assert lines[0].startswith("layer,weight_bits,kind,sqnr_db") and len(lines) == len(results) + 1
    assert any(line.startswith("features.0,8,alone,") for line in lines)
    picture = Image.open(draw_sensitivity(results, 6, "lines", tmp_path / "s.png"))
    assert picture.width > 1000 and len(picture.getcolors(2**24) or ()) > 20
    assert all(f"{bits}-bit weights in every layer: SQNR" in sentences(results) for bits in (8, 4))


def fake_drop(limit):
    """A drop that falls with every layer that gets more bits; asked no more often than there is reason to."""

    def drop_of(checkpoint):
        drop_of.asked += 1
        layers = [layer for layer in checkpoint.meta.layers if layer.op == "conv"]
        four = sum(fits(checkpoint.tensors[f"{layer.name}.weight"]) for layer in layers if layer.precision == "int8")
        int8 = sum(layer.precision == "int8" for layer in layers)
        matrices = sum(checkpoint.tensors[name].dtype == np.int8 for name in matrices_of(checkpoint.tensors).values())
        return (four + int8 + matrices) / 1000 - limit

    drop_of.asked = 0
    return drop_of


def test_the_search_takes_the_first_mixture_that_holds(numbers, results):
    drop_of = fake_drop(0.0)
    found = search(numbers, noise_of(results), drop_of, 0.02)
    assert found.drop == pytest.approx(0.02) and drop_of.asked == found.tries <= 8
    assert search(numbers, noise_of(results), fake_drop(0.0), 1.0).bits == numbers.everywhere(4)


def test_the_worst_layer_by_byte_is_given_bits_first(numbers, results):
    noise = dict.fromkeys(noise_of(results), 1e-9)
    worst = list(numbers.sizes)[5]
    noise[worst, 4] = 1.0
    start = fake_drop(0.0)(numbers.compose(numbers.everywhere(4)))
    found = search(numbers, noise, fake_drop(0.0), start - 0.0005)
    assert found.bits == numbers.everywhere(4) | {worst: 8}


def test_a_budget_that_cannot_hold_names_the_best(numbers, results):
    said = r"within -5 percentage points of float's: the best of \d+ tried adds 0.1"
    with pytest.raises(QuantizeError, match=said) as caught:
        search(numbers, noise_of(results), fake_drop(0.0), -0.05)
    assert "\n" not in str(caught.value)


def test_quantize_within_a_budget(samples, monkeypatch):
    monkeypatch.setattr(static, "float_network", tiny_network.network_of)
    checkpoint = ending("seq2seq")
    found = quantize_within(checkpoint, samples, 10.0, scored, lines=3, calibration_lines=2, compact=True)
    assert found.bits == {name: 8 if name.startswith("transformer.") else 4 for name in found.bits}
    assert found.checkpoint.meta.packed and found.checkpoint.meta.accuracy["lines"] == 3
    for wrong, said in (
        ({"max_drop": float("nan")}, "number of percentage points"),
        ({"lines": 0}, "give --lines at least 1"),
        ({"scheme": Scheme(weight_bits=5)}, "leave one away"),
    ):
        with pytest.raises(QuantizeError, match=said):
            quantize_within(**{"checkpoint": checkpoint, "samples": samples, "max_drop": 0.1, "score": scored} | wrong)


def test_calibration_lines_are_others_than_those_read(samples):
    read_lines, others = drawn(samples, 2)
    assert len(read_lines) == 2 and len(others) == 4 and not set(read_lines) & set(others)
    assert drawn(samples, 99) == (list(samples), list(samples))


def test_the_verbs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(static, "float_network", tiny_network.network_of)
    weights = write(ending("seq2seq"), tmp_path / "float.safetensors")
    data = tiny_network.write_lines(tmp_path / "lines")
    assert (
        cli.main(["sensitivity", str(weights), "--data", str(data), "--out", str(tmp_path / "s"), "--lines", "2"]) == 0
    )
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["partial.jsonl", "sensitivity.csv", "sensitivity.png"]
    common = [
        "quantize",
        str(weights),
        "--method",
        "static",
        "--data",
        str(data),
        "--calibration-lines",
        "2",
        "--compact",
    ]
    assert cli.main([*common, "--out", str(tmp_path / "c.safetensors")]) == 0
    assert "packed " in capsys.readouterr().out
    assert cli.main([*common, "--out", str(tmp_path / "m.safetensors"), "--max-drop", "5000", "--lines", "2"]) == 0
    assert read(tmp_path / "m.safetensors").meta.packed
    capsys.readouterr()
    assert cli.main([*common, "--out", str(tmp_path / "n.safetensors"), "--max-drop", "-5000", "--lines", "2"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("quantvietocr: No mixture of 4-bit, 8-bit and float layers keeps")
    assert not (tmp_path / "n.safetensors").exists()
