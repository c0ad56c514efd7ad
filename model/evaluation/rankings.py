"""The nearest images of each query and how near they are: what a server answers, and the same here.

Equal scores stand in the order of the database, which is the order that a server's exact indexes
guarantee for codes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.codes import Codes
from cipherlens.model.evaluation.code_metrics import hamming_distances

Vectors = NDArray[np.float32]
Scores = NDArray[np.float32] | NDArray[np.int64]

PAIRS = 2**22
"""Pairs of a query and an image that are compared at a time, about 50 bytes each."""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Rankings:
    """The first k images for each query, nearest first.

    `positions`, (queries, k) int64, are places in the database. `scores` beside it are cosines,
    float32 and falling, or Hamming distances, int64 and rising.
    """

    positions: NDArray[np.int64]
    scores: Scores

    @property
    def depth(self) -> int:
        """How many images each query has, k."""
        depth: int = self.positions.shape[1]
        return depth

    def own_scores(self) -> Scores:
        """Return the score of each image that found itself, where query i is database image i."""
        own = np.arange(len(self.positions))[:, None]
        found: Scores = self.scores[self.positions == own]
        return found

    def without_own(self) -> "Rankings":
        """Return k - 1 images for each query i, database image i never among them.

        Where an image did not find itself, many being as near, the last one is left out instead.
        """
        kept = self.positions != np.arange(len(self.positions))[:, None]
        kept[kept.all(axis=1), -1] = False
        shape = (len(kept), self.depth - 1)
        return Rankings(
            positions=self.positions[kept].reshape(shape), scores=self.scores[kept].reshape(shape)
        )


def rank_vectors(query_vectors: Vectors, database_vectors: Vectors, k: int) -> Rankings:
    """Return the k images of largest inner product; vectors are (n, dim) float32 of unit length.

    Raises:
        ValueError: if k is not from 1 to the number of images.
    """

    def compare(part: slice) -> tuple[Scores, NDArray[np.uint32]]:
        similarity = query_vectors[part] @ database_vectors.T
        return similarity, ascending(-similarity)

    scores = np.empty((len(query_vectors), k), dtype=np.float32)
    return _ranked(compare, scores, len(database_vectors))


def rank_codes(query_codes: Codes, database_codes: Codes, k: int) -> Rankings:
    """Return the k images of smallest Hamming distance; codes are (n, ceil(bits / 8)) uint8.

    Raises:
        ValueError: if k is not from 1 to the number of images.
    """

    def compare(part: slice) -> tuple[Scores, NDArray[np.uint32]]:
        distances = hamming_distances(query_codes[part], database_codes)
        return distances, distances.astype(np.uint32)

    scores = np.empty((len(query_codes), k), dtype=np.int64)
    return _ranked(compare, scores, len(database_codes))


def parts(queries: int, images: int) -> Iterator[slice]:
    """Yield slices of the queries, so small that each has at most PAIRS pairs or one query."""
    rows = max(PAIRS // max(images, 1), 1)
    for start in range(0, queries, rows):
        yield slice(start, start + rows)


def ascending(distance: Vectors) -> NDArray[np.uint32]:
    """Return integers in the order of the distances; what is no number stands at the end."""
    distance = np.where(np.isnan(distance), np.float32(np.inf), distance) + np.float32(0)  # no -0
    bits = distance.view(np.uint32)
    sign = np.uint32(2**31)
    return np.where(bits & sign, ~bits, bits | sign)


def _ranked(
    compare: Callable[[slice], tuple[Scores, NDArray[np.uint32]]], scores: Scores, images: int
) -> Rankings:
    """Return the k nearest images of each query, their scores written into `scores`, (queries, k).

    `compare` returns the scores of a part of the queries with all images, and distances in whose
    order they stand. Raises ValueError if k is not from 1 to the number of images.
    """
    queries, k = scores.shape
    if not 1 <= k <= images:
        raise ValueError(f"k must be from 1 to {images}, got {k}")
    positions = np.empty((queries, k), dtype=np.int64)
    for part in parts(queries, images):
        found, distances = compare(part)
        positions[part] = _nearest(distances, k)
        scores[part] = np.take_along_axis(found, positions[part], axis=1)
    return Rankings(positions=positions, scores=scores)


def _nearest(distances: NDArray[np.uint32], k: int) -> NDArray[np.int64]:
    """Return the positions of the k smallest of each row, (rows, k), equal ones by position.

    A word holds the distance in its upper half and the position in its lower one: all differ, so
    that any way of sorting them gives this order.
    """
    words = distances.astype(np.uint64) << np.uint64(32)
    words |= np.arange(distances.shape[1], dtype=np.uint64)
    if k < words.shape[1]:
        words.partition(k - 1, axis=1)
    nearest = np.sort(words[:, :k], axis=1)
    return (nearest & np.uint64(2**32 - 1)).astype(np.int64)
