"""A lock that is waited for no longer than a call may."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cipherlens.server.call import Call
from cipherlens.server.errors import StorageUnavailable

LONGEST_WAIT_S = 30.0
"""How long who has no deadline waits: a lock that is held for longer is not worth a thread."""

ANY_CALL = Call()
"""One without a deadline, and with a caller who waits."""


class CallLock:
    """A `threading.Lock` that gives up; `with lock:` waits as long as any call may."""

    def __init__(self, what: str) -> None:
        """Take what it guards, for people who are told that it is busy."""
        self._what = what
        self._lock = threading.Lock()

    def acquire(self, call: Call) -> None:
        """Take the lock. Raises DeadlineExpired, CallCancelled, StorageUnavailable."""
        if self._lock.acquire(timeout=call.remaining_s(LONGEST_WAIT_S)):
            return
        raise self.gave_up(call)

    def gave_up(self, call: Call) -> Exception:
        """Return what a call is told that has waited in vain."""
        call.check()
        return StorageUnavailable(
            f"{self._what} was busy for {LONGEST_WAIT_S:g} s; nothing was changed"
        )

    def release(self) -> None:
        """Give the lock back."""
        self._lock.release()

    @contextmanager
    def held(self, call: Call) -> Iterator[None]:
        """Hold the lock within the block. Raises as `acquire` does."""
        self.acquire(call)
        try:
            yield
        finally:
            self.release()

    def __enter__(self) -> None:
        self.acquire(ANY_CALL)

    def __exit__(self, *_: object) -> None:
        self.release()
