"""Rows and lists that live on a GPU.

Only the functions that build FAISS's GPU indexes need a GPU; the classes work with any index of
the same interface.
"""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.flat import scan_cosine
from cipherlens.server.index.overfetch import fetch_count, keep_live
from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.index.rowlog import RowLog, Snapshot
from cipherlens.server.index.untyped import faiss

MAXIMUM_K = 2048  # of FAISS's GPU selection, for k and for nprobe
_SCRATCH_BYTES = 256 << 20  # FAISS would reserve up to 1.5 GiB


class GpuSpace:
    """The scratch memory of one GPU, and the lock under which all indexes there are used.

    FAISS's GPU resources serve one thread at a time, for searching and for freeing too. The lock
    is re-entrant because the garbage collector may free an index in a thread that holds it; that
    thread is then in Python, between two FAISS calls.
    """

    def __init__(self, ordinal: int) -> None:
        self.ordinal = ordinal
        self.lock = threading.RLock()
        self.resources = faiss.StandardGpuResources()
        self.resources.setTempMemory(_SCRATCH_BYTES)


_spaces: dict[int, GpuSpace] = {}
_making_space = threading.Lock()  # guards _spaces: a second lock for one GPU would guard nothing


def gpu_space(ordinal: int) -> GpuSpace:
    """Return the one space of a GPU, made when first asked for."""
    with _making_space:
        if ordinal not in _spaces:
            _spaces[ordinal] = GpuSpace(ordinal)
        return _spaces[ordinal]


def cosine_rows(dimension: int, space: GpuSpace) -> "MirroredRows":
    """Return an empty exact index by inner product on the GPU."""
    config = faiss.GpuIndexFlatConfig()
    config.device = space.ordinal
    with space.lock:
        index = faiss.GpuIndexFlatIP(space.resources, dimension, config)
    return MirroredRows(index, space.lock)


def centroids_on_gpu(dimension: int, ordinal: int) -> Any:
    """Return an empty index by inner product with scratch memory of its own.

    One thread may train with it while others search: it needs no lock.
    """
    resources = faiss.StandardGpuResources()
    resources.setTempMemory(_SCRATCH_BYTES)
    config = faiss.GpuIndexFlatConfig()
    config.device = ordinal
    return faiss.GpuIndexFlatIP(resources, dimension, config)


def lists_on_gpu(index: Any, space: GpuSpace) -> "GpuLists":
    """Return the lists of a CPU IVF index, copied to the GPU."""
    with space.lock:
        copied = faiss.index_cpu_to_gpu(space.resources, space.ordinal, index)
        return GpuLists(copied, space.lock)


class _OnGpu:
    """Owns an index on a GPU."""

    def __init__(self, index: Any, lock: threading.RLock) -> None:
        """Take an index and the lock of its GPU."""
        self._lock = lock  # guards _index
        self._index = index

    def __del__(self) -> None:
        with self._lock:
            self._index = None


class MirroredRows(_OnGpu):
    """An exact index by inner product, empty at first, on a device that follows a row log.

    A search first copies the rows that the device lacks, so that nothing but the log is ever
    written twice, and a failure there leaves no index that disagrees with it.
    """

    def search(self, log: RowLog, queries: NDArray[Any], k: int) -> SearchResult:
        """Return the k best live rows of the log for each query."""
        with self._lock:
            # Taken under the lock: the device holds exactly these rows once it has caught up.
            snapshot = log.snapshot
            limit = fetch_count(snapshot, k, MAXIMUM_K)
            if limit < min(k, snapshot.live) or limit == 0:
                fetched = None  # more than the device can select
            else:
                self._catch_up(snapshot)
                scores, positions = self._index.search(queries, limit)
                fetched = SearchResult(positions, scores)
        if fetched is None:
            return scan_cosine(snapshot.rows, queries, k, snapshot.selector)
        return self._answer(snapshot, fetched, queries, k)

    def _catch_up(self, snapshot: Snapshot) -> None:
        missing = snapshot.rows[self._index.ntotal :]
        if len(missing):
            self._index.add(missing)

    def _answer(
        self, snapshot: Snapshot, fetched: SearchResult, queries: NDArray[Any], k: int
    ) -> SearchResult:
        found, open_questions = keep_live(fetched, snapshot, k)
        if open_questions.any():
            exact = scan_cosine(snapshot.rows, queries[open_questions], k, snapshot.selector)
            found.positions[open_questions], found.scores[open_questions] = exact
        return found


class GpuLists(_OnGpu):
    """Trained lists on a GPU."""

    def __init__(self, index: Any, lock: threading.RLock) -> None:
        """Take an IVF index, never changed from here on, and the lock of its GPU."""
        super().__init__(index, lock)
        self.nlist = int(index.nlist)

    def probe(
        self, snapshot: Snapshot, queries: NDArray[np.float32], k: int, nprobe: int
    ) -> SearchResult:
        """Return up to k live rows of the probed lists for each query, then -1."""
        parameters = faiss.SearchParametersIVF(nprobe=min(nprobe, self.nlist, MAXIMUM_K))
        wanted = max(1, fetch_count(snapshot, k, MAXIMUM_K))
        with self._lock:
            scores, positions = self._index.search(queries, wanted, params=parameters)
        found, _ = keep_live(SearchResult(positions, scores), snapshot, k)
        return found
