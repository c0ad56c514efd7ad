import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from cipherlens.client.folder.ahead import ahead


def run(work, entries, size_bytes=lambda _entry: 1, **bounds):
    return ahead(
        work, entries, size_bytes, **{"threads": 2, "max_entries": 4, "max_bytes": 100, **bounds}
    )


class Work:
    """Work that waits for leave to go on, once for each entry, and notes what began."""

    def __init__(self):
        self.begun = []
        self.changed = threading.Condition()
        self.go_on = threading.Semaphore(0)

    def __call__(self, entry):
        with self.changed:
            self.begun.append(entry)
            self.changed.notify_all()
        assert self.go_on.acquire(timeout=20)
        return entry * 10

    def await_begun(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.begun) >= count, 20)


def test_results_come_in_the_order_of_the_entries():
    turns = [threading.Event() for _ in range(2)]

    def work(entry):
        if entry == 0:
            assert turns[1].wait(20)  # the first is made after the second
        turns[min(entry, 1)].set()
        return entry * 10

    assert list(run(work, range(20))) == list(range(0, 200, 10))


def test_threads_work_at_the_same_time():
    meeting = threading.Barrier(2, timeout=20)
    assert list(run(lambda _entry: meeting.wait() >= 0, range(6))) == [True] * 6


@pytest.mark.parametrize(
    ("bounds", "sizes", "taken_ahead"),
    [
        ({"max_entries": 3}, [1] * 9, 3),
        ({"max_bytes": 5}, [2] * 9, 2),
        ({"max_bytes": 5}, [9] * 9, 1),
    ],
)
def test_no_more_is_begun_than_the_bounds_allow(bounds, sizes, taken_ahead):
    taken = []

    def entries():
        for number, size in enumerate(sizes):
            taken.append(number)
            yield size

    results = run(lambda size: size, entries(), lambda size: size, **bounds)
    next(results)
    assert len(taken) == taken_ahead + 1  # the last one waits for room
    assert list(results) == sizes[1:]


def test_a_failure_comes_in_its_place():
    def work(entry):
        if entry == 2:
            raise OSError("gone")
        return entry

    results = run(work, range(9))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(OSError, match="gone"):
        next(results)


def test_who_stops_early_waits_for_nothing_and_what_had_not_begun_never_does():
    work = Work()
    results = run(work, range(9), threads=1)
    with ThreadPoolExecutor(1) as taker:
        first = taker.submit(next, results)
        work.await_begun(1)
        work.go_on.release()
        assert first.result(20) == 0
        work.await_begun(2)
    with closing(results):
        pass  # returns while the second is held up
    work.go_on.release()
    for thread in threading.enumerate():
        if thread.name.startswith("ahead"):
            thread.join(20)
    assert len(work.begun) == 2
