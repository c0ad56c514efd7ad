"""Search through our indexes against the bare FAISS calls beneath them.

Both sides answer the same single queries over the same rows, in turn, so that what else runs on
the machine meets both alike; a figure is the median over rounds of a round's mean.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rounds import medians_us
from cipherlens.server.index import (
    CosineIndex,
    HammingIndex,
    SearchParameters,
    resolve_device,
    train_ivf,
    use_one_thread,
)
from cipherlens.server.index.codes import code_size_bytes, padded_codes, stored_size_bytes
from cipherlens.server.index.untyped import faiss

K = 20
DIMENSION = 768
CENTRES = 100
MASKED_FRACTION = 0.05

Search = Callable[[NDArray[Any]], Any]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How much is measured."""

    rows: int
    rounds: int
    calls_per_round: int


PROFILES = {
    "quick": Profile(rows=10_000, rounds=15, calls_per_round=40),
    "full": Profile(rows=10_000, rounds=101, calls_per_round=200),
}


def run(profile: str) -> dict[str, Any]:
    """Return medians in microseconds for one query, and the ratio of ours to bare FAISS."""
    size = PROFILES[profile]
    use_one_thread()
    results: dict[str, Any] = {
        f"hamming {bits} bits{', 5 % masked' if masked else ''}": _hamming(bits, size, masked)
        for bits in (12, 48, 64, 256)
        for masked in (False, True)
    }
    results |= _cosine(size)
    return {"rows": size.rows, "k": K, "results": results}


@dataclass(frozen=True)
class Contender:
    """A search, and the single queries that it is called with."""

    search: Search
    queries: list[NDArray[Any]]

    def sweep(self) -> None:
        """Answer all queries once."""
        for query in self.queries:
            self.search(query)


def compare(ours: Contender, bare: Contender, rounds: int) -> dict[str, Any]:
    """Return the medians of both contenders over rounds in which each is called in turn."""
    sweeps_us = medians_us({"bare": bare.sweep, "ours": ours.sweep}, rounds=rounds, calls=1)
    bare_us = sweeps_us["bare"] / len(bare.queries)
    ours_us = sweeps_us["ours"] / len(ours.queries)
    return {
        "ours_us": round(ours_us, 1),
        "bare_faiss_us": round(bare_us, 1),
        "overhead_us": round(ours_us - bare_us, 1),
        "ratio": round(ours_us / bare_us, 3),
    }


def _singles(queries: NDArray[Any]) -> list[NDArray[Any]]:
    return [queries[i : i + 1] for i in range(len(queries))]


def _hamming(bits: int, size: Profile, masked: bool) -> dict[str, Any]:
    """Return the figures of a code index against faiss.IndexBinaryFlat over padded codes."""
    rng = np.random.default_rng(bits)
    rows = _codes(rng, size.rows, bits)
    queries = _codes(rng, size.calls_per_round, bits)
    index = HammingIndex(bits, resolve_device("cpu"))
    index.append(rows)
    stored = stored_size_bytes(bits)
    flat = faiss.IndexBinaryFlat(8 * stored)
    flat.add(padded_codes(rows, stored))
    parameters = None
    if masked:
        alive = rng.random(size.rows) >= MASKED_FRACTION
        index.mask(np.flatnonzero(~alive))
        selector = faiss.IDSelectorBitmap(np.packbits(alive, bitorder="little"))
        parameters = faiss.SearchParameters(sel=selector)
    return compare(
        Contender(lambda query: index.search(query, K), _singles(queries)),
        Contender(
            lambda query: flat.search(query, K, params=parameters),
            _singles(padded_codes(queries, stored)),
        ),
        size.rounds,
    )


def _codes(rng: np.random.Generator, count: int, bits: int) -> NDArray[np.uint8]:
    rows = rng.integers(0, 256, (count, code_size_bytes(bits)), dtype=np.uint8)
    if bits % 8:
        rows[:, -1] &= (1 << bits % 8) - 1
    return rows


def _cosine(size: Profile) -> dict[str, Any]:
    """Return the figures of a vector index before training, after it, and with rows behind it."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((CENTRES, DIMENSION))
    rows = _around(centres, size.rows, rng)
    queries = _around(centres, size.calls_per_round, rng)
    index = CosineIndex(DIMENSION, resolve_device("cpu"))
    index.append(rows)
    ours = Contender(lambda query: index.search(query, K), _singles(queries))
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(rows)
    bare_flat = Contender(lambda query: flat.search(query, K), ours.queries)
    results = {"cosine flat": compare(ours, bare_flat, size.rounds)}

    start = time.perf_counter()
    trained = train_ivf(index.training_snapshot(), seed=1)
    training_s = time.perf_counter() - start
    index.adopt(trained)
    ivf = faiss.clone_index(trained.index)
    ivf.nprobe = trained.nprobe
    bare_ivf = Contender(lambda query: ivf.search(query, K), ours.queries)
    results["cosine IVF"] = compare(ours, bare_ivf, size.rounds) | {
        "nlist": ivf.nlist,
        "nprobe": ivf.nprobe,
        "recall_at_20": _recall(index, queries),
        "training_s": round(training_s, 3),
    }
    index.append(_around(centres, 500, rng))
    results["cosine IVF, 500 rows behind the lists"] = compare(ours, bare_ivf, size.rounds)
    return results


def _recall(index: CosineIndex, queries: NDArray[np.float32]) -> float:
    """Return which part of the exact hits a default search finds."""
    truth = index.search(queries, K, SearchParameters(exact=True)).positions
    found = index.search(queries, K).positions
    hits = sum(len(set(a) & set(b)) for a, b in zip(found, truth, strict=True))
    return round(hits / truth.size, 4)


def _around(
    centres: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return unit vectors around random centres, with noise of the size of the centres."""
    rows = centres[rng.integers(0, len(centres), count)]
    rows = rows + rng.standard_normal(rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows, np.float32)
