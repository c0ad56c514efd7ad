"""The models at work: one network and one queue for each, loaded when first needed."""

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.errors import CheckpointError
from cipherlens.server.batching import EmbeddingQueue
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import DataDamaged, ModelRefused, Stopping
from cipherlens.server.storage.models import ModelStore

if TYPE_CHECKING:
    from cipherlens.model.embedder import Embedder

_log = logging.getLogger(__name__)

_UNIT_TOLERANCE = 1e-4
_TRIAL_SEED = 0


class Embedders:
    """Embedding queues by model digest."""

    def __init__(self, models: ModelStore, config: ServerConfig) -> None:
        self._models = models
        self._config = config
        self._lock = threading.Lock()  # guards _loaded and _closed, and loads one model at a time
        self._loaded: dict[bytes, tuple[Embedder, EmbeddingQueue]] = {}
        self._closed = False

    def queue(self, digest: bytes) -> EmbeddingQueue:
        """Return the queue of a model held here, loading it if need be.

        Raises DataDamaged if its file is, ModelRefused where torch is not installed, Stopping.
        """
        with self._lock:
            self._check_open()
            if digest not in self._loaded:
                self._loaded[digest] = self._started(self._stored(digest))
            return self._loaded[digest][1]

    def adopt(self, embedder: "Embedder") -> None:
        """Have an embedder at hand that was made to try a model; its digest names it."""
        with self._lock:
            self._check_open()
            digest = bytes.fromhex(embedder.digest)
            if digest not in self._loaded:
                self._loaded[digest] = self._started(embedder)

    def tried(self, path: Path) -> "Embedder":
        """Return the embedder of a checkpoint: what cannot run must not be promised.

        Raises CheckpointError; ModelRefused where torch is not installed.
        """
        embedder = load_embedder(path, self._config.device)
        _try(embedder)
        return embedder

    @property
    def device(self) -> str:
        """Where models run; "auto" until one has been loaded."""
        # A copy, without the lock: a model that takes seconds to load holds up no description.
        loaded = tuple(self._loaded.values())
        return loaded[0][0].device if loaded else self._config.device

    def release(self, in_use: set[bytes]) -> None:
        """Let go of all models but these."""
        with self._lock:
            gone = [self._loaded.pop(digest) for digest in set(self._loaded) - in_use]
        for _, queue in gone:
            queue.close()

    def close(self) -> None:
        """Finish what waits and refuse what comes."""
        with self._lock:
            self._closed = True
        self.release(set())

    def _check_open(self) -> None:
        if self._closed:
            raise Stopping("the server is shutting down")

    def _stored(self, digest: bytes) -> "Embedder":
        try:
            return load_embedder(self._models.read(digest), self._config.device)
        except CheckpointError as error:  # it was sound when it came
            raise DataDamaged(f"model {digest.hex()} cannot be loaded: {error}") from error

    def _started(self, embedder: "Embedder") -> "tuple[Embedder, EmbeddingQueue]":
        queue = EmbeddingQueue(
            embedder.embed,
            max_batch=self._config.max_batch,
            max_wait_s=self._config.max_wait_s,
            max_waiting=self._config.max_waiting_images,
        )
        _log.info(
            "model %s: %s, %s",
            embedder.digest[:16],
            embedder.configuration.network.backbone,
            embedder.numeric_mode,
        )
        return embedder, queue


def load_embedder(source: Path | bytes, device: str) -> "Embedder":
    """Return the embedder of a checkpoint.

    Raises CheckpointError; ModelRefused where torch is not installed.
    """
    try:
        from cipherlens.model.embedder import Embedder  # torch: seconds, and only where a model is
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise ModelRefused(
            f"this server cannot run models: {package} is not installed "
            "(install cipherlens with the extra [model])"
        ) from error
    return Embedder(source, device)


def have_direction(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which of (n, dimension) float32 embeddings are unit vectors, (n,) bool.

    A network whose features are all zero or not finite gives none, and an index takes no other.
    """
    lengths = np.linalg.norm(rows, axis=1)
    unit: NDArray[np.bool_] = np.abs(lengths - 1) <= _UNIT_TOLERANCE  # False for NaN
    return unit


def _try(embedder: "Embedder") -> None:
    """Raise CheckpointError unless the network makes vectors of noise in both orientations."""
    network = embedder.configuration.network
    generator = np.random.default_rng(_TRIAL_SEED)
    for height, width in {(network.height, network.width), (network.width, network.height)}:
        noise = generator.integers(0, 256, (1, height, width, 3), np.uint8)
        try:
            found = have_direction(embedder.embed(noise)).all()
        except Exception as error:  # whatever a network of a stranger raises
            raise CheckpointError(
                f"the network does not run on images of {height} x {width}"
            ) from error
        if not found:
            raise CheckpointError("the network makes vectors that are zero or not finite")
