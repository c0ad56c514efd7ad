"""How many calls may be under way, and their orderly end."""

import threading

from cipherlens.server.errors import QueueFull, Starting, Stopping


class Admission:
    """Counts the calls under way; `with admission.reads:` or `.writes:` is one.

    One too many is refused at once, and every call until it is open. Neither kind takes the last
    quarter of the places: searches that wait for a change never keep that change out, nor do writes
    that wait for one another keep out searches. A transport has more threads than the limit, so
    that health checks and refusals find one.
    """

    def __init__(self, max_concurrent_calls: int, *, is_open: bool = True) -> None:
        self._limit = max_concurrent_calls
        self._limit_of_kind = max_concurrent_calls - max_concurrent_calls // 4
        self._lock = threading.Lock()  # guards the fields below, and the counts of both kinds
        self._under_way = 0
        self._is_open = is_open
        self._stopping = False
        # Notified when nothing is under way any more, once that can be waited for.
        self._done = threading.Condition(self._lock)
        self.reads = _Places(self, "reading calls")
        self.writes = _Places(self, "writing calls")

    def _enter(self, places: "_Places") -> None:
        with self._lock:
            if self._stopping:
                raise Stopping("the server is shutting down")
            if not self._is_open:
                raise Starting("the server is loading its collections")
            if self._under_way >= self._limit:
                raise _too_many("calls", self._limit)
            if places.taken >= self._limit_of_kind:
                raise _too_many(places.what, self._limit_of_kind)
            places.taken += 1
            self._under_way += 1

    def _leave(self, places: "_Places") -> None:
        with self._lock:
            places.taken -= 1
            self._under_way -= 1
            if self._stopping and not self._under_way:
                self._done.notify_all()

    @property
    def under_way(self) -> dict[str, int]:
        """How many calls are under way, by kind."""
        return {"reads": self.reads.taken, "writes": self.writes.taken}

    @property
    def is_open(self) -> bool:
        """Whether calls are taken at all."""
        return self._is_open and not self._stopping

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


class _Places:
    """The calls of one kind under way."""

    def __init__(self, admission: Admission, what: str) -> None:
        self._admission = admission
        self.what = what
        self.taken = 0  # guarded by the admission's lock

    def __enter__(self) -> None:
        """Count a call. Raises QueueFull, Starting or Stopping instead."""
        self._admission._enter(self)

    def __exit__(self, *_: object) -> None:
        """Count the call no more."""
        self._admission._leave(self)


def _too_many(what: str, limit: int) -> QueueFull:
    return QueueFull(
        f"{limit} {what} are under way, the most that this server takes on",
        {"limit": str(limit), "value": str(limit + 1)},
    )
