"""`quantvietocr bench`: a row or a reason for every reader, ratios of what was measured, readers that take turns."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import tiny_transformer
import torch
import yaml
from PIL import Image
from tiny import float_checkpoint, int8_checkpoint

from quantvietocr.checkpoint import read, write
from quantvietocr.cli import main as cli
from quantvietocr.measure.conditions import Conditions
from quantvietocr.measure.speed import bench as module
from quantvietocr.measure.speed.bench import BenchError, bench
from quantvietocr.measure.speed.cold_start import Start, cold_start
from quantvietocr.measure.speed.pictures import TEXTS, line_of, mixed_lines
from quantvietocr.measure.speed.readers import build, onnx_models
from quantvietocr.measure.speed.report import Bench, Setup, Timing, choice, markdown, ratios
from quantvietocr.measure.speed.timing import READERS, Missing, take_turns
from quantvietocr.pictures.image import line_width
from quantvietocr.quantize.static import quantize_dynamic

OF_TWO = [name for name, file in READERS.items() if file < 2]  # the rows of a float and an int8 file
INT8 = Path(__file__).resolve().parents[1] / "weights" / "vgg_seq2seq-qat-int8.safetensors"


@pytest.fixture(scope="module")
def whole(float_weights, tmp_path_factory) -> SimpleNamespace:
    """A quick run of the verb on one thread, without ONNX Runtime, into a page of its own."""
    out = tmp_path_factory.mktemp("bench")
    page = out / "page.md"
    page.write_text("before\n<!-- table speed -->\n<!-- end speed -->\nafter\n", encoding="utf-8")
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(out / "cache"))
        patch.setitem(sys.modules, "onnxruntime", None)  # importing it fails
        patch.setattr(module.os, "sched_getaffinity", lambda process: {0}, raising=False)
        code = cli.main(
            [
                "bench",
                "--out",
                str(out),
                "--weights",
                str(float_weights),
                str(INT8),
                "--quick",
                "--into",
                f"{page}#speed",
            ]
        )
    assert code == 0 and torch.get_num_threads() == before
    pages = {name: (out / name).read_text(encoding="utf-8") for name in ("page.md", "bench.md", "bench.json")}
    return SimpleNamespace(out=out, page=pages["page.md"], text=pages["bench.md"], json=json.loads(pages["bench.json"]))


def test_every_reader_has_times_or_a_reason(whole):
    timed = list(dict.fromkeys(row["reader"] for row in whole.json["timings"]))
    missing = {row["reader"]: row["reason"] for row in whole.json["missing"]}
    assert sorted([*timed, *missing]) == sorted(OF_TWO) and timed == [name for name in OF_TWO if name in timed]
    assert list(missing) == ["ONNX Runtime float", "ONNX Runtime int8", "AsterOCR"]
    assert "run `make setup`" in missing.pop("AsterOCR")
    assert all("needs the package onnxruntime: run `make setup`" in reason for reason in missing.values())
    for table in (whole.text, whole.page):
        rows = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
        assert rows[2 : 2 + len(OF_TWO)] == OF_TWO
    assert whole.text.count("needs the package onnxruntime") == 2 and whole.page.startswith(
        "before\n<!-- table speed -->"
    )
    with Image.open(whole.out / "bench.png") as picture:
        assert picture.width > 1000 and len(picture.convert("RGB").getcolors(1 << 24)) > 100
    assert [path.suffix for path in sorted((whole.out / "models").iterdir())] == [".png", ".onnx", ".onnx"]


def test_every_case_is_read_whole_and_by_all_alike(whole):
    cases = {}
    for row in whole.json["timings"]:
        cases.setdefault(row["case"], []).append(row)
        assert row["threads"] == 1 and len(row["ms"]) == 1 and row["ms"][0] > 0
    assert list(cases) == ["128 px", "320 px", "512 px", "2 mixed lines"]
    for case, length in zip(cases, (10, 25, 40)):
        assert {row["characters"] for row in cases[case]} == {length}
    assert {row["kind"] for row in cases["320 px"]} >= {"VietOCR", "float32", "int8"}
    assert all(row["lines"] == 2 and row["characters"] > 10 for row in cases["2 mixed lines"])


def test_ratios_are_those_of_the_times(whole):
    for row in whole.json["timings"]:
        others = [other for other in whole.json["timings"] if other["case"] == row["case"]]
        own = next(other["ms"][0] for other in others if other["kind"] == "VietOCR")
        plain = min(other["ms"][0] for other in others if other["kind"] == "float32")
        assert row["median"] == row["ms"][0]
        assert row["faster_than"]["VietOCR"] == pytest.approx(own / row["ms"][0])
        assert row["faster_than"]["float32"] == pytest.approx(plain / row["ms"][0])
    assert whole.json["choice"] in whole.text and "On this machine choose for one line at a time" in whole.text


def test_stages_are_told_apart_where_the_engine_permits(whole):
    stages = {}
    for row in whole.json["stages"]:
        stages.setdefault(row["reader"], []).append(row["stage"])
        assert len(row["ms"]) == 1 and row["ms"][0] >= 0
    assert list(stages) == [name for name in OF_TWO if not name.startswith(("ONNX", "AsterOCR"))]
    assert all(found == ["preprocess", "CNN", "encoder", "decoder"] for found in stages.values())


def test_onnxruntime_tells_cnn_and_encoder_together(float_weights, tmp_path):
    checkpoints = [read(float_weights)] * 2
    model = onnx_models(checkpoints[:1], tmp_path)[0]
    written = model.stat().st_mtime_ns
    assert onnx_models(checkpoints[:1], tmp_path) == [model] and model.stat().st_mtime_ns == written
    (reader,) = build(["ONNX Runtime float"], checkpoints, [model] * 2, 1)
    assert list(reader.stages(line_of(128))) == ["preprocess", "CNN + encoder", "decoder"] and reader.kind == "float32"


def test_vietocr_reads_a_mixed_batch_in_order(float_weights, own_font_cache):
    (reader,) = build(["VietOCR"], [read(float_weights)] * 2, [Path()] * 2, 1)
    assert reader.predict_batch([line_of(320), line_of(128), line_of(320)]) == [TEXTS[320], TEXTS[128], TEXTS[320]]


def test_cold_starts_read_the_line_or_say_why_not(whole):
    assert [(cold["engine"], Path(cold["file"]).suffix) for cold in whole.json["cold"]] == [
        ("torch", ".safetensors"),
        ("torch", ".safetensors"),
        ("onnxruntime", ".safetensors"),
        ("openvino", ".safetensors"),
    ]
    for cold in whole.json["cold"]:  # a new process has onnxruntime
        assert cold["reason"] is None and cold["text"] == TEXTS[320] and len(cold["seconds"]) == 1
    if sys.platform == "linux":
        peaks = [cold["peaks"][0] for cold in whole.json["cold"]]
        assert peaks[2] < peaks[1] < peaks[0] and 50e6 < peaks[2] < 400e6


def test_the_memory_of_the_starter_does_not_count():
    held = np.ones(40_000_000)  # 320 MB
    start = cold_start([sys.executable, "-c", "print('ø')\nimport sys; sys.exit('because')"])
    assert (start.first, start.code, start.said.strip()) == ("ø", 1, "because") and start.seconds > 0
    assert start.peak is None or start.peak < held.nbytes / 2


def test_what_stops_a_cold_start_is_its_reason(tmp_path, monkeypatch):
    paths = [
        write(float_checkpoint(), tmp_path / "a.safetensors"),
        write(int8_checkpoint(), tmp_path / "b.safetensors"),
    ]
    checkpoints = [read(path) for path in paths]
    paths[0].write_bytes(b"damaged")
    monkeypatch.setattr(module, "COLD_ENGINES", ("torch",))
    first, second = module._cold_starts(checkpoints, line_of(320), tmp_path, 1, 1)
    assert str(paths[0]) in first.reason and not first.seconds and "\n" not in first.reason
    assert second.reason is None and len(second.seconds) == 1


def test_pictures_are_the_same_every_time(own_font_cache):
    assert [len(text) for text in TEXTS.values()] == [10, 25, 40]
    for width in TEXTS:
        assert line_of(width).tobytes() == line_of(width).tobytes()
        assert width <= line_width(*line_of(width).size) < width + 10
    mixed = mixed_lines(12)
    assert [picture.tobytes() for picture in mixed] == [picture.tobytes() for picture in mixed_lines(12)]
    assert len({line_width(*picture.size) for picture in mixed}) > 6


def test_readers_take_turns_and_warm_ups_do_not_count(monkeypatch):
    order, clock = [], SimpleNamespace(now=0.0)

    def call(reader):
        order.append(reader)
        clock.now += len(order)
        return f"{reader}{len(order)}"

    monkeypatch.setattr("quantvietocr.measure.speed.timing.time.perf_counter", lambda: clock.now)
    steps = []
    taken = take_turns("ab", call, 2, 1, SimpleNamespace(update=steps.append), lines=5)
    assert order == list("ababab") and steps == [5] * 6
    assert taken == [[(3000, "a3"), (5000, "a5")], [(4000, "b4"), (6000, "b6")]]


def test_asterocr_is_timed_alone_and_in_batches(float_weights, own_font_cache):
    pytest.importorskip("asterocr", reason="no asterocr: pip install asterocr==1.0.2")
    (reader,) = build(["AsterOCR"], [read(float_weights)] * 2, [Path()] * 2, 1)
    assert (reader.name, reader.kind, reader.stages) == ("AsterOCR", "AsterOCR", None)
    assert reader.predict_batch([line_of(320), line_of(128)]) == [reader.predict(line_of(w)) for w in (320, 128)]


def test_another_projects_reader_is_never_chosen_nor_a_baseline():
    found = table()
    aster = dataclasses.replace(found.timings[0], reader="AsterOCR", kind="AsterOCR", ms=(0.1, 0.1, 0.1))
    with_it = dataclasses.replace(found, timings=(*found.timings, aster))
    assert choice(with_it) == choice(found)
    assert ratios(found.timings[4], with_it.at("320 px", 1)) == ratios(found.timings[4], found.at("320 px", 1))


def table(load=0.1, **changes) -> Bench:
    """Numbers made up: medians 100 (VietOCR), 60, 50 (float32), 30 (bf16), 20, 20.5 (int8); batches half of that."""
    setup = Setup(
        weights=("f", "q"),
        network="vgg_seq2seq",
        conditions=Conditions("C", ("avx2",), 2, "S", (1, 2), {}, load, "2000-01-01", None),
        left_out=(),
        repeats=3,
        batch_repeats=1,
        warm_ups=1,
        batch_lines=2,
        batch_widths=(40, 90),
        quick=False,
        busy=False,
        settings={},
    )
    names = ("VietOCR", "torch float", "OpenVINO float32", "OpenVINO float", "torch int8", "OpenVINO int8")
    kinds = ("VietOCR", "float32", "float32", "bf16", "int8", "int8")
    timings = [
        Timing(name, kind, kind, case, threads, lines, 25, (ms / lines - 1, ms / lines, ms / lines + 9))
        for threads in (1, 2)
        for case, lines in (("320 px", 1), ("2 mixed lines", 2))
        for name, kind, ms in zip(names, kinds, (100, 60, 50, 30, 20, 20.5))
    ]
    missing = tuple(Missing(name, "Not installed.") for name in OF_TWO if name not in names)
    return Bench(dataclasses.replace(setup, **changes), tuple(timings), (), (), missing)


def test_ratios_are_against_vietocr_the_best_float32_and_bf16():
    found = table()
    rows = found.at("320 px", 2)
    assert ratios(rows[4], rows) == {"VietOCR": 5, "float32": 2.5, "bf16": 1.5}
    assert ratios(rows[4], rows[3:]) == {"bf16": 1.5}
    assert rows[0].median == 100 and rows[0].quartiles == (99.5, 104.5)
    assert "| 100.0 [99.5–104.5] | 1.00 / 0.50 |" in markdown(found)


def test_the_choice_is_the_fastest_and_names_what_is_level():
    said = choice(table())
    assert said.startswith(
        "On this machine choose for one line at a time on 1 thread torch int8 (20.0 ms a line, 5.0× as fast as "
        "VietOCR, 2.5× as fast as the best float32, 1.5× as fast as bf16), OpenVINO int8 within 5% of it"
    )
    assert "for batches on 2 threads torch int8 (10.0 ms a line" in said and "does not pay" not in said
    found = table()
    floats = dataclasses.replace(found, timings=tuple(row for row in found.timings if row.kind != "int8"))
    assert "OpenVINO float (30.0 ms" in choice(floats) and "int8 does not pay on this machine" in choice(floats)


def test_conditions_that_spoil_the_numbers_are_said(whole):
    assert "Left out, more threads than cores: 2." in whole.text and "A quick run (--quick)" in whole.text
    busy = markdown(table(load=2.5, busy=True))
    assert "kept the cores busy" in busy and "The load average was 2.50 before the start." in busy
    assert not any(words in markdown(table()) for words in ("busy", "quick run", "Left out"))


@pytest.mark.parametrize(
    "arguments, why",
    [
        (["--repeats", "0"], "--repeats 0 --threads 1 2: there is nothing to time"),
        (["--threads", "0"], "--repeats 15 --threads 0: there is nothing to time"),
        (["--threads", "4096"], "this process may use"),
        (
            ["--weights", "q.safetensors", "q.safetensors"],
            "q.safetensors is quantized; name the float checkpoint first",
        ),
        (["--weights", "f.safetensors", "f.safetensors"], "f.safetensors is float; name the float checkpoint first"),
        (["--weights", "f.safetensors", "missing.safetensors"], "missing.safetensors"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, why, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(float_checkpoint(), "f.safetensors")
    write(int8_checkpoint(), "q.safetensors")
    assert cli.main(["bench", "--out", "out", "--weights", "f.safetensors", "q.safetensors", *arguments]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and why in said[0] and not Path("out").exists()


def test_two_checkpoints_are_needed(float_weights, tmp_path):
    with pytest.raises(BenchError, match="name two"):
        bench(tmp_path, [float_weights])


PAIR = ("VietOCR", "torch int8")


@pytest.mark.parametrize("network", [tiny, tiny_transformer])
def test_either_network_is_timed_beside_vietocrs_own_on_its_weights(network, tmp_path, monkeypatch, capsys):
    """VietOCR's `.pth` with its YAML first, our int8 file second."""
    asked: list = []

    def starts(arguments):
        asked.append(arguments)
        return Start(1.0, 10_000_000, "a", 0, "")

    monkeypatch.setattr(module, "cold_start", starts)
    original = network.float_checkpoint()
    last = f"{tiny.PREFIX}last_conv_1x1.weight"  # features of about 1, as trained networks have
    original = tiny.replaced(original, last, original.tensors[last] * np.float32(1e-5))
    torch.save({name: torch.from_numpy(np.array(t)) for name, t in original.tensors.items()}, tmp_path / "f.pth")
    settings = {"vocab": tiny.CHARS, "transformer": {"nhead": 2} if network is tiny_transformer else {}}
    (tmp_path / "f.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    write(quantize_dynamic(original), tmp_path / "q.safetensors")
    files = [str(tmp_path / name) for name in ("f.pth", "q.safetensors", "f.yml")]
    out = tmp_path / "out"
    common = ["bench", "--quick", "--threads", "1", "--out", str(out), "--config", files[2], "--weights", files[0]]
    assert cli.main([*common, files[1]]) == 0
    found = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    assert found["setup"]["network"] == f"vgg_{original.meta.seq_modeling}"
    assert f"with f.pth and q.safetensors, a vgg_{original.meta.seq_modeling} network." in capsys.readouterr().out
    times = {row["reader"] for row in found["timings"]}
    assert {"VietOCR", "torch float", "torch int8"} <= times
    assert {row["case"] for row in found["timings"]} == {"128 px", "320 px", "512 px", "2 mixed lines"}
    for case in {row["case"] for row in found["timings"]}:  # the int8 row beside VietOCR's own code on the same weights
        own, int8 = (next(r for r in found["timings"] if (r["reader"], r["case"]) == (name, case)) for name in PAIR)
        assert int8["faster_than"]["VietOCR"] == pytest.approx(own["median"] / int8["median"])
    with_yaml = {Path(line[line.index("--weights") + 1]).name for line in asked if "--config" in line}
    assert with_yaml == {"f.pth"}
    other = {tiny: tiny_transformer, tiny_transformer: tiny}[network]
    write(other.int8_checkpoint(), tmp_path / "other.safetensors")
    assert cli.main([*common, str(tmp_path / "other.safetensors")]) == 2
    assert "name files of one network, made one from the other." in capsys.readouterr().err
