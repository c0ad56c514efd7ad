"""Threads that wait for a lock: how they are served is seen from what each turn was given."""

import threading

import pytest

from cipherlens.server.turns import SharedTurns


class Turns:
    """Shared turns that record what they are given; a turn can be held up at its beginning."""

    def __init__(self):
        self.lock = threading.Lock()
        self.given = []
        self.shared = SharedTurns(self.lock, self.serve)
        self.threads = []
        self.results = {}

    def serve(self, jobs):
        self.given.append(sorted(jobs))
        if "fail" in jobs:
            raise KeyError("all of this turn")
        return [ValueError(each) if each.startswith("bad") else each.upper() for each in jobs]

    def take(self, job):
        try:
            self.results[job] = self.shared.take(job)
        except Exception as error:  # noqa: BLE001
            self.results[job] = error

    def start(self, *jobs):
        """Begin jobs on threads of their own, and return once all of them wait."""
        waiting = len(self.shared._waiting)
        for job in jobs:
            self.threads.append(threading.Thread(target=self.take, args=[job]))
            self.threads[-1].start()
        while len(self.shared._waiting) < waiting + len(jobs):
            assert any(each.is_alive() for each in self.threads)

    def join(self):
        for each in self.threads:
            each.join(20)
            assert not each.is_alive()


@pytest.fixture
def turns():
    return Turns()


def test_one_alone_is_served_at_once(turns):
    assert [turns.shared.take("a"), turns.shared.take("b")] == ["A", "B"]
    assert turns.given == [["a"], ["b"]]


def test_those_that_wait_for_the_lock_share_a_turn(turns):
    with turns.lock:
        turns.start("a", "b", "c")
    turns.join()
    assert turns.given == [["a", "b", "c"]]
    assert turns.results == {"a": "A", "b": "B", "c": "C"}


def test_what_comes_during_a_turn_is_the_next_one(turns):
    begun, go_on = threading.Event(), threading.Event()
    served = turns.serve

    def slow(jobs):
        begun.set()
        assert go_on.wait(20)
        return served(jobs)

    turns.shared._serve = slow
    turns.threads = [threading.Thread(target=turns.take, args=["a"])]
    turns.threads[0].start()
    assert begun.wait(20)
    turns.start("b", "c")
    go_on.set()
    turns.join()
    assert turns.given == [["a"], ["b", "c"]]
    assert turns.results == {"a": "A", "b": "B", "c": "C"}


def test_a_failure_of_one_is_his_own(turns):
    with turns.lock:
        turns.start("a", "bad", "c")
    turns.join()
    assert (turns.results["a"], turns.results["c"]) == ("A", "C")
    assert isinstance(turns.results["bad"], ValueError)


def test_a_turn_that_fails_fails_for_all_and_the_next_is_served(turns):
    with turns.lock:
        turns.start("a", "fail")
    turns.join()
    assert {type(each) for each in turns.results.values()} == {KeyError}
    assert turns.shared.take("b") == "B"


def test_many_threads_are_each_served_once(turns):
    def run(name):
        for number in range(200):
            turns.take(f"{name}{number}")

    threads = [threading.Thread(target=run, args=[name]) for name in "uvwxyz"]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert turns.results == {f"{n}{i}": f"{n.upper()}{i}" for n in "uvwxyz" for i in range(200)}
    assert sum(map(len, turns.given)) == 1200
