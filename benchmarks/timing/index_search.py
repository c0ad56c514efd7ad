"""Search through our indexes against the bare FAISS calls beneath them.

Both sides answer the same single queries over the same rows, in turn, so that what else runs on
the machine meets both alike; a figure is the median over rounds of a round's mean.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.harness.rounds import medians_us
from benchmarks.timing import local
from cipherlens.server.index import use_one_thread

PLACE = 2

ROWS, DIMENSION = 10_000, 768
BEHIND = 500
MASKED_FRACTION = 0.05
SEED = 1


ROUNDS = {"quick": (15, 40), "full": (101, 200)}


def run(profile: str) -> dict[str, Any]:
    """Return medians in microseconds for one query, and the ratio of ours to bare FAISS."""
    rounds, calls = ROUNDS[profile]
    use_one_thread()
    results: dict[str, Any] = {
        f"hamming {bits} bits{', 5 % masked' if masked else ''}": _hamming(
            bits, masked, rounds, calls
        )
        for bits in (12, 48, 64, 256)
        for masked in (False, True)
    }
    return {
        "seed": f"{SEED} for vectors, the number of bits for codes",
        "rows": ROWS,
        "k": local.K,
        "results": results | _cosine(rounds, calls),
    }


def _hamming(bits: int, masked: bool, rounds: int, calls: int) -> dict[str, Any]:
    """Return the figures of a code index against faiss.IndexBinaryFlat over padded codes."""
    draw = np.random.default_rng(bits)
    rows, queries = local.random_codes(draw, ROWS, bits), local.random_codes(draw, calls, bits)
    alive = draw.random(ROWS) >= MASKED_FRACTION if masked else None
    return _compare(local.code_calls(rows, queries, bits, alive), rounds, calls)


def _cosine(rounds: int, calls: int) -> dict[str, Any]:
    """Return the figures of a vector index before training, after it, and with rows behind it."""
    draw = np.random.default_rng(SEED)
    rows, queries, behind = local.clustered_vectors(draw, DIMENSION, (ROWS, calls, BEHIND))
    lists, facts = local.ivf_calls(rows, queries, SEED)
    lists_and_rows, _ = local.ivf_calls(rows, queries, SEED, behind)
    return {
        "cosine flat": _compare(local.exact_calls(rows, queries), rounds, calls),
        "cosine IVF": _compare(lists, rounds, calls)
        | {("recall_at_20" if name == "recall" else name): fact for name, fact in facts.items()},
        f"cosine IVF, {BEHIND} rows behind the lists": _compare(lists_and_rows, rounds, calls),
    }


def _compare(ways: Mapping[str, local.Call], rounds: int, calls: int) -> dict[str, Any]:
    """Return the medians of both ways over rounds in which each is called in turn."""
    found = medians_us(ways, rounds=rounds, calls=calls)
    ours, bare = found[local.OURS], found[local.BARE]
    return {
        "ours_us": ours,
        "bare_faiss_us": bare,
        "overhead_us": round(ours - bare, 1),
        "ratio": round(ours / bare, 3),
    }
