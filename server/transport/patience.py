"""How long a thread waits for a caller: who keeps one waiting longer is ended."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple

from cipherlens.server.errors import QueueFull


class _Wait(NamedTuple):
    """A thread that waits since a time, and what ends that."""

    since_s: float
    end: Callable[[], object]


class Patience:
    """Waits of threads for callers, each ended after so long, by one thread that has the clock.

    Where there are only so many places and all are taken, the longest wait makes room, unless it
    is a short one too: then the new one is refused. So calls that never say anything keep out
    nobody who does.
    """

    def __init__(self, limit_s: float, places: int | None = None, *, secure_s: float = 0.0) -> None:
        """Take how long one may wait and, if that has a bound, how many may.

        secure_s: how long a wait need not make room for another.
        """
        self._limit_s = limit_s
        self._places = places
        self._secure_s = secure_s
        self._numbers = count()
        # Guards the fields below; notified when a wait begins that the clock does not know of.
        self._changed = threading.Condition()
        self._waits: dict[int, _Wait] = {}  # the oldest first
        self._has_plan = False  # whether the clock looks again before the oldest wait is over
        self._closed = False
        self._clock = threading.Thread(target=self._run, name="patience", daemon=True)
        self._clock.start()

    @contextmanager
    def kept(self, end: Callable[[], object]) -> Iterator[None]:
        """Wait within the block; `end` is called, from another thread, where it takes too long.

        Raises QueueFull.
        """
        number = next(self._numbers)
        with self._changed:
            now = time.monotonic()
            if self._places is not None and len(self._waits) >= self._places:
                self._make_room(now)
            self._waits[number] = _Wait(now, end)
            if not self._has_plan:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._waits.pop(number, None)

    def close(self) -> None:
        """End no more waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._clock.join()

    def _make_room(self, now: float) -> None:
        number, oldest = next(iter(self._waits.items()))
        if now - oldest.since_s < self._secure_s:
            raise QueueFull(
                f"{self._places} calls wait for their messages, the most that may",
                {"limit": str(self._places), "value": str(len(self._waits) + 1)},
            )
        del self._waits[number]
        oldest.end()

    def _run(self) -> None:
        while (end := self._next_end()) is not None:
            end()

    def _next_end(self) -> Callable[[], object] | None:
        """Wait for a wait that has taken too long and forget it; None when closed."""
        with self._changed:
            while not self._closed:
                number, oldest = next(iter(self._waits.items()), (None, None))
                if number is None or oldest is None:
                    self._has_plan = False
                    self._changed.wait()
                    continue
                left_s = oldest.since_s + self._limit_s - time.monotonic()
                if left_s <= 0:
                    del self._waits[number]
                    return oldest.end
                self._has_plan = True
                self._changed.wait(left_s)
            return None
