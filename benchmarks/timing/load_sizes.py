"""How a search grows from 2,000 to 10,000 images: medians of single calls from a C program.

One call in flight, by `h2load`, several bodies in turn; the servers of both sizes and an empty
call take turns in each round, and a figure is the median over rounds of a round's median.
"""

import statistics
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.ratios import at_most
from benchmarks.harness.rounds import taken
from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.contender import GrpcContender, grpc_contender
from benchmarks.load.h2load import latencies_us
from benchmarks.load.served import bare, store
from benchmarks.load.workload import TITLES, Workload

PLACE = 3.3

SIZES = (2000, 10_000)
EMPTY = "empty call, native"
BODIES_IN_TURN = 4
ROUNDS = {"quick": 7, "full": 31}
SECONDS = 0.6


def run(profile: str) -> dict[str, Any]:
    """Return medians in microseconds, and the growth."""
    p50s: dict[str, dict[int, float]] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        contenders = _contenders(Path(name), stack)
        rounds = taken(
            {key: partial(_p50_us, each) for key, each in contenders.items()}, ROUNDS[profile]
        )
    for (title, size), values in rounds.items():
        p50s.setdefault(title, {})[size] = statistics.median(values)
    return {
        "unit": "microseconds for one search",
        "data": workload.DATA,
        "seed": workload.SEED,
        "rounds": ROUNDS[profile],
        "seconds": SECONDS,
        "single_rounds": {f"{title}, {size}": values for (title, size), values in rounds.items()},
        **tables(p50s),
    }


def tables(p50s: Mapping[str, Mapping[int, float]]) -> dict[str, Any]:
    """Return the table and the ratios of median microseconds by title and size."""
    small, large = SIZES
    return {
        "results": {
            title: {f"{size:,}": round(value, 1) for size, value in by_size.items()}
            for title, by_size in p50s.items()
        },
        "ratios": {
            f"{title}: p50 at {large:,} / at {small:,}": at_most(
                by_size[large], by_size[small], 1.1
            )
            for title, by_size in p50s.items()
            if title == TITLES[workload.CODES]
        },
    }


def _contenders(folder: Path, stack: ExitStack) -> dict[tuple[str, int], GrpcContender]:
    """Return both servers by workload and size, and the empty call by the larger size."""
    found = {}
    for size in SIZES:
        both = workload.codes(size), workload.vectors(size)
        server = stack.enter_context(running(folder / str(size)))
        store(server.address, *both)
        for each in both:
            place = folder / f"{each.kind}-{size}"
            found[TITLES[each.kind], size] = grpc_contender(
                address=server.address, pid=server.pid, workload=each, folder=place
            )
    found[EMPTY, SIZES[-1]] = _empty(workload.codes(SIZES[-1]), folder, stack)
    return found


def _empty(asked: Workload, folder: Path, stack: ExitStack) -> GrpcContender:
    server = stack.enter_context(bare("native", asked, folder, "--empty"))
    return grpc_contender(
        address=server.address, pid=server.pid, workload=asked, folder=folder / "empty", empty=True
    )


def _p50_us(contender: GrpcContender) -> float:
    share_s = SECONDS / BODIES_IN_TURN
    times_us = [
        latencies_us(contender.url, body, share_s) for body in contender.bodies[:BODIES_IN_TURN]
    ]
    return float(np.median(np.concatenate(times_us)))
