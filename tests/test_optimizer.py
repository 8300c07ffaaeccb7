"""Muon and the learning rates."""

import pytest
import torch
from torch import nn

from quantvietocr.config import TrainConfig
from quantvietocr.train.optimizer import MuonAdamW, make_optimizer, make_schedule, orthogonal


@pytest.mark.parametrize("shape", [(40, 300), (300, 40), (60, 110)])
def test_orthogonal_brings_every_direction_to_about_one(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(matrix)
    assert torch.allclose(left.T @ found @ right.T, torch.diag(torch.diagonal(left.T @ found @ right.T)), atol=5e-3)
    assert torch.linalg.svdvals(found).max() < 1.3 and torch.linalg.svdvals(found).min() > 0.6
    assert values.max() / values.min() > 2


def test_a_matrix_without_gradient_directions_stays_finite():
    assert torch.isfinite(orthogonal(torch.zeros(8, 20))).all()
    assert torch.isfinite(orthogonal(torch.ones(8, 20))).all()


def test_its_adamw_is_torchs():
    torch.manual_seed(0)
    ours, theirs = (nn.Parameter(torch.ones(7)) for _ in range(2))
    one = MuonAdamW([], [ours], lr=0.1, weight_decay=0.2)
    other = torch.optim.AdamW([theirs], lr=0.1, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.2)
    for _ in range(5):
        gradient = torch.randn(7)
        for parameter, optimizer in ((ours, one), (theirs, other)):
            parameter.grad = gradient.clone()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_matrices_go_to_muon_and_characters_to_adamw():
    network = nn.ModuleDict(
        {"conv": nn.Conv2d(3, 8, 3), "embedding": nn.Embedding(9, 8), "fc_out": nn.Linear(8, 9), "rnn": nn.GRU(8, 8)}
    )
    optimizer = make_optimizer(network, TrainConfig(optimizer="muon"))
    muon, rest = ({id(p) for p in group["params"]} for group in optimizer.param_groups)
    names = {name for name, parameter in network.named_parameters() if id(parameter) in muon}
    assert names == {"conv.weight", "rnn.weight_ih_l0", "rnn.weight_hh_l0"}
    assert len(muon) + len(rest) == len(list(network.parameters()))


def test_muon_learns_and_resumes_where_it_was(tmp_path):
    def run(steps: int, state: dict | None = None) -> tuple[nn.Module, dict, float]:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 5))
        network = network.to(memory_format=torch.channels_last)
        optimizer = make_optimizer(network, TrainConfig(optimizer="muon", max_lr=0.02))
        if state:
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
        images, wanted = torch.randn(16, 3, 6, 6), torch.arange(16) % 5
        for _ in range(steps):
            loss = nn.functional.cross_entropy(network(images), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return network, {"network": network.state_dict(), "optimizer": optimizer.state_dict()}, loss.item()

    assert run(40)[2] < 0.1 * run(1)[2]
    torch.save(run(6)[1], tmp_path / "state.pt")
    whole, halves = run(10)[0], run(4, torch.load(tmp_path / "state.pt", weights_only=True))[0]
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(whole.parameters(), halves.parameters()))


def rates(**settings) -> list[float]:
    run = TrainConfig(max_lr=1.0, **settings)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=run.max_lr)
    schedule = make_schedule(optimizer, run)
    found = []
    for _ in range(run.steps):
        found.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return found


def test_a_trapezoid_rises_stays_and_falls():
    found = rates(schedule="trapezoid", steps=100, pct_start=0.1, cooldown=0.3)
    assert found[:11] == pytest.approx([0.1 * i for i in range(1, 11)] + [1.0])
    assert found[10:71] == pytest.approx([1.0] * 61)
    assert found[71:] == pytest.approx([(100 - step) / 30 for step in range(71, 100)])


def test_one_cycle_is_torchs():
    found = rates(schedule="one-cycle", steps=50, pct_start=0.2)
    assert max(found) == pytest.approx(1.0, abs=5e-3) and found.index(max(found)) in (9, 10) and found[-1] < 0.01


@pytest.mark.parametrize("steps", [1, 9, 49])
def test_one_cycle_may_rise_in_a_single_step(steps):
    found = rates(schedule="one-cycle", steps=steps, pct_start=1 / (steps + 1))
    assert len(found) == steps and found == sorted(found, reverse=True) and found[0] > 0.4
