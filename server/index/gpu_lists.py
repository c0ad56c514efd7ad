"""Inverted lists of unit vectors on a GPU, as they are: its memory is fast enough."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.calibration import recall_by_nprobe
from cipherlens.server.index.clustering import Clustering, restored_clustering, vector_centroids
from cipherlens.server.index.flat import scan_cosine
from cipherlens.server.index.gpu import GpuLists, GpuSpace, centroids_on_gpu, lists_on_gpu
from cipherlens.server.index.lists import Lists, restored_nprobes
from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.segments import filled
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.training import train_clustering
from cipherlens.server.index.untyped import faiss

# The CPU scans a tail, at 3 GB/s, while a search on the GPU takes a fifth of a millisecond.
_SHORTEST_TAIL = 512
_TAIL_SHARE = 1 / 32
_FEWEST_ROWS = 50_000
"""Below, comparing all rows is as fast, and finds all: 6,280 queries a second of 10,000 rows one by
one, as through lists, and 508,000 against 606,000 in batches of 1,024, on an H200."""


@dataclass(frozen=True, kw_only=True)
class GpuVectorLists(Lists):
    """Lists over the first rows of a log; see Trained."""

    lists: GpuLists
    space: GpuSpace
    pays = True

    @property
    def longest_tail(self) -> int:
        """The rows behind the lists from which it pays to send all lists again."""
        return max(_SHORTEST_TAIL, int(_TAIL_SHARE * self.covered))

    def reach(self, snapshot: Snapshot) -> int:  # noqa: ARG002 a tail is scanned on the CPU
        """Return the rows that have a list."""
        return self.covered

    def search(
        self,
        snapshot: Snapshot,
        queries: NDArray[np.float32],
        k: int,
        parameters: SearchParameters,
    ) -> SearchResult:
        """Return up to k live rows of the probed lists for each query, then -1."""
        return self.lists.probe(snapshot, queries, k, parameters.nprobe or self.nprobe)

    def extended(self, snapshot: Snapshot) -> "GpuVectorLists":
        """Return lists that the new rows are in too, sent to the GPU as a whole."""
        clustering = self.clustering.extended(snapshot.rows)
        return replace(self, clustering=clustering, lists=_sent(snapshot, clustering, self.space))

    @property
    def row_bytes(self) -> int:
        """What a row takes in a list."""
        return 4 * int(self.clustering.coarse.d)

    def state(self) -> IndexState:
        """Return everything but the rows, from which the lists are filled again."""
        return self._state("gpu lists")


class GpuListsTrainer:
    """Trains centroids on a GPU, fills lists on the CPU and sends them there; see Trainer."""

    def __init__(self, settings: IvfSettings, space: GpuSpace) -> None:
        self._settings = settings
        self._space = space
        self.minimum_rows = max(settings.minimum_rows, _FEWEST_ROWS)
        self.growth = settings.growth

    def train(self, snapshot: Snapshot, seed: int) -> GpuVectorLists:
        """Return lists over all rows, with an nprobe that surely reaches the target recall."""
        nearest = centroids_on_gpu(snapshot.rows.shape[1], self._space.ordinal)
        centroids = partial(vector_centroids, elsewhere=nearest)
        clustering, sample, nprobes = train_clustering(
            snapshot, self._settings, seed, centroids, scan_cosine, nearest
        )
        recall = float(recall_by_nprobe(sample, clustering)[:, nprobes[0] - 1].mean())
        return self._served(snapshot, clustering, nprobes, recall)

    def restored(self, state: IndexState, snapshot: Snapshot) -> GpuVectorLists | None:
        """Return the lists in a state, sent anew. Raises UnfitStateError."""
        if state.facts.get("trained") != "gpu lists":
            return None
        rows = snapshot.rows
        clustering = restored_clustering(state, rows.dtype, rows.shape[1])
        nprobes, recall = restored_nprobes(state), state.fact("recall", float)
        return self._served(snapshot, clustering, nprobes, recall)

    def _served(
        self, snapshot: Snapshot, clustering: Clustering, nprobes: tuple[int, ...], recall: float
    ) -> GpuVectorLists:
        return GpuVectorLists(
            clustering=clustering,
            lists=_sent(snapshot, clustering, self._space),
            space=self._space,
            nprobes=nprobes,
            recall=recall,
        )


def _sent(snapshot: Snapshot, clustering: Clustering, space: GpuSpace) -> GpuLists:
    centroids: Any = clustering.coarse
    index = faiss.IndexIVFFlat(centroids, centroids.d, clustering.nlist, faiss.METRIC_INNER_PRODUCT)
    return lists_on_gpu(filled(index, snapshot, clustering.lists, 0).index, space)
