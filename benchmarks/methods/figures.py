"""Figures of methods: each learns once, goes on where it was stopped, and is judged once.

What a method keeps stays below `build/trained`; its figures, log included, are kept in
`results/trainings`, so that a table can be made again without it. They are found again only if all
that decides them is the same: settings, pictures, key, judge, arithmetic, code. The test part of
the data is touched when the learning is over, never before.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.queues import SimpleQueue
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
    GPUs, or cores where it has none.
    """

    networks: Path = NETWORKS
    figures: Path = RESULTS / "trainings"
    at_once: int | None = None

    def kept(self, method: Method, data: PreparedImages) -> Path:
        """Return the file of a method's figures, named by its settings and the pictures."""
        digest = _digest([*method.settings(), data.digest()])
        return self.figures / f"{method.name}-{digest}.json"

    def found(self, method: Method, data: PreparedImages) -> Figures | None:
        """Return a method's figures of an earlier run, None if anything has decided them else."""
        path = self.kept(method, data)
        if not path.exists():
            return None
        figures: Figures = json.loads(path.read_text())
        return figures if figures.get("decided_by") == method.decided_by() else None

    def network(self, method: Method, data: PreparedImages) -> Path:
        """Return the file in which a method keeps what it learned."""
        name = f"{self.kept(method, data).stem}-{_digest(method.decided_by())}"
        return self.networks / f"{name}.safetensors"

    def room(self) -> int:
        """Return how many methods learn at once."""
        if self.at_once is not None:
            return self.at_once
        return torch.cuda.device_count() or len(os.sched_getaffinity(0))


def _digest(facts: Any) -> str:
    """Return 12 hexadecimal digits of what is JSON-able."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


STORE = Store()


def figures_of(method: Method, data: PreparedImages, store: Store = STORE) -> Figures:
    """Return a method's figures, from an earlier run if there was one anywhere."""
    return store.found(method, data) or measured(method, data, store)


def all_figures(
    methods: Mapping[Key, Method], data: PreparedImages, store: Store = STORE
) -> dict[Key, Figures]:
    """Return the figures of many methods, of which several learn at once, a thread each.

    Networks of these sizes use two cores far better as two trainings than as one. After one
    that fails no other starts; each goes on where it was when it is asked for again.
    """
    missing = [each for each in methods.values() if store.found(each, data) is None]
    at_once = min(len(missing), store.room())
    if at_once > 1:
        _measure_at_once(missing, data, store, at_once)
    return {key: figures_of(each, data, store) for key, each in methods.items()}


def measured(method: Method, data: PreparedImages, store: Store = STORE) -> Figures:
    """Let a method learn, judge it, and keep and return its figures."""
    store.networks.mkdir(parents=True, exist_ok=True)
    store.figures.mkdir(parents=True, exist_ok=True)
    decided_by = method.decided_by()  # before what takes long, while the code may change on disk
    fitted = method.fit(data, store.network(method, data))
    figures = {
        **environment(),
        "decided_by": decided_by,
        "test": _test(fitted, method, data),
        **fitted.facts,
    }
    text = json.dumps(figures, indent=2, allow_nan=False) + "\n"
    replace_file(store.kept(method, data), text.encode())
    kept: Figures = json.loads(text)
    return kept


def seeds(trainings: Mapping[Any, Figures]) -> str:
    """Return the seeds of trained networks, of which each decides weights, batches and split."""
    found = sorted({int(each["config"]["seed"]) for each in trainings.values()})
    return f"{', '.join(map(str, found))} of every training"


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
    context = get_context("spawn")
    numbers = context.SimpleQueue()
    for number in range(at_once):
        numbers.put(number)
    pool = ProcessPoolExecutor(
        at_once, mp_context=context, initializer=prepare_worker, initargs=(numbers,)
    )
    try:
        for under_way in [pool.submit(figures_of, each, data, store) for each in methods]:
            under_way.result()
    finally:
        pool.shutdown(cancel_futures=True)


def prepare_worker(numbers: "SimpleQueue[int]") -> None:
    """Make this process a worker with the one core, and the GPU if any, that is left for it."""
    torch.set_num_threads(1)
    if gpus := torch.cuda.device_count():
        os.environ["CUDA_VISIBLE_DEVICES"] = own_gpu(
            numbers.get(), gpus, os.environ.get("CUDA_VISIBLE_DEVICES")
        )
    Thread(target=_end_with_parent, daemon=True).start()


def own_gpu(number: int, gpus: int, visible: str | None) -> str:
    """Return which GPU is the worker's of this number, of so many or of those named as visible."""
    names = visible.split(",") if visible else [str(each) for each in range(gpus)]
    return names[number % gpus]


def _end_with_parent() -> None:
    """End this worker when its parent has died: nobody waits for what it trains."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
