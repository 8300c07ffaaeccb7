"""`quantvietocr bulk` as it is typed: it reads what `read` and `receipts` read; exit codes and options."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="parquet files: pip install 'quantvietocr[bulk]'")
pytest.importorskip("fsspec", reason="files elsewhere: pip install 'quantvietocr[bulk]'")

from bulk_readers import rows_of
from drawn_receipts import ROWS, draw

from quantvietocr import Predictor, __version__
from quantvietocr.cli import main as cli
from quantvietocr.receipt import open_detector, read_page

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "samples"


def test_lines_are_read_as_read_reads_them(tiny_weights, tmp_path, capsys, monkeypatch):
    pictures = [str(SAMPLES / f"form_{index:02}.png") for index in range(3)]
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{pictures[2]}\n# a comment\n\n{tmp_path / 'broken.png'}\n"))
    command = ["bulk", "--lines", "--weights", str(tiny_weights), "--workers", "1", "--out", str(tmp_path / "out")]
    assert cli.main([*command, *pictures[:2], "--list", "-"]) == 1
    assert "3 pages read, 1 of all could not be read" in capsys.readouterr().err
    texts, confidences = Predictor(tiny_weights, 1).predict_batch(pictures, return_prob=True)
    *rows, broken = sorted(rows_of(tmp_path / "out"), key=lambda row: not row["ok"])
    assert [row["uri"] for row in rows] == pictures and [row["text"] for row in rows] == texts
    assert [row["confidence"] for row in rows] == pytest.approx(confidences)
    assert all((row["kind"], row["version"], len(row["sha256"])) == ("line", __version__, 64) for row in rows)
    assert "broken.png: not a picture" in broken["error"] and broken["text"] is None
    for options, code in ((["--max-error-rate", "0.25"], 0), (["--max-error-rate", "0.2"], 1)):
        assert cli.main([*command, *pictures, str(tmp_path / "broken.png"), *options]) == code


def test_receipts_are_read_as_receipts_reads_them(tmp_path):
    picture = tmp_path / "receipt.png"
    draw(ROWS[:3] + ROWS[-4:]).save(picture)
    command = ["bulk", "--detector", "profile", "--workers", "1", "--quiet", "--out", str(tmp_path / "out")]
    assert cli.main([*command, str(picture)]) == 0
    page = read_page(picture, Predictor(threads=1), open_detector("profile"))
    (row,) = rows_of(tmp_path / "out")
    assert row["text"] == page.text and row["kind"] == page.kind
    assert [line["text"] for line in row["lines"]] == [line.text for line in page.lines]
    assert [len(line["box"]) for line in row["lines"]] == [8] * len(page.lines)
    assert {name: row[name] for name in ("shop", "total") if row[name] is not None} == {
        field.name: field.value for field in page.fields if field.name in ("shop", "total")
    }
    assert row["ms"] > 0 and len(row["weights_sha256"]) == 64


@pytest.mark.parametrize(
    "options, said",
    [
        ([], "no pages to read"),
        (["--shard", "3/2", "a.png"], "give I/N"),
        (["--workers", "-1", "a.png"], "--workers must be 0 or more"),
        (["--part-rows", "0", "a.png"], "--part-rows must be more than 0"),
        (["--engine", "ray", "--shard", "0/2", "a.png"], "Ray divides the job by itself"),
        (["--weights", "absent.safetensors", "a.png"], "absent.safetensors: cannot be read"),
        (["--list", "absent.txt"], "no such file"),
    ],
)
def test_wrong_options_are_one_sentence(options, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["bulk", "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "out").exists()
