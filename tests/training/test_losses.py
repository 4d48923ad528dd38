"""In-batch contrast against its formula, pair by pair."""

import numpy as np
import pytest
import torch

from nrl_dedup.config import ModelSettings
from nrl_dedup.embedding.network import SiameseModel
from nrl_dedup.training.losses import contrast_of_views, in_batch_contrast


@pytest.fixture
def network() -> SiameseModel:
    torch.manual_seed(0)
    settings = ModelSettings(word_size=4, hidden_size=4, fused_size=4, branch_sizes=(6, 5))
    network = SiameseModel(settings, torch.randn(9, 4), 3)
    with torch.no_grad():
        network.raw_weight.normal_()
    return network


def test_contrast_is_its_formula(network: SiameseModel) -> None:
    h, groups = torch.rand(7, 5), np.array([3, 1, 3, 2, 1, 3, 0])
    losses = []
    with torch.no_grad():
        score = {
            (a, b): float(network.score(h[a : a + 1], h[b : b + 1]))
            for a in range(7)
            for b in range(7)
        }
        found = in_batch_contrast(network, h, groups).item()
    for a in range(7):
        others = sum(np.exp(score[a, n]) for n in range(7) if groups[n] != groups[a])
        for p in range(7):
            if p != a and groups[p] == groups[a]:
                losses.append(-np.log(np.exp(score[a, p]) / (np.exp(score[a, p]) + others)))
    assert found == pytest.approx(np.mean(losses), abs=1e-5)


@pytest.mark.parametrize("groups", [[0, 1, 2], [5, 5, 5]])
def test_a_batch_of_one_kind_of_pairs_teaches_nothing(
    network: SiameseModel, groups: list[int]
) -> None:
    h = torch.rand(3, 5, requires_grad=True)
    loss = in_batch_contrast(network, h, np.array(groups))
    loss.backward()
    assert loss.item() == 0 and h.grad is not None and not h.grad.any()


def test_contrast_of_views_is_its_formula(network: SiameseModel) -> None:
    one, other = torch.rand(2, 6, 5)
    with torch.no_grad():
        s = np.array(
            [
                [network.score(one[a : a + 1], other[b : b + 1]).item() for b in range(6)]
                for a in range(6)
            ]
        )
        found = contrast_of_views(network, one, other).item()
    ways = [
        [-np.log(np.exp(table[a, a]) / np.exp(table[a]).sum()) for a in range(6)]
        for table in (s, s.T)
    ]
    assert found == pytest.approx(np.mean(ways), abs=1e-5)
