import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cipherlens.model.config import LabelConfig, TrainConfig
from cipherlens.model.training.losses import RetrievalLoss, cosine_logits, with_margin


def loss(**settings: object) -> RetrievalLoss:
    return RetrievalLoss(TrainConfig(**settings))  # type: ignore[arg-type]


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


def entropy_by_loops(
    logits: NDArray[np.float64], labels: list[int], smoothing: float = 0.0
) -> float:
    """Return eq. 4, averaged over the batch; the smoothing goes to all classes alike."""
    total = 0.0
    for row, label in zip(logits, labels, strict=True):
        logs = [value - math.log(sum(map(math.exp, row))) for value in row]
        total -= (1 - smoothing) * logs[label] + smoothing * sum(logs) / len(logs)
    return total / len(labels)


def contrast_by_loops(
    features: NDArray[np.float64], labels: list[int], temperature: float
) -> float:
    """Return Khosla et al. 2020, eq. 2: the mean over the pictures, each over its class."""
    losses = []
    for anchor, label in enumerate(labels):
        others = [other for other in range(len(labels)) if other != anchor]
        shares = {
            other: math.exp((1 - cosine_distance(features[anchor], features[other])) / temperature)
            for other in others
        }
        own = [other for other in others if labels[other] == label]
        logs = [math.log(shares[other] / sum(shares.values())) for other in own]
        losses.append(-sum(logs) / len(own))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("margin", [0.3, 0.5])
@pytest.mark.parametrize("alpha", [0.5, 1.0])
@pytest.mark.parametrize("mining", ["batch-hard", "batch-all"])
def test_the_loss_is_the_papers(margin: float, alpha: float, mining: str) -> None:
    generator = np.random.default_rng(2)
    labels = [0, 0, 0, 1, 1, 1, 2, 2, 2]
    centres = generator.normal(size=(3, 6))[labels]
    features = np.tanh(centres + 0.8 * generator.normal(size=(9, 6)))
    logits = generator.normal(size=(9, 3))
    parts = loss(margin=margin, alpha=alpha, mining=mining)(
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
    found = loss(margin=0.2, alpha=0)(features, torch.zeros(4, 2), torch.tensor(labels)).total
    expected = triplet_by_loops(features.double().numpy(), labels, 0.2)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def drawn() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (8, 5) features, (8, 4) logits and labels of four classes, two pictures each."""
    generator = torch.Generator().manual_seed(4)
    features = torch.randn(8, 5, generator=generator)
    return features, torch.randn(8, 4, generator=generator), torch.arange(8) % 4


def test_active_triplets_alone_count_in_their_mean() -> None:
    features, logits, labels = drawn()
    every = loss(margin=0.3, alpha=0, mining="batch-all")(features, logits, labels).total
    active = loss(margin=0.3, alpha=0, mining="batch-active")(features, logits, labels).total
    losses = []
    for one in range(8):
        for two in set(range(8)) - {one}:
            for three in range(8):
                if labels[one] == labels[two] != labels[three]:
                    near, far = (
                        cosine_distance(features[one].numpy(), features[each].numpy())
                        for each in (two, three)
                    )
                    losses.append(max(0.0, near - far + 0.3))
    assert 0 in losses
    assert every.item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert active.item() == pytest.approx(sum(losses) / np.count_nonzero(losses), rel=1e-5)


def test_satisfied_triplets_alone_are_no_loss() -> None:
    features = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]], requires_grad=True)
    parts = loss(margin=0.5, mining="batch-active")(
        features, torch.zeros(4, 2), torch.tensor([0, 0, 1, 1])
    )
    assert parts.triplet is not None
    assert parts.triplet.item() == 0
    parts.total.backward()  # type: ignore[no-untyped-call]


def test_a_contrast_is_over_all_pictures_of_the_batch() -> None:
    features, logits, labels = drawn()
    found = loss(pairs="contrastive", temperature=0.2, alpha=0.7)(features, logits, labels)
    expected = contrast_by_loops(features.double().numpy(), labels.tolist(), 0.2)
    assert float(found.triplet) == pytest.approx(expected, rel=1e-5)
    assert float(found.total) == pytest.approx(expected + 0.7 * float(found.cross_entropy))


def test_without_pairs_classes_alone_count() -> None:
    features, logits, labels = drawn()
    found = loss(pairs="none", alpha=2, label_smoothing=0.1)(features, logits, labels)
    expected = entropy_by_loops(logits.double().numpy(), labels.tolist(), 0.1)
    assert found.triplet is None
    assert float(found.cross_entropy) == pytest.approx(expected, rel=1e-5)
    assert float(found.total) == pytest.approx(2 * expected, rel=1e-5)


def test_cosine_logits_know_no_length() -> None:
    features, _, _ = drawn()
    weight = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    found = cosine_logits(3 * features, 5 * weight, 8)
    for row, feature in zip(found, features, strict=True):
        for value, each in zip(row, weight, strict=True):
            assert float(value) == pytest.approx(
                8 * (1 - cosine_distance(feature.numpy(), each.numpy())), abs=1e-5
            )


def test_a_margin_turns_the_right_class_away() -> None:
    config: LabelConfig = TrainConfig(classifier="cosine", scale=4, angular_margin=0.3)
    logits = 4 * torch.tensor([[0.5, 0.9], [-0.2, 0.1], [-1.0, 1.0]])
    found = with_margin(logits, torch.tensor([0, 1, 0]), config)
    wanted = [[4 * math.cos(math.acos(0.5) + 0.3), 3.6], [-0.8, 4 * math.cos(math.acos(0.1) + 0.3)]]
    torch.testing.assert_close(found[:2], torch.tensor(wanted))
    assert found[2].tolist() == pytest.approx([-4, 4], abs=1e-4)  # not nearer for the margin
    parts = RetrievalLoss(config)(torch.eye(3), logits, torch.tensor([0, 1, 0]))
    assert float(parts.cross_entropy) == pytest.approx(
        entropy_by_loops(found.double().numpy(), [0, 1, 0]), rel=1e-4
    )


def test_a_margin_has_a_slope_at_its_class() -> None:
    logits = torch.tensor([[4.0, 0.0]], requires_grad=True)
    config = TrainConfig(classifier="cosine", scale=4, angular_margin=0.3)
    with_margin(logits, torch.tensor([0]), config).sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_gradient_reaches_the_features() -> None:
    features = torch.randn(8, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    parts = loss()(features, features @ torch.eye(4), torch.arange(8) % 4)
    parts.total.backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
