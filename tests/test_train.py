"""The training loop: what it writes, how it resumes, and how it stops."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import train_qat
from quantvietocr.checkpoint import read
from quantvietocr.config import load_config
from quantvietocr.train import objective
from quantvietocr.train.loop import train
from quantvietocr.train.state import Progress, TrainError, load_state, random_state, save_state
from quantvietocr.train.teacher import label_smoothing_loss

ROOT = Path(__file__).resolve().parents[1]


def settings(lines: Path, weights: Path, out: Path, method: str, **more: object) -> list[str]:
    """Overrides for a run of six steps on two lines each."""
    values = {
        "model.weights": weights,
        "data.train": f"[{{annotation: {lines}/annotation.txt}}]",
        "data.workers": 0,
        "data.chunk": 8,
        "data.merge_widths": 500,
        "train.method": method,
        "train.out": out,
        "train.steps": 6,
        "train.batch_size": 2,
        "train.save_every": 2,
        "train.validate_every": 6,
        "train.threads": 1,
        "train.device": "cpu",
        "quant.calibration_lines": 2,
        "quant.freeze_observers": 0.8,
        "quant.freeze_batch_norm": 0.5,
    } | more
    return [f"{key}={value}" for key, value in values.items()]


@pytest.mark.parametrize("method", ["float", "qat"])
def test_a_killed_run_resumes_to_the_same_weights(lines, float_weights, tmp_path, method):
    """SIGKILL in mid-run, --resume, and every tensor equals the uninterrupted run's, bit for bit."""
    whole = settings(lines, float_weights, tmp_path / "whole", method)
    train(load_config(None, whole))

    killed = settings(lines, float_weights, tmp_path / "killed", method)
    command = [sys.executable, str(ROOT / "train_qat.py"), *killed]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = tmp_path / "killed" / "state.pt"
    deadline = time.monotonic() + 300
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert 0 < load_state(state.parent)["progress"]["step"] < 6
    assert train_qat.main(["--resume", *killed]) == 0

    expected, found = load_state(tmp_path / "whole")["network"], load_state(tmp_path / "killed")["network"]
    assert expected.keys() == found.keys()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert read(tmp_path / "whole/best.safetensors").meta.method == method
    start = read(float_weights).tensors["transformer.decoder.fc_out.bias"]
    assert abs(found["transformer.decoder.fc_out.bias"].numpy() - start).max() > 0  # it did train


def test_a_state_that_was_loaded_is_saved_as_the_same_bytes(tmp_path):
    """A pickle names an object that it wrote before, and what was loaded is other objects than what was computed."""
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    weight.grad = torch.ones(2)
    optimizer.step()
    progress = Progress(step=1, scores=[{"step": 1, "lines": 2, "cer": 0.5}], window=[{"lr": 0.1}])
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    save_state(first, progress, "train: {}", [random_state()], optimizer=optimizer)
    state = load_state(first)
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    save_state(second, Progress(**state["progress"]), state["settings"], [random_state()], optimizer=optimizer)
    assert (first / "state.pt").read_bytes() == (second / "state.pt").read_bytes()


def test_qat_scores_both_and_keeps_the_best_of_the_converted(lines, float_weights, tmp_path):
    out = tmp_path / "run"
    overrides = settings(
        lines,
        float_weights,
        out,
        "qat",
        **{"data.valid": f"{lines}/annotation.txt", "train.validate_every": 3, "train.max_lr": 1e-6},
    )
    assert train_qat.main(overrides) == 0
    with (out / "scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows] == [0, 3, 6]
    assert {"converted_cer", "converted_exact", "converted_cer_folded", "fake_quant_cer"} <= rows[0].keys()
    best = read(out / "best.safetensors")
    assert best.meta.accuracy["cer"] == pytest.approx(min(float(row["converted_cer"]) for row in rows), abs=1e-6)
    assert best.meta.accuracy["lines"] == 8
    assert best.meta.made_with.startswith("python train_qat.py")
    beside = read(out / "best-float.safetensors")
    assert (beside.meta.method, beside.meta.accuracy["lines"]) == ("float", 8)
    assert Image.open(out / "curves.png").size[0] > 500
    assert not list(out.glob("*.part*"))


@pytest.mark.parametrize("method", ["qat", "pact"])
@pytest.mark.parametrize("changes", [{}, {"quant.path": "fx"}, {"quant.float_layers": "[features.0, last*]"}])
def test_the_float_weights_beside_the_int8_file_are_those_that_were_trained(
    lines, float_weights, tmp_path, method, changes
):
    """At a learning rate of nothing, and batch norm frozen at once, they are the weights that training began with."""
    still = {
        "train.steps": 1,
        "train.max_lr": 1e-30,
        "train.weight_decay": 0.0,
        "quant.freeze_batch_norm": 0.0,
    } | changes
    train(load_config(None, settings(lines, float_weights, tmp_path, method, **still)))
    before, after = read(float_weights), read(tmp_path / "best-float.safetensors")
    assert after.meta.method == "float"
    assert before.tensors.keys() == after.tensors.keys()
    for name, tensor in before.tensors.items():
        np.testing.assert_array_equal(after.tensors[name], tensor.astype(after.tensors[name].dtype), err_msg=name)


def test_float_layers_stay_float_in_the_file(lines, float_weights, tmp_path):
    overrides = settings(
        lines, float_weights, tmp_path, "qat", **{"train.steps": 1, "quant.float_layers": "[features.0, last*]"}
    )
    meta = read(train(load_config(None, overrides))).meta
    kept = [layer.name for layer in meta.layers if layer.op == "conv" and layer.precision == "float"]
    assert kept == ["cnn.model.features.0", "cnn.model.last_conv_1x1"] == list(meta.float_reasons)


def test_a_loss_that_is_not_a_number_names_the_lines(lines, float_weights, tmp_path):
    # An enormous learning rate: the second step already overflows.
    overrides = settings(lines, float_weights, tmp_path, "float", **{"train.max_lr": 1e30, "train.bf16": False})
    with pytest.raises(TrainError, match=r"loss became (nan|inf) .*00000\d\.png.*max_lr"):
        train(load_config(None, overrides))


def test_a_gradient_that_is_not_a_number_stops_before_it_is_in_the_weights(lines, float_weights, tmp_path, monkeypatch):
    losses = []

    def broken(logits, *rest):  # finite, but the square root's slope at 0 times 0 is none
        loss = label_smoothing_loss(logits, *rest)
        losses.append(loss + (logits * 0).sqrt().sum() if len(losses) == 2 else loss)
        return losses[-1]

    monkeypatch.setattr(objective, "label_smoothing_loss", broken)
    overrides = settings(lines, float_weights, tmp_path, "float", **{"train.save_every": 1})
    with pytest.raises(TrainError, match=r"gradient became nan .*00000\d\.png.*--resume"):
        train(load_config(None, overrides))
    assert len(losses) == 3 and torch.isfinite(losses[-1])
    state = load_state(tmp_path)
    assert state["progress"]["step"] == 2 and all(torch.isfinite(value).all() for value in state["network"].values())
    train(load_config(None, overrides), resume=True)
    assert load_state(tmp_path)["progress"]["step"] == 6


def test_bad_beginnings_are_one_sentence(lines, float_weights, int8_weights, tmp_path, capsys):
    def complaint(*changes: str) -> str:
        base = settings(lines, float_weights, tmp_path / "bad", "qat")
        assert train_qat.main([*base, *changes]) == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    assert "already quantized" in complaint(f"model.weights={int8_weights}")
    assert "model.weights=FILE" in complaint("model.weights=null")
    assert "no layer matches" in complaint("quant.float_layers=[nothing]")
    assert "unknown setting train.step" in complaint("train.step=5")
    assert "torch sees no CUDA" in complaint("train.device=cuda") or torch.cuda.is_available()


def test_resume_needs_the_same_settings(lines, float_weights, tmp_path):
    overrides = settings(lines, float_weights, tmp_path, "float", **{"train.steps": 2})
    with pytest.raises(TrainError, match="does not exist"):
        train(load_config(None, overrides), resume=True)
    train(load_config(None, overrides))
    with pytest.raises(TrainError, match="other settings"):
        train(load_config(None, [*overrides, "train.max_lr=3e-3"]), resume=True)
    os.remove(tmp_path / "best.safetensors")
    train(load_config(None, [*overrides, "train.save_every=7"]), resume=True)  # this one changes nothing that matters
