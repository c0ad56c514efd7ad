"""What is counted is what was asked, from however many tasks or threads."""

import asyncio
import threading
import time
from itertools import chain

import pytest

from benchmarks.clients.measures import alone, awaited_alone, from_tasks, from_threads

SECONDS = 0.05


def test_the_median_of_calls_is_theirs_and_not_that_of_the_pauses():
    asked = []

    def ask(number):
        asked.append(number)
        if number % 3 == 0:
            time.sleep(0.005)

    assert 0 < alone(ask)(SECONDS) < 5_000
    assert asked == list(range(len(asked)))


def test_a_call_that_is_awaited_is_timed_to_its_end():
    async def ask(_):
        await asyncio.sleep(0.002)

    assert awaited_alone(ask, asyncio.run)(SECONDS) >= 2_000


@pytest.mark.parametrize("many", [1, 8])
def test_tasks_ask_at_the_same_time(many):
    asked, under_way, most = [], 0, 0

    async def ask(number):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        asked.append(number)

    begun = time.perf_counter()
    rate = from_tasks(ask, many, asyncio.run)(SECONDS)
    assert most == many
    assert sorted(asked) == list(range(len(asked)))
    assert rate >= len(asked) / (time.perf_counter() - begun)


def test_each_thread_asks_in_its_own_way():
    asked = [[], [], []]
    barrier = threading.Barrier(3)

    def asking(mine):
        def ask(number):
            if not mine:
                barrier.wait(10)  # all three are under way at once
            mine.append(number)

        return ask

    rate = from_threads([asking(mine) for mine in asked])(SECONDS)
    numbers = sorted(chain(*asked))
    assert numbers == list(range(len(numbers)))
    assert all(asked)
    assert rate > 0
