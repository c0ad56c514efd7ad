from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from cipherlens.model.codes import binarise
from cipherlens.model.evaluation.code_metrics import (
    TieGroups,
    expected_average_precision,
    expected_precision_at,
    interpolated_precision_by_distance,
    tie_groups,
)
from cipherlens.model.evaluation.metrics import (
    RECALL_LEVELS,
    average_precision,
    chance_average_precision,
    precision_at,
)

# Distances and relevance of up to six images: 720 orders at most.
small = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6).filter(
    lambda images: any(relevant for _, relevant in images)
)


def groups_of(distances: np.ndarray, relevance: np.ndarray, bits: int) -> TieGroups:
    return TieGroups(
        items=np.bincount(distances, minlength=bits + 1)[None],
        relevant=np.bincount(distances[relevance], minlength=bits + 1)[None],
    )


def random_codes(generator: np.random.Generator, count: int, bits: int) -> np.ndarray:
    return binarise(generator.random((count, bits)))


@given(small)
def test_it_is_the_mean_over_all_orders_of_equal_distances(images: list[tuple[int, bool]]) -> None:
    distances = np.array([distance for distance, _ in images])
    relevance = np.array([relevant for _, relevant in images])
    orders = np.array(list(permutations(range(len(images)))))
    ranks = np.take_along_axis(orders, np.argsort(distances[orders], axis=1, kind="stable"), axis=1)
    rankings = relevance[ranks]
    groups = groups_of(distances, relevance, bits=3)
    expected = average_precision(rankings).mean()
    assert expected_average_precision(groups).item() == pytest.approx(expected, rel=1e-12)
    for k in range(1, len(images) + 1):
        expected = precision_at(rankings, k).mean()
        assert expected_precision_at(groups, k).item() == pytest.approx(expected, abs=1e-12)


def test_it_is_the_mean_over_10_000_shuffles() -> None:
    generator = np.random.default_rng(4)
    distances = generator.binomial(12, 0.4, 300)
    relevance = generator.random(300) < 0.3 - distances / 60
    rankings = np.empty((10_000, 300), dtype=bool)
    for ranking in rankings:
        order = generator.permutation(300)
        ranking[:] = relevance[order[np.argsort(distances[order], kind="stable")]]
    groups = groups_of(distances, relevance, bits=12)
    found = average_precision(rankings)
    error = found.std() / np.sqrt(len(found))
    assert abs(expected_average_precision(groups).item() - found.mean()) < 4 * error
    assert found.std() > 0.005  # a single order is far from the expectation
    precision = precision_at(rankings, 20)
    error = precision.std() / np.sqrt(len(precision))
    assert abs(expected_precision_at(groups, 20).item() - precision.mean()) < 4 * error


@given(st.permutations(range(30)), st.lists(st.booleans(), min_size=30, max_size=30).filter(any))
def test_without_ties_it_is_the_average_precision(order: list[int], relevant: list[bool]) -> None:
    distances, relevance = np.array(order), np.array(relevant)
    found = expected_average_precision(groups_of(distances, relevance, bits=29)).item()
    assert found == pytest.approx(average_precision(relevance[np.argsort(distances)]), abs=1e-12)
    assert found == pytest.approx(average_precision_score(relevance, -distances), abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=40))
def test_the_curve_agrees_with_scikit_learn(images: list[tuple[int, bool]]) -> None:
    """Its thresholds are the distinct distances too."""
    distances = np.array([0, *(distance for distance, _ in images)])
    relevance = np.array([True, *(relevant for _, relevant in images)])
    found = interpolated_precision_by_distance(groups_of(distances, relevance, bits=6))
    precision, recall, _ = precision_recall_curve(relevance, -distances)
    precision, recall = precision[:-1], recall[:-1]  # the last point is of nothing retrieved
    expected = [precision[recall > level - 1e-9].max() for level in RECALL_LEVELS]
    assert found.shape == (1, 101)
    assert found[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("relevant", "total"), [(1, 1), (3, 10), (6_000, 60_000)])
def test_one_code_for_all_is_chance(relevant: int, total: int) -> None:
    groups = TieGroups(items=np.array([[total, 0]]), relevant=np.array([[relevant, 0]]))
    expected = chance_average_precision(relevant, total)
    assert expected_average_precision(groups).item() == pytest.approx(expected, rel=1e-9)
    assert expected_precision_at(groups, 1).item() == pytest.approx(relevant / total)


def test_large_groups_lose_no_digits() -> None:
    """The harmonic numbers nearly cancel: the sum over places is the oracle."""
    items, relevant = np.array([[30_000, 29_990, 10]]), np.array([[2_000, 3_999, 1]])
    expected, before, hits = 0.0, 0, 0
    for n, r in zip(items[0].tolist(), relevant[0].tolist(), strict=True):
        place = np.arange(1, n + 1)
        expected += (r / n * (hits + 1 + (place - 1) * (r - 1) / (n - 1)) / (before + place)).sum()
        before, hits = before + n, hits + r
    found = expected_average_precision(TieGroups(items=items, relevant=relevant)).item()
    assert found == pytest.approx(expected / 6_000, rel=1e-10)


@pytest.mark.parametrize("bits", [1, 8, 12, 48, 64, 65, 600])
def test_groups_count_the_differing_bits(bits: int) -> None:
    generator = np.random.default_rng(bits)
    queries, database = random_codes(generator, 5, bits), random_codes(generator, 40, bits)
    query_labels, labels = generator.integers(0, 4, 5), generator.integers(0, 3, 40)
    groups = tie_groups(queries, database, query_labels, labels, bits=bits)
    unpacked = [np.unpackbits(each, axis=1, bitorder="little") for each in (queries, database)]
    distances = (unpacked[0][:, None] != unpacked[1][None]).sum(axis=2)
    assert groups.items.shape == groups.relevant.shape == (5, bits + 1)
    for row in range(5):
        alike = labels == query_labels[row]
        assert (
            groups.items[row].tolist() == np.bincount(distances[row], minlength=bits + 1).tolist()
        )
        expected = np.bincount(distances[row, alike], minlength=bits + 1)
        assert groups.relevant[row].tolist() == expected.tolist()
    assert groups.answerable().items.tolist() == groups.items[query_labels < 3].tolist()


def test_a_query_does_not_find_itself() -> None:
    codes = np.array([[0], [1], [0], [3]], dtype=np.uint8)
    labels = np.array([0, 0, 1, 1])
    groups = tie_groups(codes, codes, labels, labels, bits=2, exclude_self=True)
    assert groups.items.tolist() == [[1, 1, 1], [0, 3, 0], [1, 1, 1], [0, 1, 2]]
    assert groups.relevant.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]]
    for other in ((codes[:3], labels[:3]), (codes[::-1].copy(), labels), (codes, labels[::-1])):
        with pytest.raises(ValueError, match="exclude_self needs the queries to be the database"):
            tie_groups(other[0], codes, other[1], labels, bits=2, exclude_self=True)


def test_nothing_relevant_is_not_a_number() -> None:
    groups = TieGroups(items=np.array([[2, 3]]), relevant=np.array([[0, 0]]))
    assert np.isnan(expected_average_precision(groups)).all()
    assert expected_precision_at(groups, 2).tolist() == [0]


def test_arguments_that_do_not_fit() -> None:
    codes, labels = np.zeros((2, 2), dtype=np.uint8), np.array([0, 1])
    with pytest.raises(ValueError, match="query_codes of 17 bits"):
        tie_groups(codes, codes, labels, labels, bits=17)
    with pytest.raises(ValueError, match="database_codes: code 0 has bits set beyond its 12 bits"):
        tie_groups(codes, codes + np.uint8(255), labels, labels, bits=12)
    with pytest.raises(ValueError, match=r"database_labels must have the shape \(2,\), got \(1,\)"):
        tie_groups(codes, codes, labels, labels[:1], bits=12)
    groups = tie_groups(codes, codes, labels, labels, bits=12)
    for k in (0, 3):
        with pytest.raises(ValueError, match=f"k must be from 1 to 2, got {k}"):
            expected_precision_at(groups, k)


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_ten_thousand_queries_over_sixty_thousand_codes() -> None:
    """Random codes find their class as chance does, in less than a minute."""
    generator = np.random.default_rng(0)
    queries, database = random_codes(generator, 10_000, 48), random_codes(generator, 60_000, 48)
    query_labels, labels = np.arange(10_000) % 10, np.arange(60_000) % 10
    groups = tie_groups(queries, database, query_labels, labels, bits=48)
    chance = chance_average_precision(6_000, 60_000)
    assert expected_average_precision(groups).mean() == pytest.approx(chance, abs=0.001)
    curve = interpolated_precision_by_distance(groups).mean(axis=0)
    assert curve[-1] == pytest.approx(0.1, abs=0.001)
    assert (np.diff(curve) <= 0).all()
