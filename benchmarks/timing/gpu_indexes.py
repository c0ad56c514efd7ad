"""The same rows in an index on the CPU and in one on a GPU, searched in turn."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.load import workload
from benchmarks.load.workload import BITS, CODES, DIMENSION, K, Workload
from cipherlens.server.index import (
    CosineIndex,
    Device,
    HammingIndex,
    SearchParameters,
    SearchResult,
    VectorIndex,
    resolve_device,
)

CPU, GPU = "CPU", "GPU"
EXACT, LISTS = "vectors, exact", "vectors, lists"
CODED = "codes, exact"
LIMIT_S = 20.0
"""A batch that would take longer is left out."""

_TRUE = 16
"""Queries whose true hits are looked for among a million rows or more, where that takes long."""

Queries = NDArray[Any]
Rates = dict[int, float | None]
"""By size of a batch, queries a second; None where it would have taken too long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """One way of searching, on both devices.

    Attributes:
        rates: by "CPU" or "GPU".
        recall: by the same, at k = 20.
        same: the part of the hits that both have, in the same order.
        memory: bytes for each row, in the processor's memory and in the GPU's; None for the latter
            where there is none.
    """

    rates: Mapping[str, Rates]
    recall: Mapping[str, float]
    same: float
    memory: tuple[float, float | None]


def searched(size: int, device: Device, batches: Sequence[int], rounds: int) -> dict[str, Searched]:
    """Return what is found of so many rows, by the way of searching."""
    vectors, codes = workload.vectors(size), workload.codes(size)
    return {
        **_of(vectors, device, batches, rounds),
        **_of(codes, device, batches, rounds),
    }


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
        for _ in range(rounds):
            for name, call in calls.items():
                if not _takes_too_long(rates[name], batch) and sum(times[name]) < LIMIT_S:
                    times[name].append(_seconds(partial(call, queries), max(1, 16 // batch)))
        for name, each in times.items():
            rates[name][batch] = batch / median(each) if each else None
    return rates


def _of(
    asked: Workload, device: Device, batches: Sequence[int], rounds: int
) -> dict[str, Searched]:
    free = _free_bytes(device)
    indexes = {name: _filled(asked, each) for name, each in _devices(device).items()}
    ways = {CODED: SearchParameters(exact=True)}
    if asked.kind != CODES:
        ways = {EXACT: SearchParameters(exact=True), LISTS: SearchParameters()}
    return {
        way: _searched(asked, indexes, parameters, batches, rounds, free, device)
        for way, parameters in ways.items()
    }


def _devices(device: Device) -> dict[str, Device]:
    return {CPU: resolve_device("cpu"), GPU: device}


def _filled(asked: Workload, device: Device) -> VectorIndex:
    """Return an index of the workload's rows, trained."""
    index: VectorIndex = (
        HammingIndex(BITS, device) if asked.kind == CODES else CosineIndex(DIMENSION, device)
    )
    index.append(asked.rows)
    index.train(workload.SEED)
    return index


def _searched(
    asked: Workload,
    indexes: Mapping[str, VectorIndex],
    parameters: SearchParameters,
    batches: Sequence[int],
    rounds: int,
    free: int | None,
    device: Device,
) -> Searched:
    calls = {
        name: partial(_search, index, parameters=parameters) for name, index in indexes.items()
    }
    few = asked.queries if len(asked.rows) < 1_000_000 else asked.queries[:_TRUE]
    found = {name: call(few).positions for name, call in calls.items()}
    left = _free_bytes(device)
    on_gpu = None if free is None or left is None else (free - left) / len(asked.rows)
    return Searched(
        rates=in_turn(calls, asked.queries, batches, rounds),
        recall={name: asked.recall(positions) for name, positions in found.items()},
        same=float((found[CPU] == found[GPU]).mean()),
        memory=(indexes[CPU].describe().memory_bytes / len(asked.rows), on_gpu),
    )


def _search(index: VectorIndex, queries: Queries, parameters: SearchParameters) -> SearchResult:
    return index.search(queries, K, parameters)


def _takes_too_long(rates: Rates, batch: int) -> bool:
    """Return whether a batch would, by what the last one took for each query."""
    if not rates:
        return False
    last = list(rates.values())[-1]
    return last is None or batch / last > LIMIT_S


def _seconds(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def _free_bytes(device: Device) -> int | None:
    """Return the free memory of a GPU; None on the CPU."""
    if device.kind == "cpu":
        return None
    import torch  # only here: indexes do without it

    free, _ = torch.cuda.mem_get_info(device.ordinal)
    return int(free)
