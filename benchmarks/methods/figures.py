"""Figures of methods: each learns once, goes on where it was stopped, and is judged once.

A method is known by a digest of all that decides it. What it keeps stays below `build/trained`; its
figures, log included, are kept in `results/trainings`, so that a table can be made again without
it. The test part of the data is touched when the learning is over, never before.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, TypeAlias, TypeVar

import torch

from benchmarks.harness.machine import environment
from benchmarks.harness.places import NETWORKS, RESULTS
from benchmarks.methods.method import Fitted, Method, judged
from cipherlens.base import replace_file
from cipherlens.model.data.images import PreparedImages

Figures: TypeAlias = dict[str, Any]
"""What is kept of a method, JSON-able: its test, what it says of its learning, the machine."""

Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True, slots=True)
class Store:
    """Where methods keep what they learned and their figures.

    `at_once` is how many of them learn beside each other, None for as many as the machine has
    cores; on a GPU one has all there is.
    """

    networks: Path = NETWORKS
    figures: Path = RESULTS / "trainings"
    at_once: int | None = None

    def kept(self, method: Method, data: PreparedImages) -> Path:
        """Return the file of a method's figures, named by the digest of what decides them."""
        facts = json.dumps([*method.decided_by(), data.digest()], sort_keys=True)
        digest = hashlib.sha256(facts.encode()).hexdigest()
        return self.figures / f"{method.name}-{digest[:12]}.json"

    def network(self, method: Method, data: PreparedImages) -> Path:
        """Return the file in which a method keeps what it learned."""
        return self.networks / f"{self.kept(method, data).stem}.safetensors"

    def room(self) -> int:
        """Return how many methods learn at once."""
        if self.at_once is not None:
            return self.at_once
        return 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))


STORE = Store()


def figures_of(method: Method, data: PreparedImages, store: Store = STORE) -> Figures:
    """Return a method's figures, from an earlier run if there was one anywhere."""
    kept = store.kept(method, data)
    if not kept.exists():
        return measured(method, data, store)
    figures: Figures = json.loads(kept.read_text())
    return figures


def all_figures(
    methods: Mapping[Key, Method], data: PreparedImages, store: Store = STORE
) -> dict[Key, Figures]:
    """Return the figures of many methods, of which several learn at once, a thread each.

    Networks of these sizes use two cores far better as two trainings than as one. After one
    that fails no other starts; each goes on where it was when it is asked for again.
    """
    missing = [each for each in methods.values() if not store.kept(each, data).exists()]
    at_once = min(len(missing), store.room())
    if at_once > 1:
        _measure_at_once(missing, data, store, at_once)
    return {key: figures_of(each, data, store) for key, each in methods.items()}


def measured(method: Method, data: PreparedImages, store: Store = STORE) -> Figures:
    """Let a method learn, judge it, and keep and return its figures."""
    store.networks.mkdir(parents=True, exist_ok=True)
    store.figures.mkdir(parents=True, exist_ok=True)
    fitted = method.fit(data, store.network(method, data))
    figures = {**environment(), "test": _test(fitted, method, data), **fitted.facts}
    text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
    replace_file(store.kept(method, data), text.encode())
    kept: Figures = json.loads(text)
    return kept


def test_map(figures: Figures) -> float:
    """Return the mAP on the test part, which no choice may look at."""
    return float(figures["test"]["map"])


def validation_map(figures: Figures) -> float:
    """Return the mAP on the validation part, of the epoch that was chosen by it."""
    return float(figures["validation_map"])


def outcome(figures: Figures) -> Figures:
    """Return what a table needs of a training's figures, without settings, log and machine."""
    names = ("test", "validation_map", "best_epoch", "cpu_minutes")
    return {name: figures[name] for name in names}


def _test(fitted: Fitted, method: Method, data: PreparedImages) -> dict[str, Any]:
    started = time.monotonic()
    found = judged(fitted, method, data)
    return {
        "map": found.mean_average_precision,
        "chance": found.chance,
        "precision_at": found.precision_at,
        "precision_at_recall": [round(each, 5) for each in found.precision_at_recall],
        **found.further,
        "queries": found.queries,
        "seconds": round(time.monotonic() - started, 1),
    }


def _measure_at_once(
    methods: list[Method], data: PreparedImages, store: Store, at_once: int
) -> None:
    pool = ProcessPoolExecutor(at_once, mp_context=get_context("spawn"), initializer=prepare_worker)
    try:
        for under_way in [pool.submit(figures_of, each, data, store) for each in methods]:
            under_way.result()
    finally:
        pool.shutdown(cancel_futures=True)


def prepare_worker() -> None:
    """Make this process a worker with the one core that is left for it."""
    torch.set_num_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent has died: nobody waits for what it trains."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
