"""A bounded queue in front of a network: images of many calls go through it in one batch."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding.asked import Asked
from cipherlens.server.embedding.lane import Image
from cipherlens.server.embedding.schedule import Batch, Schedule
from cipherlens.server.errors import Stopping
from cipherlens.server.observing import Stage, noted


class ModelReleased(Stopping):
    """A model was let go, as another took over."""


Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


class Passes(Protocol):
    """How forward passes of a network run best; a `model.inference.NetworkRunner` knows."""

    @property
    def at_once(self) -> int:
        """How many images one pass takes."""
        ...

    @property
    def passes(self) -> int:
        """How many passes run at a time."""
        ...

    @property
    def numeric_mode(self) -> str:
        """In what arithmetic it computes, such as "cpu-fp32"."""
        ...

    def share_cores(self, passes: int) -> None:
        """Give the calling thread, for its passes, the cores that are one of so many's."""
        ...


class EmbeddingQueue:
    """Collects images into batches (see `Schedule`) and hands every caller its own rows, in order.

    An image whose call has expired or was cancelled is dropped before inference, and its caller is
    told at that moment.
    """

    def __init__(
        self,
        embed: Embed,
        *,
        max_batch: int,
        max_waiting: int,
        passes: int = 1,
        share_cores: Callable[[int], None] = lambda _passes: None,
        numeric_mode: str = "",
    ) -> None:
        """Start the threads of a network.

        Args:
            embed: the network; takes (n, height, width, 3) uint8, gives (n, dimension) float32.
            max_batch: images that go through it in one pass.
            max_waiting: queries that may wait, and as many images of bulk work.
            passes: how many run at a time, on a thread each.
            share_cores: called on a thread before every pass with how many share the cores then.
            numeric_mode: in what arithmetic it computes, such as "cpu-fp32".
        """
        self.numeric_mode = numeric_mode
        self._embed = embed
        self._share_cores = share_cores
        # Guards the fields below; notified when either changes what threads wait for.
        self._changed = threading.Condition()
        self._schedule = Schedule(max_batch=max_batch, max_waiting=max_waiting, passes=passes)
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name="embedding", daemon=True)
            for number in range(passes)
        ]
        for thread in self._threads:
            thread.start()

    @classmethod
    def of(cls, embed: Embed, config: ServerConfig, network: Passes) -> "EmbeddingQueue":
        """Return a queue with a server's bounds, whose passes run as is best for the network."""
        return cls(
            embed,
            max_batch=min(config.max_batch, network.at_once),
            max_waiting=config.max_waiting_images,
            passes=network.passes,
            share_cores=network.share_cores,
            numeric_mode=network.numeric_mode,
        )

    def embed(
        self, images: Sequence[NDArray[np.uint8]], call: Call, *, urgent: bool
    ) -> NDArray[np.float32]:
        """Return one row per image, (n, dimension) float32, when all are through.

        images: (height, width, 3) uint8 each, in either orientation.
        Raises QueueFull at once if they do not fit, DeadlineExpired at the deadline, CallCancelled
        once the caller is gone, ModelReleased.
        """
        lane = self._schedule.urgent if urgent else self._schedule.bulk
        asked = Asked(images, call)
        begin_s = time.perf_counter()
        call.check()  # after `Asked` listens: a call that ended before is seen here
        with self._changed:
            if self._closed:
                raise ModelReleased("the server lets this model go")
            lane.enter(asked)
            self._changed.notify_all()
        try:
            return asked.rows()
        except BaseException:
            with self._changed:
                lane.leave(asked)
                self._changed.notify_all()
            raise
        finally:
            _note_stages(begin_s, asked)

    @property
    def waiting(self) -> tuple[int, int]:
        """How many queries wait, and how many images to be indexed."""
        return len(self._schedule.urgent), len(self._schedule.bulk)

    def close(self) -> None:
        """Refuse new images, finish those that wait and stop the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self, thread: int) -> None:
        while batch := self._next_batch(thread):
            # Every time, as a part of it, the threads of MKL, holds for all threads: one that has
            # its share must not find what the first one had for a pass with all cores.
            self._share_cores(batch.passes)
            wanted = [each for each in batch.images if each[0].is_wanted()]
            start = time.perf_counter()
            for asked, _ in wanted:
                asked.begin(start)
            found = self._embedded(wanted) if wanted else None
            with self._changed:
                if wanted:
                    self._schedule.learn(batch, time.perf_counter() - start)
                # Before anybody is answered: who asks again at once finds this thread free.
                self._schedule.end_pass(thread)
            if found is not None:
                _deliver(wanted, found)

    def _next_batch(self, thread: int) -> Batch | None:
        """Wait for images and take a batch; None when the queue is closed and drained."""
        with self._changed:
            while not (batch := self._schedule.begin_pass(thread)):
                if self._closed and not self._schedule.waiting:
                    return None
                self._changed.wait()
            if self._closed:
                self._changed.notify_all()  # this may have been the last that threads waited for
            return batch

    def _embedded(self, images: list[Image]) -> NDArray[np.float32] | Exception:
        """Return a row for each image, or the failure, which belongs to their callers."""
        try:
            rows = self._embed(np.stack([asked.images[position] for asked, position in images]))
            if len(rows) != len(images):
                raise RuntimeError(f"the model gave {len(rows)} rows for {len(images)} images")
        except Exception as error:  # noqa: BLE001 - not this thread's
            return error
        return rows


def _note_stages(begin_s: float, asked: Asked) -> None:
    """Note how long the call's images waited, and how long the network took."""
    end_s = time.perf_counter()
    begun_s = end_s if asked.begun_s is None else asked.begun_s
    noted(Stage.QUEUE, begin_s, begun_s)
    if asked.begun_s is not None:
        noted(Stage.EMBED, begun_s, end_s)


def _deliver(images: list[Image], found: NDArray[np.float32] | Exception) -> None:
    """Give every caller the rows of his images, or the failure of all."""
    if isinstance(found, Exception):
        for asked, _ in images:
            asked.fail(found)
        return
    for (asked, position), row in zip(images, found, strict=True):
        asked.give(position, row)
