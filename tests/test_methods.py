"""Every method of the registry keeps one contract, and the table of them says what became of each."""

from __future__ import annotations

import dataclasses
import json

import pytest
import tiny_network
from PIL import Image

from quantvietocr.checkpoint import files
from quantvietocr.checkpoint.packing import fits
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.cli import main as cli
from quantvietocr.config import load_config
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.measure.methods import run as methods
from quantvietocr.measure.methods.report import Budget
from quantvietocr.measure.methods.run import METHODS, Job, make
from quantvietocr.quantize import static
from quantvietocr.quantize.observers import OBSERVERS
from quantvietocr.quantize.scheme import PREFIX, Scheme
from quantvietocr.reading.predictor import Predictor
from quantvietocr.train import start

BUDGET = Budget(steps=2, calibration_lines=4, max_drop=1.0, searched_lines=3, augment=0.0)
SETTINGS = ["train.batch_size=2", "data.workers=0", "train.bf16=false", "train.device=cpu", "data.chunk=4"]


@pytest.fixture(autouse=True)
def tiny_for_vietocr(monkeypatch):
    for module in (static, start):
        monkeypatch.setattr(module, "float_network", tiny_network.network_of)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return files.write(tiny_network.float_checkpoint(), tmp_path_factory.mktemp("weights") / "float.safetensors")


@pytest.fixture
def data(tmp_path):
    return tiny_network.write_lines(tmp_path / "lines")


@pytest.fixture
def job(weights, data, tmp_path):
    checkpoint = files.read(weights)
    samples = read_annotation(data, Vocab(checkpoint.meta.chars)).samples
    config = load_config(None, [f"data.train=[{{annotation: {json.dumps(str(data))}}}]", *SETTINGS])
    return Job(weights, checkpoint, data, samples, config, BUDGET, tmp_path / "out")


@pytest.mark.parametrize("name", METHODS)
def test_prepare_train_convert_save_load_reads_the_same(name, job, monkeypatch):
    written = []
    original = files.write
    monkeypatch.setattr(files, "write", lambda made, path: (written.append(made), original(made, path))[1])
    found = make(METHODS[name], job)
    assert found.done and found.error is None and found.seconds > 0
    path = job.out / f"{name}.safetensors"
    pictures = [Image.open(sample.path) for sample in job.samples]
    made = [checkpoint for checkpoint in written if not checkpoint.is_float]  # training keeps the float weights too
    before, after = Predictor(made[-1]), Predictor(path)
    expected = before.predict_batch(pictures, return_prob=True)
    assert after.predict_batch(pictures, return_prob=True) == expected and any(expected[0])
    loaded = files.read(path)
    assert not loaded.is_float and loaded.meta.source_sha256 == files.sha256(job.source)
    assert loaded.meta.method in name or name in ("mixed", "compact", "qat-compact")
    assert bool(loaded.meta.packed) == (name in ("mixed", "compact", "qat-compact"))
    if loaded.meta.packed:
        names = [layer.name.removeprefix(PREFIX) for layer in loaded.meta.layers if layer.op == "conv"]
        four = [name for name, bits in Scheme(**loaded.meta.scheme).layers(names).items() if bits.weight_bits == 4]
        weights = [loaded.tensors[f"{PREFIX}{name}.weight"] for name in four]
        assert len(four) > 5 and all(fits(weight) and abs(weight).max() > 100 for weight in weights)  # 7 × a multiplier
    integers = {layer.precision == "int8" for layer in loaded.meta.layers if layer.op == "conv"}
    assert integers == {name != "dynamic"}


def test_every_observer_and_way_of_training_is_there():
    wanted = {"dynamic", "qat-eager", "qat-fx", "pact", "lsq", "mixed", "compact"}
    assert {f"static-{name}" for name in OBSERVERS} | wanted <= set(METHODS)
    assert all(METHODS[name].trained for name in ("qat-eager", "qat-fx", "pact", "lsq", "qat-compact"))


def test_trained_methods_differ_in_nothing_but_what_they_are(job):
    plain = methods.training_settings(job, "qat-eager", "qat", path="eager")
    learned = methods.training_settings(job, "lsq", "lsq")
    assert plain.train.steps == learned.train.steps == 2 and plain.data == learned.data
    one, other = dataclasses.asdict(plain.train), dataclasses.asdict(learned.train)
    assert {key for key in one if one[key] != other[key]} == {"method", "out"}


def test_a_file_from_the_same_settings_is_not_made_again(job, monkeypatch):
    first = make(METHODS["dynamic"], job)
    path = job.out / "dynamic.safetensors"
    content = path.read_bytes()
    monkeypatch.setattr(methods, "quantize_dynamic", lambda checkpoint: pytest.fail("made again"))
    assert make(METHODS["dynamic"], job) == first
    monkeypatch.undo()
    path.write_bytes(b"")
    make(METHODS["dynamic"], dataclasses.replace(job, budget=dataclasses.replace(BUDGET, steps=3)))
    assert path.read_bytes() == content


def test_an_interrupted_training_goes_on_and_its_time_adds_up(job, monkeypatch):
    original, calls = methods.train, []

    def stopped(config, resume, command):
        calls.append(resume)
        if len(calls) == 1:
            original(config, resume, command)  # leaves a state.pt, as an interruption does
            raise KeyboardInterrupt
        return original(config, resume, command)

    monkeypatch.setattr(methods, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        make(METHODS["qat-eager"], job)
    assert not (job.out / "qat-eager.safetensors").exists()
    spent = json.loads((job.out / "qat-eager.json").read_text())["seconds"]
    found = make(METHODS["qat-eager"], job)
    assert calls == [False, True] and found.done and found.seconds > spent > 0


def table_of(tmp_path, weights, data, *more):
    out = tmp_path / "table"
    files_of = ["--float", str(weights), "--data", str(data), "--test", str(data), "--out", str(out)]
    few = ["--steps", "1", "--lines", "2", "--searched-lines", "2", "--repeats", "1", "--limit", "3"]
    code = cli.main(["methods", *files_of, *few, "--set", *SETTINGS, *more])
    return code, out


def test_the_table(tmp_path, weights, data, capsys):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table methods -->\n<!-- end methods -->\nb\n", encoding="utf-8")
    code, out = table_of(tmp_path, weights, data, "--only", "lsq", "dynamic", "--into", f"{page}#methods")
    assert code == 0
    written = (out / "methods.md").read_text(encoding="utf-8")
    assert written in capsys.readouterr().out and written.strip() in page.read_text(encoding="utf-8")
    names = [line.split("|")[1].strip() for line in written.splitlines() if line.startswith("| ")]
    assert names == ["Method", "float", "dynamic", "lsq"]
    assert "Each trained method takes 1 steps of at most 2 lines" in written
    stored = json.loads((out / "methods.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in stored["rows"]] == names[1:] and stored["budget"]["steps"] == 1
    for row in stored["rows"]:
        file = out / f"{row['name']}.safetensors" if row["name"] != "float" else weights
        assert row["bytes"] == file.stat().st_size and row["error"] is None
    picture = Image.open(out / "methods.png")
    assert picture.width > 1000 and len(picture.getcolors(2**24) or ()) > 20


def test_a_method_that_fails_is_a_row_and_the_exit_code(tmp_path, weights, data, capsys, monkeypatch):
    def broken(job):
        raise RuntimeError("no such kernel | here")

    monkeypatch.setitem(METHODS, "compact", dataclasses.replace(METHODS["compact"], make=broken))
    code, out = table_of(tmp_path, weights, data, "--only", "dynamic", "compact")
    assert code == 2
    assert "1 of 2 methods failed: compact; the table says why." in capsys.readouterr().err
    written = (out / "methods.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in written if line.startswith("| compact"))
    assert "failed: RuntimeError: no such kernel \\| here" in row and row.count("—") == 6
    monkeypatch.undo()
    for module in (static, start):
        monkeypatch.setattr(module, "float_network", tiny_network.network_of)
    # Tried again, though no setting changed.
    assert table_of(tmp_path, weights, data, "--only", "dynamic", "compact")[0] == 0


def test_what_cannot_work_is_said_before_anything_is_made(tmp_path, weights, data, capsys):
    for more, said in (
        (["--only", "magic"], "--only magic: no such method; name some of dynamic, "),
        (["--steps", "0"], "train.steps is 0"),
        (["--lines", "0"], "--lines"),
    ):
        code, out = table_of(tmp_path, weights, data, *more)
        assert code == 2 and said in capsys.readouterr().err and not out.exists()
