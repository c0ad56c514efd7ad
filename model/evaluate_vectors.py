"""How well vectors rank a database by cosine: mAP and precision at k, a part of queries at a time.

A ranking of 60,000 images by each of 10,000 queries does not fit in memory as a whole.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.errors import DataError
from cipherlens.model.evaluation import Evaluation
from cipherlens.model.metrics import average_precision, chance_average_precision, precision_at

Vectors = NDArray[np.float32]

RANKS = (1, 5, 10, 20)
PAIRS = 2**22
"""Pairs of a query and an image that are ranked at a time, about 50 bytes each."""


def evaluate_vectors(
    query_vectors: Vectors,
    database_vectors: Vectors,
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    exclude_self: bool = False,
    ranks: Sequence[int] = RANKS,
) -> Evaluation:
    """Return how well the vectors rank the database for the queries that have anything to find.

    Vectors are (n, dim) float32 of unit length; ranks go from the largest inner product on, ties
    by position. With `exclude_self` query i is database image i and does not rank itself.

    Raises:
        DataError: if no query has a relevant image in the database.
        TypeError: if vectors are no float32 arrays.
        ValueError: if shapes do not fit each other, or `exclude_self` is asked for and there are
            not as many queries as images.
    """
    _check("query", query_vectors, query_labels)
    _check("database", database_vectors, database_labels)
    if exclude_self and len(query_vectors) != len(database_vectors):
        raise ValueError("exclude_self needs the queries to be the database")
    total = len(database_vectors) - exclude_self
    relevant = np.zeros(len(query_labels), dtype=np.int64)
    scores = np.zeros(len(query_labels))
    precisions = {k: np.zeros(len(query_labels)) for k in ranks if k <= total}
    for part in _parts(len(query_labels), len(database_labels)):
        relevance = _ranked_relevance(
            query_vectors[part] @ database_vectors.T,
            query_labels[part, None] == database_labels,
            np.arange(len(query_labels))[part] if exclude_self else None,
        )
        relevant[part] = relevance.sum(axis=1)
        scores[part] = average_precision(relevance)
        for k, each in precisions.items():
            each[part] = precision_at(relevance, k)
    return _evaluation(relevant, scores, precisions, total)


def _parts(queries: int, images: int) -> Iterator[slice]:
    """Yield slices of the queries, so small that each has at most PAIRS pairs or one query."""
    rows = max(PAIRS // max(images, 1), 1)
    for start in range(0, queries, rows):
        yield slice(start, start + rows)


def _ranked_relevance(
    similarity: Vectors, relevant: NDArray[np.bool_], own: NDArray[np.intp] | None
) -> NDArray[np.bool_]:
    """Return (queries, n) bool: `relevant`, (queries, database), in the order of similarity.

    The rankings are those of `metrics.ranked_relevance`. Each image is one word, its distance in
    the upper half, then its position and whether it is relevant: sorting words is twenty times
    faster than a stable sort that also returns the order. `own` is each query's position in the
    database, which is then left out.
    """
    words = _ascending(-similarity).astype(np.uint64) << np.uint64(32)
    words |= np.arange(similarity.shape[1], dtype=np.uint64) << np.uint64(1)
    words |= relevant
    if own is not None:
        words[np.arange(len(own)), own] = np.iinfo(np.uint64).max
    words.sort(axis=1)
    ranked = (words & np.uint64(1)).astype(np.bool_)
    return ranked if own is None else ranked[:, :-1]


def _ascending(distance: Vectors) -> NDArray[np.uint32]:
    """Return integers in the order of the distances; what is no number stands at the end."""
    distance = np.where(np.isnan(distance), np.float32(np.inf), distance) + np.float32(0)  # no -0
    bits = distance.view(np.uint32)
    sign = np.uint32(2**31)
    return np.where(bits & sign, ~bits, bits | sign)


def _evaluation(
    relevant: NDArray[np.int64],
    scores: NDArray[np.float64],
    precisions: dict[int, NDArray[np.float64]],
    total: int,
) -> Evaluation:
    """Return the means over the queries that have any, `relevant`, of `total` images to find."""
    some = relevant > 0
    if not some.any():
        raise DataError("no query has a relevant image in the database")
    counts, queries = np.unique(relevant[some], return_counts=True)
    chances = [chance_average_precision(int(each), total) for each in counts]
    return Evaluation(
        queries=int(some.sum()),
        mean_average_precision=float(scores[some].mean()),
        chance=float(np.average(chances, weights=queries)),
        precision_at={k: float(each[some].mean()) for k, each in precisions.items()},
    )


def _check(name: str, vectors: Vectors, labels: NDArray[np.integer]) -> None:
    """Raise unless vectors are float32 and every one has a label."""
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32:
        raise TypeError(f"{name}_vectors must be an array of float32")
    if vectors.ndim != 2 or labels.shape != (len(vectors),):
        raise ValueError(
            f"{name}_vectors and {name}_labels must have the shapes (n, dim) and (n,), "
            f"got {vectors.shape} and {labels.shape}"
        )
