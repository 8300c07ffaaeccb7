"""Damaged inputs of every kind are read or refused in a sentence: a small part of `make fuzz`, and its own tests."""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import OUTCOMES, WRONG, fuzz, table
from targets import NAMES, Target

from quantvietocr.errors import UserError

HERE = Path(__file__).resolve().parent
#: By target, inputs that did not end in a sentence once.
FOUND_ONCE = {
    "pictures": [246],
    "checkpoints, .safetensors": [1151, 1177],
    "checkpoints, .pth": [344],
    "VietOCR's YAML": [1712],
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, dict]:
    """What came of some inputs of every target, in one process for all of them."""
    command = [sys.executable, HERE, "--quick", "--json", "--keep", tmp_path_factory.mktemp("fuzz")]
    for target, numbers in FOUND_ONCE.items():
        command += [word for number in numbers for word in ("--also", f"{target}={number}")]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=1200)
    assert done.stdout, done.stderr[-3000:]
    return {one["name"]: one for one in json.loads(done.stdout)}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_read_and_refused(outcomes, name):
    outcome = outcomes[name]
    assert outcome["wrong"] == []
    counts = outcome["counts"]
    assert counts["read"] > 0 and counts["refused"] > 0  # what refuses all, or nothing, tests nothing
    assert set(counts) == {"read", "refused"}


def test_inputs_are_the_same_in_every_run():
    """In two processes: what an input is made of may hold addresses, and the time."""
    program = (
        "import hashlib, tempfile, pathlib, targets\n"
        "for target in targets.targets(pathlib.Path(tempfile.mkdtemp())):\n"
        "    print(target.name, hashlib.sha256(b''.join(map(target.input, range(60)))).hexdigest())\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parent, HERE.parents[1])))}
    command = [sys.executable, "-c", program]
    first, second = (subprocess.run(command, env=environment, capture_output=True, text=True) for _ in range(2))
    assert len(first.stdout.splitlines()) == len(NAMES), first.stderr[-2000:]
    assert first.stdout == second.stdout


def feed(data: bytes) -> None:
    number = data[0]
    if number == 1:
        raise UserError("no.")
    if number == 2:
        raise KeyError("foreign")
    if number == 3:
        faulthandler.disable()  # pytest's, which would print where
        os.abort()
    if number == 4:
        time.sleep(60)
    if number == 5:
        raise UserError(" ")


def test_the_harness_tells_all_ends_apart(tmp_path):
    target = Target("all ends", lambda random: b"", feed, 7, 7)
    object.__setattr__(target, "input", lambda number: bytes([number]))
    outcome = fuzz(target, 7, tmp_path, hang=0.5, idle=0.5)
    assert outcome.counts == {"read": 2, "refused": 1, "foreign exceptions": 2, "crashes": 1, "hangs": 1}
    assert len(outcome.wrong) == 4 and "KeyError" in "".join(outcome.wrong)
    assert outcome.tried == 7 and "| all ends | 7 | 2 | 1 | 2 | 1 | 1 |" in table([outcome])
    kept = sorted(file.name for file in tmp_path.glob("*.bin"))
    assert kept == [f"all_ends-{number}.bin" for number in (2, 3, 4, 5)]
    assert [OUTCOMES[code] for code in WRONG] == ["foreign exceptions", "crashes", "hangs"]


def test_an_input_that_cannot_be_made_ends_the_run(tmp_path):
    def make(random):
        raise AttributeError("renamed")

    with pytest.raises(AttributeError, match="renamed"):
        fuzz(Target("unmade", make, feed, 3, 3), 3, tmp_path)
