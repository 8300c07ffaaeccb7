"""The verbs of `quantvietocr`: what they write, and that a mistake is one sentence."""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import get_data_path
from PIL import Image
from tiny import int8_checkpoint

from quantvietocr import Predictor
from quantvietocr.checkpoint import Checkpoint, Meta, read, sha256, write
from quantvietocr.cli import main as cli
from quantvietocr.metrics.accuracy import cer
from quantvietocr.quantize.scheme import QuantizeError
from quantvietocr.quantize.static import quantize_dynamic, quantize_static
from quantvietocr.vietocr_bridge.network import float_network

FONTS = f"{get_data_path()}/fonts/ttf"


@pytest.fixture
def tiny(tmp_path) -> Path:
    return write(int8_checkpoint(), tmp_path / "tiny.safetensors")


def sentence(capsys) -> str:
    """The one line on stderr that says why a verb stopped."""
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("quantvietocr: "), said
    return said[0]


def annotated(lines: Path) -> tuple[list[Path], list[str]]:
    rows = [row.split("\t") for row in (lines / "annotation.txt").read_text(encoding="utf-8").splitlines()]
    return [lines / name for name, _ in rows], [text for _, text in rows]


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom quantvietocr.cli import main as cli\n"
        "try: cli.main(['compare', '--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'torch', 'matplotlib', 'yaml') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--vietocr" in done.stdout and done.stdout.splitlines()[-1] == "[]"


def test_each_verb_is_added_by_the_file_that_the_console_names():
    for name in dict.fromkeys(cli.VERBS.values()):
        verbs = cli.Parser(prog="x").add_subparsers()
        importlib.import_module(f"quantvietocr.cli.{name}").add(verbs)
        assert list(verbs.choices) == [verb for verb, file in cli.VERBS.items() if file == name]


def test_describe_takes_several_files(tiny, capsys):
    assert cli.main(["describe", str(tiny), str(tiny)]) == 0
    out = capsys.readouterr().out
    assert out.count(f"file        {tiny}") == 2 and "2 of 2 convolutions int8" in out


def test_a_mistake_is_one_sentence(tiny, tmp_path, capsys):
    out = str(tmp_path / "out.safetensors")
    quantize = ["quantize", "--out", out, "--method"]
    export = ["export", "--format", "vietocr", "--out"]
    for arguments, said in [
        (["describe", str(tmp_path / "none.pth")], "No such checkpoint"),
        ([*quantize, "dynamic", str(tiny)], "already quantized (qat)"),
        (["quantize", "--method", "dynamic", "--out", "a.bin", str(tiny)], "give a name that ends so"),
        ([*export, str(tmp_path / "a.pth"), str(tiny)], "VietOCR runs float weights alone"),
        ([*export, "a.safetensors", str(tiny)], "VietOCR loads .pth files"),
        (["synth", "--out", out, "--count", "2", "--degrade", "-1"], "degrade"),
        (["synth", "--out", out, "--count", "0"], "at least 1"),
        (["synth", "--out", out, "--count", "2", "--text", "none.txt"], "none.txt does not exist"),
        (["synth", "--out", out, "--count", "2", "--fonts", str(tmp_path)], "none of 0 font files"),
        (["fetch", "--out", str(tiny), "--url", "https://example.org/w.pth"], "exists and may be any file"),
    ]:
        assert cli.main(arguments) == 2, arguments
        assert said in sentence(capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.safetensors"]


def test_an_interruption_is_no_traceback(tiny, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("quantvietocr.checkpoint.describe.describe", interrupt)
    assert cli.main(["describe", str(tiny)]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_synth_writes_the_same_lines_for_the_same_seed(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        arguments = ["--count", "3", "--fonts", FONTS, "--style", "receipt", "--seed", str(seed)]
        assert cli.main(["synth", "--out", str(tmp_path / name), *arguments]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "a" / "annotation.txt")
    texts = [(tmp_path / name / "annotation.txt").read_text(encoding="utf-8") for name in "abc"]
    assert texts[0] == texts[1] != texts[2] and texts[0].count("\n") == 3
    pictures = [(tmp_path / name / "img" / "000002.png").read_bytes() for name in "abc"]
    assert pictures[0] == pictures[1] != pictures[2]


def test_dynamic_keeps_the_reading_and_says_where_it_comes_from(float_weights, lines, tmp_path, capsys):
    out = tmp_path / "new" / "dynamic.safetensors"
    assert cli.main(["quantize", "--method", "dynamic", str(float_weights), "--out", str(out)]) == 0
    assert "method      dynamic" in capsys.readouterr().out
    meta = read(out).meta
    assert (meta.method, meta.decoder, meta.backend) == ("dynamic", "int8", None)
    assert meta.source_sha256 == sha256(float_weights) and "--method dynamic" in meta.made_with
    paths, _ = annotated(lines)
    assert cer(*(Predictor(w, threads=1).predict_batch(paths) for w in (float_weights, out))) < 0.1


def test_static_measures_ranges_on_the_lines_given(float_weights, lines, tmp_path, capsys):
    out = tmp_path / "static.safetensors"
    arguments = ["--data", str(lines / "annotation.txt"), "--calibration-lines", "4", "--float-layers", "features.0"]
    assert cli.main(["quantize", "--method", "static", str(float_weights), "--out", str(out), *arguments]) == 0
    assert "16 of 17 convolutions int8" in capsys.readouterr().out
    assert out.stat().st_size < 23e6
    checkpoint = read(out)
    assert (checkpoint.meta.backend, checkpoint.meta.activation_bits) == ("x86", 7)
    assert list(checkpoint.meta.float_reasons) == ["cnn.model.features.0"]
    paths, _ = annotated(lines)
    assert cer(*(Predictor(w, threads=1).predict_batch(paths) for w in (float_weights, out))) < 0.15


def test_static_needs_lines_and_a_float_file(tiny):
    with pytest.raises(QuantizeError, match="already quantized"):
        quantize_dynamic(read(tiny))
    float_like = Checkpoint({}, Meta())
    with pytest.raises(QuantizeError, match="0 lines were given"):
        quantize_static(float_like, [])
    with pytest.raises(QuantizeError, match="decoder is 'int4'"):
        quantize_static(float_like, [], decoder="int4")


def test_accuracy_is_not_inherited(float_weights):
    checkpoint = read(float_weights)
    claimed = dataclasses.replace(checkpoint, meta=dataclasses.replace(checkpoint.meta, accuracy={"cer": 0.01}))
    assert quantize_dynamic(claimed).meta.accuracy == {}


def test_an_exported_file_is_read_by_vietocr_itself(float_weights, lines, tmp_path, capsys):
    from quantvietocr.vietocr_bridge.network import build_float, import_vietocr

    out = tmp_path / "vietocr.pth"
    assert cli.main(["export", "--format", "vietocr", str(float_weights), "--out", str(out)]) == 0
    assert "85.4 MiB" in capsys.readouterr().out
    vietocr, network = import_vietocr(), build_float()
    network.load_state_dict(torch.load(out, map_location="cpu"))  # as VietOCR's Predictor does: strictly
    vocab = vietocr.Vocab(read(float_weights).meta.chars)
    paths, _ = annotated(lines)
    predictor = Predictor(float_weights, threads=1)
    for path in paths[:4]:
        image = vietocr.translate.process_input(Image.open(path), 32, 32, 512)
        assert vocab.decode(vietocr.translate.translate(image, network)[0][0].tolist()) == predictor.predict(path)


def test_a_network_keeps_its_own_pools(float_weights):
    checkpoint = read(float_weights)
    pools = ((2, 2), (2, 2), (2, 1), (2, 1), (1, 1))
    assert checkpoint.meta.pools == pools
    other = dataclasses.replace(checkpoint, meta=dataclasses.replace(checkpoint.meta, pools=((2, 1), *pools[1:])))
    image = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        shapes = [float_network(one).cnn(image).shape[0] for one in (checkpoint, other)]
    assert shapes == [32, 64]


def test_compare_prints_the_table_it_writes(tiny, tmp_path, capsys):
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    data = tmp_path / "annotation.txt"
    data.write_text("0.png\tab c\n1.png\tđ a\n2.png\tcab\n", encoding="utf-8")
    out = tmp_path / "table"
    arguments = ["--data", str(data), "--weights", str(tiny), "--out", str(out), "--limit", "2", "--repeats", "2"]
    assert cli.main(["compare", *arguments]) == 0
    printed = capsys.readouterr().out
    assert (out / "table.md").read_text(encoding="utf-8") in printed and "| tiny " in printed
    setup = json.loads((out / "table.json").read_text(encoding="utf-8"))["setup"]
    conditions = setup["conditions"]
    assert (setup["lines"], setup["repeats"], conditions["threads"]) == (2, 2, [1])
    assert conditions["command"].startswith("quantvietocr compare --data ")
    assert cli.main(["compare", *arguments, "--vietocr"]) == 2
    assert "none of tiny is float" in capsys.readouterr().err
