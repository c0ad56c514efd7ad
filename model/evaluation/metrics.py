"""Retrieval quality from similarities and labels: average precision, precision at k and recall."""

import numpy as np
from numpy.typing import NDArray

RECALL_LEVELS = tuple(percent / 100 for percent in range(101))
"""Where a precision-recall curve is given: 0, 0.01 ... 1."""


def ranked_relevance(
    similarity: NDArray[np.floating],
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    exclude_self: bool = False,
) -> NDArray[np.bool_]:
    """Return (queries, n) bool: whether the image at each rank is of the query's class.

    `similarity` is (queries, database); ranks go from the most similar on, ties by position. With
    `exclude_self` query i is database image i and is left out, so that n is database - 1.

    Raises:
        ValueError: if the shapes do not fit each other.
    """
    if similarity.shape != (len(query_labels), len(database_labels)):
        raise ValueError(
            f"similarity must have the shape ({len(query_labels)}, {len(database_labels)}), "
            f"got {similarity.shape}"
        )
    distance = -similarity.astype(np.float64)
    if exclude_self:
        if len(query_labels) != len(database_labels):
            raise ValueError("exclude_self needs the queries to be the database")
        np.fill_diagonal(distance, np.inf)  # the last rank, which is cut off below
    order = np.argsort(distance, axis=1, kind="stable")
    relevance: NDArray[np.bool_] = database_labels[order] == query_labels[:, None]
    return relevance[:, :-1] if exclude_self else relevance


def average_precision(relevance: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the average precision of full rankings, (...,), from (..., n) bool by rank.

    The mean, over the relevant images, of the precision at each one's rank. NaN where nothing is
    relevant.
    """
    hits = np.cumsum(relevance, axis=-1)
    precision = hits / np.arange(1, relevance.shape[-1] + 1)
    total = relevance.sum(axis=-1)
    summed = (precision * relevance).sum(axis=-1)
    return np.where(total > 0, summed / np.maximum(total, 1), np.nan)


def average_precision_at(
    relevance: NDArray[np.bool_], relevant: NDArray[np.integer], k: int
) -> NDArray[np.float64]:
    """Return the average precision of the first k ranks, (queries,), from (queries, n) bool.

    AP@k = (1 / min(R, k)) sum_{i <= k} P(i) rel(i) for the R relevant images, `relevant`, that the
    whole database has: 1 where the first k ranks hold as many of them as they can. NaN where R is
    zero.

    Raises:
        ValueError: if k is not from 1 to n.
    """
    _check_rank(k, relevance)
    summed = hit_precision(relevance[:, :k]).sum(axis=1)
    return np.where(relevant > 0, summed / np.clip(relevant, 1, k), np.nan)


def hit_precision(relevance: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the precision at the rank of each relevant image, from (queries, n) bool by rank.

    (queries, most relevant images of a query), in the order of the ranks, then zeros.
    """
    total = relevance.sum(axis=1)
    queries, ranks = np.nonzero(relevance)
    earlier = np.arange(len(ranks)) - (np.cumsum(total) - total)[queries]
    precision = np.zeros((len(relevance), total.max(initial=0)))
    precision[queries, earlier] = (earlier + 1) / (ranks + 1)
    return precision


def interpolated_precision(
    hits: NDArray[np.float64], relevant: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the interpolated precision at RECALL_LEVELS, (queries, 101).

    It is the highest precision at that recall or a higher one. `hits` is the `hit_precision` of
    full rankings and `relevant`, (queries,), how many images each query has to find, at least one.
    """
    best = np.maximum.accumulate(hits[:, ::-1], axis=1)[:, ::-1]
    needed = needed_hits(relevant)
    interpolated: NDArray[np.float64] = np.take_along_axis(best, needed - 1, axis=1)
    return interpolated


def needed_hits(relevant: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how many of the relevant images each recall level takes, (queries, 101), at least 1.

    In whole numbers: 0.29 * 100 is a little more than 29 in floating point.
    """
    percent = np.arange(len(RECALL_LEVELS))
    return np.maximum(-(-percent * relevant[:, None].astype(np.int64) // 100), 1)


def mean_average_precision(
    similarity: NDArray[np.floating],
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    exclude_self: bool = False,
) -> float:
    """Return the mean of `average_precision` over the queries for which anything is relevant.

    The arguments are those of `ranked_relevance`.

    Raises:
        ValueError: if the shapes do not fit, or no query has a relevant image.
    """
    relevance = ranked_relevance(
        similarity, query_labels, database_labels, exclude_self=exclude_self
    )
    answerable = relevance[relevance.any(axis=1)]
    if not len(answerable):
        raise ValueError("no query has a relevant image in the database")
    return float(average_precision(answerable).mean())


def precision_at(relevance: NDArray[np.bool_], k: int) -> NDArray[np.float64]:
    """Return the share of relevant images among the first k, (...,), from (..., n) bool by rank.

    Raises:
        ValueError: if k is not from 1 to n.
    """
    _check_rank(k, relevance)
    precision: NDArray[np.float64] = relevance[..., :k].mean(axis=-1)
    return precision


def chance_average_precision(relevant: int, total: int) -> float:
    """Return the expected average precision of a random order of `total` images.

    Rank k is relevant with probability R/N, and then (k-1)(R-1)/(N-1) relevant images stand
    before it in the mean, so that E[AP] = (1/N) (H_N + (R-1)/(N-1) (N - H_N)), where H_N is the
    harmonic number.

    Raises:
        ValueError: if relevant is not from 1 to total.
    """
    if not 1 <= relevant <= total:
        raise ValueError(f"relevant must be from 1 to {total}, got {relevant}")
    if total == 1:
        return 1.0
    harmonic = float((1 / np.arange(1, total + 1)).sum())
    return (harmonic + (relevant - 1) / (total - 1) * (total - harmonic)) / total


def chance_map(relevant: NDArray[np.integer], total: int) -> float:
    """Return the mean of `chance_average_precision` over queries with so many to find, (queries,).

    Raises:
        ValueError: if one of them is not from 1 to total.
    """
    counts, queries = np.unique(relevant, return_counts=True)
    chances = [chance_average_precision(int(each), total) for each in counts]
    return float(np.average(chances, weights=queries))


def relevant_counts(
    query_labels: NDArray[np.integer], database_labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return how many images of the database are of each query's class, (queries,)."""
    ordered = np.sort(database_labels)
    first, last = (np.searchsorted(ordered, query_labels, side) for side in ("left", "right"))
    return (last - first).astype(np.int64)


def _check_rank(k: int, relevance: NDArray[np.bool_]) -> None:
    if not 1 <= k <= relevance.shape[-1]:
        raise ValueError(f"k must be from 1 to {relevance.shape[-1]}, got {k}")
