"""Searching through trained lists, and the rows that were appended behind them."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.clustering import Clustering
from cipherlens.server.index.flat import scan_cosine
from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.untyped import faiss


class Lists(Protocol):
    """Lists of rows on some device; never changed once built."""

    nlist: int

    def probe(
        self, snapshot: Snapshot, queries: NDArray[np.float32], k: int, nprobe: int
    ) -> SearchResult:
        """Return up to k live rows of the nprobe nearest lists for each query, then -1."""
        ...


class CpuLists:
    """Trained lists on the CPU, which many threads may search at once."""

    def __init__(self, index: Any) -> None:
        """Take a faiss.IndexIVFFlat, never changed from here on."""
        self._index = index
        self.nlist = int(index.nlist)
        # What was searched with last; to make one takes a quarter of a search.
        self._last: tuple[int, Any, Any] = (0, None, None)

    def probe(
        self, snapshot: Snapshot, queries: NDArray[np.float32], k: int, nprobe: int
    ) -> SearchResult:
        """Return up to k live rows of the nprobe nearest lists for each query, then -1."""
        parameters = self._parameters(nprobe, snapshot.selector)
        scores, positions = self._index.search(queries, k, params=parameters)
        return SearchResult(positions, scores)

    def _parameters(self, nprobe: int, selector: Any) -> Any:
        """Return the search parameters, which FAISS only reads; any thread may take them."""
        known_nprobe, known_selector, parameters = self._last
        if parameters is None or nprobe != known_nprobe or selector is not known_selector:
            parameters = faiss.SearchParametersIVF()
            parameters.nprobe = nprobe  # FAISS cuts it to the number of lists
            if selector is not None:
                parameters.sel = selector
            self._last = (nprobe, selector, parameters)
        return parameters


@dataclass(frozen=True, kw_only=True, slots=True)
class ServedLists:
    """The lists in use, what they were made of, and how many of them a search probes."""

    lists: Lists
    clustering: Clustering
    nprobe: int
    recall: float


def search_lists(
    served: ServedLists,
    snapshot: Snapshot,
    queries: NDArray[np.float32],
    k: int,
    nprobe: int | None,
) -> SearchResult:
    """Return the k best rows of the probed lists and of the rows behind them, for each query.

    A query whose lists hold too few live rows is answered exactly, so that a small nprobe costs
    recall but never hits.
    """
    found = served.lists.probe(snapshot, queries, k, nprobe or served.nprobe)
    covered = served.clustering.covered
    tail = snapshot.rows[covered:]
    if len(tail):
        behind = scan_cosine(tail, queries, k, snapshot.selector_from(covered))
        np.add(behind.positions, covered, out=behind.positions, where=behind.positions >= 0)
        found = _merged(found, behind, k)
    needed = min(k, snapshot.live)
    if needed == 0:
        return found
    short = found.positions[:, needed - 1] < 0
    if short.any():
        exact = scan_cosine(snapshot.rows, queries[short], k, snapshot.selector)
        found.positions[short], found.scores[short] = exact
    return found


def _merged(left: SearchResult, right: SearchResult, k: int) -> SearchResult:
    """Return the k best of two results for each query; places without a row come last."""
    positions = np.concatenate([left.positions, right.positions], axis=1)
    scores = np.concatenate([left.scores, right.scores], axis=1)
    scores[positions < 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return SearchResult(
        np.take_along_axis(positions, order, axis=1), np.take_along_axis(scores, order, axis=1)
    )
