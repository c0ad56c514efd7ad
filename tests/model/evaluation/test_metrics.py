from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from cipherlens.model.evaluation.metrics import (
    RECALL_LEVELS,
    average_precision,
    average_precision_at,
    chance_average_precision,
    chance_map,
    hit_precision,
    interpolated_precision,
    mean_average_precision,
    needed_hits,
    precision_at,
    ranked_relevance,
    relevant_counts,
)

rankings = st.lists(st.booleans(), min_size=1, max_size=40).filter(any)


@given(rankings)
def test_average_precision_is_the_mean_precision_at_the_hits(ranking: list[bool]) -> None:
    at_hits = [sum(ranking[: k + 1]) / (k + 1) for k, hit in enumerate(ranking) if hit]
    expected = sum(at_hits) / len(at_hits)
    assert average_precision(np.array(ranking)) == pytest.approx(expected)


@given(rankings)
def test_average_precision_agrees_with_scikit_learn(ranking: list[bool]) -> None:
    scores = -np.arange(len(ranking), dtype=float)
    expected = average_precision_score(ranking, scores)
    assert average_precision(np.array(ranking)) == pytest.approx(expected)


def test_nothing_relevant_is_not_a_number() -> None:
    assert np.isnan(average_precision(np.zeros((2, 3), dtype=bool))).all()


@pytest.mark.parametrize(("relevant", "total"), [(1, 1), (1, 4), (2, 5), (3, 5), (4, 4), (2, 7)])
def test_chance_is_the_mean_over_all_orders(relevant: int, total: int) -> None:
    ranking = [True] * relevant + [False] * (total - relevant)
    orders = np.array(list(permutations(ranking)))
    expected = average_precision(orders).mean()
    assert chance_average_precision(relevant, total) == pytest.approx(expected)


@pytest.mark.parametrize(("relevant", "total"), [(0, 3), (4, 3)])
def test_chance_needs_something_relevant(relevant: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"relevant must be from 1 to 3, got {relevant}"):
        chance_average_precision(relevant, total)


def test_a_query_does_not_find_itself() -> None:
    labels = np.array([0, 0, 1, 1])
    similarity = np.array(
        [[1, 0.2, 0.9, 0.1], [0.2, 1, 0.5, 0.4], [0.9, 0.5, 1, 0.8], [0.1, 0.4, 0.8, 1]]
    )
    relevance = ranked_relevance(similarity, labels, labels, exclude_self=True)
    assert relevance.tolist() == [
        [False, True, False],
        [False, False, True],
        [False, True, False],
        [True, False, False],
    ]
    expected = np.mean([1 / 2, 1 / 3, 1 / 2, 1])
    found = mean_average_precision(similarity, labels, labels, exclude_self=True)
    assert found == pytest.approx(expected)


def test_queries_apart_from_the_database() -> None:
    similarity = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1]])
    found = mean_average_precision(similarity, np.array([0, 5]), np.array([0, 1, 0]))
    assert found == pytest.approx((1 / 2 + 2 / 3) / 2)  # the second query has nothing to find


def test_equal_similarities_keep_the_order_of_the_database() -> None:
    relevance = ranked_relevance(np.ones((1, 3)), np.array([1]), np.array([0, 1, 1]))
    assert relevance.tolist() == [[False, True, True]]


def test_precision_at_k() -> None:
    relevance = np.array([[True, False, True, False]])
    assert [precision_at(relevance, k).item() for k in (1, 2, 3, 4)] == [1, 1 / 2, 2 / 3, 1 / 2]
    for k in (0, 5):
        with pytest.raises(ValueError, match=f"k must be from 1 to 4, got {k}"):
            precision_at(relevance, k)


@given(rankings, st.integers(1, 40), st.integers(0, 3))
def test_average_precision_of_the_first_ranks(ranking: list[bool], k: int, absent: int) -> None:
    """Relevant images that the ranking does not hold, `absent`, count as far as k has room."""
    k = min(k, len(ranking))
    relevant = sum(ranking) + absent
    summed = sum(sum(ranking[:i]) / i for i in range(1, k + 1) if ranking[i - 1])
    found = average_precision_at(np.array([ranking]), np.array([relevant]), k)
    assert found.item() == pytest.approx(summed / min(relevant, k))


def test_average_precision_of_the_first_ranks_at_its_ends() -> None:
    relevance = np.array([[True, False, True], [False, False, False]])
    full = average_precision_at(relevance, np.array([2, 0]), 3)
    np.testing.assert_array_equal(full, average_precision(relevance))
    assert average_precision_at(relevance, np.array([50, 1]), 1).tolist() == [1, 0]
    with pytest.raises(ValueError, match="k must be from 1 to 3, got 4"):
        average_precision_at(relevance, np.array([2, 0]), 4)


def test_a_worked_precision_recall_curve() -> None:
    relevance = np.array([[False, True, True, False, True], [True, False, False, False, False]])
    hits = hit_precision(relevance)
    assert hits.tolist() == [[1 / 2, 2 / 3, 3 / 5], [1, 0, 0]]
    curve = interpolated_precision(hits, np.array([3, 1]))
    # At recall 0.33 the second hit, of recall 2/3, is the most precise; above 2/3 the third.
    assert RECALL_LEVELS[66] == 0.66
    assert curve[0].tolist() == [2 / 3] * 67 + [3 / 5] * 34
    assert curve[1].tolist() == [1] * 101


@given(st.integers(1, 7_000))
def test_a_recall_level_takes_the_fewest_images_that_reach_it(relevant: int) -> None:
    needed = needed_hits(np.array([relevant]))[0]
    percent = np.arange(101)
    assert (100 * needed >= percent * relevant).all()
    assert (100 * (needed - 1) < percent * relevant)[1:].all()
    assert (needed[0], needed[-1]) == (1, relevant)


def test_counts_of_what_is_to_be_found() -> None:
    counts = relevant_counts(np.array([2, 0, 9, 1]), np.array([1, 2, 2, 0, 2]))
    assert counts.tolist() == [3, 1, 0, 1]
    expected = (chance_average_precision(3, 5) + 2 * chance_average_precision(1, 5)) / 3
    assert chance_map(counts[counts > 0], 5) == pytest.approx(expected)


def test_shapes_must_fit() -> None:
    labels = np.array([0, 1])
    with pytest.raises(ValueError, match=r"shape \(2, 2\), got \(2, 3\)"):
        ranked_relevance(np.ones((2, 3)), labels, labels)
    with pytest.raises(ValueError, match="exclude_self"):
        ranked_relevance(np.ones((2, 3)), labels, np.array([0, 1, 1]), exclude_self=True)
    with pytest.raises(ValueError, match="no query has a relevant image"):
        mean_average_precision(np.ones((1, 1)), np.array([0]), np.array([1]))
