"""How well any distance ranks a database: mAP, P@k, precision-recall, a part at a time.

A ranking of 60,000 images by each of 10,000 queries does not fit in memory as a whole.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.code_metrics import tie_groups_of
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.evaluation.measures import FURTHER, Means, Measure, Ranks
from cipherlens.model.evaluation.metrics import chance_map, relevant_counts
from cipherlens.model.evaluation.rankings import ascending, parts

Distances = NDArray[np.float32] | NDArray[np.int64]
"""(queries, database): nearer is smaller. Whole numbers are a scale on which many may be equal."""


def evaluate_distances(
    distances_of: Callable[[NDArray[np.intp]], Distances],
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    exclude_self: bool = False,
    ranks: Sequence[int],
    further: Sequence[Measure] = FURTHER,
) -> Evaluation:
    """Return how well the distances rank the database for the queries with anything to find.

    `distances_of` returns those of the queries at some positions from the whole database. Equal
    float32 distances rank by position; of equal whole numbers each figure is the mean over the
    orders. With `exclude_self` query i is database image i and does not rank itself.

    Raises:
        DataError: if no query has a relevant image in the database.
        ValueError: if `exclude_self` is asked for and the queries are not the database.
    """
    if exclude_self and not np.array_equal(query_labels, database_labels):
        raise ValueError("exclude_self needs the queries to be the database")
    total = len(database_labels) - exclude_self
    relevant = relevant_counts(query_labels, database_labels) - exclude_self
    asked = np.flatnonzero(relevant > 0)
    if not len(asked):
        raise DataError("no query has a relevant image in the database")
    means = Means([k for k in ranks if k <= total], further)
    for part in parts(len(asked), len(database_labels)):
        queries = asked[part]
        alike = query_labels[queries, None] == database_labels
        own = queries if exclude_self else None
        distances = distances_of(queries)
        if np.issubdtype(distances.dtype, np.integer):
            means.add(tie_groups_of(distances.astype(np.int64), alike, own))
        else:
            relevance = _ranked_relevance(distances.astype(np.float32, copy=False), alike, own)
            means.add(Ranks(relevance=relevance, relevant=relevant[queries]))
    return means.evaluation(chance_map(relevant[asked], total))


def _ranked_relevance(
    distances: NDArray[np.float32], relevant: NDArray[np.bool_], own: NDArray[np.intp] | None
) -> NDArray[np.bool_]:
    """Return (queries, n) bool: `relevant`, (queries, database), in the order of the distances.

    The rankings are those of `metrics.ranked_relevance`. Each image is one word, its distance in
    the upper half, then its position and whether it is relevant: sorting words is twenty times
    faster than a stable sort that also returns the order. `own` is each query's position in the
    database, which is then left out.
    """
    words = ascending(distances).astype(np.uint64) << np.uint64(32)
    words |= np.arange(distances.shape[1], dtype=np.uint64) << np.uint64(1)
    words |= relevant
    if own is not None:
        words[np.arange(len(own)), own] = np.iinfo(np.uint64).max
    words.sort(axis=1)
    ranked = (words & np.uint64(1)).astype(np.bool_)
    return ranked if own is None else ranked[:, :-1]
