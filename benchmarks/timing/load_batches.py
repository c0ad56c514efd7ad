"""Batches of 64 queries through the server beside raw FAISS in process with as many threads.

`h2load` sends them one at a time to a server with one thread for an index, and four at a time;
raw FAISS answers the same batches in one thread of this process, and in two, as many as the
machine of the table has cores. All take turns in each round.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.ratios import at_least
from benchmarks.harness.rounds import taken
from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.bare.search import code_index, padded, vector_index
from benchmarks.load.contender import GrpcContender, grpc_contender
from benchmarks.load.h2load import Process, answered
from benchmarks.load.served import lists_of, store
from benchmarks.load.workload import CODES, TITLES, K, Workload

PLACE = 3.4

NOTES = """
The server and the load generator share the cores with each other, raw FAISS has them alone. It has
the lists and probes that our index of vectors has chosen.
"""

ROWS = 10_000
BATCH = 64
ASKED = 0.8
ROUNDS = {"quick": 5, "full": 15}
SECONDS = 1.0

Rates = Mapping[tuple[str, str], Sequence[float]]
"""Queries a second in every round, by kind of rows and by what answered."""

RAW, SERVED = "raw FAISS, {} threads", "CipherLens, {} in flight"
PAIRS = {1: 1, 4: 2}
"""Batches in flight, and the threads of raw FAISS that they are compared with."""


def run(profile: str) -> dict[str, Any]:
    """Return queries a second either way, and the ratios."""
    measures: dict[tuple[str, str], Callable[[], float]] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        both = workload.codes(ROWS), workload.vectors(ROWS)
        server = stack.enter_context(running(Path(name) / "data"))
        store(server.address, *both)
        for each in both:
            contender = grpc_contender(
                address=server.address,
                pid=server.pid,
                workload=each,
                folder=Path(name) / each.kind,
                batch=BATCH,
            )
            search = _raw(each, *lists_of(server.address, each.kind))
            for in_flight, threads in PAIRS.items():
                measures[each.kind, SERVED.format(in_flight)] = partial(
                    _served, contender, in_flight
                )
                measures[each.kind, RAW.format(threads)] = partial(_in_process, search, threads)
        rates = taken(measures, ROUNDS[profile])
    return {
        "unit": f"queries a second, in batches of {BATCH}",
        "data": workload.DATA,
        "seed": workload.SEED,
        "rows": ROWS,
        "rounds": ROUNDS[profile],
        "single_rounds": {f"{kind}, {way}": values for (kind, way), values in rates.items()},
        **tables(rates),
    }


def tables(rates: Rates) -> dict[str, Any]:
    """Return the table and the ratios."""
    medians = {key: statistics.median(values) for key, values in rates.items()}
    kinds = list(dict.fromkeys(kind for kind, _ in rates))
    return {
        "results": {
            TITLES[kind]: {way: round(rate) for (of, way), rate in medians.items() if of == kind}
            for kind in kinds
        },
        "ratios": {
            f"{TITLES[kind]}: {SERVED.format(in_flight)} / {RAW.format(threads)}": at_least(
                medians[kind, SERVED.format(in_flight)], medians[kind, RAW.format(threads)], ASKED
            )
            for kind in kinds
            for in_flight, threads in PAIRS.items()
        },
    }


def _raw(asked: Workload, nlist: int, nprobe: int) -> Callable[[int], object]:
    """Return what searches by the numbered batch of queries in bare FAISS."""
    if asked.kind == CODES:
        index = code_index(np.asarray(asked.rows, np.uint8))
        queries: NDArray[Any] = padded(np.asarray(asked.queries, np.uint8))
    else:
        index = vector_index(np.asarray(asked.rows, np.float32), nlist, nprobe)
        queries = asked.queries
    batches = np.split(queries, len(queries) // BATCH)
    return lambda number: index.search(batches[number % len(batches)], K)


def _in_process(search: Callable[[int], object], threads: int) -> float:
    counts = [0] * threads

    def work(which: int) -> None:
        faiss.omp_set_num_threads(1)  # it binds the calling thread alone
        end = time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            search(which + counts[which])
            counts[which] += 1

    workers = [threading.Thread(target=work, args=[which]) for which in range(threads)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    return sum(counts) * BATCH / SECONDS


def _served(contender: GrpcContender, in_flight: int) -> float:
    processes = [
        Process(body=body, connections=1, streams=1) for body in contender.bodies[:in_flight]
    ]
    return answered(contender.url, processes, SECONDS) * BATCH / SECONDS
