import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cipherlens.model.training.losses import RetrievalLoss


def cosine_distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return 1 - float(one @ other / math.sqrt((one @ one) * (other @ other)))


def triplet_by_loops(
    features: NDArray[np.float64], labels: list[int], margin: float, mining: str = "batch-hard"
) -> float:
    """Return eq. 3, averaged: over each image's farthest positive and nearest negative, or all."""
    losses: list[float] = []
    for anchor, label in enumerate(labels):
        positives, negatives = [], []
        for other, other_label in enumerate(labels):
            distance = cosine_distance(features[anchor], features[other])
            if other_label != label:
                negatives.append(distance)
            elif other != anchor:
                positives.append(distance)
        if mining == "batch-hard":
            positives, negatives = [max(positives)], [min(negatives)]
        losses += [max(0.0, one - two + margin) for one in positives for two in negatives]
    return sum(losses) / len(losses)


def entropy_by_loops(logits: NDArray[np.float64], labels: list[int]) -> float:
    """Return eq. 4, averaged over the batch."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        total -= math.log(math.exp(row[label]) / sum(math.exp(value) for value in row))
    return total / len(labels)


@pytest.mark.parametrize("margin", [0.3, 0.5])
@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.parametrize("mining", ["batch-hard", "batch-all"])
def test_the_loss_is_the_papers(margin: float, alpha: float, mining: str) -> None:
    generator = np.random.default_rng(2)
    labels = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    centres = generator.normal(size=(3, 6))[labels]
    features = np.tanh(centres + 0.8 * generator.normal(size=(9, 6)))
    logits = generator.normal(size=(9, 3))
    parts = RetrievalLoss(margin, alpha, mining)(
        torch.tensor(features), torch.tensor(logits), torch.tensor(labels)
    )
    triplet = triplet_by_loops(features, labels, margin, mining)
    entropy = entropy_by_loops(logits, labels)
    assert 0 < triplet != margin
    assert parts.triplet.item() == pytest.approx(triplet, rel=1e-5)
    assert parts.cross_entropy.item() == pytest.approx(entropy, rel=1e-5)
    assert parts.total.item() == pytest.approx(triplet + alpha * entropy, rel=1e-5)


def test_satisfied_triplets_count_in_the_mean() -> None:
    features = torch.tensor([[1.0, 0], [1, 0.01], [0, 1], [1, 1]])
    labels = [0, 0, 1, 1]
    found = RetrievalLoss(0.2, 0)(features, torch.zeros(4, 2), torch.tensor(labels)).total
    expected = triplet_by_loops(features.double().numpy(), labels, 0.2)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_reaches_the_features() -> None:
    features = torch.randn(8, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    loss = RetrievalLoss(0.5, 0.5)(features, features @ torch.eye(4), torch.arange(8) % 4)
    loss.total.backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
