"""Inverted lists of unit vectors: quantised in the lists, ranked exactly in the end.

A search of vectors is bound by the memory that it reads. The lists hold one byte a number, of the
difference to the centroid; the best candidates of a search are compared again as they are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.clustering import Clustering
from cipherlens.server.index.flat import candidate_count, rank_chosen, with_tail
from cipherlens.server.index.lists import SegmentedLists
from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.untyped import faiss

_SHORT_TAIL = 64  # rows that join the candidates: some 5 us, 768 numbers a row


@dataclass(frozen=True, kw_only=True)
class Coding:
    """How a number of a row lies in a list.

    size_bytes: 1, or 2 for half precision: where rows differ by less than a byte can tell.
    lowest, width: the range of the numbers that a byte spans.
    """

    size_bytes: int
    lowest: float = 0.0
    width: float = 0.0

    def lists(self, clustering: Clustering) -> Any:
        """Return an empty index over the centroids."""
        kinds = faiss.ScalarQuantizer
        index = faiss.IndexIVFScalarQuantizer(
            clustering.coarse,
            clustering.coarse.d,
            clustering.nlist,
            kinds.QT_8bit_uniform if self.size_bytes == 1 else kinds.QT_fp16,
            faiss.METRIC_INNER_PRODUCT,
            True,  # of residuals
        )
        span = np.array([self.lowest, self.width], np.float32)
        faiss.copy_array_to_vector(span, index.sq.trained)
        index.is_trained = True
        return index


@dataclass(frozen=True, kw_only=True)
class VectorLists(SegmentedLists):
    """Lists over the first rows of a log; see Trained."""

    coding: Coding
    slowness = 4  # a number in a byte is made one in four before it is compared
    longest_tail = _SHORT_TAIL
    pays = True  # read through a quarter of the memory, all lists are faster than a scan

    def reach(self, snapshot: Snapshot) -> int:
        """Return the rows that have a list, and a short tail behind them."""
        rows = len(snapshot.rows)
        return rows if rows - self.covered <= _SHORT_TAIL else self.covered

    def search(
        self,
        snapshot: Snapshot,
        queries: NDArray[np.float32],
        k: int,
        parameters: SearchParameters,
    ) -> SearchResult:
        """Return the best candidates of the probed lists, by their true similarity."""
        probed = self.probed(parameters, snapshot.share)
        similarities = np.empty((len(queries), probed), np.float32)
        lists = np.empty((len(queries), probed), np.int64)
        self.clustering.coarse.search_c(
            len(queries),
            faiss.swig_ptr(queries),
            probed,
            faiss.swig_ptr(similarities),
            faiss.swig_ptr(lists),
        )
        how = self.probing.of(probed, snapshot.selector)
        found = [
            _candidates(each.index, queries, candidate_count(k), lists, similarities, how)
            for each in self.segments
        ]
        reach = self.reach(snapshot)
        if len(found) == 1 and reach == self.covered:
            return rank_chosen(snapshot.rows, queries, found[0], k)
        chosen = with_tail(found, snapshot, self.covered, reach)
        return rank_chosen(snapshot.rows, queries, chosen, k)

    def empty(self, clustering: Clustering) -> Any:
        """Return an empty FAISS index over the centroids."""
        return self.coding.lists(clustering)

    @property
    def row_bytes(self) -> int:
        """What a row takes in a list."""
        width: int = self.clustering.centroids.shape[1]
        return self.coding.size_bytes * width

    def state(self) -> IndexState:
        """Return everything but the rows, from which the lists are filled again."""
        return self._state(
            "vector lists",
            number_bytes=self.coding.size_bytes,
            lowest=self.coding.lowest,
            width=self.coding.width,
        )


def _candidates(
    index: Any,
    queries: NDArray[np.float32],
    count: int,
    lists: NDArray[np.int64],
    similarities: NDArray[np.float32],
    how: Any,
) -> NDArray[np.int64]:
    """Return the count rows of a segment that look best for each query, (q, count), then -1."""
    scores = np.empty((len(queries), count), np.float32)
    positions = np.empty((len(queries), count), np.int64)
    index.search_preassigned_c(
        len(queries),
        faiss.swig_ptr(queries),
        count,
        faiss.swig_ptr(lists),
        faiss.swig_ptr(similarities),
        faiss.swig_ptr(scores),
        faiss.swig_ptr(positions),
        False,  # positions, not places in lists
        how,
    )
    return positions
