"""The models at work: one network and one queue for each, loaded when first needed."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cipherlens.model.errors import CheckpointError
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding.loading import load_embedder, tried_embedder
from cipherlens.server.embedding.queue import EmbeddingQueue, ModelReleased
from cipherlens.server.embedding.turns import Turns
from cipherlens.server.errors import DataDamaged, Stopping

if TYPE_CHECKING:
    from cipherlens.model.embedder import Embedder

_log = logging.getLogger(__name__)

# Each of them holds a thread.
_MAX_WAITING_TRIALS = 4


class EmbeddingModels:
    """The models in memory by their digests, a queue in front of each.

    One is loaded at a time, as each takes the memory of a network and the time of a processor;
    those that are loaded answer meanwhile.
    """

    def __init__(
        self,
        read: Callable[[bytes], bytes],
        config: ServerConfig,
        in_use: Callable[[], set[bytes]],
    ) -> None:
        """Take what reads the checkpoint of a digest, and what says which are needed.

        `read` raises DataDamaged.
        """
        self._read = read
        self._in_use = in_use
        self._config = config
        self._lock = threading.Lock()  # guards _loaded and _closed; never held while a model loads
        self._loaded: dict[bytes, tuple[Embedder, EmbeddingQueue]] = {}
        self._closed = False
        self._first_uses = Turns(
            "calls wait for a model to be loaded", config.limits.max_concurrent_calls
        )
        self._trials = Turns("models wait to be tried", _MAX_WAITING_TRIALS)

    def queue(self, digest: bytes, call: Call) -> EmbeddingQueue:
        """Return the queue of a model held here, loading it if need be.

        Raises DataDamaged if its file is, ModelRefused where torch is not installed, QueueFull,
        DeadlineExpired, CallCancelled, Stopping; ModelReleased if nothing needs it any more, as
        where a search began before another model took over.
        """
        queue = self._at_hand(digest)
        if queue is None:
            with self._first_uses.turn(call):
                # Whoever was first has loaded it.
                queue = self._at_hand(digest) or self._loaded_for_use(digest)
        return queue

    def adopt(self, embedder: "Embedder") -> EmbeddingQueue:
        """Have an embedder at hand, and return its queue; its digest names it. Raises Stopping."""
        digest = bytes.fromhex(embedder.digest)
        with self._lock:
            self._check_open()
            if digest not in self._loaded:
                self._loaded[digest] = self._started(embedder)
            return self._loaded[digest][1]

    @contextmanager
    def tried(self, source: Path | bytes, call: Call) -> Iterator["Embedder"]:
        """Give the embedder of a checkpoint, on the device of all others, tried on noise.

        One is tried at a time: until the block ends, with the embedder adopted or let go, others
        wait for their turn.
        Raises CheckpointError; ModelRefused where torch is not installed; QueueFull,
        DeadlineExpired, CallCancelled.
        """
        with self._trials.turn(call):
            yield tried_embedder(source, self._config.device)

    @property
    def device(self) -> str:
        """Where models run; "auto" until one has been loaded."""
        # A copy, without the lock: a model that takes seconds to load holds up no description.
        loaded = tuple(self._loaded.values())
        return loaded[0][0].device if loaded else self._config.device

    def waiting(self) -> dict[str, int]:
        """Return how many images wait in front of all models, by lane."""
        queues = [queue for _, queue in tuple(self._loaded.values())]
        return {
            "queries": sum(each.waiting[0] for each in queues),
            "bulk": sum(each.waiting[1] for each in queues),
        }

    def release(self) -> None:
        """Let go of all models but those that are needed."""
        self._release_all_but(self._in_use())

    def close(self) -> None:
        """Finish what waits and refuse what comes."""
        with self._lock:
            self._closed = True
        self._release_all_but(set())

    def _loaded_for_use(self, digest: bytes) -> EmbeddingQueue:
        if digest in self._in_use():  # else it was let go before
            queue = self.adopt(self._stored(digest))
            if digest in self._in_use():
                return queue
            self.release()  # it was let go while it was loaded
        raise ModelReleased(f"model {digest.hex()} is no longer used")

    def _release_all_but(self, in_use: set[bytes]) -> None:
        with self._lock:
            gone = [self._loaded.pop(digest) for digest in set(self._loaded) - in_use]
        for _, queue in gone:
            queue.close()

    def _at_hand(self, digest: bytes) -> EmbeddingQueue | None:
        with self._lock:
            self._check_open()
            found = self._loaded.get(digest)
            return None if found is None else found[1]

    def _check_open(self) -> None:
        if self._closed:
            raise Stopping("the server is shutting down")

    def _stored(self, digest: bytes) -> "Embedder":
        try:
            return load_embedder(self._read(digest), self._config.device)
        except CheckpointError as error:  # it was sound when it came
            raise DataDamaged(f"model {digest.hex()} cannot be loaded: {error}") from error

    def _started(self, embedder: "Embedder") -> "tuple[Embedder, EmbeddingQueue]":
        queue = EmbeddingQueue.of(embedder.embed, self._config, embedder)
        _log.info(
            "model %s: %s, %s",
            embedder.digest[:16],
            embedder.configuration.network.backbone,
            embedder.numeric_mode,
        )
        return embedder, queue
