"""The same search in bare FAISS and through our index, both in this process."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.rounds import asking
from cipherlens.base import code_size_bytes
from cipherlens.server.index import (
    CosineIndex,
    HammingIndex,
    SearchParameters,
    resolve_device,
)
from cipherlens.server.index.codes import padded_codes, stored_size_bytes
from cipherlens.server.index.untyped import faiss

K = 20
BARE, OURS = "bare FAISS", "in process"
CENTRES = 100

Codes = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Call = Callable[[], object]


def code_calls(
    codes: Codes, queries: Codes, bits: int, alive: NDArray[np.bool_] | None = None
) -> dict[str, Call]:
    """Return one search by Hamming distance either way, over the codes that are alive."""
    index = HammingIndex(bits)
    index.append(codes)
    stored = stored_size_bytes(bits)
    flat = faiss.IndexBinaryFlat(8 * stored)
    flat.add(padded_codes(codes, stored))
    parameters = None
    if alive is not None:
        index.mask(np.flatnonzero(~alive))
        selector = faiss.IDSelectorBitmap(np.packbits(alive, bitorder="little"))
        parameters = faiss.SearchParameters(sel=selector)
    return {
        BARE: asking(
            lambda query: flat.search(query, K, params=parameters),
            singles(padded_codes(queries, stored)),
        ),
        OURS: asking(lambda query: index.search(query, K), singles(queries)),
    }


def exact_calls(vectors: Vectors, queries: Vectors) -> dict[str, Call]:
    """Return one search by cosine over all vectors either way."""
    index = _filled(vectors)
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    return _cosine_calls(index, flat, queries)


def ivf_calls(
    vectors: Vectors, queries: Vectors, seed: int, behind: Vectors | None = None
) -> tuple[dict[str, Call], dict[str, float]]:
    """Return one search by cosine through lists either way, and how the lists were trained.

    Bare FAISS searches the vectors in the same lists and probes as many of them. `behind` are
    vectors that our index alone holds, appended after the training.
    """
    index = _filled(vectors)
    start = time.perf_counter()
    index.train(seed)
    training_s = time.perf_counter() - start
    lists = bare_lists(index)
    facts = {
        "nlist": lists.nlist,
        "nprobe": lists.nprobe,
        "recall": _recall(index, queries),
        "training_s": round(training_s, 3),
    }
    if behind is not None:
        index.append(behind)
    return _cosine_calls(index, lists, queries), facts


def bare_lists(index: CosineIndex) -> Any:
    """Return an IndexIVFFlat with the vectors of a trained index, in the same lists."""
    arrays = index.state().arrays
    vectors, centroids, lists = arrays["rows"], arrays["centroids"], arrays["lists"]
    coarse = faiss.IndexFlatIP(vectors.shape[1])
    coarse.add(centroids)
    bare = faiss.IndexIVFFlat(coarse, vectors.shape[1], len(centroids), faiss.METRIC_INNER_PRODUCT)
    chosen = lists.astype(np.int64)
    bare.add_core(len(vectors), faiss.swig_ptr(vectors), None, faiss.swig_ptr(chosen))
    bare.nprobe = index.describe().nprobe
    return bare


def singles(queries: NDArray[Any]) -> list[NDArray[Any]]:
    """Return each query as a table of one row."""
    return [queries[i : i + 1] for i in range(len(queries))]


def random_codes(draw: np.random.Generator, count: int, bits: int) -> Codes:
    """Return codes without any order."""
    rows = draw.integers(0, 256, (count, code_size_bytes(bits)), dtype=np.uint8)
    if bits % 8:
        rows[:, -1] &= (1 << bits % 8) - 1
    return rows


def clustered_vectors(
    draw: np.random.Generator, dimension: int, counts: tuple[int, ...]
) -> list[Vectors]:
    """Return so many unit vectors each time around common centres, with noise of their size."""
    centres = draw.standard_normal((CENTRES, dimension))
    return [_around(centres, count, draw) for count in counts]


def _around(centres: NDArray[np.float64], count: int, draw: np.random.Generator) -> Vectors:
    rows = centres[draw.integers(0, len(centres), count)]
    rows = rows + draw.standard_normal(rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows, np.float32)


def _filled(vectors: Vectors) -> CosineIndex:
    index = CosineIndex(vectors.shape[1], resolve_device("cpu"))
    index.append(vectors)
    return index


def _cosine_calls(index: CosineIndex, bare: Any, queries: Vectors) -> dict[str, Call]:
    return {
        BARE: asking(lambda query: bare.search(query, K), singles(queries)),
        OURS: asking(lambda query: index.search(query, K), singles(queries)),
    }


def _recall(index: CosineIndex, queries: Vectors) -> float:
    """Return which part of the exact hits a default search finds."""
    truth = index.search(queries, K, SearchParameters(exact=True)).positions
    found = index.search(queries, K).positions
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True))
    return round(hits / truth.size, 4)
