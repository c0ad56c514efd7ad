"""Threads that wait for a lock: how they are served is seen from what each turn was given."""

import threading

import pytest

from cipherlens.server.call import Call
from cipherlens.server.errors import DeadlineExpired
from cipherlens.server.locks import ANY_CALL, CallLock
from cipherlens.server.turns import SharedTurns


class Turns:
    """Shared turns that record what they are given; a turn can be held up at its beginning."""

    def __init__(self):
        self.lock = CallLock("the thing")
        self.given = []
        self.shared = SharedTurns(self.lock, self.serve)
        self.threads = []
        self.results = {}

    def serve(self, jobs, _call):
        self.given.append(sorted(jobs))
        if "fail" in jobs:
            raise KeyError("all of this turn")
        return [ValueError(each) if each.startswith("bad") else each.upper() for each in jobs]

    def take(self, job, call=ANY_CALL):
        try:
            self.results[job] = self.shared.take(job, call)
        except Exception as error:  # noqa: BLE001
            self.results[job] = error

    def start(self, *jobs, call=ANY_CALL):
        """Begin jobs on threads of their own, and return once all of them wait."""
        waiting = len(self.shared._waiting)
        for job in jobs:
            self.threads.append(threading.Thread(target=self.take, args=[job, call]))
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

    def slow(jobs, call):
        begun.set()
        assert go_on.wait(20)
        return served(jobs, call)

    turns.shared._serve = slow
    turns.threads = [threading.Thread(target=turns.take, args=["a"])]
    turns.threads[0].start()
    assert begun.wait(20)
    turns.start("b", "c")
    go_on.set()
    turns.join()
    assert turns.given == [["a"], ["b", "c"]]
    assert turns.results == {"a": "A", "b": "B", "c": "C"}


def test_one_told_to_lead_before_it_waits_is_told_once(turns):
    class Guard:
        """Lets the first thread end before a second one that has queued goes on."""

        def __init__(self, lock):
            self.lock = lock

        def __enter__(self):
            self.lock.acquire()

        def __exit__(self, *_):
            self.lock.release()
            if threading.current_thread() is second:
                go_on.set()
                first.join(20)

    begun, go_on = threading.Event(), threading.Event()
    served = turns.serve

    def slow(jobs, call):
        begun.set()
        assert go_on.wait(20)
        return served(jobs, call)

    turns.shared._serve, turns.shared._guard = slow, Guard(threading.Lock())
    first, second = (threading.Thread(target=turns.take, args=[each]) for each in "ab")
    first.start()
    assert begun.wait(20)
    second.start()
    second.join(20)
    assert turns.results == {"a": "A", "b": "B"}


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


def test_a_job_whose_deadline_passes_is_withdrawn(turns):
    with turns.lock:
        turns.start("leader")
        turns.start("late", call=Call.within(0.05))
        turns.threads[-1].join(20)
        assert isinstance(turns.results["late"], DeadlineExpired)
    turns.join()
    assert turns.given == [["leader"]]


def test_a_leader_whose_deadline_passes_hands_on(turns):
    with turns.lock:
        turns.start("late", call=Call.within(0.05))
        turns.start("b", "c")
        turns.threads[0].join(20)
        assert isinstance(turns.results["late"], DeadlineExpired)
    turns.join()
    assert turns.given == [["b", "c"]]
    assert turns.shared.take("d") == "D"


def test_when_all_have_given_up_the_next_one_leads(turns):
    with turns.lock:
        turns.start("a", "b", call=Call.within(0.05))
        turns.join()
    assert turns.shared.take("c") == "C"
    assert turns.given == [["c"]]


def test_a_turn_is_as_patient_as_the_most_patient_of_its_jobs(turns):
    patience = []
    turns.shared._serve = lambda jobs, call: patience.append(call) or jobs
    first, second = Call.within(100), Call.within(200)
    with turns.lock:
        turns.start("a", call=first)
        turns.start("b", call=second)
    turns.join()
    with turns.lock:
        turns.start("c", call=first)
        turns.start("d")
    turns.join()
    assert [each.expires_at for each in patience] == [second.expires_at, None]
