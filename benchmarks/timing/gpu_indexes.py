"""The same rows in an index on the CPU and in one on a GPU, searched in turn."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.load import workload
from benchmarks.load.workload import DIMENSION, K, Workload
from cipherlens.server.index import (
    CosineIndex,
    Device,
    IndexState,
    SearchParameters,
    SearchResult,
    VectorIndex,
    resolve_device,
)
from cipherlens.server.index.clustering import restored_clustering
from cipherlens.server.index.rowlog import snapshot_of
from cipherlens.server.index.vector_training import byte_coding

CPU, CORES, GPU = "CPU", "all cores", "GPU"
EXACT, LISTS = "vectors, exact", "vectors, lists"

LIMIT_S = 3.0
"""A batch that would take longer is left out."""

ENOUGH_S = 0.5
"""No further round of a batch is begun where those before have taken so long."""

TRAINED_ALONE = 100_000
"""Vectors above which the CPU takes the lists that the GPU has trained: it would take minutes."""

_TRUE = 16
"""Queries whose true hits are looked for among a million rows or more, where that takes long."""

Queries = NDArray[Any]
Rates = dict[int, float | None]
"""By size of a batch, queries a second; None where it would have taken too long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """One way of searching, on both devices.

    Attributes:
        rates: by "CPU", which is one thread, "all cores" or "GPU".
        recall: by "CPU" or "GPU", at k = 20.
        same: the part of the hits that both have, in the same order.
        memory: bytes for each row, in the processor's memory and in the GPU's; None for the latter
            where there is none.
        trained_s: seconds that the lists took, by device; what was not trained there is not in it.
    """

    rates: Mapping[str, Rates]
    recall: Mapping[str, float]
    same: float
    memory: tuple[float, float | None]
    trained_s: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Both:
    """The same rows on both devices, and what it took to put them there."""

    asked: Workload
    indexes: Mapping[str, VectorIndex]
    trained_s: Mapping[str, float]
    free_before: int | None


def searched(size: int, device: Device, batches: Sequence[int], rounds: int) -> dict[str, Searched]:
    """Return what is found of so many vectors, by the way of searching."""
    both = _both(workload.vectors(size), device)
    ways = {EXACT: SearchParameters(exact=True), LISTS: SearchParameters()}
    return {way: _searched(both, each, batches, rounds, device) for way, each in ways.items()}


def in_turn(
    calls: Mapping[str, Callable[[Queries], object]],
    asked: Queries,
    batches: Sequence[int],
    rounds: int,
) -> dict[str, Rates]:
    """Return the queries a second of each call, which take turns, by the size of a batch."""
    rates: dict[str, Rates] = {name: {} for name in calls}
    for batch in batches:
        queries = np.resize(asked, (batch, *asked.shape[1:]))
        times: dict[str, list[float]] = {name: [] for name in calls}
        spent = dict.fromkeys(calls, 0.0)
        for _ in range(rounds):
            for name, call in calls.items():
                if spent[name] < ENOUGH_S and not _takes_too_long(rates[name], batch):
                    took, ran = _seconds(partial(call, queries), max(1, 16 // batch))
                    times[name].append(took / ran)
                    spent[name] += took
        for name, each in times.items():
            rates[name][batch] = batch / median(each) if each else None
    return rates


def _both(asked: Workload, device: Device) -> _Both:
    """Return indexes of vectors, with lists; beyond what is trained alone both have the same."""
    free = _free_bytes(device)
    on_gpu: VectorIndex = CosineIndex(DIMENSION, device)
    on_cpu: VectorIndex = CosineIndex(DIMENSION, resolve_device("cpu"))
    on_gpu.append(asked.rows)
    trained_s = {GPU: _trained(on_gpu)}
    if len(asked.rows) <= TRAINED_ALONE:
        on_cpu.append(asked.rows)
        trained_s[CPU] = _trained(on_cpu)
    else:
        on_cpu.restore(_for_the_cpu(on_gpu.state()))
    return _Both(
        asked=asked, indexes={CPU: on_cpu, GPU: on_gpu}, trained_s=trained_s, free_before=free
    )


def _trained(index: VectorIndex) -> float:
    started = time.perf_counter()
    index.train(workload.SEED)
    return time.perf_counter() - started


def _for_the_cpu(state: IndexState) -> IndexState:
    """Return a state with a GPU's lists as one of the CPU's, whose lists have a byte a number."""
    if state.facts["trained"] == "vector lists":  # where the CPU stands in for a GPU
        return state
    rows = state.arrays["rows"]
    coding = byte_coding(
        snapshot_of(rows, None), restored_clustering(state, rows.dtype, rows.shape[1])
    )
    facts = {
        "trained": "vector lists",
        "number_bytes": coding.size_bytes,
        "lowest": coding.lowest,
        "width": coding.width,
    }
    return IndexState(facts={**state.facts, **facts}, arrays=state.arrays)


def _searched(
    both: _Both, parameters: SearchParameters, batches: Sequence[int], rounds: int, device: Device
) -> Searched:
    asked = both.asked
    calls = {name: partial(_search, each, parameters) for name, each in both.indexes.items()}
    few = asked.queries if len(asked.rows) < 1_000_000 else asked.queries[:_TRUE]
    found = {name: call(few).positions for name, call in calls.items()}
    left = _free_bytes(device)
    taken = None if both.free_before is None or left is None else both.free_before - left
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        on_all = partial(_by_all_cores, pool, calls[CPU])
        rates = in_turn(
            {CPU: calls[CPU], CORES: on_all, GPU: calls[GPU]}, asked.queries, batches, rounds
        )
    return Searched(
        rates=rates,
        recall={name: asked.recall(positions) for name, positions in found.items()},
        same=float((found[CPU] == found[GPU]).mean()),
        memory=(
            both.indexes[CPU].describe().memory_bytes / len(asked.rows),
            None if taken is None else taken / len(asked.rows),
        ),
        trained_s=both.trained_s,
    )


def _search(index: VectorIndex, parameters: SearchParameters, queries: Queries) -> SearchResult:
    return index.search(queries, K, parameters)


def _by_all_cores(
    pool: ThreadPoolExecutor, call: Callable[[Queries], object], queries: Queries
) -> None:
    """Search with a thread for each core, each of which has its part of the queries."""
    parts = min(len(queries), os.cpu_count() or 1)
    list(pool.map(call, np.array_split(queries, parts)))


def _takes_too_long(rates: Rates, batch: int) -> bool:
    """Return whether a batch would, by what the last one took for each query."""
    if not rates:
        return False
    last = list(rates.values())[-1]
    return last is None or batch / last > LIMIT_S


def _seconds(call: Callable[[], object], calls: int) -> tuple[float, int]:
    """Return how long some calls took, and how many they were: slow ones are soon enough."""
    start, took, ran = time.perf_counter(), 0.0, 0
    while ran < calls and took < ENOUGH_S / 2:
        call()
        took, ran = time.perf_counter() - start, ran + 1
    return took, ran


def _free_bytes(device: Device) -> int | None:
    """Return the free memory of a GPU; None on the CPU."""
    if device.kind == "cpu":
        return None
    import torch  # only here: indexes do without it

    free, _ = torch.cuda.mem_get_info(device.ordinal)
    return int(free)
