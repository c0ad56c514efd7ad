"""The raw FAISS index beneath each of ours, over the same rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing.local import K, bare_lists
from cipherlens.server.index import CosineIndex, IndexState, VectorIndex
from cipherlens.server.index.flat import candidate_count
from cipherlens.server.index.untyped import faiss

_NEIGHBOURS = 32


def bare(index: VectorIndex) -> Callable[[NDArray[Any]], object]:
    """Return a search for K hits by raw FAISS through an index like this one."""
    state, kind = index.state(), index.describe().kind
    if kind == "cosine-ivf":
        assert isinstance(index, CosineIndex)
        found = bare_lists(index)
    elif kind == "cosine-hnsw":
        found = _graph(state)
    elif kind == "hamming-ivf":
        found = _code_lists(state, index.describe().nprobe)
    else:
        found = _flat(state.arrays["rows"])
    return lambda queries: found.search(queries, K)


def _flat(rows: NDArray[Any]) -> Any:
    binary = rows.dtype == np.uint8
    made = faiss.IndexBinaryFlat if binary else faiss.IndexFlatIP
    flat = made(8 * rows.shape[1] if binary else rows.shape[1])
    flat.add(rows)
    return flat


def _graph(state: IndexState) -> Any:
    """Return HNSW over float32, as FAISS builds it by default, with our ef."""
    rows = state.arrays["rows"]
    graph = faiss.IndexHNSWFlat(rows.shape[1], _NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efSearch = max(
        state.facts["ef"], candidate_count(K)
    )  # ours keeps as many candidates
    graph.add(rows)
    return graph


def _code_lists(state: IndexState, nprobe: int) -> Any:
    rows, centroids = state.arrays["rows"], state.arrays["centroids"]
    bits = 8 * rows.shape[1]
    coarse = faiss.IndexBinaryFlat(bits)
    coarse.add(centroids)
    lists = faiss.IndexBinaryIVF(coarse, bits, len(centroids))
    lists.own_fields = False
    lists.referenced = coarse  # kept alive: the lists only point to it
    lists.is_trained = True
    chosen = state.arrays["lists"].astype(np.int64)
    lists.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(chosen))
    lists.nprobe = nprobe
    return lists
