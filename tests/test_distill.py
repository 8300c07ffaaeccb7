"""Distillation: one's own copy teaches nothing, only the student has gradients, no teacher where nobody asks."""

from __future__ import annotations

import csv
import dataclasses
import math

import pytest
import tiny
import tiny_train
import torch
from PIL import Image

from quantvietocr.checkpoint import read, write
from quantvietocr.checkpoint.vocab import Vocab
from quantvietocr.common.yaml_settings import ConfigError
from quantvietocr.config import load_config
from quantvietocr.dataset.annotation import read_annotation
from quantvietocr.dataset.batches import Batch, BatchStream
from quantvietocr.dataset.sources import FolderSource
from quantvietocr.engines.torch_engine import TorchEngine
from quantvietocr.train import distill, loop
from quantvietocr.train.distill import (
    Distillation,
    FloatTeacher,
    Int8Teacher,
    Taught,
    distillation_of,
    features_loss,
    logits_loss,
    memory_loss,
)
from quantvietocr.train.distributed import Share
from quantvietocr.train.objective import Objective
from quantvietocr.train.state import TrainError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def annotation(tmp_path_factory):
    return tiny_train.write_lines(tmp_path_factory.mktemp("distill") / "lines")


@pytest.fixture(scope="module")
def share(annotation) -> Share:
    samples = read_annotation(annotation, Vocab(tiny.CHARS)).samples
    stream = BatchStream([(FolderSource(samples, tiny_train.SPEC), 1.0)], Vocab(tiny.CHARS), 8, merge_widths=100)
    batch: Batch = next(iter(stream))
    return Share(batch, 1.0, 1.0, batch.names)


def teacher_of(*weights: float) -> Distillation:
    return Distillation(FloatTeacher(tiny_train.network()), *weights)


def objective(student: torch.nn.Module, taught: Distillation) -> Objective:
    return Objective(student, 0.1, torch.autocast("cpu", torch.bfloat16, enabled=True), CPU, taught)


def test_logits_loss_is_hintons():
    """T² Σ p log(p/q) by hand for one character; padding does not count; the same logits cost nothing."""
    student, teacher = (
        torch.tensor([[[1.0, 2.0, 0.5], [9.0, 1.0, 4.0]]]),
        torch.tensor([[[0.0, 3.0, 1.0], [5.0, 5.0, 5.0]]]),
    )
    targets = torch.tensor([[2, 0]])
    p = [math.exp(z / 3) for z in (0.0, 3.0, 1.0)]
    q = [math.exp(z / 3) for z in (1.0, 2.0, 0.5)]
    p, q = [v / sum(p) for v in p], [v / sum(q) for v in q]
    expected = 9 * sum(a * math.log(a / b) for a, b in zip(p, q))
    assert logits_loss(student, teacher, targets, 3.0).item() == pytest.approx(expected, rel=1e-5)
    assert logits_loss(teacher, teacher, targets, 3.0).item() == 0
    assert features_loss(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])).item() == 2.5


def test_a_student_like_its_teacher_pays_nothing_but_for_the_texts(share):
    student = tiny_train.network().eval()
    parts = objective(student, teacher_of(2.0, 3.0, 2.0))(share)
    assert list(parts) == ["text", "logits", "features"] and parts["text"] > 0
    assert parts["features"].item() == 0 and abs(parts["logits"].item()) < 1e-6
    other = objective(tiny_train.network(seed=1).eval(), teacher_of(2.0, 3.0, 2.0))(share)
    once = objective(tiny_train.network(seed=1).eval(), teacher_of(1.0, 1.0, 2.0))(share)
    assert other["logits"].item() == pytest.approx(2 * once["logits"].item()) and once["logits"] > 1e-3
    assert other["features"].item() == pytest.approx(3 * once["features"].item()) and once["features"] > 1e-4


def test_the_gradient_goes_to_the_student_alone(share):
    student, teacher = tiny_train.network(seed=1), tiny_train.network()
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    parts = objective(student, Distillation(FloatTeacher(teacher), 1.0, 1.0, 2.0))(share)
    (parts["logits"] + parts["features"]).backward()
    assert all(parameter.grad is None for parameter in teacher.parameters()) and not teacher.training
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())  # batch norms too
    ends = ("cnn.model.last", "transformer.decoder.fc_out")
    taught = [parameter.grad for name, parameter in student.named_parameters() if name.startswith(ends)]
    assert len(taught) == 4 and all(gradient is not None and gradient.abs().sum() > 0 for gradient in taught)
    assert {id(p) for p in objective(student, Distillation(FloatTeacher(teacher), 1.0, 1.0, 2.0)).parameters()} == {
        id(p) for p in student.parameters()
    }  # the optimizer never sees the teacher


def test_without_weight_the_teacher_does_not_run(share, monkeypatch):
    def never(*given: object) -> None:
        raise AssertionError("the teacher ran")

    teacher = tiny_train.network()
    monkeypatch.setattr(teacher.transformer.encoder, "forward", never)
    parts = objective(tiny_train.network(), Distillation(FloatTeacher(teacher), 0.0, 1.0, 2.0))(share)
    assert list(parts) == ["text", "features"]
    monkeypatch.setattr(distill.files, "read", never)
    assert distillation_of(load_config(None, ["data.synth.share=1"]), None, CPU) is None


def test_memory_is_matched_to_the_mean_of_a_columns_rows(share):
    """A teacher of two positions a column; the same network, and one whose rows lie 0.2 apart about the student's."""
    student = torch.randn(5, 2, 6)
    apart = torch.stack([student - 0.1, student + 0.1], dim=1).flatten(0, 1)
    assert memory_loss(student, apart).item() == pytest.approx(0, abs=1e-10)
    off = memory_loss(student + 0.5, apart).item()
    assert off == pytest.approx((0.25 / student.var(dim=(0, 2))).mean().item(), rel=1e-5)
    parts = objective(tiny_train.network().eval(), teacher_of(0.0, 0.0, 2.0, 3.0))(share)
    assert list(parts) == ["text", "memory"] and parts["memory"].item() == pytest.approx(0, abs=1e-9)
    assert objective(tiny_train.network(seed=1).eval(), teacher_of(0.0, 0.0, 2.0, 3.0))(share)["memory"] > 0.1


def test_a_teacher_of_other_sizes_is_one_sentence(share):
    student = objective(tiny_train.network(), teacher_of(0.0, 1.0, 2.0, 1.0))
    teacher = tiny_train.network()

    def twice(pixels, images, tokens, encode, autocast):
        features = teacher.cnn(images)
        memory, hidden = teacher.transformer.encoder(features)
        return Taught(features[::2], (memory, hidden[:, ::2]))

    student.distillation = Distillation(twice, 0.0, 1.0, 2.0, 0.0)
    with pytest.raises(TrainError, match=r"distill.features compares values of the shapes .* set it to 0"):
        student(share)
    student.distillation = Distillation(twice, 0.0, 0.0, 2.0, 1.0)
    with pytest.raises(TrainError, match="distill.memory compares"):
        student(share)


def test_a_teacher_that_sees_every_third_batch_counts_three_times_there(share):
    def memory(step: int, every: int) -> float:
        batch = dataclasses.replace(share.batch, step=step)
        taught = Distillation(FloatTeacher(tiny_train.network()), 0.0, 0.0, 2.0, 1.0, every)
        parts = objective(tiny_train.network(seed=1).eval(), taught)(dataclasses.replace(share, batch=batch))
        assert list(parts) == ["text", "memory"]
        return parts["memory"].item()

    once = memory(0, 1)
    assert [memory(step, 3) for step in range(4)] == pytest.approx([3 * once, 0, 0, 3 * once])


def test_an_int8_teacher_gives_what_its_engine_gives(share):
    checkpoint = tiny.int8_checkpoint()
    pixels = torch.randint(0, 256, (2, 3, 8, 24), dtype=torch.uint8)
    taught = Int8Teacher(checkpoint)(pixels, pixels / 255, None, True, None)
    lines = pixels.permute(0, 2, 3, 1).contiguous().numpy()
    features, memory, hidden = TorchEngine(checkpoint).stages(lines)
    assert taught.encoded is not None and taught.logits is None
    for found, expected in zip((taught.features, taught.encoded[0]), (features, memory)):
        assert torch.equal(found, torch.from_numpy(expected).transpose(0, 1))
    assert torch.equal(taught.encoded[1], torch.from_numpy(hidden))


def test_the_cnn_stays_as_it_is_for_the_share_that_freeze_cnn_says(annotation, tmp_path, monkeypatch):
    tiny_train.patch(monkeypatch.setattr)
    seen: list[torch.Tensor] = []
    step = loop._step

    def watched(objective, share, run):
        losses = step(objective, share, run)
        seen.append(run.network.cnn.model.features[0].weight.detach().clone())
        seen.append(run.network.cnn.model.features[1].running_mean.clone())
        return losses

    monkeypatch.setattr(loop, "_step", watched)
    settings = [
        f"data.train=[{{annotation: {annotation}}}]",
        "data.workers=0",
        "data.merge_widths=500",
        "train.method=float",
        "train.steps=4",
        "train.freeze_cnn=2",
        "train.threads=1",
        "train.device=cpu",
        f"train.out={tmp_path}",
    ]
    loop.train(load_config(None, settings))
    weights, means = seen[::2], seen[1::2]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[1], weights[3])
    assert torch.equal(means[0], means[1]) and not torch.equal(means[1], means[3])


def test_qat_with_a_teacher_shows_and_writes_the_parts(annotation, tmp_path, monkeypatch, capsys):
    tiny_train.patch(monkeypatch.setattr)
    monkeypatch.setattr(
        loop,
        "distillation_of",
        lambda config, meta, device: Distillation(
            FloatTeacher(tiny_train.network()),
            config.distill.logits,
            config.distill.features,
            config.distill.temperature,
        ),
    )
    settings = [
        f"data.train=[{{annotation: {annotation}}}]",
        "data.workers=0",
        "data.merge_widths=500",
        "train.batch_size=8",
        "train.steps=12",
        "train.threads=1",
        "train.device=cpu",
        "quant.calibration_lines=4",
        f"train.out={tmp_path}",
        "distill.logits=0.5",
        "distill.features=2",
        "distill.temperature=3",
    ]
    loop.train(load_config(None, settings))
    assert "(text " in (said := capsys.readouterr().err) and ", logits " in said and ", features " in said
    with (tmp_path / "loss.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["10", "12"]
    for row in rows:
        assert float(row["loss"]) == pytest.approx(sum(float(row[name]) for name in ("text", "logits", "features")))
    assert Image.open(tmp_path / "curves.png").size[0] > 500


def test_a_teacher_that_cannot_teach_is_one_sentence(tmp_path):
    def config(teacher: object):
        settings = ["data.synth.share=1", "model.weights=x.pth", f"distill.teacher={teacher}", "distill.logits=1"]
        return load_config(None, settings)

    int8 = write(tiny.int8_checkpoint(), tmp_path / "int8.safetensors")
    with pytest.raises(TrainError, match="is quantized .*distill.teacher"):
        distillation_of(config(int8), read(int8).meta, CPU)
    other = write(tiny.float_checkpoint(), tmp_path / "float.safetensors")
    with pytest.raises(TrainError, match="another vocabulary"):
        distillation_of(config(other), dataclasses.replace(read(other).meta, chars="xyz"), CPU)
    with pytest.raises(ConfigError, match="would teach itself"):
        load_config(None, ["data.synth.share=1", "train.method=float", "distill.features=1"])
    with pytest.raises(ConfigError, match="distill.temperature"):
        load_config(None, ["data.synth.share=1", "distill.temperature=0"])
