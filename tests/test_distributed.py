"""Two processes (gloo) against one: the same weights from the same lines; one writer, one stop, one sentence."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_train
import torch

from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.config import load_config
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.dataset.batches import BatchStream
from quantvietocr.dataset.sources import FolderSource
from quantvietocr.train import loop
from quantvietocr.train.distributed import split
from quantvietocr.train.state import load_state

SCRIPT = Path(tiny_train.__file__)
STEPS, RATE = 9, 1e-3


@pytest.fixture(scope="module")
def annotation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_train.write_lines(tmp_path_factory.mktemp("ranks") / "lines")


def settings(annotation: Path, out: Path, method: str, **more: object) -> list[str]:
    """Nine steps over three chunks, in batches of at most four lines; some hold one: one process goes without."""
    values = {
        "data.train": f"[{{annotation: {annotation}, augment: 0.0}}]",
        "data.workers": 0,
        "data.chunk": 7,
        "data.merge_widths": 0,
        "train.method": method,
        "train.out": out,
        "train.steps": STEPS,
        "train.batch_size": 4,
        "train.threads": 1,
        "train.device": "cpu",
        "train.bf16": False,
        "train.max_lr": RATE,
        "train.label_smoothing": 0.1,
        "train.pct_start": 0.3,
        "quant.calibration_lines": 8,
        "quant.freeze_observers": 0.8,
        "quant.freeze_batch_norm": 0.5,
        "model.cnn_dropout": 0.0,
    } | more
    return [f"{key}={value}" for key, value in values.items()]


def two(arguments: list[str]) -> list[tuple[int, str]]:
    """Exit code and output of each of two processes, as torchrun starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = []
    for rank in range(2):
        about = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": 2, "RANK": rank, "LOCAL_RANK": rank}
        environment = os.environ | {name: str(value) for name, value in about.items()}
        started.append(
            subprocess.Popen(
                [sys.executable, str(SCRIPT), *arguments],
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
        )
    said = [process.communicate(timeout=240)[0] for process in started]
    return [(process.returncode, text) for process, text in zip(started, said)]


def differences(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> dict[str, float]:
    """Of each tensor, the largest, over what is allowed: 1e-4, and 1e-3 for activation ranges (a few units wide).

    A bias before a batch norm has no gradient but rounding, of which AdamW makes whole steps, and the running mean
    follows it: such may come apart by two steps each time.
    """
    assert one.keys() == other.keys()

    def allowed(name: str) -> float:
        if re.search(r"features.[04]\.bias$|running_mean$", name):
            return 2 * STEPS * RATE
        return 1e-3 if "activation_post_process" in name else 1e-4

    return {name: (one[name].double() - other[name].double()).abs().max().item() / allowed(name) for name in one}


@pytest.mark.parametrize(
    "method, more",
    [
        ("float", {}),
        (
            "qat",
            {"train.optimizer": "muon", "data.workers": 1, "train.schedule": "trapezoid", "train.max_lr": RATE / 2},
        ),
    ],
)
def test_two_processes_come_to_the_weights_of_one(annotation, tmp_path, monkeypatch, method, more):
    """With fake-quant at half the rate: sums in another order differ in their last bits, each value that then rounds to
    the other level is a whole step, and the rate decides how fast that grows.
    """
    with monkeypatch.context() as patch:
        tiny_train.patch(patch.setattr)
        loop.train(load_config(None, settings(annotation, tmp_path / "one", method, **more)))
    ends = two(settings(annotation, tmp_path / "two", method, **more))
    assert [code for code, _ in ends] == [0, 0], ends
    assert "step" in ends[0][1] and ends[1][1] == ""  # the first alone speaks
    one, other = load_state(tmp_path / "one"), load_state(tmp_path / "two")
    start = tiny_train.network().state_dict()
    moved = (
        (one["network"]["transformer.decoder.fc_out.weight"] - start["transformer.decoder.fc_out.weight"]).abs().max()
    )
    found = differences(one["network"], other["network"])
    assert moved > 2e-3 and max(found.values()) < 1, sorted(found.items(), key=lambda item: -item[1])[:5]
    assert one["progress"]["losses"][-1] == pytest.approx(
        other["progress"]["losses"][-1], abs=1e-6 if method == "float" else 1e-4
    )
    assert {key: one["progress"][key] for key in ("step", "lines", "position")} == {
        key: other["progress"][key] for key in ("step", "lines", "position")
    }
    if method == "qat":
        assert sum("activation_post_process.min_val" in name for name in found) > 3


def test_ctrl_c_stops_all_with_one_state_from_which_one_goes_on(annotation, tmp_path, monkeypatch):
    """torchrun, SIGINT to it; then --resume with a single process."""
    more = {"train.steps": 100000, "train.save_every": 3, "train.schedule": "trapezoid", "model.cnn_dropout": 0.3}
    arguments = settings(annotation, tmp_path, "float", **more)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    process = subprocess.Popen(
        [*torchrun, str(SCRIPT), *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline = time.monotonic() + 200
    while not (tmp_path / "state.pt").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=200)[0]
    stops = re.findall(r"stopped after step (\d+); go on with --resume", said)
    assert len(stops) == 1, said[-3000:]
    state = load_state(tmp_path)
    assert state["progress"]["step"] == int(stops[0]) > 0
    first, second = state["random_ranks"]
    assert not torch.equal(first[0], second[0])  # their dropout differs
    tiny_train.patch(monkeypatch.setattr)
    loop.train(load_config(None, [*arguments, f"train.steps={int(stops[0]) + 2}"]), resume=True)
    assert load_state(tmp_path)["progress"]["step"] == int(stops[0]) + 2


def test_an_error_in_one_process_is_one_sentence(annotation, tmp_path):
    lines = tmp_path / "lines"
    tiny_train.write_lines(lines)
    (lines / "3.png").write_bytes((lines / "3.png").read_bytes()[:60])
    ends = two(settings(lines / "annotation.txt", tmp_path / "run", "float"))
    assert [code for code, _ in ends] == [2, 2], ends
    assert ends[0][1].count("train_qat.py: ") == 1 and "3.png: damaged" in ends[0][1] and ends[1][1] == ""


def test_shares_make_up_the_batch(annotation):
    samples = read_annotation(annotation, Vocab(tiny_train.CHARS)).samples
    stream = iter(
        BatchStream([(FolderSource(samples, tiny_train.SPEC), 1.0)], Vocab(tiny_train.CHARS), 5, merge_widths=100)
    )
    for batch in (next(stream) for _ in range(6)):
        shares = split(batch, 3)
        names = [list(share.batch.names) if share.lines else [] for share in shares]
        assert sorted(name for part in names for name in part) == sorted(batch.names) and names[0] == list(
            batch.names[::3]
        )
        assert sum(share.characters for share in shares) == pytest.approx(1) == sum(share.lines for share in shares)
        for rank, share in enumerate(shares):
            assert not share.lines or torch.equal(share.batch.tgt_output, batch.tgt_output[rank::3])


def test_each_chunk_is_loaded_by_one_process(annotation):
    samples = read_annotation(annotation, Vocab(tiny_train.CHARS)).samples

    def names(**options: int) -> list[tuple[int, int, tuple[str, ...]]]:
        sources = [(FolderSource(samples, tiny_train.SPEC), 1.0)]
        stream = BatchStream(sources, Vocab(tiny_train.CHARS), 4, chunk=7, start=(1, 1), **options)
        found = []
        for batch in stream:
            if batch.chunk > 5:
                return found
            found.append((batch.chunk, batch.index_in_chunk, batch.names))
        return found

    whole = names()
    for rank in range(3):
        assert names(rank=rank, ranks=3) == [row for row in whole if row[0] % 3 == rank]
