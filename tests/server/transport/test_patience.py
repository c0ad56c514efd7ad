"""Waits for callers: which are ended, and when a new one finds no place."""

import threading

import pytest

from cipherlens.server.errors import QueueFull
from cipherlens.server.transport.patience import Patience


@pytest.fixture
def make():
    made = []

    def make(*arguments, **settings):
        made.append(Patience(*arguments, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_wait_that_takes_too_long_is_ended(make):
    waits, ended = make(0.05), threading.Event()
    with waits.kept(ended.set):
        assert ended.wait(20)


def test_each_of_several_is_ended_whether_the_clock_slept_or_not(make):
    waits = make(0.05)
    for _ in range(3):
        ends = [threading.Event() for _ in range(3)]
        with waits.kept(ends[0].set), waits.kept(ends[1].set), waits.kept(ends[2].set):
            assert all(each.wait(20) for each in ends)


def test_one_that_is_over_is_not_ended(make):
    waits, ended, later = make(0.05), [], threading.Event()
    with waits.kept(lambda: ended.append("early")):
        pass
    with waits.kept(later.set):
        assert later.wait(20)
    assert ended == []


def test_where_all_places_are_taken_by_new_waits_another_is_refused(make):
    waits, ended = make(60, 2, secure_s=60), []
    with (
        waits.kept(lambda: ended.append(1)),
        waits.kept(lambda: ended.append(2)),
        pytest.raises(QueueFull, match="2 calls wait for their messages"),
        waits.kept(lambda: ended.append(3)),
    ):
        pass
    assert ended == []
    with waits.kept(lambda: ended.append(4)):
        pass


def test_the_longest_wait_makes_room(make):
    waits, ended = make(60, 2), []
    with (
        waits.kept(lambda: ended.append(1)),
        waits.kept(lambda: ended.append(2)),
        waits.kept(lambda: ended.append(3)),
    ):
        assert ended == [1]
        with waits.kept(lambda: ended.append(4)):
            assert ended == [1, 2]
