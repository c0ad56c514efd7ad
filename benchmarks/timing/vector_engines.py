"""Searches of vectors in Milvus and in pgvector, beside FAISS in the server's own process.

Both engines are real servers on this machine, and are asked through the index that a server has
with `--vectors`; FAISS is the index that it has without. All hold the same rows and take turns: one
query after the other, batches of 64, and four threads that ask at the same time. Recall counts the
hits at k = 20 that are as good as the last true one.
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.harness.progress import told
from benchmarks.harness.rounds import taken
from benchmarks.timing.choice_data import QUERIES, SEED
from benchmarks.timing.engine_rows import (
    ALL,
    Contender,
    Figures,
    filled,
    mib,
    one_by_one,
    queries_of,
    search_us,
)
from benchmarks.timing.engine_servers import EngineServer
from benchmarks.timing.local import K

PLACE = 2.7
BY_NAME_ONLY = True

NOTES = """
`rate_per_s` is of four threads on two cores, which the engines share with those who ask.
`process_mib` is what this process holds for an index: keys for an engine, all rows for FAISS;
`engine_mib` what an engine's processes have for all tables of a size, and their part of what they
share. `appended_s` until every row is taken, `searchable_s` until its index is built. At a million
the vectors have 128 numbers, or as many as NUMBERS says and no codes beside them.
`ROWS=10000,100000` measures other sizes. Milvus brings an etcd that listens on two ports
of its own: one of them runs on a machine at a time.
"""

SIZES = {"quick": (10_000,), "full": (10_000, 100_000, 1_000_000)}
ROUNDS = {"quick": 3, "full": 5}
BATCH = 64
THREADS = 4


def run(profile: str) -> dict[str, Any]:
    """Return the figures of every size, kind and engine. Raises NotHereError without an engine."""
    results: dict[str, Any] = {}
    for size in told("sizes", _sizes(profile)):
        with filled(size) as (contenders, servers):
            results |= timed(contenders, ROUNDS[profile])
            results |= {f"{size:,}, {each.name}": taken_by(each) for each in servers}
    return {
        "unit": "microseconds, queries a second and MiB",
        "seed": SEED,
        "k": K,
        "queries": QUERIES,
        "rounds": ROUNDS[profile],
        "results": results,
    }


def _sizes(profile: str) -> Sequence[int]:
    asked = os.environ.get("ROWS")
    return tuple(map(int, asked.split(","))) if asked else SIZES[profile]


def taken_by(server: EngineServer) -> Figures:
    """Return what an engine takes with all of these tables."""
    return {
        "engine_mib": mib(server.memory_bytes()),
        "disk_mib": mib(server.disk_bytes()),
    }


def timed(contenders: Sequence[Contender], rounds: int) -> dict[str, Any]:
    """Return the figures of each, by its name."""
    single = one_by_one(contenders, ALL, rounds)
    results = {each.name: each.figures | single[each.name] for each in contenders}
    batch = taken({each.name: _batches(each) for each in contenders}, rounds)
    rate = taken({each.name: _threads(each) for each in contenders}, rounds)
    for name, figures in results.items():
        figures["batch_per_s"] = round(float(np.median(batch[name])))
        figures["rate_per_s"] = round(float(np.median(rate[name])))
    return results


def _batches(each: Contender) -> Callable[[], float]:
    return lambda: BATCH * 1e6 / search_us(each, slice(0, BATCH))


def _threads(each: Contender) -> Callable[[], float]:
    """Return what takes the rate of several threads, one query at a time each."""

    def rate() -> float:
        asked = queries_of(each)
        with ThreadPoolExecutor(THREADS) as threads:
            start = time.perf_counter()
            list(threads.map(lambda each_asked: search_us(each, each_asked), asked))
            return len(asked) / (time.perf_counter() - start)

    return rate
