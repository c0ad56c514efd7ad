"""How long a restarted server takes to its first answered search."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import serving
from cipherlens.client import Client

ROWS, DIMENSION, BITS = 10_000, 768, 48
ROUNDS = {"quick": 3, "full": 11}
SEED = 1


def run(profile: str) -> dict[str, Any]:
    """Return median seconds from the start of the process to the first hits, and to being ready."""
    with tempfile.TemporaryDirectory() as folder:
        vectors, codes = _fill(Path(folder))
        rounds = [_restart(Path(folder), vectors[:1], codes[:1]) for _ in range(ROUNDS[profile])]
    names = ("ready_s", "first_vector_search_s", "first_code_search_s")
    figures = {
        name: round(statistics.median(column), 3)
        for name, column in zip(names, zip(*rounds, strict=True), strict=True)
    }
    return {
        "seed": SEED,
        "rows": ROWS,
        "rounds": rounds,
        "results": {f"{ROWS} x {DIMENSION} vectors and {ROWS} codes of {BITS} bits": figures},
    }


def _fill(folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Index vectors and codes and return them."""
    rng = np.random.default_rng(SEED)
    vectors = rng.standard_normal((ROWS, DIMENSION)).astype(np.float32)
    codes = rng.integers(0, 256, (ROWS, BITS // 8), dtype=np.uint8)
    ids = [f"item-{number:05}" for number in range(ROWS)]
    with serving(folder) as address, Client(address) as client:
        client.create_vector_collection("vectors", DIMENSION)
        client.create_code_collection("codes", BITS)
        client.index_vectors("vectors", ids, vectors)
        client.index_codes("codes", ids, codes)
    return vectors, codes


def _restart(
    folder: Path, vector: np.ndarray[Any, Any], code: np.ndarray[Any, Any]
) -> tuple[float, float, float]:
    start = time.perf_counter()
    with serving(folder) as address, Client(address) as client:
        ready = time.perf_counter() - start
        assert client.search_vectors("vectors", vector, 20)[0].item_ids[0] == "item-00000"
        vector_s = time.perf_counter() - start
        assert len(client.search_codes("codes", code, 20)[0].item_ids) == 20
        return round(ready, 3), round(vector_s, 3), round(time.perf_counter() - start, 3)
