import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_curve

from cipherlens.model.errors import DataError
from cipherlens.model.evaluation import rankings as module
from cipherlens.model.evaluation.evaluate_vectors import evaluate_vectors
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.evaluation.metrics import (
    RECALL_LEVELS,
    average_precision,
    chance_average_precision,
    precision_at,
    ranked_relevance,
)


def whole(
    queries: np.ndarray,
    database: np.ndarray,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    exclude_self: bool,
) -> Evaluation:
    """Return the figures from one ranking of everything, the plain way."""
    # A copy: of an array with itself NumPy computes the product another way, rounded otherwise.
    relevance = ranked_relevance(
        queries.copy() @ database.T, query_labels, database_labels, exclude_self=exclude_self
    )
    relevance = relevance[relevance.any(axis=1)]
    total = relevance.shape[1]
    return Evaluation(
        queries=len(relevance),
        mean_average_precision=average_precision(relevance).mean(),
        chance=np.mean([chance_average_precision(each, total) for each in relevance.sum(axis=1)]),
        precision_at={k: precision_at(relevance, k).mean() for k in (1, 3) if k <= total},
        precision_at_recall=tuple(np.mean([curve(each) for each in relevance], axis=0)),
    )


def curve(relevance: np.ndarray) -> list[float]:
    """Return the interpolated precision of one ranking, from scikit-learn's curve."""
    scores = -np.arange(len(relevance))
    precision, recall, _ = precision_recall_curve(relevance, scores)
    points = precision[:-1], recall[:-1]  # without the one it adds where nothing is retrieved
    return [points[0][points[1] > level - 1e-9].max() for level in RECALL_LEVELS]


def close(found: Evaluation, expected: Evaluation) -> bool:
    return (
        found.queries == expected.queries
        and abs(found.mean_average_precision - expected.mean_average_precision) < 1e-12
        and abs(found.chance - expected.chance) < 1e-12
        and found.precision_at == pytest.approx(expected.precision_at, abs=1e-12)
        and found.precision_at_recall == pytest.approx(expected.precision_at_recall, abs=1e-12)
    )


@given(
    seed=st.integers(0, 1000),
    images=st.integers(3, 30),
    classes=st.integers(1, 4),
    exclude_self=st.booleans(),
    pairs=st.sampled_from([1, 70, 10_000]),
)
def test_parts_give_what_the_whole_gives(
    seed: int, images: int, classes: int, exclude_self: bool, pairs: int
) -> None:
    """Small whole numbers make exact products and many ties, of both signs and of zero."""
    generator = np.random.default_rng(seed)
    database = generator.integers(-1, 2, (images, 3)).astype(np.float32)
    labels = generator.integers(0, classes, images)
    labels[:2] = 0
    count = images if exclude_self else 7
    arguments = (database[:count], database, labels[:count], labels, exclude_self)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAIRS", pairs)
        found = evaluate_vectors(*arguments[:4], exclude_self=exclude_self, ranks=(1, 3, 99))
    assert close(found, whole(*arguments))


def test_close_similarities_of_real_vectors_keep_their_order() -> None:
    generator = np.random.default_rng(0)
    database = 1 + generator.normal(0, 1e-4, (300, 16)).astype(np.float32)
    labels = generator.integers(0, 5, 300)
    found = evaluate_vectors(database, database, labels, labels, exclude_self=True, ranks=(1, 3))
    assert close(found, whole(database, database, labels, labels, True))


def test_equal_images_rank_by_position() -> None:
    ones = np.ones((3, 2), dtype=np.float32)
    found = evaluate_vectors(ones[:1], ones, np.array([1]), np.array([0, 1, 1]))
    assert found.mean_average_precision == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_what_is_no_number_ranks_last() -> None:
    database = np.array([[np.nan], [-1], [1]], dtype=np.float32)
    query = np.ones((1, 1), dtype=np.float32)
    found = evaluate_vectors(query, database, np.array([1]), np.array([1, 0, 0]))
    assert found.mean_average_precision == pytest.approx(1 / 3)


def test_arguments_must_fit() -> None:
    vectors, labels = np.ones((2, 3), dtype=np.float32), np.array([0, 1])
    with pytest.raises(DataError, match="no query has a relevant image"):
        evaluate_vectors(vectors, vectors, labels, labels + 2)
    with pytest.raises(DataError, match="no query has a relevant image"):
        evaluate_vectors(vectors[:0], vectors, labels[:0], labels)
    with pytest.raises(ValueError, match="exclude_self needs the queries to be the database"):
        evaluate_vectors(vectors[:1], vectors, labels[:1], labels, exclude_self=True)
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(1,\)"):
        evaluate_vectors(vectors, vectors, labels[:1], labels)
    with pytest.raises(TypeError, match="database_vectors must be an array of float32"):
        evaluate_vectors(vectors, vectors.astype(np.float64), labels, labels)


@pytest.mark.slow
def test_ten_thousand_queries_over_sixty_thousand_vectors() -> None:
    """Random vectors find their class as chance does, in less than a minute of computing."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(70_000, 16)).astype(np.float32)
    labels = np.arange(70_000) % 10
    started = time.process_time()
    found = evaluate_vectors(vectors[60_000:], vectors[:60_000], labels[60_000:], labels[:60_000])
    assert time.process_time() - started < 60
    assert found.mean_average_precision == pytest.approx(found.chance, abs=0.001)
    assert found.precision_at_recall[-1] == pytest.approx(0.1, abs=0.001)
