"""Other work for a server while it is searched: `python -m benchmarks.load.disturber NAME ADDRESS`.

It goes on until its standard input ends, and then prints how often it did it.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import numpy as np

from benchmarks.harness.stored import item_ids
from benchmarks.load import workload
from cipherlens.client import Client
from cipherlens.server.config import Timeouts

INDEXING, TRAINING, BATCHES, UNREAD = "indexing", "training", "batches", "unread"
BATCH_ITEMS, BATCH_QUERIES = 256, 1024
_WRITTEN_ROWS, _TRAINED_ROWS = 10_000, 10_000
# Of 32 KiB each: far more than a connection holds that nobody reads.
_UNREAD_ITEMS, _UNREAD_DIMENSION, _NON_READERS = 1024, 8192, 10


def indexing(client: Client) -> Iterator[None]:
    """Write codes into the collection that is searched, over the same ids again and again.

    They lie in no cluster, so that the hits of those who search stay what they were.
    """
    draw = np.random.default_rng(workload.SEED)
    codes = draw.integers(0, 256, (_WRITTEN_ROWS, workload.BITS // 8), dtype=np.uint8)
    ids = [f"new-{each}" for each in item_ids(codes)]
    while True:
        for first in range(0, len(codes), BATCH_ITEMS):
            part = slice(first, first + BATCH_ITEMS)
            client.index_codes(workload.CODES, ids[part], codes[part])
            yield


def training(client: Client) -> Iterator[None]:
    """Fill a collection of vectors, whose lists are trained on the way, and drop it."""
    vectors = np.asarray(workload.vectors(_TRAINED_ROWS).rows, np.float32)
    for number in count():
        name = f"trained-{number}"
        client.create_vector_collection(name, workload.DIMENSION)
        client.index_vectors(name, item_ids(vectors), vectors)
        client.delete_collection(name)
        yield


def batches(client: Client) -> Iterator[None]:
    """Search by many queries in one call."""
    queries = np.asarray(workload.codes(BATCH_QUERIES).rows, np.uint8)
    while True:
        client.search_codes(workload.CODES, queries, workload.K)
        yield


def unread(client: Client) -> Iterator[None]:
    """Have ten connections fetch what they do not read, and again once the server ends them."""
    draw = np.random.default_rng(workload.SEED)
    vectors = draw.standard_normal((_UNREAD_ITEMS, _UNREAD_DIMENSION), np.float32)
    ids = item_ids(vectors)
    client.create_vector_collection("unread", _UNREAD_DIMENSION)
    client.index_vectors("unread", ids, vectors)
    with ExitStack() as opened:
        opened.callback(client.delete_collection, "unread")
        others = [opened.enter_context(Client(client.target)) for _ in range(_NON_READERS)]
        while True:
            begun = [each.fetch("unread", ids) for each in others]
            for each in begun:
                next(each)
            ends = time.monotonic() + Timeouts().send_s
            while time.monotonic() < ends:
                yield
                time.sleep(0.1)


WORK: dict[str, Callable[[Client], Iterator[None]]] = {
    INDEXING: indexing,
    TRAINING: training,
    BATCHES: batches,
    UNREAD: unread,
}


def main() -> None:
    """Work until the input ends."""
    name, address = sys.argv[1:]
    if sys.platform == "linux":  # as a client on another machine, it takes no core from the others
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=[ended], daemon=True).start()
    done = 0
    with Client(address) as client:
        for done, _ in enumerate(WORK[name](client), start=1):
            if done == 1:
                print("at work", flush=True)
            if ended.is_set():
                break
    print(done, flush=True)


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
