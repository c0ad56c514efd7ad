"""One peer at work in its own environment: a line of JSON asks for something, a line answers.

Run as `python -m benchmarks.peers.worker MODULE CLASS`. A question is {"ask": name, ...}, the
answer {"value": ...} or {"error": words}. Rows come as .npy files, for they may be large.
"""

import importlib
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from benchmarks.peers.peer import K, Peer, Rows


class Worker:
    """Does what is asked for with one peer."""

    def __init__(self, peer: Peer) -> None:
        """Take the peer; it is not set up yet."""
        self._peer = peer
        self._is_set_up = False

    def setup(self, *, folder: str) -> dict[str, Any]:
        """Set the peer up and return what it says of itself."""
        self._is_set_up = True
        return self._peer.setup(Path(folder))

    def fill(self, *, kind: str, rows: str) -> float:
        """Store the rows and return the seconds that took."""
        stored = np.load(rows)
        return _seconds(lambda: self._peer.fill(kind, stored))

    def build(self, *, kind: str, index: str) -> dict[str, Any]:
        """Build an index and return its settings and the seconds that took."""
        started = time.perf_counter()
        settings = self._peer.build(kind, index)
        return {"settings": settings, "seconds": round(time.perf_counter() - started, 2)}

    def tune(self, *, knob: int) -> None:
        """Set the knob of the index."""
        self._peer.tune(knob)

    def found(self, *, queries: str) -> list[list[int]]:
        """Return the rows found for each query, -1 where one is missing."""
        return [_filled(self._peer.search(each)) for each in np.load(queries)]

    def load(self, *, queries: str, clients: int, folder: str) -> Any:
        """Return the work of a C load generator."""
        return self._peer.load(np.load(queries), clients, Path(folder))

    def pids(self) -> list[int]:
        """Return the processes that serve."""
        return list(self._peer.pids())

    def indexes(self, *, kind: str) -> dict[str, list[int]]:
        """Return the indexes of a kind of rows, with the settings of their knobs."""
        return {index: list(knobs) for index, knobs in self._peer.INDEXES.get(kind, {}).items()}

    def alone(self, *, queries: str, seconds: float) -> dict[str, float]:
        """Return medians and 99th percentiles of single searches, one after another."""
        times_us = _times_us(self._peer.search, cycle(np.load(queries)), seconds)
        middle, tail = np.percentile(times_us, [50, 99])
        return {
            "p50_us": round(float(middle), 1),
            "p99_us": round(float(tail), 1),
            "rate": round(len(times_us) / seconds, 1),
        }

    def together(self, *, queries: str, threads: int, seconds: float) -> float:
        """Return searches a second from so many threads."""
        rows = np.load(queries)
        counts = [0] * threads

        def ask(number: int) -> None:
            asked = islice(cycle(rows), number, None)
            counts[number] = len(_times_us(self._peer.search, asked, seconds))

        workers = [threading.Thread(target=ask, args=[number]) for number in range(threads)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        return round(sum(counts) / seconds, 1)

    def batches(self, *, queries: str, size: int, seconds: float) -> float:
        """Return queries a second in batches of so many."""
        rows = np.load(queries)
        batches = [rows[i : i + size] for i in range(0, len(rows) - size + 1, size)]
        done = len(_times_us(self._peer.batch, cycle(batches), seconds))
        return round(done * size / seconds, 1)

    def close(self) -> None:
        """Stop the peer, if it was set up."""
        if self._is_set_up:
            self._is_set_up = False
            self._peer.close()


def _filled(found: Sequence[int]) -> list[int]:
    return [int(row) for row in found] + [-1] * (K - len(found))


def _times_us(
    call: Callable[[Rows], object], queries: "cycle[Rows] | islice[Rows]", seconds: float
) -> list[float]:
    """Return the microseconds of each call until the seconds are over; one call comes first."""
    call(next(queries))
    times_us = []
    now = time.perf_counter()
    end = now + seconds
    while now < end:
        call(next(queries))
        then, now = now, time.perf_counter()
        times_us.append((now - then) * 1e6)
    return times_us


def _seconds(task: Callable[[], object]) -> float:
    started = time.perf_counter()
    task()
    return round(time.perf_counter() - started, 2)


def answer(worker: Worker, question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to one question; a failure is an answer too."""
    arguments = {name: value for name, value in question.items() if name != "ask"}
    try:
        return {"value": getattr(worker, question["ask"])(**arguments)}
    except Exception as error:  # noqa: BLE001 - what a peer raises is its own; the other side tells
        return {"error": f"{type(error).__name__}: {error}"}


def serve(peer: Peer, questions: TextIO, answers: TextIO) -> None:
    """Answer until the questions end."""
    worker = Worker(peer)
    try:
        for line in questions:
            print(json.dumps(answer(worker, json.loads(line))), file=answers, flush=True)
    finally:
        worker.close()


def main(arguments: Sequence[str]) -> None:
    """Load the peer and serve; what it prints itself goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the peer is closed on the way out
    peer = getattr(importlib.import_module(arguments[0]), arguments[1])()
    serve(peer, sys.stdin, answers)


if __name__ == "__main__":
    main(sys.argv[1:])
