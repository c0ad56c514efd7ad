"""What ends a server is never missed."""

import os
import signal
import threading

import pytest

from cipherlens.server.signals import signals_of

NUMBERS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def stopping():
    with signals_of(*NUMBERS) as waiting:
        waiting.settimeout(10)
        yield waiting


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_before_the_wait_ends_it(stopping, number):
    os.kill(os.getpid(), number)
    assert stopping.recv(1)[0] == number


def test_a_signal_at_any_moment_of_the_wait_ends_it(stopping):
    for _ in range(500):
        killer = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM))
        killer.start()
        assert stopping.recv(1)
        killer.join()


def test_afterwards_signals_are_what_they_were():
    before = [signal.getsignal(each) for each in NUMBERS]
    with signals_of(*NUMBERS):
        assert [signal.getsignal(each) for each in NUMBERS] != before
    assert [signal.getsignal(each) for each in NUMBERS] == before
    assert signal.set_wakeup_fd(-1) == -1
