"""Commands that are killed at random moments, or find the disk full: a small part of `make chaos`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
COMMANDS = ("read a folder", "read receipts", "train", "quantize", "fetch", "export")
TRIES = 1  # kills of each command


@pytest.fixture(scope="module")
def output() -> str:
    command = [sys.executable, str(HERE), "--tries", str(TRIES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_left_is_whole_and_the_repeat_ends_as_an_undisturbed_run(output, command):
    killed, filled = (line.split(" | ") for line in output.splitlines() if line.startswith(f"| {command} |"))
    assert killed[1:4:2] == [str(TRIES), "0"] and filled[3] == "0"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_and_a_read_only_one_are_survived(output, command):
    disks = [line for line in output.splitlines() if line.startswith(f"{command}")]
    if any("no tmpfs" in line for line in disks):
        pytest.skip(disks[0])
    assert [line.rpartition(": ")[2] for line in disks] == ["as it should be"] * 2
