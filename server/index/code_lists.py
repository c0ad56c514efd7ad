"""Inverted lists of binary codes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.clustering import Clustering
from cipherlens.server.index.lists import SegmentedLists
from cipherlens.server.index.merging import best_of
from cipherlens.server.index.overfetch import keep_live
from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.untyped import faiss

_LONGEST_TAIL = 4096  # scanned in 7 us
_MASKED_BESIDE = 16  # hits that may turn out masked, and as many more as are wanted
# A code in a list costs what a code in a scan does, and to rank the lists costs something too.
_LARGEST_SHARE = 0.5


@dataclass(frozen=True, kw_only=True)
class CodeLists(SegmentedLists):
    """Lists over the first codes of a log; see Trained."""

    @property
    def pays(self) -> bool:
        """Whether a search probes few enough lists to be faster than a scan."""
        return self.nprobe <= _LARGEST_SHARE * self.clustering.nlist

    @property
    def longest_tail(self) -> int:
        """The codes behind the lists from which it pays to put them there too."""
        return _LONGEST_TAIL

    def reach(self, snapshot: Snapshot) -> int:  # noqa: ARG002 a scan of a tail is as fast
        """Return the codes that have a list."""
        return self.covered

    def search(
        self, snapshot: Snapshot, queries: NDArray[np.uint8], k: int, parameters: SearchParameters
    ) -> SearchResult:
        """Return the nearest live codes of the probed lists; their distances are exact."""
        probed = self.probed(parameters, snapshot.share)
        distances, lists = self.clustering.coarse.search(queries, probed)
        how = self.probing.of(probed)
        # FAISS takes no selector here. Where masked codes leave a query short, it is scanned for.
        fetched = k if snapshot.alive is None else self._fetched(k, snapshot.share)
        found = [
            _nearest(each.index, queries, fetched, lists, distances, how) for each in self.segments
        ]
        best = best_of(found, fetched)
        return best if snapshot.alive is None else keep_live(best, snapshot, k)[0]

    def _fetched(self, k: int, share: float) -> int:
        """Return how many hits to ask for so that nearly always k of them are live and kept."""
        return min(int(2 * k / share) + _MASKED_BESIDE, max(k, self.covered))

    def empty(self, clustering: Clustering) -> Any:
        """Return an empty FAISS index over the centroids."""
        return empty_lists(clustering)

    @property
    def row_bytes(self) -> int:
        """What a code takes in a list."""
        width: int = self.clustering.centroids.shape[1]
        return width

    def state(self) -> IndexState:
        """Return everything but the codes, from which the lists are filled again."""
        return self._state("code lists")


def empty_lists(clustering: Clustering) -> Any:
    """Return an empty FAISS index over the centroids."""
    bits = 8 * clustering.centroids.shape[1]
    index = faiss.IndexBinaryIVF(clustering.coarse, bits, clustering.nlist)
    index.is_trained = True
    return index


def _nearest(
    index: Any,
    queries: NDArray[np.uint8],
    count: int,
    lists: NDArray[np.int64],
    distances: NDArray[np.int32],
    how: Any,
) -> SearchResult:
    """Return the count nearest codes of a segment for each query, then -1."""
    found = SearchResult(
        np.empty((len(queries), count), np.int64), np.empty((len(queries), count), np.int32)
    )
    index.search_preassigned_c(
        len(queries),
        faiss.swig_ptr(queries),
        count,
        faiss.swig_ptr(lists),
        faiss.swig_ptr(distances),
        faiss.swig_ptr(found.scores),
        faiss.swig_ptr(found.positions),
        False,  # positions, not places in lists
        how,
    )
    return found
