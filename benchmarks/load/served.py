"""Servers to drive: ours with its workloads stored, and the bare ones."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.harness.server import Running
from benchmarks.harness.stored import store_codes, store_vectors, wait_for_graph, wait_for_lists
from benchmarks.load.workload import BITS, CODES, Workload
from cipherlens.client import Client


def store_graph(address: str, workload: Workload) -> None:
    """Make a collection of vectors in our server that is searched by a graph, and wait for it."""
    with Client(address) as client:
        rows = np.asarray(workload.rows, np.float32)
        store_vectors(client, workload.kind, rows, index="hnsw")
        wait_for_graph(client, workload.kind)


def store(address: str, *workloads: Workload) -> None:
    """Make a collection of each workload in our server, and wait until its index is trained."""
    with Client(address) as client:
        for each in workloads:
            if each.kind == CODES:
                store_codes(client, CODES, np.asarray(each.rows, np.uint8), BITS)
            else:
                store_vectors(client, each.kind, np.asarray(each.rows, np.float32))
                wait_for_lists(client, each.kind)


def lists_of(address: str, collection: str) -> tuple[int, int]:
    """Return how many lists a collection in our server has, and how many it probes; 0 for none."""
    with Client(address) as client:
        index = client.get_collection(collection).index
    return index.nlist, index.nprobe


@contextmanager
def bare(transport: str, workload: Workload, folder: Path, *arguments: str) -> Iterator[Running]:
    """Run a bare server, `native` or `grpcio`, over the workload's rows; stop it at the end."""
    rows = folder / f"{workload.kind}-{len(workload.rows)}.npy"
    np.save(rows, workload.rows)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.bare", transport, str(rows), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        yield Running(address=process.stdout.readline().strip(), pid=process.pid)
    finally:
        process.communicate()  # closes its standard input, at which it ends
