"""Signals as bytes to read: none is missed, whenever it comes and on whatever thread."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def signals_of(*numbers: signal.Signals) -> Iterator[socket.socket]:
    """Yield a socket that has a byte to read, the number, for each signal that has come.

    Afterwards signals are what they were. A handler that sets an event can come between the main
    thread's last look at it and its wait, which then never ends.
    """
    coming, told = socket.socketpair()
    with coming, told:
        told.setblocking(False)
        descriptor = signal.set_wakeup_fd(told.fileno())
        handlers = {each: signal.signal(each, lambda _number, _frame: None) for each in numbers}
        try:
            yield coming
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(descriptor)
