"""What a call asks of a network: its images, and the rows that come back for them."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.call import Call
from cipherlens.server.errors import CallCancelled, DeadlineExpired


class Asked:
    """The images of one call, (height, width, 3) uint8 each.

    The call's thread waits; the network's thread gives rows, or the failure. Whoever of the two is
    through with it first ends it, and from then on it is not wanted.
    """

    def __init__(self, images: Sequence[NDArray[np.uint8]], call: Call) -> None:
        self.images = images
        self._call = call
        self._rows: list[NDArray[np.float32] | None] = [None] * len(images)
        self._missing = len(images)  # of the network's thread
        self._failure: Exception | None = None
        # When the network began with it, on the performance counter; of the network's thread.
        self.begun_s: float | None = None
        self._ended = threading.Event()
        if not images:
            self._ended.set()
        call.on_end(self._ended.set)

    def is_wanted(self) -> bool:
        """Return whether anybody waits for it still; the network's thread asks."""
        if self._ended.is_set():
            return False
        try:
            self._call.check()
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
            self.fail(error)
            return False
        return True

    def begin(self, now_s: float) -> None:
        """Note that the network begins with it, or with more of it."""
        if self.begun_s is None:
            self.begun_s = now_s

    def give(self, position: int, row: NDArray[np.float32]) -> None:
        """Take the row of one image."""
        self._rows[position] = row
        self._missing -= 1
        if not self._missing:
            self._ended.set()

    def fail(self, error: Exception) -> None:
        """Take the failure of one image: the others are not wanted any more."""
        self._failure = error
        self._ended.set()

    def rows(self) -> NDArray[np.float32]:
        """Wait for all rows, (n, dimension) float32, in the order of the images.

        Raises DeadlineExpired at the call's deadline, CallCancelled once its caller is gone, and
        the failure of the network.
        """
        in_time = self._ended.wait(self._call.remaining_s(threading.TIMEOUT_MAX))
        self._ended.set()
        if self._failure is not None:
            raise self._failure
        rows = [row for row in self._rows if row is not None]
        if len(rows) == len(self.images):
            return np.stack(rows)
        if not in_time:
            raise DeadlineExpired("the deadline passed before the model was through")
        raise CallCancelled("the caller cancelled")
