"""What a load process measures: calls one after the other, and many at the same time.

It offers measures by name and takes the one that it is told to, so that the processes of contenders
take turns: a line `["name", seconds]` comes in, a line with what was measured goes out.
"""

import asyncio
import json
import statistics
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from itertools import count
from typing import Any

Ask = Callable[[int], object]
"""Asks by the query of a number, any from 0, and reads the answer."""

AskLater = Callable[[int], Awaitable[object]]
"""The same, awaited."""

Run = Callable[[Coroutine[Any, Any, float]], float]
"""Runs a coroutine on the loop that what it awaits belongs to."""

Measure = Callable[[float], Any]
"""Asks for so many seconds and returns what was measured."""

_WARM_S = 0.05


def alone(ask: Ask) -> Measure:
    """Return the measure of one call after the other: their median, in microseconds."""

    def measure(seconds: float) -> float:
        times = []
        ends_at = time.perf_counter() + seconds
        for number in count():
            begun = time.perf_counter()
            if begun > ends_at:
                break
            ask(number)
            times.append(time.perf_counter() - begun)
        return statistics.median(times) * 1e6

    return measure


def awaited_alone(ask: AskLater, run: Run) -> Measure:
    """Return the same of calls that are awaited, in one task."""

    async def measure(seconds: float) -> float:
        times = []
        ends_at = time.perf_counter() + seconds
        for number in count():
            begun = time.perf_counter()
            if begun > ends_at:
                break
            await ask(number)
            times.append(time.perf_counter() - begun)
        return statistics.median(times) * 1e6

    return lambda seconds: run(measure(seconds))


def from_tasks(ask: AskLater, tasks: int, run: Run) -> Measure:
    """Return the measure of so many tasks that ask without a pause: answers in a second."""

    async def measure(seconds: float) -> float:
        numbers = count()
        begun = time.perf_counter()

        async def work() -> None:
            while time.perf_counter() < begun + seconds:
                await ask(next(numbers))

        await asyncio.gather(*(work() for _ in range(tasks)))
        return next(numbers) / (time.perf_counter() - begun)

    return lambda seconds: run(measure(seconds))


def from_threads(asks: Sequence[Ask]) -> Measure:
    """Return the measure of a thread for each of these, without a pause: answers in a second."""

    def measure(seconds: float) -> float:
        numbers = count()
        begun = time.perf_counter()

        def work(ask: Ask) -> None:
            while time.perf_counter() < begun + seconds:
                ask(next(numbers))

        threads = [threading.Thread(target=work, args=[ask]) for ask in asks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return next(numbers) / (time.perf_counter() - begun)

    return measure


def measure_as_told(ways: Mapping[str, Measure], facts: object = None) -> None:
    """Say what there is to measure, and measure what is named, until standard input ends.

    The first line out is `[names, facts]`. A measure is taken shortly before it counts, for the
    process has stood still while others were measured.
    """
    print(json.dumps([list(ways), facts]), flush=True)
    for line in sys.stdin:
        name, seconds = json.loads(line)
        ways[name](_WARM_S)
        print(json.dumps(ways[name](seconds)), flush=True)
