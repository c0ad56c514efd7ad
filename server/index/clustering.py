"""Centroids, and the list that each row belongs to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.errors import UnfitStateError
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.untyped import faiss


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """The centroids, and the list of each of the first rows of a log.

    centroids: flat FAISS index of (nlist, dimension) unit vectors.
    lists: (covered,) int64, masked rows included.
    trained_on: live rows when the centroids were trained.
    """

    centroids: Any
    lists: NDArray[np.int64]
    trained_on: int

    @property
    def covered(self) -> int:
        """The number of rows that have a list."""
        return len(self.lists)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return centroids and lists as `restored_clustering` takes them."""
        vectors = self.centroids.reconstruct_n(0, self.centroids.ntotal)
        return {"centroids": vectors, "lists": self.lists.astype("<i4")}


def restored_clustering(state: IndexState, dimension: int) -> Clustering:
    """Return the clustering in a state of vectors. Raises UnfitStateError."""
    vectors = state.array("centroids", "<f4", (None, dimension))
    lists = state.array("lists", "<i4", (None,)).astype(np.int64)
    covered, rows = len(lists), len(state.arrays["rows"])
    if covered > rows or (covered and not 0 <= lists.min() <= lists.max() < len(vectors)):
        raise UnfitStateError(
            f"lists must number at most {rows} rows from 0 to {len(vectors) - 1}, got {covered}"
        )
    centroids = faiss.IndexFlatIP(dimension)
    centroids.add(vectors)
    return Clustering(centroids=centroids, lists=lists, trained_on=state.fact("trained_on", int))
