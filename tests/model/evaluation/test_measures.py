"""A further measure is one value, whatever ranks the images."""

import numpy as np
import pytest

from cipherlens.model.evaluation.evaluate_codes import evaluate_codes
from cipherlens.model.evaluation.evaluate_distances import evaluate_distances
from cipherlens.model.evaluation.evaluate_vectors import evaluate_vectors
from cipherlens.model.evaluation.measures import Measure, Ranks

FIRST_RANK = Measure(
    name="rank of the first relevant",
    of_ranks=lambda ranks: 1.0 + ranks.relevance.argmax(axis=1),
    # All images nearer, and of r relevant ones in a group of n the first: (n + 1) / (r + 1).
    of_ties=lambda groups: np.array(
        [
            items[:group].sum() + (items[group] + 1) / (relevant[group] + 1)
            for items, relevant in zip(groups.items, groups.relevant, strict=True)
            for group in [np.flatnonzero(relevant)[0]]
        ]
    ),
)
LABELS = np.array([0, 1, 0, 1])


def test_of_vectors() -> None:
    """In the order of the cosines 0 finds 1, 2; 1 finds 0, 2, 3; 2 finds 1, 3, 0; 3 finds 2, 1."""
    angles = np.radians([0, 20, 50, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = evaluate_vectors(
        vectors, vectors, LABELS, LABELS, exclude_self=True, further=[FIRST_RANK]
    )
    assert found.further == {"rank of the first relevant": pytest.approx((2 + 3 + 3 + 2) / 4)}


def test_of_codes_and_of_any_whole_distances() -> None:
    """Codes 0, 0, 0, 1: image 0 has one of two equals, image 3 one of three."""
    codes = np.array([[0], [0], [0], [1]], dtype=np.uint8)
    by_codes = evaluate_codes(
        codes, codes, LABELS, LABELS, bits=8, exclude_self=True, further=[FIRST_RANK]
    )
    distances = (codes != codes.T).astype(np.int64)
    by_distances = evaluate_distances(
        lambda queries: distances[queries],
        LABELS,
        LABELS,
        exclude_self=True,
        ranks=(1, 2),
        further=[FIRST_RANK],
    )
    expected = pytest.approx((1.5 + 3 + 1.5 + 2) / 4)
    assert by_codes.further["rank of the first relevant"] == expected
    assert by_distances.further["rank of the first relevant"] == expected
    assert by_distances.mean_average_precision == pytest.approx(by_codes.mean_average_precision)
    assert by_distances.precision_at[2] == pytest.approx(1 / 3)


def test_nothing_further_unless_asked_for() -> None:
    ranks = Ranks(relevance=np.array([[True, False]]), relevant=np.array([1]))
    assert len(ranks) == 1
    assert ranks.hits.tolist() == [[1.0]]
    distances = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    labels = np.array([0, 1])
    found = evaluate_distances(lambda asked: distances[asked], labels, labels, ranks=(1,))
    assert found.further == {}
    assert found.precision_at == {1: 1.0}
