"""infer.py: rows in order whatever happens to a picture, and an exit code that says what did."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import infer
from quantvietocr import Predictor
from quantvietocr.cli import read as verb
from quantvietocr.cli.rows import row
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.pictures import find as picture_files
from quantvietocr.pictures.find import find_pictures, natural
from quantvietocr.reading import stream
from quantvietocr.reading.options import ReadingOptions
from quantvietocr.reading.plot import draw_lines


@pytest.fixture
def weights(tiny_weights: Path) -> Path:
    return tiny_weights


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve readable pictures of several widths, line1.png to line12.png, and one broken one, line5b.png."""
    rng = np.random.default_rng(0)
    for number in range(1, 13):
        pixels = rng.integers(0, 256, (16, 40 + 20 * (number % 4), 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"line{number}.png")
    (tmp_path / "line5b.png").write_bytes((tmp_path / "line5.png").read_bytes()[:80])
    return tmp_path


NAMES = [f"line{n}.png" for n in (1, 2, 3, 4, 5)] + ["line5b.png"] + [f"line{n}.png" for n in range(6, 13)]


def run(weights: Path, *arguments: object) -> int:
    return infer.main(["--weights", str(weights), "--threads", "1", *map(str, arguments)])


def test_tsv_has_a_row_for_every_picture_in_order(weights, folder, capsys, monkeypatch):
    monkeypatch.setattr(stream, "FIRST_WINDOW", 2)
    monkeypatch.setattr(stream, "WINDOW", 5)
    assert run(weights, "--format", "tsv", folder) == 1
    out, err = capsys.readouterr()
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows] == [str(folder / name) for name in NAMES]
    predictor = Predictor(weights, threads=1)
    for path, text, confidence in rows:
        if path.endswith("line5b.png"):
            assert (text, confidence) == ("", "0.0000")
        else:
            read, sure = predictor.predict(path, return_prob=True)
            assert text == read and float(confidence) == pytest.approx(sure, abs=1e-4)
    assert len({row[2] for row in rows}) > 6  # the pictures differ, so mixed-up rows would show
    said = [line for line in err.splitlines() if "line5b.png" in line]
    assert len(said) == 1 and "damaged" in said[0] and "Traceback" not in err
    assert "1 of 13 pictures could not be read" in err


def test_a_mended_picture_is_read_and_said(weights, tmp_path, capsys):
    path = tmp_path / "endless.jpg"
    picture = io.BytesIO()
    Image.new("RGB", (120, 30), "white").save(picture, "JPEG")
    path.write_bytes(picture.getvalue()[:-2])
    assert run(weights, "--format", "tsv", path) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{path}\t")
    assert f"infer.py: warning: {path}: this JPEG lacks its end" in err
    assert run(weights, "--quiet", path) == 0
    assert not capsys.readouterr().err


def test_windows_and_batches_do_not_change_the_rows(weights, folder, capsys, monkeypatch):
    run(weights, "--format", "tsv", folder)
    whole = capsys.readouterr().out
    monkeypatch.setattr(stream, "FIRST_WINDOW", 1)
    monkeypatch.setattr(stream, "WINDOW", 2)
    run(weights, "--format", "tsv", "--batch-size", 1, folder)
    assert capsys.readouterr().out == whole and whole.count("\n") == 13


def test_lines_of_one_width_run_together(weights, folder, monkeypatch):
    batches, encode = [], TorchEngine.encode
    monkeypatch.setattr(
        TorchEngine, "encode", lambda self, pixels: batches.append(pixels.shape) or encode(self, pixels)
    )
    assert run(weights, *(folder / f"line{number}.png" for number in range(1, 13))) == 0
    assert [(count, width) for count, _, width, _ in batches] == [(3, 50), (3, 40), (3, 30), (3, 20)]


def test_json_says_what_went_wrong(weights, folder, capsys):
    assert run(weights, "--format", "json", folder / "line1.png", folder / "none.png", folder / "line2.png") == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["path"] for row in rows] == [str(folder / name) for name in ("line1.png", "none.png", "line2.png")]
    assert "no such file" in rows[1]["error"] and rows[1]["text"] == "" and rows[1]["confidence"] == 0
    assert all("error" not in row and row["text"] and 0 < row["confidence"] <= 1 for row in (rows[0], rows[2]))


def test_text_prints_a_line_for_each_picture(weights, folder, capsys):
    assert run(weights, folder / "line2.png", folder / "line1.png") == 0
    predictor = Predictor(weights, threads=1)
    assert capsys.readouterr().out.splitlines() == predictor.predict_batch([folder / "line2.png", folder / "line1.png"])


def test_beam_threads_and_engine_reach_the_predictor(weights, folder, monkeypatch):
    made = []
    monkeypatch.setattr(
        "quantvietocr.Predictor", lambda *a, **k: made.append((a, k)) or Predictor(*a, **k), raising=False
    )
    options = (
        "--beam",
        3,
        "--batch-size",
        7,
        "--engine",
        "torch",
        "--wide",
        "squeeze",
        "--whitelist",
        "abc",
        "--loops",
        "keep",
    )
    options += "--again", 2, "--words", "none"
    assert run(weights, *options, folder / "line1.png") == 0
    assert made == [
        (
            (str(weights), 1),
            {
                "batch_size": 7,
                "engine": "torch",
                "config": None,
                "options": ReadingOptions("squeeze", "keep", 2, None, 3, "abc"),
            },
        )
    ]


def test_a_list_of_paths_on_stdin(weights, folder, capsys, monkeypatch):
    Image.new("RGB", (40, 16), "white").save(folder / "a[1].png")
    listed = f"{folder / 'line3.png'}\r\n\n{folder / 'a[1].png'}\n".encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(listed)))
    assert run(weights, "--format", "tsv", folder / "line2.png", "-") == 0
    paths = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert paths == [str(folder / name) for name in ("line2.png", "line3.png", "a[1].png")]


def test_nothing_to_read_is_said_before_the_weights_are_opened(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no picture")
    assert run(tmp_path / "none.safetensors", tmp_path) == 2
    out, err = capsys.readouterr()
    assert out == "" and "no pictures to read" in err and "(1 other file: 1 .txt)" in err


def test_unusable_weights_are_one_sentence(folder, capsys):
    assert run(folder / "none.safetensors", folder / "line1.png") == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and "No such checkpoint" in err


def test_an_argument_that_leads_nowhere_is_an_error_though_the_rest_is_read(weights, folder, capsys):
    assert run(weights, folder / "line1.png", folder / "scan*.png") == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 and "scan*.png: no file matches" in err


@pytest.mark.parametrize(
    "arguments", [["--threads", "-1"], ["--beam", "33"], ["--batch-size", "0"], ["--plot", "a.jpg"]]
)
def test_bad_options_are_refused(arguments, capsys):
    try:
        code = infer.main([*arguments, "a.png"])
    except SystemExit as stop:  # what the parser itself sees
        code = stop.code
    assert code == 2 and arguments[0] in capsys.readouterr().err.splitlines()[-1]


def test_an_interruption_is_no_traceback(monkeypatch, capsys):
    def interrupt(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(verb, "read", interrupt)
    assert infer.main(["a.png"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_closed_pipe_is_quiet_and_output_is_utf8(weights, folder):
    shutil.copy(folder / "line1.png", folder / "Số 1.png")
    paths = [str(folder / "Số 1.png")] + [str(folder / "line1.png")] * 5000
    command = [sys.executable, infer.__file__, "--weights", str(weights), "--threads", "1", "--format", "tsv", "-"]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, env=environment) as process:
        process.stdin.write("\n".join(paths).encode())
        process.stdin.close()
        first = process.stdout.readline().decode("utf-8")
        process.stdout.close()
        err = process.stderr.read().decode()
    assert "Số 1.png\t" in first
    assert process.returncode == 141
    # On a CPU without VNNI a warning stands beside what computes.
    assert [said.split()[1] for said in err.splitlines()] in (["engine:"], ["engine:", "warning:"]), err
    assert "infer.py: engine: torch" in err


def test_what_would_break_a_row_is_escaped():
    assert row("a\tb\n.png", "x\ty", 0.5, None, "tsv") == "a\\tb\\n.png\tx\\ty\t0.5000"
    assert row("a", "x\ny", 0.5, None, "text") == "x\\ny"
    assert json.loads(row("a\tb", "đ", 0.5, None, "json")) == {"path": "a\tb", "text": "đ", "confidence": 0.5}


def test_a_file_name_that_is_no_text_comes_out_as_it_is(weights, folder, capfdbinary):
    name = os.fsencode(folder) + b"/\xff.png"
    try:
        shutil.copy(os.fsencode(folder / "line1.png"), name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert run(weights, "--format", "tsv", os.fsdecode(name)) == 0
    assert capfdbinary.readouterr().out.startswith(name + b"\t")
    assert run(weights, "--format", "json", os.fsdecode(name)) == 0
    assert os.fsencode(json.loads(capfdbinary.readouterr().out)["path"]) == name


def test_plot_draws_what_was_read_and_says_what_it_left_out(weights, folder, capsys, monkeypatch):
    monkeypatch.setattr(verb, "MAX_DRAWN", 4)
    assert run(weights, "--plot", folder / "new" / "lines.png", folder) == 1
    assert "shows 4 of the 12 lines read" in capsys.readouterr().err
    with Image.open(folder / "new" / "lines.png") as picture:
        assert picture.width > 500 and picture.height > 100 and len(picture.convert("L").getcolors()) > 50
    assert [path.name for path in (folder / "new").iterdir()] == ["lines.png"]


def test_plot_takes_any_text_for_text(tmp_path):
    picture = Image.new("RGB", (300, 30), "white")
    # As a formula this would not even parse.
    lines = [(picture, r"Giá $5 \frac{ và ^$", 0.9), (picture, "", 0.0), (Image.new("RGB", (2000, 1)), "W" * 129, 1.0)]
    few = draw_lines(lines, tmp_path / "few.png", "three")
    many = draw_lines(lines * 5, tmp_path / "many.png", "fifteen")
    with Image.open(few) as one, Image.open(many) as two:
        assert two.width > 1.8 * one.width  # two columns
        edge = np.asarray(one.convert("L"))[:, -15:]
        assert edge.min() == 255  # the long text was made to fit


# --- which files -----------------------------------------------------------------------------------------------------


def test_a_folder_gives_its_pictures_and_its_subfolders_in_natural_order(tmp_path):
    names = ["p2/b.JPG", "p10/a.png", "line10.png", "line9.tif", "LINE11.webp"]
    for name in [*names, "notes.txt", "._line9.tif", "table.xlsx"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_pictures([str(tmp_path)])
    expected = ["line9.tif", "line10.png", "LINE11.webp", "p2/b.JPG", "p10/a.png"]
    assert found.paths == [str(tmp_path / name) for name in expected]
    assert found.problems == []
    (note,) = found.notes
    assert note.startswith(f"{tmp_path}: 5 pictures; 3 other files ignored (")
    assert set(note.partition("(")[2].removesuffix(").").split(", ")) == {"1 .txt", "1 hidden", "1 .xlsx"}


def test_patterns_are_expanded_unless_a_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a10.png", "a2.png", "b[1].png"):
        Path(name).touch()
    assert find_pictures(["a*.png", "b[1].png", "c.png"]).paths == ["a2.png", "a10.png", "b[1].png", "c.png"]
    assert find_pictures(["c*.png"]).problems == ["c*.png: no file matches this pattern; check it."]


def test_natural_order_is_total():
    names = ["a1", "a01", "A1", "a²", "1a", "a", "", "a1/b", "a10", "a9"]
    assert sorted(sorted(names, key=natural)) == sorted(names)
    assert natural("a9") < natural("a10") and natural("a01") != natural("a1")


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    def walk(folder, onerror):
        onerror(PermissionError(13, "Permission denied", folder))
        return iter(())

    monkeypatch.setattr(picture_files.os, "walk", walk)
    found = find_pictures([str(tmp_path)])
    assert found.paths == [] and found.problems == [f"{tmp_path}: this folder cannot be read (Permission denied)."]
