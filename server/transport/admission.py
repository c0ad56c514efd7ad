"""How many calls may be under way, and their orderly end."""

import threading

from cipherlens.server.errors import QueueFull, Starting, Stopping


class Admission:
    """Counts the calls under way; `with admission:` is one. One too many is refused at once.

    Every call is, until it is open.

    A transport has more threads than this limit, so that health checks and refusals find one.
    """

    def __init__(self, max_concurrent_calls: int, *, is_open: bool = True) -> None:
        self._limit = max_concurrent_calls
        self._lock = threading.Lock()  # guards the fields below
        self._under_way = 0
        self._is_open = is_open
        self._stopping = False
        # Notified when nothing is under way any more, once that can be waited for.
        self._done = threading.Condition(self._lock)

    def __enter__(self) -> None:
        """Count a call. Raises QueueFull, Starting or Stopping instead."""
        with self._lock:
            if self._stopping:
                raise Stopping("the server is shutting down")
            if not self._is_open:
                raise Starting("the server is loading its collections")
            if self._under_way >= self._limit:
                raise QueueFull(
                    f"{self._limit} calls are under way, the most that this server takes on",
                    {"limit": str(self._limit), "value": str(self._under_way + 1)},
                )
            self._under_way += 1

    def __exit__(self, *_: object) -> None:
        """Count the call no more."""
        with self._lock:
            self._under_way -= 1
            if self._stopping and not self._under_way:
                self._done.notify_all()

    @property
    def is_stopping(self) -> bool:
        """Whether every new call is refused."""
        return self._stopping

    def open(self) -> None:
        """Take calls from now on."""
        with self._lock:
            self._is_open = True

    def stop(self) -> None:
        """Refuse new calls from now on."""
        with self._lock:
            self._stopping = True

    def drain(self, at_most_s: float) -> None:
        """Return when no call is under way after `stop`, or after so long."""
        with self._lock:
            self._done.wait_for(lambda: not self._under_way, at_most_s)
