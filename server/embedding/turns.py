"""Work that is done one at a time, by calls that wait for their turn no longer than they may."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cipherlens.server.call import Call
from cipherlens.server.errors import DeadlineExpired, QueueFull


class Turns:
    """Gives one turn at a time; a few calls may wait for one, the rest is refused as too much."""

    def __init__(self, what: str, max_waiting: int) -> None:
        """Take what the waiting calls do, for the refusal, and how many they may be."""
        self._what = what
        self._max_waiting = max_waiting
        # Guards the fields below; notified when a turn ends or who waits changes.
        self._changed = threading.Condition()
        self._is_taken = False
        self._waiting = 0

    @contextmanager
    def turn(self, call: Call) -> Iterator[None]:
        """Wait for a turn and have it within the block.

        Raises QueueFull at once, DeadlineExpired, CallCancelled.
        """
        self._take(call)
        try:
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()

    def _take(self, call: Call) -> None:
        call.on_end(self._wake)
        with self._changed:
            if self._is_taken and self._waiting >= self._max_waiting:
                raise QueueFull(
                    f"{self._waiting} {self._what}, the most that this server lets wait",
                    {"limit": str(self._max_waiting), "value": str(self._waiting + 1)},
                )
            self._waiting += 1
            self._changed.notify_all()
            try:
                self._wait(call)
            finally:
                self._waiting -= 1
            self._is_taken = True

    def _wait(self, call: Call) -> None:
        """Return when nobody has the turn; the caller holds the lock."""
        in_time = self._changed.wait_for(
            lambda: not (self._is_taken and call.is_active()),
            call.remaining_s(threading.TIMEOUT_MAX),
        )
        call.check()
        if not in_time:
            raise DeadlineExpired("the deadline passed before a model could be loaded")

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
