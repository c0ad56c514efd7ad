"""A search through the server against its floors: a canned answer over gRPC, and bare FAISS."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import stored
from benchmarks.harness.canned import answering
from benchmarks.harness.rounds import medians_us
from benchmarks.harness.server import serving
from benchmarks.timing import local, served
from benchmarks.timing.local import Codes, K, Vectors
from cipherlens.client import Client
from cipherlens.server.index import use_one_thread

PLACE = 3

ROWS, DIMENSION, BITS = 10_000, 768, 48
ROUNDS = {"quick": (15, 50), "full": (101, 200)}
SEED = 1
FLOOR = "canned answer over gRPC"


def run(profile: str) -> dict[str, Any]:
    """Return medians in microseconds for one query at a time, and ratios to the canned answer."""
    draw = np.random.default_rng(SEED)
    (vectors,) = local.clustered_vectors(draw, DIMENSION, (ROWS,))
    codes = local.random_codes(draw, ROWS, BITS)
    rounds, calls = ROUNDS[profile]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        with Client(address) as client:
            stored.store_vectors(client, "vectors", vectors)
            stored.store_codes(client, "codes", codes, BITS)
        results = _measure(address, vectors, codes, rounds, calls)
    return {
        "seed": SEED,
        "rows": ROWS,
        "k": K,
        "rounds": rounds,
        "calls": calls,
        "results": results,
    }


def _measure(
    address: str, vectors: Vectors, codes: Codes, rounds: int, calls: int
) -> dict[str, Any]:
    vector, code = vectors[:1], codes[:1]
    hamming = served.code_requests("codes", code, BITS)
    ivf = served.vector_requests("vectors", vector, exact=False)
    use_one_thread()
    with answering(served.stub_at(address).Search(hamming[0])) as floor:
        contenders = {
            FLOOR: served.served_call(floor, hamming),
            "canned answer, 768-d query": served.served_call(floor, ivf),
            "Hamming": served.served_call(address, hamming),
            "cosine, IVF": served.served_call(address, ivf),
            "cosine, exact": served.served_call(
                address, served.vector_requests("vectors", vector, exact=True)
            ),
            "bare FAISS, Hamming": local.code_calls(codes, code, BITS)[local.BARE],
            "bare FAISS, cosine exact": local.exact_calls(vectors, vector)[local.BARE],
        }
        medians = medians_us(contenders, rounds=rounds, calls=calls)
    return {
        name: {"us": value, "ratio_to_canned": round(value / medians[FLOOR], 2)}
        for name, value in medians.items()
    }
