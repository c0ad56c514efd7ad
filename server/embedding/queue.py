"""A bounded queue in front of a network: images of many calls go through it in one batch."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import QueueFull, Stopping

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# Every fourth batch begins with bulk work: a storm of queries cannot starve indexing.
_BULK_TURN = 4


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One image, the call it belongs to, and where its row goes."""

    pixels: NDArray[np.uint8]
    call: Call
    arrived_at: float
    row: "Future[NDArray[np.float32]]" = field(default_factory=Future)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.pixels.shape


class EmbeddingQueue:
    """Collects images of one shape into batches and hands every caller its own rows, in order.

    A batch leaves when it is full, when a query is waiting, or when its oldest image has waited
    `max_wait_s`: queries that come while the model is busy leave together, and none waits for
    company. An image whose call has expired or was cancelled is dropped before inference. Queries
    go before bulk work.
    """

    def __init__(
        self, embed: Embed, *, max_batch: int, max_wait_s: float, max_waiting: int
    ) -> None:
        self._embed = embed
        self._max_batch = max_batch
        self._max_wait_s = max_wait_s
        self._max_waiting = max_waiting
        # Guards the fields below; notified when the queues or _closed change.
        self._changed = threading.Condition()
        self._urgent: deque[_Waiting] = deque()
        self._bulk: deque[_Waiting] = deque()
        self._batches_before_bulk = 0
        self._closed = False
        self._worker = threading.Thread(target=self._run, name="embedding", daemon=True)
        self._worker.start()

    @classmethod
    def of(cls, embed: Embed, config: ServerConfig) -> "EmbeddingQueue":
        """Return a queue with the bounds of a server."""
        return cls(
            embed,
            max_batch=config.max_batch,
            max_wait_s=config.max_wait_s,
            max_waiting=config.max_waiting_images,
        )

    def embed(
        self, images: Sequence[NDArray[np.uint8]], call: Call, *, urgent: bool
    ) -> NDArray[np.float32]:
        """Return one row per image, (n, dimension) float32, when all are through.

        images: (height, width, 3) uint8 each, in either orientation.
        Raises QueueFull at once if they do not fit, DeadlineExpired, CallCancelled, Stopping.
        """
        waiting = self._enter(images, call, urgent=urgent)
        try:
            return np.stack([each.row.result() for each in waiting])
        except BaseException:
            for each in waiting:
                each.row.cancel()  # one has failed: nobody wants the others any more
            raise

    def close(self) -> None:
        """Refuse new images, finish those that wait and stop the worker."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._worker.join()

    def _enter(
        self, images: Sequence[NDArray[np.uint8]], call: Call, *, urgent: bool
    ) -> list[_Waiting]:
        now = time.monotonic()
        waiting = [_Waiting(pixels, call, now) for pixels in images]
        with self._changed:
            if self._closed:
                raise Stopping("the server is shutting down")
            queued = len(self._urgent) + len(self._bulk)
            if queued + len(waiting) > self._max_waiting:
                raise QueueFull(
                    f"{queued} images wait for the model and {len(waiting)} more do not fit "
                    f"(limit {self._max_waiting})",
                    {"limit": str(self._max_waiting), "value": str(queued + len(waiting))},
                )
            (self._urgent if urgent else self._bulk).extend(waiting)
            self._changed.notify_all()
        return waiting

    def _run(self) -> None:
        while batch := self._next_batch():
            alive = [each for each in batch if _is_wanted(each)]
            if alive:
                self._infer(alive)

    def _infer(self, batch: list[_Waiting]) -> None:
        try:
            rows = self._embed(np.stack([each.pixels for each in batch]))
            if len(rows) != len(batch):
                raise RuntimeError(f"the model gave {len(rows)} rows for {len(batch)} images")
        except Exception as error:  # noqa: BLE001 - it belongs to the callers, not to this thread
            for each in batch:
                each.row.set_exception(error)
            return
        for each, row in zip(batch, rows, strict=True):
            each.row.set_result(row)

    def _next_batch(self) -> list[_Waiting]:
        """Wait for a batch of one shape and take it; empty when the queue is closed and drained."""
        with self._changed:
            while not (self._urgent or self._bulk):
                if self._closed:
                    return []
                self._changed.wait()
            queues = self._in_turn()
            first = queues[0][0]
            leaves_at = first.arrived_at + self._max_wait_s
            while not (self._closed or self._urgent) and self._count(first.shape) < self._max_batch:
                left = leaves_at - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            return self._take(first.shape, queues)

    def _in_turn(self) -> tuple[deque[_Waiting], deque[_Waiting]]:
        """Return the queue that leads the next batch, never an empty one, and the other."""
        self._batches_before_bulk = self._batches_before_bulk + 1 if self._bulk else 0
        if self._bulk and (not self._urgent or self._batches_before_bulk >= _BULK_TURN):
            self._batches_before_bulk = 0
            return self._bulk, self._urgent
        return self._urgent, self._bulk

    def _count(self, shape: tuple[int, ...]) -> int:
        return sum(each.shape == shape for queue in (self._urgent, self._bulk) for each in queue)

    def _take(
        self, shape: tuple[int, ...], queues: tuple[deque[_Waiting], deque[_Waiting]]
    ) -> list[_Waiting]:
        batch: list[_Waiting] = []
        for queue in queues:
            batch += _pop(queue, shape, self._max_batch - len(batch))
        return batch


def _pop(queue: deque[_Waiting], shape: tuple[int, ...], count: int) -> list[_Waiting]:
    """Take at most count images of the shape from the front; the others keep their order."""
    taken: list[_Waiting] = []
    passed: list[_Waiting] = []
    while queue and len(taken) < count:
        each = queue.popleft()
        (taken if each.shape == shape else passed).append(each)
    queue.extendleft(reversed(passed))
    return taken


def _is_wanted(waiting: _Waiting) -> bool:
    if not waiting.row.set_running_or_notify_cancel():
        return False
    try:
        waiting.call.check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets it
        waiting.row.set_exception(error)
        return False
    return True
