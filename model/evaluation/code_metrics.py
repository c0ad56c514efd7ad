"""Retrieval quality of Hamming rankings, as the expectation over the orders of equal distances.

A short code puts many images at the same distance. Their order says nothing of the code, yet one
order or another moves the mAP by a percent or two; so each figure is the mean over all orders.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import check_codes
from cipherlens.model.codes import Codes
from cipherlens.model.evaluation.metrics import needed_hits


@dataclass(frozen=True, kw_only=True, slots=True)
class TieGroups:
    """How many images stand at each distance 0 ... bits from each query.

    `items` and, of the query's class, `relevant` are (queries, bits + 1) int64.
    """

    items: NDArray[np.int64]
    relevant: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.items)

    def answerable(self) -> "TieGroups":
        """Return the groups of the queries for which anything is relevant."""
        some = self.relevant.any(axis=1)
        return TieGroups(items=self.items[some], relevant=self.relevant[some])


def tie_groups(
    query_codes: Codes,
    database_codes: Codes,
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    bits: int,
    exclude_self: bool = False,
) -> TieGroups:
    """Return the database counted by its Hamming distance from each query.

    With `exclude_self` query i is database image i and does not count itself.

    Raises:
        TypeError: if codes are no uint8 arrays.
        ValueError: if codes do not have `bits` bits, the lengths do not fit, or `exclude_self` is
            asked for and the queries are not the database.
    """
    check_codes(query_codes, bits, "query_codes")
    check_codes(database_codes, bits, "database_codes")
    _check_labels("query", query_codes, query_labels)
    _check_labels("database", database_codes, database_labels)
    # In order of the classes, what is relevant to a query is one slice.
    order = np.argsort(database_labels, kind="stable")
    first, last = (
        np.searchsorted(database_labels[order], query_labels, side) for side in ("left", "right")
    )
    words, queries = _words(database_codes[order]), _words(query_codes)
    items = np.zeros((len(query_codes), bits + 1), dtype=np.int64)
    relevant = np.zeros_like(items)
    for index in range(len(query_codes)):
        distances = _distances(queries[:, index], words)
        items[index] = np.bincount(distances, minlength=bits + 1)
        alike = distances[first[index] : last[index]]
        relevant[index] = np.bincount(alike, minlength=bits + 1)
    if exclude_self:
        _check_same(query_codes, database_codes)
        _check_same(query_labels, database_labels)
        items[:, 0] -= 1
        relevant[:, 0] -= 1
    return TieGroups(items=items, relevant=relevant)


def tie_groups_of(
    distances: NDArray[np.int64], alike: NDArray[np.bool_], own: NDArray[np.intp] | None = None
) -> TieGroups:
    """Return the images of whole rankings counted by distance; both arrays are (queries, images).

    `alike` says which images are of the query's class. `own` is each query's position among the
    images, which is then not counted.
    """
    rows, width = len(distances), int(distances.max()) + 1
    cells = np.arange(rows)[:, None] * width + distances
    items, relevant = (
        np.bincount(each, minlength=rows * width).reshape(rows, width)
        for each in (cells.ravel(), cells[alike])
    )
    if own is not None:
        itself = np.arange(rows), distances[np.arange(rows), own]
        items[itself] -= 1
        relevant[itself] -= alike[np.arange(rows), own]
    return TieGroups(items=items, relevant=relevant)


def expected_average_precision(groups: TieGroups) -> NDArray[np.float64]:
    """Return the expected average precision of full rankings, (queries,).

    Let N images, R of them relevant, stand before a group of n images with r relevant ones. The
    group's j-th place is relevant with probability r/n, and then (j-1)(r-1)/(n-1) relevant images
    of the group stand before it in the mean. With a = (r-1)/(n-1) the group adds
    r/n sum_j (R + 1 + a (j-1)) / (N + j) = r/n (a n + (R + 1 - a (N+1)) (H_{N+n} - H_N)) to the sum
    of the precisions, where H are harmonic numbers. NaN where nothing is relevant.
    """
    n, r = groups.items, groups.relevant
    before, hits = np.cumsum(n, axis=1) - n, np.cumsum(r, axis=1) - r
    largest = int(n.sum(axis=1).max(initial=0))
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, largest + 1))])
    growth = (r - 1) / np.maximum(n - 1, 1)
    spread = harmonic[before + n] - harmonic[before]
    summed = r / np.maximum(n, 1) * (growth * n + (hits + 1 - growth * (before + 1)) * spread)
    total = r.sum(axis=1)
    return np.where(total > 0, summed.sum(axis=1) / np.maximum(total, 1), np.nan)


def expected_precision_at(groups: TieGroups, k: int) -> NDArray[np.float64]:
    """Return the expected share of relevant images among the first k, (queries,).

    The group that straddles rank k gives its relevant images in proportion to the places it has.

    Raises:
        ValueError: if k is not from 1 to the number of images that every query ranks.
    """
    n, r = groups.items, groups.relevant
    smallest = int(n.sum(axis=1).min(initial=np.iinfo(np.int64).max))
    if not 1 <= k <= smallest:
        raise ValueError(f"k must be from 1 to {smallest}, got {k}")
    taken = np.clip(k - (np.cumsum(n, axis=1) - n), 0, n)
    precision: NDArray[np.float64] = (r * taken / np.maximum(n, 1)).sum(axis=1) / k
    return precision


def interpolated_precision_by_distance(groups: TieGroups) -> NDArray[np.float64]:
    """Return the interpolated precision at `metrics.RECALL_LEVELS`, (queries, 101).

    A point of the curve is all that lies within a distance, so that no order among equals plays a
    part; between points the higher precision at a higher recall counts. Every query must have
    something to find, as those of `TieGroups.answerable` have.
    """
    found = np.cumsum(groups.relevant, axis=1)
    precision = found / np.maximum(np.cumsum(groups.items, axis=1), 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    needed = needed_hits(found[:, -1])
    curve = np.empty(needed.shape)
    for level in range(needed.shape[1]):
        nearest = (found >= needed[:, level, None]).argmax(axis=1)
        curve[:, level] = best[np.arange(len(best)), nearest]
    return curve


def hamming_distances(query_codes: Codes, database_codes: Codes) -> NDArray[np.int64]:
    """Return the Hamming distance of each query from each code of the database, (queries, n)."""
    words, queries = _words(database_codes), _words(query_codes)
    distances = np.empty((len(query_codes), len(database_codes)), dtype=np.int64)
    for index in range(len(query_codes)):
        distances[index] = _distances(queries[:, index], words)
    return distances


def _words(codes: Codes) -> NDArray[np.uint64]:
    """Return packed codes as (words, n) of 64 bits each, zeros in the last."""
    padded = np.zeros((len(codes), codes.shape[1] + -codes.shape[1] % 8), dtype=np.uint8)
    padded[:, : codes.shape[1]] = codes
    return np.ascontiguousarray(padded.view(np.uint64).T)


def _distances(query: NDArray[np.uint64], words: NDArray[np.uint64]) -> NDArray[np.integer]:
    """Return the Hamming distances, (n,), of one code of (words,) from codes of (words, n)."""
    distances: NDArray[np.integer] = np.bitwise_count(query[0] ^ words[0])
    if len(words) > 1:
        distances = distances.astype(np.int64)
    for number in range(1, len(words)):
        distances += np.bitwise_count(query[number] ^ words[number])
    return distances


def _check_labels(name: str, codes: Codes, labels: NDArray[np.integer]) -> None:
    if labels.shape != (len(codes),):
        raise ValueError(f"{name}_labels must have the shape ({len(codes)},), got {labels.shape}")


def _check_same(queries: NDArray[np.integer], database: NDArray[np.integer]) -> None:
    if not np.array_equal(queries, database):
        raise ValueError("exclude_self needs the queries to be the database")
