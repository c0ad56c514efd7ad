"""Fair comparison: contenders take turns, and the median of many rounds speaks."""

import statistics
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from itertools import cycle
from typing import TypeVar

from benchmarks.harness.progress import told

_Name = TypeVar("_Name", bound=Hashable)
_Query = TypeVar("_Query")


def asking(search: Callable[[_Query], object], queries: Iterable[_Query]) -> Callable[[], object]:
    """Return a contender that searches by one query after the other, around and around."""
    following = cycle(queries)
    return lambda: search(next(following))


def medians_us(
    contenders: Mapping[_Name, Callable[[], object]], *, rounds: int, calls: int
) -> dict[_Name, float]:
    """Return the median over rounds of each contender's mean microseconds per call.

    In every round each contender is called `calls` times.
    """
    measures = {name: partial(_mean_us, call, calls) for name, call in contenders.items()}
    return {name: round(each, 1) for name, each in medians(measures, rounds=rounds).items()}


def medians(measures: Mapping[_Name, Callable[[], float]], *, rounds: int) -> dict[_Name, float]:
    """Return the median over rounds of what each measure returns."""
    return {name: statistics.median(each) for name, each in taken(measures, rounds).items()}


def taken(measures: Mapping[_Name, Callable[[], float]], rounds: int) -> dict[_Name, list[float]]:
    """Return what each measure returns in every round.

    In a round each is taken once, one after another, so that what else runs on the machine meets
    all alike.
    """
    found: dict[_Name, list[float]] = {name: [] for name in measures}
    for _ in told("rounds", range(rounds)):
        for name, measure in measures.items():
            found[name].append(measure())
    return found


def milliseconds(task: Callable[[], object]) -> float:
    """Return how long a task takes."""
    return _mean_us(task, 1) / 1000


def _mean_us(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6
