"""The verbs' manners: what is typed wrong is said first and helpfully, output suits who reads it, and every end has its
code."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from quantvietocr import Predictor, __version__
from quantvietocr.cli import main as cli
from quantvietocr.cli.exits import run_verb
from quantvietocr.cli.inputs import nearest
from quantvietocr.cli.process import command_of
from quantvietocr.cli.rows import Table
from quantvietocr.errors import Terminated, UserError
from quantvietocr.shipped import NotShippedError, config_file, find_weights, weights_file


@pytest.fixture
def folder(tmp_path) -> Path:
    """lines/ with four pictures of lines, a.png to d.png."""
    lines = tmp_path / "lines"
    lines.mkdir()
    for number, name in enumerate("abcd"):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(lines / f"{name}.png")
    return lines


def read(weights: Path, *arguments: object) -> int:
    return cli.main(["read", "--weights", str(weights), "--threads", "1", *map(str, arguments)])


# --- what is typed wrong ---------------------------------------------------------------------------------------------


def test_nothing_and_a_wish_for_the_version(capsys):
    assert cli.main([]) == 0
    assert "receipts" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"quantvietocr {__version__}\n"


@pytest.mark.parametrize(
    "arguments, meant",
    [
        (["raed", "a.png"], "did you mean read?"),
        (["read", "--formt", "tsv", "a.png"], "did you mean --format?"),
        (["read", "--format", "tvs", "a.png"], "did you mean tsv?"),
        (["compare", "--wieghts=a"], "did you mean --weights?"),
    ],
)
def test_a_neighbour_is_named(arguments, meant, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    (said,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and meant in said


def test_a_missing_file_is_said_before_torch_loads(folder):
    code = (
        "import sys; from quantvietocr.cli.main import main\n"
        f"print(main(['read', {str(folder.parent / 'lnes')!r}]), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"lnes: no such file; did you mean {folder}?" in done.stderr and done.stdout.split()[-2:] == ["2", "False"]


def test_one_missing_file_of_several_is_said_once_and_first(tiny_weights, folder, capsys):
    assert read(tiny_weights, "--format", "tsv", folder / "a.png", folder / "bb.png", folder / "c.png") == 1
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if "no such file" in line]
    assert len(said) == 1 == err.splitlines().index(said[0]) + 1 and f"did you mean {folder / 'b.png'}?" in said[0]
    assert [row.split("\t")[0] for row in out.splitlines()] == [
        str(folder / f"{name}.png") for name in ("a", "bb", "c")
    ]


def test_an_address_is_no_file(capsys):
    assert cli.main(["read", "https://example.org/line.png"]) == 2
    assert "nothing is downloaded here" in capsys.readouterr().err


def test_the_nearest_path_differs_in_one_part(folder):
    assert nearest(str(folder.parent / "lines" / "aa.png")) == str(folder / "a.png")
    assert nearest(str(folder.parent / "line" / "a.png")) == str(folder / "a.png")
    assert nearest(str(folder.parent / "line" / "x.png")) is None is nearest(str(folder / "nothing alike"))


# --- what comes out --------------------------------------------------------------------------------------------------


def test_a_terminal_gets_a_table(tiny_weights, folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert read(tiny_weights, folder) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["sure", "picture", "text"] and len(rows) == 4
    for name, row in zip("abcd", rows):
        text, confidence = Predictor(tiny_weights, threads=1).predict(folder / f"{name}.png", return_prob=True)
        assert row.rstrip().endswith(f"{name}.png  {text}".rstrip()) and row.startswith(
            "?" if confidence < 0.7 else " "
        )


def test_the_table_marks_doubt_and_shortens_long_names():
    table = Table(["x" * 60], colour=False)
    sure, doubtful, failed = (
        table.row("x" * 59 + "y", "Một dòng", 0.995, None),
        table.row("b", "hai", 0.69, None),
        table.row("c", "", 0.0, "broken"),
    )
    assert sure.startswith("  >99%") and sure.endswith("xy  Một dòng") and "…" in sure
    assert doubtful.startswith("?  69%") and failed.startswith("?") and failed.endswith("(not read)")
    assert Table(["a"], colour=True).row("a", "b", 0.1, None).startswith("\033[33m?")


def test_quiet_leaves_errors_alone(tiny_weights, folder, capsys):
    assert read(tiny_weights, "--quiet", folder) == 0
    assert capsys.readouterr().err == ""
    (folder / "b.png").write_bytes(b"no picture")
    assert read(tiny_weights, "--quiet", folder) == 1
    assert "b.png: not a picture" in capsys.readouterr().err


def test_rows_go_into_a_file_and_a_second_run_goes_on(tiny_weights, folder, tmp_path, capsys):
    for ending in ("tsv", "jsonl"):
        whole, out = tmp_path / f"whole.{ending}", tmp_path / "new" / f"rows.{ending}"
        assert read(tiny_weights, "--out", whole, folder) == 0
        assert read(tiny_weights, "--out", out, folder / "a.png", folder / "b.png") == 0
        out.write_bytes(out.read_bytes()[:-3])  # the second row was cut off
        capsys.readouterr()
        assert read(tiny_weights, "--out", out, folder) == 0
        assert "3 lines read, 1 were there before" in capsys.readouterr().err
        assert out.read_bytes() == whole.read_bytes()
        assert read(tiny_weights, "--out", out, folder) == 0
        assert "0 lines read, 4 were there before" in capsys.readouterr().err and out.read_bytes() == whole.read_bytes()
        assert read(tiny_weights, "--words", "none", "--out", out, folder) == 2  # another way of reading
        assert "name another --out" in capsys.readouterr().err and out.read_bytes() == whole.read_bytes()
    assert read(tiny_weights, "--out", tmp_path / "rows.txt", folder) == 2
    assert read(tmp_path / "none.safetensors", "--out", tmp_path / "other" / "rows.tsv", folder) == 2
    assert not (tmp_path / "other").exists()


def test_what_failed_is_tried_again(tiny_weights, folder, tmp_path, capsys):
    good, out = (folder / "b.png").read_bytes(), tmp_path / "rows.tsv"
    (folder / "b.png").write_bytes(good[:60])
    assert read(tiny_weights, "--out", out, folder) == 1
    (folder / "b.png").write_bytes(good)
    assert read(tiny_weights, "--out", out, folder) == 0
    names = [row.split("\t")[0] for row in out.read_text(encoding="utf-8").splitlines()]
    assert names == [str(folder / f"{name}.png") for name in "acdb"]


# --- what comes in ---------------------------------------------------------------------------------------------------


def piped(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def test_a_picture_may_be_piped_in(tiny_weights, folder, capsys, monkeypatch):
    piped(monkeypatch, (folder / "a.png").read_bytes())
    assert read(tiny_weights, "--format", "tsv", "-") == 0
    text, confidence = Predictor(tiny_weights, threads=1).predict(folder / "a.png", return_prob=True)
    assert capsys.readouterr().out == f"-\t{text}\t{confidence:.4f}\n"
    piped(monkeypatch, b"%PDF-1.7\n1 0 obj")
    assert read(tiny_weights, "-") == 2  # nothing was read
    assert "-: a PDF file, which holds pages" in capsys.readouterr().err
    piped(monkeypatch, (folder / "a.png").read_bytes())
    assert cli.main(["receipts", "--weights", str(tiny_weights), "-"]) == 2
    assert "-: takes a list of paths" in capsys.readouterr().err


def test_a_list_is_read_as_it_comes(tiny_weights, folder):
    command = [
        sys.executable,
        "-m",
        "quantvietocr",
        "read",
        "--weights",
        tiny_weights,
        "--threads",
        "1",
        "--quiet",
        "-",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for name in "ab":
            process.stdin.write(f"{folder / name}.png\n")
            process.stdin.flush()
            assert process.stdout.readline()  # before the list is at its end
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0


def test_pages_are_pointed_to_receipts(tiny_weights, folder, capsys):
    Image.new("RGB", (600, 800), "white").save(folder / "page.png")
    (folder / "page.pdf").write_bytes(b"%PDF-1.7\n")
    assert read(tiny_weights, folder / "a.png", folder / "page.png", folder / "page.pdf") == 1
    err = capsys.readouterr().err
    assert "page.png: looks like a page (600 x 800 pixels)" in err and "a.png: looks" not in err
    assert "page.pdf: a PDF file, which holds pages; `quantvietocr receipts` reads them." in err


# --- how it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error, code, said",
    [
        (UserError("Do this."), 2, "verb: Do this.\n"),
        (OSError(28, "No space left on device"), 2, "verb: [Errno 28] No space left on device\n"),
        (ModuleNotFoundError("x", name="reportlab.lib"), 2, "verb: This needs the package reportlab: run `make setup`"),
        (KeyboardInterrupt(), 130, "\nverb: interrupted.\n"),
        (KeyboardInterrupt("stopped after step 3"), 130, "\nverb: stopped after step 3\n"),
        (Terminated(), 143, "\nverb: terminated.\n"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_every_end_has_its_code(error, code, said, capfd):
    def verb():
        raise error

    with open(os.dup(1), "w") as out, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        assert run_verb("verb", verb) == code
    err = capfd.readouterr().err
    assert err.startswith(said) and ("\n" in said or err == said or "reportlab" in said)


def test_a_defect_keeps_its_traceback():
    for error in (RuntimeError("defect"), ModuleNotFoundError("ours", name="quantvietocr.nothing")):

        def verb(error=error):
            raise error

        with pytest.raises(type(error)):
            run_verb("verb", verb)


def test_sigterm_leaves_a_sentence_and_what_was_read(tiny_weights, folder, tmp_path):
    out = tmp_path / "rows.tsv"
    command = [
        sys.executable,
        "-m",
        "quantvietocr",
        "read",
        "--weights",
        tiny_weights,
        "--threads",
        "1",
        "--out",
        out,
        "-",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdin.write(f"{folder / 'a.png'}\n")
        process.stdin.flush()
        end = time.monotonic() + 120
        while not (out.exists() and out.read_bytes()):
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        err = process.stderr.read()
        process.stdin.close()
    assert process.returncode == 143 and "stopped after 1 lines read" in err and "Traceback" not in err
    assert out.read_text(encoding="utf-8").startswith(str(folder / "a.png"))


def test_a_training_run_is_not_overwritten_unasked(tmp_path, capsys):
    run, train = tmp_path / "run", ["train", "--config", "qat"]
    run.mkdir()
    (run / "state.pt").write_bytes(b"steps")
    assert cli.main([*train, f"train.out={run}"]) == 2
    said = capsys.readouterr().err
    assert "--resume" in said and "--restart" in said and (run / "state.pt").read_bytes() == b"steps"
    assert cli.main([*train, "--restart", f"train.out={run}", "data.train=[{annotation: none.txt}]"]) == 2
    assert "none.txt" in capsys.readouterr().err
    assert cli.main([*train, f"train.out={tmp_path / 'x' / 'new'}", "data.train=[{annotation: none.txt}]"]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]  # no empty folder is left


def test_the_remedy_for_bad_labels_works_when_typed(tmp_path, capsys):
    from quantvietocr.checkpoint.vocab import Vocab
    from quantvietocr.config import load_config
    from quantvietocr.dataset.annotation import AnnotationError, read_annotation

    (tmp_path / "a.txt").write_text("missing.png\ttext\n", encoding="utf-8")
    with pytest.raises(AnnotationError) as error:
        read_annotation(tmp_path / "a.txt", Vocab())
    assert "data.problems=skip (training) or --problems skip (other commands)" in str(error.value)
    config = load_config("qat", ["data.problems=skip", "data.unknown=skip"])
    assert (config.data.problems, config.data.unknown) == ("skip", "skip")


# --- where things are, and what is told of it ------------------------------------------------------------------------


def test_weights_are_found_in_order(tmp_path, monkeypatch):
    assert weights_file("int8").is_file() and weights_file("some/file.pth") == Path("some/file.pth")
    monkeypatch.setenv("QUANTVIETOCR_WEIGHTS", str(tmp_path))
    assert find_weights("int8").parent != tmp_path  # it is not there
    shutil.copy(find_weights("int8"), tmp_path)
    assert find_weights("int8").parent == tmp_path
    monkeypatch.setattr("quantvietocr.shipped.ROOT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("QUANTVIETOCR_WEIGHTS")
    with pytest.raises(NotShippedError, match="QUANTVIETOCR_WEIGHTS"):
        weights_file("float")
    (tmp_path / "quantvietocr").mkdir()
    shutil.copy(tmp_path / "vgg_seq2seq-qat-int8.safetensors", tmp_path / "quantvietocr")
    assert find_weights("int8").parent == tmp_path / "quantvietocr"


def test_configs_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_file("qat") == config_file("qat.yml") == config_file("configs/qat.yml") != Path("qat.yml")
    Path("qat.yml").touch()
    assert config_file("qat.yml") == Path("qat.yml")  # one's own goes first
    assert config_file("other/qat.yml") == Path("other/qat.yml")


def test_metadata_tells_no_folders():
    arguments = ["--config", "configs/qat.yml", "/home/a/b.pth", "data.train=[{annotation: /home/a/lines/l.txt}]"]
    arguments += ["train.out=/home/a/run", "--url", "https://example.org/a/b"]
    assert command_of("quantvietocr train", arguments) == (
        "quantvietocr train --config configs/qat.yml b.pth 'data.train=[{annotation: l.txt}]' train.out=run --url "
        "https://example.org/a/b"
    )


def test_json_rows_keep_the_reason(tiny_weights, folder, capsys):
    assert read(tiny_weights, "--format", "json", folder / "none.png") == 2
    assert "no such file" in json.loads(capsys.readouterr().out)["error"]
