"""Exact rankings in plain NumPy: the reference that the fast paths are held to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index import SearchResult

NO_DISTANCE = np.int32(np.iinfo(np.int32).max)


def exact_cosine(
    rows: NDArray[np.float32],
    queries: NDArray[np.float32],
    k: int,
    alive: NDArray[np.bool_] | None = None,
) -> SearchResult:
    """Return the k rows of largest inner product, equal ones in order of position.

    Args:
        rows: (n, dimension) float32 unit vectors.
        queries: (q, dimension) float32 unit vectors.
        alive: (n,) bool, False for rows to leave out; None keeps all.

    Returns:
        (q, k) positions and float32 scores, padded with -1 and -inf.
    """
    similarity = queries @ rows.T
    best = [_smallest(-row, k, alive) for row in similarity]
    return _padded(best, list(similarity), k, np.float32(-np.inf))


def exact_hamming(
    rows: NDArray[np.uint8],
    queries: NDArray[np.uint8],
    k: int,
    alive: NDArray[np.bool_] | None = None,
) -> SearchResult:
    """Return the k rows of smallest Hamming distance, equal ones in order of position.

    Args:
        rows: (n, size) uint8 packed codes.
        queries: (q, size) uint8 packed codes.
        alive: (n,) bool, False for rows to leave out; None keeps all.

    Returns:
        (q, k) positions and int32 distances, padded with -1 and the largest int32.
    """
    distances = [_hamming_distances(rows, query) for query in queries]
    best = [_smallest(row, k, alive) for row in distances]
    return _padded(best, distances, k, NO_DISTANCE)


def _hamming_distances(rows: NDArray[np.uint8], query: NDArray[np.uint8]) -> NDArray[np.int32]:
    distances: NDArray[np.int32] = np.bitwise_count(rows ^ query).sum(axis=1, dtype=np.int32)
    return distances


def _smallest(keys: NDArray[Any], k: int, alive: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Return the positions of the k smallest live keys by (key, position)."""
    positions = np.arange(len(keys)) if alive is None else np.flatnonzero(alive)
    return positions[np.argsort(keys[positions], kind="stable")[:k]]


def _padded(
    best: Sequence[NDArray[np.int64]], scores: Sequence[NDArray[Any]], k: int, filler: np.generic
) -> SearchResult:
    """Return ragged rankings as (q, k) arrays, filled up with -1 and filler."""
    positions = np.full((len(best), k), -1, np.int64)
    values = np.full((len(best), k), filler)
    for row, (found, row_scores) in enumerate(zip(best, scores, strict=True)):
        positions[row, : len(found)] = found
        values[row, : len(found)] = row_scores[found]
    return SearchResult(positions, values)
