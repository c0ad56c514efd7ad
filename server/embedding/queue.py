"""A bounded queue in front of a network: images of many calls go through it in one batch."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding.asked import Asked
from cipherlens.server.embedding.lane import Image, Lane
from cipherlens.server.errors import Stopping

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# Every fourth batch is bulk work: a storm of queries cannot starve indexing.
_BULK_TURN = 4


class EmbeddingQueue:
    """Collects images of one shape into batches and hands every caller its own rows, in order.

    A batch is what waits when the network becomes free: nobody waits for company. Queries go
    before bulk work and have room of their own, and no bulk work shares their batches, as a batch
    takes the longer the more it holds. An image whose call has expired or was cancelled is dropped
    before inference, and its caller is told at that moment.
    """

    def __init__(self, embed: Embed, *, max_batch: int, max_waiting: int) -> None:
        """Start the thread of a network.

        Args:
            embed: the network; takes (n, height, width, 3) uint8, gives (n, dimension) float32.
            max_batch: images that go through it at once.
            max_waiting: queries that may wait, and as many images of bulk work.
        """
        self._embed = embed
        self._max_batch = max_batch
        # Guards the fields below; notified when a lane or _closed changes.
        self._changed = threading.Condition()
        self._urgent = Lane(max_waiting, "queries")
        self._bulk = Lane(max_waiting, "images")
        self._batches_before_bulk = 0
        self._closed = False
        self._worker = threading.Thread(target=self._run, name="embedding", daemon=True)
        self._worker.start()

    @classmethod
    def of(cls, embed: Embed, config: ServerConfig, at_once: int | None = None) -> "EmbeddingQueue":
        """Return a queue with a server's bounds, for a network that takes so many at once."""
        return cls(
            embed,
            max_batch=min(config.max_batch, at_once or config.max_batch),
            max_waiting=config.max_waiting_images,
        )

    def embed(
        self, images: Sequence[NDArray[np.uint8]], call: Call, *, urgent: bool
    ) -> NDArray[np.float32]:
        """Return one row per image, (n, dimension) float32, when all are through.

        images: (height, width, 3) uint8 each, in either orientation.
        Raises QueueFull at once if they do not fit, DeadlineExpired at the deadline, CallCancelled
        once the caller is gone, Stopping.
        """
        lane = self._urgent if urgent else self._bulk
        asked = Asked(images, call)
        call.check()  # after `Asked` listens: a call that ended before is seen here
        self._enter(lane, asked)
        try:
            return asked.rows()
        except BaseException:
            with self._changed:
                lane.leave(asked)
            raise

    def close(self) -> None:
        """Refuse new images, finish those that wait and stop the worker."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._worker.join()

    def _enter(self, lane: Lane, asked: Asked) -> None:
        with self._changed:
            if self._closed:
                raise Stopping("the server is shutting down")
            lane.enter(asked)
            self._changed.notify_all()

    def _run(self) -> None:
        while batch := self._next_batch():
            wanted = [each for each in batch if each[0].is_wanted()]
            if wanted:
                self._infer(wanted)

    def _infer(self, batch: list[Image]) -> None:
        try:
            rows = self._embed(np.stack([asked.images[position] for asked, position in batch]))
            if len(rows) != len(batch):
                raise RuntimeError(f"the model gave {len(rows)} rows for {len(batch)} images")
        except Exception as error:  # noqa: BLE001 - it belongs to the callers, not to this thread
            for asked, _ in batch:
                asked.fail(error)
            return
        for (asked, position), row in zip(batch, rows, strict=True):
            asked.give(position, row)

    def _next_batch(self) -> list[Image]:
        """Wait for images and take a batch; empty when the queue is closed and drained."""
        with self._changed:
            while not (self._urgent or self._bulk):
                if self._closed:
                    return []
                self._changed.wait()
            return self._lane_in_turn().take(self._max_batch)

    def _lane_in_turn(self) -> Lane:
        """Return the lane that the next batch is of, never an empty one."""
        self._batches_before_bulk = self._batches_before_bulk + 1 if self._bulk else 0
        if self._bulk and (not self._urgent or self._batches_before_bulk >= _BULK_TURN):
            self._batches_before_bulk = 0
            return self._bulk
        return self._urgent
