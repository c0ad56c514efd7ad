"""How many pixels are decoded at a time: what a decoded picture takes is bounded across calls."""

import contextlib
import ctypes
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from cipherlens.server.errors import QueueFull

_LONGEST_WAIT_S = 30.0


_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 2**20


def return_large_blocks() -> None:
    """Have the allocator give large blocks back to the system when they are freed, where it can.

    glibc raises the size from which it does with every block that it gave back, and keeps those
    below in an arena for each thread: what one picture took would stay as often as there are
    threads.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


class DecodedPixels:
    """Counts the pixels of pictures in memory; who finds no room waits, in the order of coming.

    A file of 400 KB may hold 98 million pixels, which take 1.1 GB on their way to a cipher-image:
    the bytes of messages say nothing of it.
    """

    def __init__(self, at_most: int) -> None:
        """Take how many pixels there may be; a picture that has more is decoded alone."""
        self._limit = at_most
        # Guards the fields below; notified when pixels are gone or who waits changes.
        self._changed = threading.Condition()
        self._taken = 0
        self._waiting: deque[object] = deque()

    @contextmanager
    def room(self, pixels: int) -> Iterator[None]:
        """Have room for a picture within the block. Raises QueueFull after 30 s."""
        self._take(pixels)
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()

    def _take(self, pixels: int) -> None:
        ticket = object()

        def has_room() -> bool:
            fits = not self._taken or self._taken + pixels <= self._limit
            return self._waiting[0] is ticket and fits

        with self._changed:
            self._waiting.append(ticket)
            in_time = self._changed.wait_for(has_room, _LONGEST_WAIT_S)
            self._waiting.remove(ticket)
            self._changed.notify_all()
            if not in_time:
                raise QueueFull(
                    f"pictures of {self._limit:,} pixels are being decoded, the most at a time",
                    {"limit": str(self._limit), "value": str(pixels)},
                )
            self._taken += pixels
