import math

import pytest
import torch
from torch.nn.functional import normalize

from cipherlens.model.training.distillation import DistillationLoss


def by_loops(
    vectors: torch.Tensor, targets: torch.Tensor, temperature: float
) -> tuple[float, float]:
    """Return both parts, one number after another."""
    own, taught = normalize(vectors), normalize(targets)
    n = len(own)
    distance = sum(1 - float(own[i] @ taught[i]) for i in range(n)) / n
    relation = 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        wanted = [math.exp(float(taught[i] @ taught[j]) / temperature) for j in others]
        found = [math.exp(float(own[i] @ own[j]) / temperature) for j in others]
        for w, f in zip(wanted, found, strict=True):
            share = w / sum(wanted)
            relation += share * math.log(share / (f / sum(found))) / n
    return distance, relation


def test_it_is_what_plain_loops_make_of_it() -> None:
    vectors, targets = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(1))
    parts = DistillationLoss(0.5, 0.2)(vectors, targets)
    distance, relation = by_loops(vectors, targets, 0.2)
    assert float(parts.total) == pytest.approx(distance + 0.5 * relation, abs=1e-5)
    assert parts.triplet is not None
    assert float(parts.triplet) == pytest.approx(distance, abs=1e-5)
    assert float(parts.cross_entropy) == pytest.approx(relation, abs=1e-5)


def test_who_agrees_with_the_teacher_has_no_loss() -> None:
    targets = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    parts = DistillationLoss(1.0, 0.1)(3 * targets, targets)
    assert abs(float(parts.total)) < 1e-5


def test_following_the_gradient_comes_nearer() -> None:
    vectors, targets = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(3))
    vectors.requires_grad_()
    loss = DistillationLoss(1.0, 0.1)
    before = loss(vectors, targets).total
    before.backward()
    assert vectors.grad is not None
    after = loss((vectors - 0.05 * vectors.grad).detach(), targets).total
    assert float(after) < float(before.detach())
