"""How long a restarted server takes to its first answered search."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.server import serving
from benchmarks.harness.stored import item_ids, store_codes, store_vectors
from benchmarks.timing.local import Codes, K, Vectors, random_codes
from cipherlens.client import Client

PLACE = 4

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


def _fill(folder: Path) -> tuple[Vectors, Codes]:
    """Index vectors and codes and return them."""
    draw = np.random.default_rng(SEED)
    vectors = draw.standard_normal((ROWS, DIMENSION)).astype(np.float32)
    codes = random_codes(draw, ROWS, BITS)
    with serving(folder) as address, Client(address) as client:
        store_vectors(client, "vectors", vectors)
        store_codes(client, "codes", codes, BITS)
    return vectors, codes


def _restart(folder: Path, vector: Vectors, code: Codes) -> tuple[float, float, float]:
    start = time.perf_counter()
    with serving(folder) as address, Client(address) as client:
        ready = time.perf_counter() - start
        assert client.search_vectors("vectors", vector, K)[0].item_ids[0] == item_ids(vector)[0]
        vector_s = time.perf_counter() - start
        assert len(client.search_codes("codes", code, K)[0].item_ids) == K
        return round(ready, 3), round(vector_s, 3), round(time.perf_counter() - start, 3)
