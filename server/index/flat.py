"""FAISS's brute-force kernels, run over rows that we hold ourselves.

An IndexFlat would copy every row and could not be searched while it grows. These are the kernels
that it calls; they read straight from the memory of a snapshot.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.protocol import SearchResult
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
    distances = np.empty((len(queries), k), np.int32)
    positions = np.empty((len(queries), k), np.int64)
    heap = faiss.int_maxheap_array_t()
    heap.nh, heap.k = len(queries), k
    heap.val, heap.ids = faiss.swig_ptr(distances), faiss.swig_ptr(positions)
    faiss.hammings_knn_hc(
        heap,
        faiss.swig_ptr(queries),
        faiss.swig_ptr(rows),
        len(rows),
        rows.shape[1],
        1,  # ordered
        faiss.EXACT_TOPK,
        selector,
    )
    return SearchResult(positions, distances)
