"""Training VietOCR's transformer: the same loop and methods, and teachers with either head."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import tiny_train
import tiny_transformer
import torch
from test_train import settings
from torch import nn

from quantvietocr.checkpoint import Meta, read, write
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.config import Config, load_config
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.dataset.batches import BatchStream
from quantvietocr.dataset.sources import FolderSource
from quantvietocr.train import loop
from quantvietocr.train.distill import Distillation, FloatTeacher, distillation_of
from quantvietocr.train.distributed import Share
from quantvietocr.train.loop import train
from quantvietocr.train.objective import Objective
from quantvietocr.train.state import TrainError, load_state

HEADS = ("seq2seq", "transformer")


@pytest.fixture(scope="module")
def annotation(tmp_path_factory):
    return tiny_train.write_lines(tmp_path_factory.mktemp("train") / "lines")


@pytest.fixture
def tiny_loop(monkeypatch):
    """The loop with a tiny transformer in place of a file's network."""

    def starting_point(config: Config) -> tuple[nn.Module, Meta]:
        meta = Meta(chars=tiny.CHARS, image=tiny_train.SPEC, seq_modeling="transformer", heads=tiny_transformer.HEADS)
        return tiny_train.network(dropout=config.model.cnn_dropout, head="transformer"), meta

    tiny_train.patch(monkeypatch.setattr)
    monkeypatch.setattr(loop, "starting_point", starting_point)


@pytest.mark.parametrize("method", ["qat", "pact", "lsq"])
def test_every_method_trains_and_ships_a_transformer(tiny_loop, annotation, tmp_path, method):
    values = {"data.train": f"[{{annotation: {annotation}}}]", "train.steps": 2, "train.validate_every": 2}
    train(load_config(None, settings(annotation.parent, tmp_path / "none.pth", tmp_path / "run", method, **values)))
    shipped = read(tmp_path / "run/best.safetensors")
    assert (shipped.meta.method, shipped.meta.seq_modeling, shipped.meta.heads) == (method, "transformer", 2)
    assert shipped.tensors["transformer.transformer.encoder.layers.0.linear1.weight"].dtype == np.int8
    moved = load_state(tmp_path / "run")["network"]["transformer.fc.weight"]
    assert (moved - tiny_train.network(head="transformer").transformer.fc.weight).abs().max() > 0


def share(annotation) -> Share:
    samples = read_annotation(annotation, Vocab(tiny.CHARS)).samples
    stream = BatchStream([(FolderSource(samples, tiny_train.SPEC), 1.0)], Vocab(tiny.CHARS), 8, merge_widths=100)
    batch = next(iter(stream))
    return Share(batch, 1.0, 1.0, batch.names)


@pytest.mark.parametrize("teacher_head", HEADS)
@pytest.mark.parametrize("head", HEADS)
def test_either_network_teaches_either(annotation, head, teacher_head):
    student, teacher = tiny_train.network(seed=1, head=head), tiny_train.network(head=teacher_head)
    distillation = Distillation(FloatTeacher(teacher), 1.0, 1.0, 2.0)
    cpu = torch.device("cpu")
    objective = Objective(student, 0.1, torch.autocast("cpu", torch.bfloat16, enabled=False), cpu, distillation)
    parts = objective(share(annotation))
    assert list(parts) == ["text", "logits", "features"] and min(part.item() for part in parts.values()) > 1e-4
    parts["logits"].backward()
    assert all(p.grad is None for p in teacher.parameters())
    gradients = [p.grad for name, p in student.named_parameters() if name.startswith("transformer.")]
    assert sum(g is not None and bool(g.abs().sum() > 0) for g in gradients) > len(gradients) / 2


def test_encoders_of_two_heads_do_not_teach_each_other(tmp_path):
    teacher = write(tiny.float_checkpoint(), tmp_path / "teacher.safetensors")
    wanted = [f"distill.teacher={teacher}", "distill.memory=1.0", "train.method=float", "data.synth.share=1"]
    config = load_config(None, wanted)
    with pytest.raises(TrainError, match="has the head 'seq2seq' and the network 'transformer'.*distill.memory to 0"):
        distillation_of(config, tiny_transformer.meta(), torch.device("cpu"))
