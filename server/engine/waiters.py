"""Searches that wait for a change, and how many may."""

import threading

from cipherlens.server.errors import QueueFull


class Waiters:
    """Counts searches that wait; `with waiters:` is one. One too many is refused at once."""

    def __init__(self, at_most: int) -> None:
        self._limit = at_most
        self._places = threading.BoundedSemaphore(at_most)

    def __enter__(self) -> None:
        """Count a search. Raises QueueFull instead."""
        if not self._places.acquire(blocking=False):
            raise QueueFull(
                f"min_sequence: {self._limit} searches wait for a change, the most that may",
                {"limit": str(self._limit), "value": str(self._limit + 1)},
            )

    def __exit__(self, *_: object) -> None:
        """Count the search no more."""
        self._places.release()
