"""Centroids, and the list that each row belongs to."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.errors import UnfitStateError
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.untyped import faiss

_ITERATIONS = 10
# Sampled and copied: 0.4 GB for a million rows of 768. Twice as many train twice as long, and
# change the lists that a search needs by less than one seed does.
_ROWS_PER_LIST = 64


@dataclass(frozen=True, kw_only=True)
class Clustering:
    """The centroids, and the list of each of the first rows of a log.

    centroids: (nlist, width), unit vectors as float32 or codes as uint8.
    coarse: flat FAISS index of the centroids.
    lists: (covered,) int32, masked rows included.
    trained_on: live rows when the centroids were trained.
    """

    centroids: NDArray[Any]
    coarse: Any
    lists: NDArray[np.int32]
    trained_on: int

    @property
    def nlist(self) -> int:
        """The number of lists."""
        return len(self.centroids)

    @property
    def covered(self) -> int:
        """The number of rows that have a list."""
        return len(self.lists)

    @property
    def size_bytes(self) -> int:
        """What centroids, held twice, and the numbers of the lists take."""
        return 2 * self.centroids.nbytes + self.lists.nbytes

    def extended(self, rows: NDArray[Any], elsewhere: Any = None) -> "Clustering":
        """Return the clustering of all these rows; known ones keep their list.

        elsewhere: an index of the same centroids that finds the nearest one faster.
        """
        _, nearest = (elsewhere or self.coarse).search(rows[self.covered :], 1)
        return replace(self, lists=np.append(self.lists, nearest[:, 0].astype(np.int32)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return centroids and lists as `restored_clustering` takes them."""
        return {"centroids": self.centroids, "lists": self.lists}


def new_clustering(centroids: NDArray[Any], trained_on: int) -> Clustering:
    """Return a clustering of no rows yet."""
    if centroids.dtype == np.uint8:
        coarse = faiss.IndexBinaryFlat(8 * centroids.shape[1])
    else:
        coarse = faiss.IndexFlatIP(centroids.shape[1])
    coarse.add(centroids)
    empty = np.empty(0, np.int32)
    return Clustering(centroids=centroids, coarse=coarse, lists=empty, trained_on=trained_on)


def vector_centroids(
    rows: NDArray[np.float32],
    positions: NDArray[np.int64],
    nlist: int,
    seed: int,
    elsewhere: Any = None,
) -> NDArray[np.float32]:
    """Return (nlist, dimension) unit vectors: spherical k-means of rows[positions], or of a part.

    positions: shuffled; the first ones are taken.
    elsewhere: an index by inner product that finds nearest centroids faster than one of ours
        would. It then holds the centroids.
    """
    kmeans = faiss.Kmeans(
        rows.shape[1],
        nlist,
        niter=_ITERATIONS,
        seed=seed % 2**31,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_ROWS_PER_LIST,
    )
    if elsewhere is not None:
        kmeans.index = elsewhere
    kmeans.train(_sampled(rows, positions, nlist))
    centroids: NDArray[np.float32] = kmeans.centroids
    return centroids


def code_centroids(
    rows: NDArray[np.uint8], positions: NDArray[np.int64], nlist: int, seed: int
) -> NDArray[np.uint8]:
    """Return (nlist, size) codes: k-means of the bits of rows[positions], or of a part, rounded.

    positions: shuffled; the first ones are taken.
    """
    size = rows.shape[1]
    coarse = faiss.IndexBinaryFlat(8 * size)
    lists = faiss.IndexBinaryIVF(coarse, 8 * size, nlist)
    lists.cp.niter, lists.cp.seed = _ITERATIONS, seed % 2**31
    lists.cp.min_points_per_centroid, lists.cp.max_points_per_centroid = 1, _ROWS_PER_LIST
    lists.train(_sampled(rows, positions, nlist))
    centroids: NDArray[np.uint8] = faiss.vector_to_array(coarse.xb).reshape(nlist, size)
    return centroids


def _sampled(rows: NDArray[Any], positions: NDArray[np.int64], nlist: int) -> NDArray[Any]:
    return rows[np.sort(positions[: nlist * _ROWS_PER_LIST])]


def restored_clustering(state: IndexState, dtype: "np.dtype[Any]", width: int) -> Clustering:
    """Return the clustering in a state. Raises UnfitStateError."""
    centroids = state.array("centroids", dtype, (None, width))
    lists = state.array("lists", np.int32, (None,))
    covered, rows = len(lists), len(state.arrays["rows"])
    if covered > rows or (covered and not 0 <= lists.min() <= lists.max() < len(centroids)):
        raise UnfitStateError(
            f"lists must be of at most {rows} rows, from 0 to {len(centroids) - 1}, got {covered}"
        )
    found = new_clustering(centroids, state.fact("trained_on", int))
    return replace(found, lists=lists)
