import threading

import pytest

from cipherlens.server.call import Call
from cipherlens.server.embedding.turns import Turns
from cipherlens.server.errors import CallCancelled, DeadlineExpired, QueueFull


def waiting(turns, count):
    """Wait until so many calls wait for their turn."""
    with turns._changed:
        assert turns._changed.wait_for(lambda: turns._waiting >= count, 20)


@pytest.fixture
def turns():
    return Turns("calls wait", 2)


def taking(turns, call, found):
    """Return a thread that has a turn and notes it, or why it had none."""

    def take():
        try:
            with turns.turn(call):
                found.append("had it")
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found.append(type(error))

    thread = threading.Thread(target=take)
    thread.start()
    return thread


def test_one_at_a_time_has_a_turn_and_failures_give_it_on(turns):
    found = []

    def fail():
        with turns.turn(Call()):
            others.append(taking(turns, Call(), found))
            waiting(turns, 1)
            assert found == []
            raise RuntimeError

    others = []
    with pytest.raises(RuntimeError):
        fail()
    others[0].join(20)
    assert found == ["had it"]


def test_a_turn_is_waited_for_until_the_deadline(turns):
    with (
        turns.turn(Call()),
        pytest.raises(DeadlineExpired, match="deadline"),
        turns.turn(Call.within(0.05)),
    ):
        pass
    with turns.turn(Call.within(20)):
        pass


def test_a_caller_that_is_gone_waits_no_longer(turns):
    found, ended, active = [], [], [True]
    with turns.turn(Call()):
        gone = taking(turns, Call(is_active=lambda: active[0], on_end=ended.append), found)
        waiting(turns, 1)
        active[0] = False
        ended[0]()
        gone.join(20)
    assert found == [CallCancelled]


def test_one_too_many_is_refused(turns):
    found = []
    with turns.turn(Call()):
        others = [taking(turns, Call(), found) for _ in range(2)]
        waiting(turns, 2)
        with pytest.raises(QueueFull, match="2 calls wait, the most") as caught, turns.turn(Call()):
            pass
        assert caught.value.metadata == {"limit": "2", "value": "3"}
    for each in others:
        each.join(20)
    assert found == ["had it", "had it"]
