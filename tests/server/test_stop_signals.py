"""What ends a server is never missed."""

import os
import signal
import threading

import pytest

from cipherlens.server.app import _stop_signals


@pytest.fixture
def stopping():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with _stop_signals() as waiting:
        waiting.settimeout(10)
        yield waiting
    os.close(signal.set_wakeup_fd(-1))
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_wait_ends_it(stopping, number):
    os.kill(os.getpid(), number)
    assert stopping.recv(1)[0] == number


def test_a_signal_at_any_moment_of_the_wait_ends_it(stopping):
    for _ in range(500):
        killer = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM))
        killer.start()
        assert stopping.recv(1)
        killer.join()
