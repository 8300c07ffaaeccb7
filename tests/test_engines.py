"""Every engine reads alike, alone and in batches, and what it cannot read it refuses in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image
from tiny import int8_checkpoint

import infer
from quantvietocr import Predictor
from quantvietocr.checkpoint import CheckpointError, write
from quantvietocr.checkpoint.onnx_file import DIGEST_KEY, read_onnx
from quantvietocr.engines.base import EngineError
from quantvietocr.engines.choose import _engine_for, open_file
from quantvietocr.engines.cpu import int8_instructions, int8_warning
from quantvietocr.engines.graphs.network import to_onnx
from quantvietocr.export.onnx import export_onnx

ONNX_ENGINES = ["onnxruntime", "openvino"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return export_onnx(int8_checkpoint(), tmp_path_factory.mktemp("tiny") / "tiny.onnx")


@pytest.mark.parametrize("engine", ONNX_ENGINES)
@pytest.mark.parametrize("kind", ["int8", "slim", "float"])
def test_it_reads_what_torch_reads(kind, engine, exported, pixels):
    weights, file = exported[kind]
    expected = Predictor(weights, threads=1).recognizer.recognize(pixels)
    found = Predictor(file, threads=1, engine=engine).recognizer.recognize(pixels)
    assert [text for text, _ in found] == [text for text, _ in expected]
    assert sum(len(text) for text, _ in found) > 40  # they do read
    tolerance = 1e-3 if kind == "float" else 0.03  # int8: where a feature falls on the other side of a tie
    for (_, ours), (_, theirs) in zip(expected, found, strict=True):
        np.testing.assert_allclose([*theirs.probabilities, theirs.end], [*ours.probabilities, ours.end], atol=tolerance)


@pytest.mark.parametrize("engine", ["torch", *ONNX_ENGINES])
def test_a_batch_is_its_lines(engine, exported, pixels):
    _, runtime = open_file(exported["int8"][engine != "torch"], engine, threads=1)
    width = min(line.shape[1] for line in pixels)
    batch = np.stack([line[:, :width] for line in pixels])
    whole = runtime.stages(batch)
    single = [np.concatenate(parts) for parts in zip(*(runtime.stages(line[None]) for line in batch))]
    for name, together, alone in zip(("features", "memory", "hidden"), whole, single, strict=True):
        np.testing.assert_allclose(together, alone, atol=0 if name == "features" else 2e-3, err_msg=name)
    np.testing.assert_array_equal(runtime.encode(batch)[0], whole[1])


@pytest.mark.parametrize("engine", ONNX_ENGINES)
def test_beams_batches_and_confidence_are_the_predictors(engine, tiny):
    expected, found = Predictor(int8_checkpoint(), beam=3), Predictor(tiny, beam=3, batch_size=2, engine=engine)
    images = [np.random.default_rng(i).integers(0, 256, (8, 40, 3), np.uint8) for i in range(5)]
    texts, sure = expected.predict_batch(images, return_prob=True)
    ours, certain = found.predict_batch(images, return_prob=True)
    assert ours == texts == [found.predict(image) for image in images]
    assert certain == pytest.approx(sure, abs=1e-2)
    assert found.meta == expected.meta


def test_results_do_not_change_when_the_engine_runs_again(tiny):
    for engine in ONNX_ENGINES:
        _, runtime = open_file(tiny, engine, threads=1)
        rng = np.random.default_rng(0)
        first = runtime.stages(rng.integers(0, 256, (1, 8, 30, 3), np.uint8))
        kept = [part.copy() for part in first]
        runtime.stages(rng.integers(0, 256, (2, 8, 60, 3), np.uint8))
        for part, copy in zip(first, kept, strict=True):
            np.testing.assert_array_equal(part, copy)


def test_signals_are_heard_after_engines_are_gone():
    """In a process of its own, which once ended with a segmentation fault: see `openvino_engine._core`."""
    program = (
        "import signal, tiny\n"
        "from quantvietocr.engines.openvino_engine import OpenVinoEngine\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('heard'))\n"
        "first, second = (OpenVinoEngine(tiny.int8_checkpoint()) for _ in range(2))\n"
        "del first\n"
        "del second\n"
        "signal.raise_signal(signal.SIGUSR1)\n"
    )
    here = Path(__file__).parent
    paths = os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{here.parent}"}
    done = subprocess.run([sys.executable, "-c", program], env=paths, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr[-2000:]


# --- choosing --------------------------------------------------------------------------------------------------------


def hide(monkeypatch, *packages: str) -> None:
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def test_auto_takes_what_is_there(tiny, tmp_path, monkeypatch):
    assert Predictor(tiny).recognizer.engine.name == "openvino"
    assert Predictor(write(int8_checkpoint(), tmp_path / "tiny.safetensors")).recognizer.engine.name == "torch"
    hide(monkeypatch, "torch")
    assert _engine_for(Path("a.safetensors"), "auto") == "openvino"
    monkeypatch.undo()
    hide(monkeypatch, "openvino")
    assert Predictor(tiny).recognizer.engine.name == "onnxruntime"
    hide(monkeypatch, "torch")
    assert _engine_for(Path("a.safetensors"), "auto") == "onnxruntime"


@pytest.mark.parametrize("engine", ONNX_ENGINES)
def test_a_checkpoint_is_read_as_its_export_is(engine, exported, lines):
    """No `.onnx` file is needed. Each reads in a process of its own, as people start it."""
    root = Path(infer.__file__).parent
    command = [sys.executable, "-m", "quantvietocr", "read", str(lines / "img"), "--threads", "1", "--engine", engine]
    for weights, graph in (exported["int8"], exported["slim"]):
        found, expected = (
            subprocess.run([*command, "--weights", str(file)], capture_output=True, text=True, cwd=root)
            for file in (weights, graph)
        )
        assert found.returncode == 0 and found.stdout.count("\n") == 8, found.stderr
        assert (found.stdout, found.stderr) == (expected.stdout, expected.stderr)


@pytest.mark.parametrize(
    ("gone", "file", "engine", "said"),
    [
        ((), "tiny.onnx", "torch", "engine torch reads .safetensors"),
        (("openvino",), "tiny.onnx", "openvino", "needs the package openvino: run `make setup`"),
        (("onnxruntime",), "tiny.onnx", "onnxruntime", "needs the package onnxruntime: run `make setup`"),
        (("onnxruntime", "openvino"), "tiny.onnx", "auto", "neither is installed: run `make setup`"),
        (("torch", "onnxruntime", "openvino"), "tiny.safetensors", "auto", "need PyTorch: run `make setup`"),
        (("torch",), "tiny.pth", "auto", "need PyTorch: run `make setup`"),
        ((), "tiny.onnx", "tensorrt", "no engine 'tensorrt'; choose one of auto, torch"),
    ],
)
def test_what_does_not_fit_is_one_sentence(gone, file, engine, said, tiny, tmp_path, monkeypatch):
    path = (
        tiny if file == "tiny.onnx" else write(int8_checkpoint(), tmp_path / "tiny.safetensors").rename(tmp_path / file)
    )
    hide(monkeypatch, *gone)
    with pytest.raises(EngineError, match=said) as caught:
        Predictor(path, engine=engine)
    assert "\n" not in str(caught.value)


# --- bad files -------------------------------------------------------------------------------------------------------


def foreign() -> bytes:
    """Somebody else's network."""
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    return onnx.helper.make_model(
        onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [other])
    ).SerializeToString()


def edited(content: bytes) -> bytes:
    model = onnx.load_from_string(content)
    next(t for t in model.graph.initializer if t.name.endswith("features.0.weight.scale")).raw_data = bytes(20)
    return model.SerializeToString()


def newer(content: bytes) -> bytes:
    model = onnx.load_from_string(content)
    for entry in model.metadata_props:
        entry.value = entry.value.replace('"format_version": 1', '"format_version": 99')
    return model.SerializeToString()


@pytest.mark.parametrize("engine", ONNX_ENGINES)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: foreign(), "does not hold quantvietocr's metadata"),
        (lambda content: b"", "no ONNX file, or damaged or truncated"),
        (lambda content: b"<!DOCTYPE html><html>", "no ONNX file, or damaged or truncated"),
        (lambda content: content[: len(content) // 2], "damaged or truncated"),
        (lambda content: content[:-1], "damaged or truncated"),
        (lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:], "damaged"),
        (edited, "changed after its export"),
        (newer, "format version 99"),
    ],
)
def test_a_file_that_is_not_ours_or_not_whole_is_one_sentence(change, said, engine, tiny, tmp_path, capsys):
    path = tmp_path / "bad.onnx"
    path.write_bytes(change(tiny.read_bytes()))
    with pytest.raises(CheckpointError, match=said) as caught:
        Predictor(path, engine=engine)
    assert "\n" not in str(caught.value) and "bad.onnx" in str(caught.value)
    Image.new("RGB", (40, 8)).save(tmp_path / "line.png")
    assert infer.main(["--weights", str(path), "--engine", engine, str(tmp_path / "line.png")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_no_cut_or_flipped_bit_gets_through(tiny, tmp_path):
    content, path = tiny.read_bytes(), tmp_path / "bad.onnx"
    places = np.linspace(0, len(content) - 1, 60).astype(int)
    for place in places:
        path.write_bytes(content[:place])
        with pytest.raises(CheckpointError):
            read_onnx(path)
    model = onnx.load_from_string(content)
    graph = model.graph.SerializeToString(deterministic=True)
    start = content.index(graph)
    for place in np.linspace(start, start + len(graph) - 1, 60).astype(int):
        path.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
        with pytest.raises(CheckpointError):
            read_onnx(path)


def test_missing_files_folders_and_a_yaml_are_named(tiny, tmp_path):
    for path, said in ((tmp_path / "none.onnx", "No such file"), (tmp_path, "is a folder")):
        with pytest.raises(CheckpointError, match=said):
            Predictor(path)
    with pytest.raises(CheckpointError, match="leave the YAML away"):
        Predictor(tiny, config="vietocr.yml")


@pytest.mark.parametrize(
    ("output", "said"),
    [("features", r"this (onnxruntime|OpenVINO) \(.*\) cannot run it"), ("y", "its graph is none that .* writes")],
)
def test_a_file_with_another_graph_is_refused(output, said, tmp_path):
    """Metadata and digest are right, and the graph is no network of ours."""
    import hashlib

    model, source = onnx.load_from_string(foreign()), onnx.load_from_string(to_onnx(int8_checkpoint()))
    model.graph.node[0].op_type = "Telepathy"
    model.graph.node[0].output[0] = model.graph.output[0].name = output
    digest = hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()
    about = {entry.key: entry.value for entry in source.metadata_props} | {DIGEST_KEY: digest}
    onnx.helper.set_model_props(model, about)
    path = tmp_path / "odd.onnx"
    path.write_bytes(model.SerializeToString(deterministic=True))
    for engine in ONNX_ENGINES:
        with pytest.raises(CheckpointError, match=rf"odd\.onnx: {said}"):
            Predictor(path, engine=engine)


# --- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "bits", "said"),
    [
        (("avx2", "avx512f", "avx512_vnni"), 7, None),
        (("avx2", "avx_vnni"), 8, None),
        ((), 7, None),
        (("avx2",), 7, "no VNNI.*an activation passes 127"),
        (("avx2", "avx512f"), 8, "no VNNI.*use a 7-bit file"),
        (("sse2",), 7, "neither VNNI nor AVX2"),
    ],
)
def test_a_cpu_that_is_not_made_for_int8_is_warned_of(features, bits, said):
    sentence = int8_warning(bits, features, "x86_64")
    assert sentence is None if said is None else re.search(said, sentence)
    assert int8_warning(bits, features, "aarch64") is None


def test_the_best_instructions_are_named():
    assert int8_instructions(("avx2", "avx512f", "avx512_vnni")) == "avx512_vnni"
    assert int8_instructions(("avx2",)) == "avx2"
    assert "does not name" in int8_instructions(())


def test_the_engine_is_said_once_and_truthfully(tiny, tmp_path, capsys, monkeypatch):

    monkeypatch.setattr("quantvietocr.engines.choose.int8_features", lambda: ("avx2",))
    monkeypatch.setattr("quantvietocr.engines.cpu.platform.machine", lambda: "x86_64")
    for number in range(3):
        Image.new("RGB", (40, 8)).save(tmp_path / f"{number}.png")
    assert infer.main(["--weights", str(tiny), "--engine", "onnxruntime", "--threads", "1", str(tmp_path)]) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"infer.py: engine: onnxruntime [\d.]+, int8 CNN \(7-bit activations\), float32 encoder and decoder; "
        r"int8 on avx2; 1 thread\.",
        first,
    )
    assert second.startswith("infer.py: warning: this CPU has no VNNI")
    assert Predictor(tiny, engine="onnxruntime", threads=2).about[0].endswith("2 threads.")
