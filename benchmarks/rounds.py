"""Fair comparison: contenders take turns, and the median of many rounds speaks."""

import statistics
import time
from collections.abc import Callable, Mapping


def medians_us(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int, calls: int
) -> dict[str, float]:
    """Return the median over rounds of each contender's mean microseconds per call.

    In every round each contender is called `calls` times, one contender after another, so that
    what else runs on the machine meets all alike.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            times[name].append(_mean_us(call, calls))
    return {name: round(statistics.median(each), 1) for name, each in times.items()}


def _mean_us(call: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6
