"""Searches while the same server does other work: indexes, trains lists, answers large batches.

One search in flight, by `h2load`, over 10,000 codes, with another process that keeps the server
busy: it writes batches of 256 codes into the same collection as fast as it can; or fills
collections of 10,000 vectors, whose lists are trained on the way; or searches by 1,024 codes at a
time; or has ten connections fetch 32 MiB each and reads nothing of it. Quiet and disturbed searches
take turns in each round.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.progress import told
from benchmarks.harness.ratios import at_most
from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.contender import GrpcContender, grpc_contender
from benchmarks.load.disturber import BATCHES, INDEXING, TRAINING, UNREAD
from benchmarks.load.h2load import latencies_us
from benchmarks.load.served import store
from benchmarks.load.workload import TITLES

PLACE = 3.6

NOTES = """
The process that disturbs has the kernel's idle policy: it takes what server and load generator
leave of the cores, so that it stands for a client on another machine as well as it can. What it
asks for is another matter: on two cores the server's own threads that write, train and scan meet
those that answer. The codes that are written lie in no cluster, so that the hits of the searches
stay the same, and right answers are known by their length here too.
"""

QUIET = "quiet"
DISTURBED = {
    INDEXING: "while another client indexes codes",
    TRAINING: "while vectors come in and lists are trained",
    BATCHES: "while another client sends batches of 1,024",
    UNREAD: "while ten clients read nothing of what they fetch",
}
ROWS = 10_000
ROUNDS = {"quick": 3, "full": 9}
SECONDS = 2.0
ASKED, ASKED_OF_UNREAD = 3, 5

Tails = Mapping[str, list[tuple[float, float]]]
"""Medians and 99th percentiles in microseconds of every round."""


def run(profile: str) -> dict[str, Any]:
    """Return medians and 99th percentiles, quiet and disturbed, and the ratios."""
    asked = workload.codes(ROWS)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        server = stack.enter_context(running(Path(name) / "data"))
        store(server.address, asked)
        contender = grpc_contender(
            address=server.address, pid=server.pid, workload=asked, folder=Path(name) / "bodies"
        )
        tails: dict[str, list[tuple[float, float]]] = {
            name: [] for name in (QUIET, *DISTURBED.values())
        }
        for turn in told("rounds", range(ROUNDS[profile])):
            tails[QUIET].append(_tail(contender, turn))
            for work, title in DISTURBED.items():
                with _disturbing(work, server.address):
                    tails[title].append(_tail(contender, turn))
    return {
        **workload.facts(
            "microseconds for one search",
            ROWS,
            ROUNDS[profile],
            SECONDS,
            data=f"{TITLES[workload.CODES]}; {workload.DATA}",
        ),
        "single_rounds": tails,
        **tables(tails),
    }


def tables(tails: Tails) -> dict[str, Any]:
    """Return the table and the ratios."""
    p50s = {name: statistics.median(each[0] for each in rounds) for name, rounds in tails.items()}
    p99s = {name: statistics.median(each[1] for each in rounds) for name, rounds in tails.items()}
    return {
        "results": {
            name: {"p50": round(p50s[name], 1), "p99": round(p99s[name], 1)} for name in tails
        },
        "ratios": {
            f"p99 {name} / quiet": at_most(p99s[name], p99s[QUIET], _asked(name))
            for name in tails
            if name != QUIET
        },
    }


def _asked(name: str) -> int:
    return ASKED_OF_UNREAD if name == DISTURBED[UNREAD] else ASKED


def _tail(contender: GrpcContender, turn: int) -> tuple[float, float]:
    body = contender.bodies[turn % len(contender.bodies)]
    times_us = latencies_us(contender.url, body, SECONDS)
    middle, tail = np.percentile(times_us, [50, 99])
    return float(middle), float(tail)


@contextmanager
def _disturbing(work: str, address: str) -> Iterator[None]:
    """Run a process that disturbs, from when it has begun to do so."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.disturber", work, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.communicate()
    if process.returncode:
        raise RuntimeError(f"what disturbs by {work} ended with exit code {process.returncode}")
