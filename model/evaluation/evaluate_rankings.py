"""How well returned rankings retrieve, judged from them alone: full ones, or their first ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.code_metrics import (
    expected_average_precision,
    tie_groups_of,
)
from cipherlens.model.evaluation.metrics import average_precision_at, precision_at, relevant_counts
from cipherlens.model.evaluation.rankings import Rankings, Scores

MAP_RANKS = (1000,)


@dataclass(frozen=True, kw_only=True, slots=True)
class RankingEvaluation:
    """Retrieval quality of rankings of `depth` images over the queries with any to find.

    `precision_at` and `average_precision_at` map k to the mean P@k and to mAP@k, for each k up to
    the depth. `mean_average_precision` is that of full rankings, None where they are cut off.
    """

    queries: int
    depth: int
    precision_at: dict[int, float]
    average_precision_at: dict[int, float]
    mean_average_precision: float | None


def evaluate_rankings(
    rankings: Rankings,
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    exclude_self: bool = False,
    ranks: Sequence[int],
) -> RankingEvaluation:
    """Return how well rankings retrieve, by the order in which they came.

    Only the full mAP of Hamming rankings does not go by it: as everywhere it is the mean over the
    orders of equal distances. With `exclude_self` query i is database image i and is left out.

    Raises:
        DataError: if no query has a relevant image in the database.
    """
    judged = rankings.without_own() if exclude_self else rankings
    relevant = relevant_counts(query_labels, database_labels) - exclude_self
    asked = relevant > 0
    if not asked.any():
        raise DataError("no query has a relevant image in the database")
    relevance = database_labels[judged.positions[asked]] == query_labels[asked, None]
    depth, relevant = judged.depth, relevant[asked]
    full = depth == len(database_labels) - exclude_self
    return RankingEvaluation(
        queries=len(relevance),
        depth=depth,
        precision_at={k: float(precision_at(relevance, k).mean()) for k in ranks if k <= depth},
        average_precision_at={
            k: float(average_precision_at(relevance, relevant, k).mean())
            for k in MAP_RANKS
            if k <= depth
        },
        mean_average_precision=_full_map(relevance, judged.scores[asked]) if full else None,
    )


def _full_map(relevance: NDArray[np.bool_], scores: Scores) -> float:
    """Return the mAP of full rankings, over the orders of equal Hamming distances."""
    if np.issubdtype(scores.dtype, np.integer):
        groups = tie_groups_of(scores.astype(np.int64), relevance)
        return float(expected_average_precision(groups).mean())
    relevant = relevance.sum(axis=1)
    return float(average_precision_at(relevance, relevant, relevance.shape[1]).mean())
