"""FAISS's brute-force kernels, run over rows that we hold ourselves.

An IndexFlat would copy every row and could not be searched while it grows. These are the kernels
that it calls; they read straight from the memory of a snapshot.
"""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.untyped import faiss


def scan_cosine(
    rows: NDArray[np.float32], queries: NDArray[np.float32], k: int, selector: Any
) -> SearchResult:
    """Return the k selected rows of largest inner product with each query.

    Args:
        rows: (n, dimension) float32, C-contiguous.
        queries: (q, dimension) float32, C-contiguous.
        selector: a FAISS IDSelector over 0..n-1, or None for all rows.
    """
    scores = np.empty((len(queries), k), np.float32)
    positions = np.empty((len(queries), k), np.int64)
    faiss.knn_inner_product(
        faiss.swig_ptr(queries),
        faiss.swig_ptr(rows),
        rows.shape[1],
        len(queries),
        len(rows),
        k,
        faiss.swig_ptr(scores),
        faiss.swig_ptr(positions),
        selector,
    )
    return SearchResult(positions, scores)


def candidate_count(k: int) -> int:
    """Return how many rows to choose by a byte a number for `rank_chosen` to find the best k.

    Of the pixels of 20,000 pictures at k = 20, the best 20 by a byte a number lose .05 of the hits,
    25 lose .007 and 33, as here, .0005.
    """
    return k + k // 4 + 8


def with_tail(
    candidates: Sequence[NDArray[np.int64]], snapshot: Snapshot, first: int, stop: int
) -> NDArray[np.int64]:
    """Return candidates, and with them the live rows from first to stop, as `rank_chosen` takes.

    candidates: (q, any) positions each, of the same queries; -1 is none.
    """
    tail = snapshot.live_from(first, stop)
    behind = np.broadcast_to(tail, (len(candidates[0]), len(tail)))
    return -np.sort(-np.concatenate([*candidates, behind], axis=1), axis=1)


def rank_chosen(
    rows: NDArray[np.float32], queries: NDArray[np.float32], chosen: NDArray[np.int64], k: int
) -> SearchResult:
    """Return the k chosen rows of largest inner product with each query.

    Args:
        rows: (n, dimension) float32, C-contiguous.
        queries: (q, dimension) float32, C-contiguous.
        chosen: (q, m) positions in rows, C-contiguous, each once; after a -1 none is looked at.
    """
    scores = np.empty((len(queries), k), np.float32)
    positions = np.empty((len(queries), k), np.int64)
    faiss.knn_inner_products_by_idx(
        faiss.swig_ptr(queries),
        faiss.swig_ptr(rows),
        faiss.swig_ptr(chosen),
        rows.shape[1],
        len(queries),
        len(rows),
        chosen.shape[1],
        k,
        faiss.swig_ptr(scores),
        faiss.swig_ptr(positions),
        chosen.shape[1],
    )
    return SearchResult(positions, scores)


def pick_cosine(
    rows: NDArray[np.float32], queries: NDArray[np.float32], chosen: NDArray[np.int64], k: int
) -> SearchResult:
    """Return the k of some rows of largest inner product with each query, then -1.

    Args:
        rows: (n, dimension) float32, C-contiguous.
        queries: (q, dimension) float32, C-contiguous.
        chosen: (m,) positions in rows, each once.
    """
    if not len(chosen):
        return nothing_found(len(queries), k, np.float32)
    # One query after the other: all together would need the positions once for each.
    found = [rank_chosen(rows, queries[i : i + 1], chosen[None], k) for i in range(len(queries))]
    if len(found) == 1:
        return found[0]
    positions, scores = zip(*found, strict=True)
    return SearchResult(np.concatenate(positions), np.concatenate(scores))


def nothing_found(queries: int, k: int, score: "type[np.generic]") -> SearchResult:
    """Return the answer of no rows."""
    return SearchResult(np.full((queries, k), -1, np.int64), np.zeros((queries, k), score))


def scan_hamming(
    rows: NDArray[np.uint8], queries: NDArray[np.uint8], k: int, selector: Any
) -> SearchResult:
    """Return the k selected rows of smallest Hamming distance by (distance, position).

    FAISS compares heap entries as (distance, id) pairs and meets the rows in order, so that both
    the order among equal distances and the choice at the k-th place go to the lower position.

    Args:
        rows: (n, size) uint8, C-contiguous.
        queries: (q, size) uint8, C-contiguous.
        selector: a FAISS IDSelector over 0..n-1, or None for all rows.
    """
    heap = _heaps.of(len(queries), k)
    faiss.hammings_knn_hc(
        heap.of(len(queries)),
        faiss.swig_ptr(queries),
        faiss.swig_ptr(rows),
        len(rows),
        rows.shape[1],
        1,  # ordered
        faiss.EXACT_TOPK,
        selector,
    )
    return heap.result(len(queries))


def pick_hamming(
    rows: NDArray[np.uint8], queries: NDArray[np.uint8], chosen: NDArray[np.int64], k: int
) -> SearchResult:
    """Return the k of some rows of smallest Hamming distance by (distance, position), then -1.

    Args:
        rows: (n, size) uint8, C-contiguous.
        queries: (q, size) uint8, C-contiguous.
        chosen: (m,) positions in rows, ascending.
    """
    if not len(chosen):
        return nothing_found(len(queries), k, np.int32)
    size = rows.shape[1]
    whole = rows.view(_WHOLE_CODES.get(size, f"V{size}"))[:, 0]  # moved as one number, not by bytes
    picked = whole[chosen].view(np.uint8).reshape(-1, size)
    found = scan_hamming(picked, queries, k, None)
    positions = np.where(found.positions < 0, -1, chosen[found.positions])
    return SearchResult(positions, found.scores)


_WHOLE_CODES = {4: "<u4", 8: "<u8"}  # by the bytes of a code
_MOST_KEPT = 64  # queries in a kept heap
_LARGEST_KEPT = 4096  # hits, some 50 kB


class _Heaps(threading.local):
    """The heap that a thread had FAISS fill last: to make one takes half as long as a search."""

    last: "_Heap | None" = None

    def of(self, queries: int, k: int) -> "_Heap":
        if queries > _MOST_KEPT or _MOST_KEPT * k > _LARGEST_KEPT:
            return _Heap(queries, k)
        if self.last is None or self.last.k != k:
            self.last = _Heap(_MOST_KEPT, k)
        return self.last


class _Heap:
    """What FAISS takes to put Hamming distances in, and the arrays that it points to."""

    def __init__(self, queries: int, k: int) -> None:
        self.k = k
        self._distances = np.empty((queries, k), np.int32)
        self._positions = np.empty((queries, k), np.int64)
        self._array = faiss.int_maxheap_array_t()
        self._array.k = k
        self._array.val = faiss.swig_ptr(self._distances)
        self._array.ids = faiss.swig_ptr(self._positions)

    def of(self, queries: int) -> Any:
        """Return it for so many queries, as FAISS takes it."""
        self._array.nh = queries
        return self._array

    def result(self, queries: int) -> SearchResult:
        """Return a copy of what it was filled with."""
        return SearchResult(self._positions[:queries].copy(), self._distances[:queries].copy())


_heaps = _Heaps()
