import numpy as np
import pytest

from cipherlens.model.codes import binarise
from cipherlens.model.errors import DataError
from cipherlens.model.evaluation import evaluate_rankings as module
from cipherlens.model.evaluation.evaluate_codes import evaluate_codes
from cipherlens.model.evaluation.evaluate_rankings import evaluate_rankings
from cipherlens.model.evaluation.evaluate_vectors import evaluate_vectors
from cipherlens.model.evaluation.metrics import average_precision_at, precision_at, ranked_relevance
from cipherlens.model.evaluation.rankings import rank_codes, rank_vectors

LABELS = np.random.default_rng(1).integers(0, 6, 80)
LABELS[0] = 99  # alone in its class


def vectors(count: int) -> np.ndarray:
    made = np.random.default_rng(2).normal(size=(count, 4)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("exclude_self", [True, False])
def test_full_rankings_by_cosine_give_what_the_evaluation_gives(exclude_self: bool) -> None:
    database = vectors(80)
    queries, labels = (database, LABELS) if exclude_self else (vectors(10), LABELS[30:40])
    expected = evaluate_vectors(queries, database, labels, LABELS, exclude_self=exclude_self)
    found = evaluate_rankings(
        rank_vectors(queries, database, 80),
        labels,
        LABELS,
        exclude_self=exclude_self,
        ranks=(1, 5, 10, 20, 100),
    )
    assert found.queries == expected.queries
    assert found.depth == 80 - exclude_self
    assert found.mean_average_precision == pytest.approx(expected.mean_average_precision)
    assert found.precision_at == pytest.approx(expected.precision_at)


@pytest.mark.parametrize("exclude_self", [True, False])
def test_full_rankings_by_codes_count_ties_as_the_evaluation_does(exclude_self: bool) -> None:
    codes = binarise(np.random.default_rng(3).random((80, 3)))
    queries, labels = (codes, LABELS) if exclude_self else (codes[:9], LABELS[1:10])
    expected = evaluate_codes(queries, codes, labels, LABELS, bits=3, exclude_self=exclude_self)
    found = evaluate_rankings(
        rank_codes(queries, codes, 80), labels, LABELS, exclude_self=exclude_self, ranks=(20,)
    )
    assert found.mean_average_precision == pytest.approx(expected.mean_average_precision)
    assert found.queries == expected.queries


def test_first_ranks_are_judged_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAP_RANKS", (7, 30))
    database = vectors(80)
    found = evaluate_rankings(
        rank_vectors(database, database, 21), LABELS, LABELS, exclude_self=True, ranks=(1, 20, 21)
    )
    relevance = ranked_relevance(database @ database.T, LABELS, LABELS, exclude_self=True)[1:]
    assert found.depth == 20
    assert found.mean_average_precision is None
    assert found.precision_at == pytest.approx(
        {k: precision_at(relevance, k).mean() for k in (1, 20)}
    )
    expected = average_precision_at(relevance, relevance.sum(axis=1), 7).mean()
    assert found.average_precision_at == pytest.approx({7: expected})


def test_nothing_to_find() -> None:
    rankings = rank_vectors(vectors(2), vectors(2), 2)
    with pytest.raises(DataError, match="no query has a relevant image"):
        evaluate_rankings(rankings, np.array([0, 1]), np.array([2, 3]), ranks=(1,))
