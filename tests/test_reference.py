"""The shipped weights are the ones that were measured: their bytes, their size, and how well they read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import reference

from quantvietocr import Predictor, shipped
from quantvietocr.shipped import HASHES, WEIGHTS, ChangedWeightsError, weights_file

SIZE_TOLERANCE = 0.01  # of the bytes
CER_TOLERANCE = 0.001  # a tenth of a percentage point
EXPECTED = json.loads(reference.REFERENCE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, float]]:
    return reference.measured(list(EXPECTED))


def test_all_shipped_files_have_reference_numbers_and_a_hash():
    assert set(EXPECTED) == set(reference.files())
    hashed = [row.split()[1] for row in HASHES.read_text().splitlines()]
    assert hashed == [WEIGHTS[name] for name in reference.files()]


@pytest.mark.parametrize("name", EXPECTED)
def test_size_and_errors_are_those_that_were_written_down(measured, name):
    """A file that reads better fails too: `make reference` writes down what it is now."""
    found, expected = measured[name], EXPECTED[name]
    assert found["lines"] == expected["lines"] == reference.LINES
    assert found["bytes"] == pytest.approx(expected["bytes"], rel=SIZE_TOLERANCE)
    assert found["cer"] == pytest.approx(expected["cer"], abs=CER_TOLERANCE)


def test_eight_bits_cost_what_they_did(measured):
    loss = measured["int8"]["cer"] - measured["float"]["cer"]
    assert loss == pytest.approx(EXPECTED["int8"]["cer"] - EXPECTED["float"]["cer"], abs=CER_TOLERANCE)
    assert measured["int8"]["bytes"] < 0.6 * measured["float"]["bytes"]  # half precision to eight bits


def test_a_changed_file_is_refused_under_its_short_name_and_read_under_its_path(tmp_path, monkeypatch, capsys):
    copy = shutil.copy(reference.files()["int8"], tmp_path)
    monkeypatch.setenv(shipped.WEIGHTS_VARIABLE, str(tmp_path))
    assert weights_file("int8") == Path(copy)
    with open(copy, "r+b") as file:
        file.seek(-3, 2)
        file.write(b"!")
    with pytest.raises(ChangedWeightsError, match=r"int8\.safetensors .* name its path"):
        weights_file("int8")
    assert weights_file(copy) == Path(copy)
    with pytest.raises(ChangedWeightsError):
        Predictor()
    done = subprocess.run(
        [sys.executable, "-m", "quantvietocr", "describe", "int8"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=reference.ROOT,
    )
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "is not the file" in done.stderr
