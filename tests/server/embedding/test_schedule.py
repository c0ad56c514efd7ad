import numpy as np
import pytest

from cipherlens.server.call import Call
from cipherlens.server.embedding.asked import Asked
from cipherlens.server.embedding.schedule import Schedule


@pytest.fixture
def schedule():
    return Schedule(max_batch=8, max_waiting=64, passes=2)


def asked(*values, shape=(2, 3, 3)):
    return Asked([np.full(shape, value, np.uint8) for value in values], Call())


def values(batch):
    return [int(each.images[position].flat[0]) for each, position in batch.images]


def test_nothing_waits_and_nothing_is_begun(schedule):
    assert schedule.begin_pass(0) is None


def test_what_comes_alone_is_the_first_free_thread_s(schedule):
    schedule.urgent.enter(asked(1))
    assert schedule.begin_pass(1) is None
    assert values(schedule.begin_pass(0)) == [1]
    schedule.urgent.enter(asked(2))
    assert values(schedule.begin_pass(1)) == [2]


def test_threads_that_are_free_together_share_what_waits(schedule):
    schedule.bulk.enter(asked(*range(5)))
    assert values(schedule.begin_pass(1)) == [0, 1, 2]
    assert values(schedule.begin_pass(0)) == [3, 4]


def test_a_thread_that_is_free_alone_takes_a_full_batch(schedule):
    schedule.urgent.enter(asked(1))
    schedule.begin_pass(0)
    schedule.urgent.enter(asked(*range(10)))
    assert values(schedule.begin_pass(1)) == list(range(8))


def passes_alone(schedule, count, seconds=lambda passes: passes):
    """Let single queries come one after the other; return how many passes shared the cores.

    A pass takes the seconds that a function says of how many share them.
    """
    shared = []
    for value in range(count):
        schedule.urgent.enter(asked(value % 256))
        batch = schedule.begin_pass(0)
        shared.append(batch.passes)
        schedule.learn(batch, seconds(batch.passes))
        schedule.end_pass(0)
    return shared


def test_all_cores_are_given_up_for_a_while_where_passes_take_longer_with_them(schedule):
    shared = passes_alone(schedule, 420, seconds=lambda passes: 3 - passes)
    assert shared[:100].count(1) == 12
    assert shared.count(1) == 24  # tried once more
    assert passes_alone(schedule, 400)[-1] == 1  # and taken when they have become faster


def test_all_cores_are_kept_where_they_are_faster_but_for_the_first_passes(schedule):
    """Their threads have to come first; and one pass with a share was very short, by chance."""

    def seconds(passes):
        turns.append(passes)
        if passes == 2:
            return 0.1 if len(turns) == 3 else 2
        return 9 if turns.count(1) <= 8 else 1

    turns = []
    assert passes_alone(schedule, 100, seconds)[-80:] == [1] * 80


def test_a_slow_pass_now_and_then_is_no_reason(schedule):
    def seconds(passes):
        turns.append(passes)
        return 9 if len(turns) % 3 == 0 else passes

    turns = []
    assert passes_alone(schedule, 100, seconds)[-1] == 1


def test_all_cores_are_given_late_and_taken_back_at_once(schedule):
    shared = passes_alone(schedule, 12)
    assert shared == sorted(shared, reverse=True)
    assert {*shared} == {2, 1}
    schedule.urgent.enter(asked(1))
    assert schedule.begin_pass(0).passes == 1
    schedule.urgent.enter(asked(2))  # while that is under way
    assert schedule.begin_pass(1).passes == 2
    schedule.end_pass(0)
    schedule.end_pass(1)
    assert passes_alone(schedule, 1) == [2]


def test_images_that_wait_still_are_company(schedule):
    passes_alone(schedule, 12)
    schedule.urgent.enter(asked(1))
    schedule.urgent.enter(asked(2, shape=(3, 2, 3)))
    assert schedule.begin_pass(0).passes == 2


def test_one_thread_has_all_cores_whatever_comes():
    schedule = Schedule(max_batch=8, max_waiting=64, passes=1)
    schedule.urgent.enter(asked(*range(20)))
    assert schedule.begin_pass(0).passes == 1
