"""One peer with one workload: recall and rate at every setting, and load at the one that serves."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.progress import say
from benchmarks.load.h2load import Body, Process, answered
from benchmarks.load.pgbench import transactions
from benchmarks.load.workload import TITLES, Workload
from benchmarks.peers.remote import PeerError, Remote, peer_at_work

THREADS, BATCH, CLIENTS = 8, 64, 8
WANTED_RECALL = 0.99
SECONDS = 0.5
LOAD_SECONDS = 3.0

Row = dict[str, Any]


def trial(name: str, workload: Workload, limit_s: float) -> tuple[list[Row], str | None]:
    """Return a row for every setting of every index, and why something is missing, if it is.

    A row has "recall" and what single searches took; that of an index's cheapest setting with the
    wanted recall, or else its most thorough one, has "serves" and the rates under load.
    """
    rows: list[Row] = []
    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            peer_at_work(name, limit_s) as remote,
        ):
            indexes = remote.ask("indexes", kind=workload.kind)
            if indexes:
                say(f"{name}: {TITLES[workload.kind]}, {len(workload.rows):,} rows")
                _measure(remote, workload, indexes, Path(folder), rows)
    except PeerError as error:
        return rows, str(error)
    return rows, None if indexes else f"it keeps no {workload.kind}"


def _measure(
    remote: Remote, workload: Workload, indexes: dict[str, list[int]], folder: Path, rows: list[Row]
) -> None:
    """Add the rows as they are measured, so that those before a failure are there."""
    stored, queries = folder / "rows.npy", folder / "queries.npy"
    np.save(stored, workload.rows)
    np.save(queries, workload.queries)
    versions = remote.ask("setup", folder=str(folder))
    fill_s = remote.ask("fill", kind=workload.kind, rows=str(stored))
    for index, knobs in indexes.items():
        built = remote.ask("build", kind=workload.kind, index=index)
        facts = {"index": index, "versions": versions, "fill_s": fill_s, **built}
        tuned = [_tuned(remote, workload, queries, knob) | facts for knob in knobs]
        serving = next((row for row in tuned if row["recall"] >= WANTED_RECALL), tuned[-1])
        remote.ask("tune", knob=serving["knob"])
        serving.update(_loaded(remote, queries, folder), serves=True)
        rows += tuned


def _tuned(remote: Remote, workload: Workload, queries: Path, knob: int) -> Row:
    """Return recall and single searches at a setting."""
    remote.ask("tune", knob=knob)
    found = np.array(remote.ask("found", queries=str(queries)))
    alone = remote.ask("alone", queries=str(queries), seconds=SECONDS)
    return {"knob": knob, "recall": workload.recall(found), **alone}


def _loaded(remote: Remote, queries: Path, folder: Path) -> Row:
    """Return the rates of threads, of batches, and of a C load generator where there is one."""
    asked = str(queries)
    found: Row = {
        "threads": remote.ask("together", queries=asked, threads=THREADS, seconds=SECONDS),
        "batches": remote.ask("batches", queries=asked, size=BATCH, seconds=SECONDS),
    }
    load = remote.ask("load", queries=asked, clients=CLIENTS, folder=str(folder))
    if load is None:
        return found
    if "program" in load:
        return found | {"generator": "pgbench", "c_load": transactions(load, LOAD_SECONDS)[0]}
    processes = [
        Process(body=Body(path=Path(path), answer_bytes=size), connections=1, streams=1)
        for path, size in load["bodies"][:CLIENTS]
    ]
    url, path = load["url"], load["path"]
    answers = answered(url, processes, LOAD_SECONDS, path=path, is_grpc=load["grpc"])
    return found | {"generator": "h2load", "c_load": round(answers / LOAD_SECONDS, 1)}
