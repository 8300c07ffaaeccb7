"""Observers: the range that each name promises, what may be asked for, and the report of what was found."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tiny_network
import torch
from PIL import Image

from quantvietocr.checkpoint import read, write
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.cli import main as cli
from quantvietocr.config import QuantConfig, load_config
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.quantize import static
from quantvietocr.quantize.methods import scheme_of
from quantvietocr.quantize.observers import BINS, OBSERVERS, Histogram, observer_factory
from quantvietocr.quantize.scheme import LayerNameError, QuantizeError, Scheme


def span(
    name: str, batches: list[torch.Tensor], bits: int = 8, symmetric: bool = False, percentile: float = 99.9
) -> tuple[float, float]:
    """Low and high of the range that an observer makes of these values."""
    scheme = torch.per_tensor_symmetric if symmetric else torch.per_tensor_affine
    observer = observer_factory(name, bits, scheme, percentile)()
    for batch in batches:
        observer(batch)
    scale, zero_point = (value.item() for value in observer.calculate_qparams())
    return -zero_point * scale, (2**bits - 1 - zero_point) * scale


def test_each_name_sets_the_range_it_promises():
    torch.manual_seed(0)
    bulk = torch.randn(200_000).relu()
    batches = [bulk, torch.tensor([40.0, 0.0])]  # and one outlier
    highs = {name: span(name, batches)[1] for name in OBSERVERS}
    assert highs["minmax"] == pytest.approx(40)
    assert highs["moving-average"] == pytest.approx(0.99 * bulk.max().item() + 0.01 * 40)
    assert highs["percentile"] == pytest.approx(np.percentile(bulk, 99.9), rel=0.02)
    assert span("percentile", batches, percentile=99.0)[1] == pytest.approx(np.percentile(bulk, 99), rel=0.02)
    assert span("percentile", batches, percentile=100)[1] == pytest.approx(40, rel=0.02)
    # Least squares pays for the outlier with steps of all others only as long as that is cheaper.
    assert 3 < highs["histogram"] <= 40 and 3 < highs["kl"] < 10
    assert all(span(name, [torch.cat(batches)])[0] == 0 for name in OBSERVERS)


def test_kl_takes_a_finer_step_for_fewer_bits_and_both_sides_of_zero():
    torch.manual_seed(0)
    values = torch.randn(300_000)
    low, high = span("kl", [values], bits=8)
    assert low == pytest.approx(-high, rel=0.1) and 3 < high < 5
    assert span("kl", [values.relu()], bits=4)[1] < span("kl", [values.relu()], bits=8)[1]
    assert span("minmax", [values.relu()], symmetric=True)[0] < -3  # symmetric: 0 in the middle, whatever was seen


def test_the_histogram_widens_without_moving_a_value():
    histogram = Histogram()
    rng = np.random.default_rng(0)
    chunks = [rng.normal(size=1000) * width for width in (0.01, 1, 30, 2)]
    for chunk in chunks:
        histogram.add(torch.from_numpy(chunk))
    values = np.concatenate(chunks).astype(np.float32)
    assert histogram.counts.sum() == 4000 and len(histogram.counts) == BINS
    assert np.abs(histogram.counts - np.histogram(values, histogram.edges)[0]).sum() <= 4  # on an edge
    assert (histogram.low, histogram.high) == (values.min(), values.max())
    assert histogram.outside(-1.0, 1.0) == pytest.approx(np.mean(np.abs(values) > 1), abs=0.01)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"backend": "tpu"}, "quant.backend is 'tpu'; it must be one of x86, fbgemm"),
        ({"observer": "mode"}, "quant.observer is 'mode'; it must be one of minmax"),
        ({"weight_bits": 3}, "quant.weight_bits is 3; it must be a whole number from 4 to 8"),
        ({"activation_bits": 9}, "quant.activation_bits is 9"),
        ({"weight_bits": 7.0}, "quant.weight_bits is 7.0"),
        ({"percentile": 20}, "quant.percentile is 20; it must be above 50"),
        ({"weights": "per-row"}, "quant.weights is 'per-row'"),
        ({"activations": "log"}, "quant.activations is 'log'"),
        ({"overrides": {"features.0": {"bits": 4}}}, "features.0.*must hold weight_bits"),
        ({"overrides": {"features.0": {"weight_bits": 2}}}, r"features.0.*weight_bits is 2; it must be a whole number"),
        ({"overrides": {"features.0": {"float": "yes"}}}, "float is 'yes'; it must be true or false"),
    ],
)
def test_what_cannot_be_asked_for_is_one_sentence(settings, sentence):
    with pytest.raises(QuantizeError, match=sentence):
        Scheme(**settings)


def test_overrides_choose_layers_by_pattern_and_the_later_one_wins():
    names = ["features.0", "features.3", "features.33", "last_conv_1x1"]
    scheme = Scheme(
        float_layers=("last*",),
        overrides={
            "features.3*": {"weight_bits": 4},
            "cnn.model.features.33": {"weight_bits": 5},
            "last_conv_1x1": {"float": False, "activation_bits": 8},
        },
    )
    layers = scheme.layers(names)
    assert [layers[name].weight_bits for name in names] == [8, 4, 5, 8]
    assert [layers[name].activation_bits for name in names] == [7, 7, 7, 8] and not any(
        bits.float for bits in layers.values()
    )
    assert Scheme(**scheme.to_dict()) == scheme and json.dumps(scheme.to_dict())
    with pytest.raises(LayerNameError, match="Overrides: no layer matches 'conv9'; layers are features.0"):
        Scheme(overrides={"conv9": {"float": True}}).layers(names)


def test_settings_make_a_scheme():
    config = load_config(
        None,
        [
            "data.synth.share=1",
            "quant.overrides={features.0: {float: true}, 'features.4*': {weight_bits: 4}}",
            "quant.observer=kl",
            "quant.float_layers=[last*]",
        ],
    )
    scheme = scheme_of(config.quant)
    assert (scheme.observer, scheme.float_layers) == ("kl", ("last*",))
    assert scheme.overrides == {"features.0": {"float": True}, "features.4*": {"weight_bits": 4}}
    assert scheme_of(QuantConfig()) == Scheme(scales="power-of-two")


def test_the_verb_writes_ranges_and_their_picture(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(static, "float_network", tiny_network.network_of)
    checkpoint = tiny_network.float_checkpoint()
    weights, annotation = (
        write(checkpoint, tmp_path / "float.safetensors"),
        tiny_network.write_lines(tmp_path / "lines"),
    )

    def quantize(*more: str) -> int:
        return cli.main(
            [
                "quantize",
                "--method",
                "static",
                str(weights),
                "--data",
                str(annotation),
                "--out",
                str(tmp_path / "out.safetensors"),
                *more,
            ]
        )

    assert (
        quantize(
            "--observer",
            "percentile",
            "--percentile",
            "99",
            "--path",
            "fx",
            "--ranges",
            str(tmp_path / "r"),
            "--seed",
            "3",
            "--weight-bits",
            "6",
        )
        == 0
    )
    made = read(tmp_path / "out.safetensors")
    assert (made.meta.scheme["observer"], made.meta.scheme["weight_bits"]) == ("percentile", 6)
    ranges = json.loads((tmp_path / "r" / "ranges.json").read_text())
    assert len(ranges) == 18 and list(ranges)[:2] == ["input", "features.0"]
    first = ranges["features.0"]
    assert first["scale"] == pytest.approx(float(made.tensors["cnn.model.features.0.output.scale"]))
    assert first["low"] == first["clip_low"] == 0 < first["clip_high"] < first["high"]
    assert (
        0.002 < first["outside"] < 0.02 and first["clipped"] < first["outside"] and first["values"] == 6 * 4 * 32 * 70
    )
    assert min(Image.open(tmp_path / "r" / "ranges.png").size) > 500
    assert quantize("--weight-bits", "3") == 2 and "quant.weight_bits is 3" in capsys.readouterr().err
    assert quantize("--calibration-lines", "0") == 2 and "0 asked for" in capsys.readouterr().err
    samples = read_annotation(annotation, Vocab(checkpoint.meta.chars)).samples
    by_hand = static.quantize_static(
        checkpoint,
        samples,
        Scheme(observer="percentile", percentile=99, weight_bits=6),
        seed=3,
        ranges=tmp_path / "eager",
    )
    assert json.loads((tmp_path / "eager" / "ranges.json").read_text()) == ranges
    assert by_hand.meta.scheme == made.meta.scheme
