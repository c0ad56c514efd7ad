"""Checkpoints made into embedders, and the trial that each has to pass."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.errors import CheckpointError
from cipherlens.server.errors import ModelRefused

if TYPE_CHECKING:
    from cipherlens.model.embedder import Embedder

_UNIT_TOLERANCE = 1e-4
_TRIAL_SEED = 0


def load_embedder(source: Path | bytes, device: str) -> "Embedder":
    """Return the embedder of a checkpoint.

    Raises CheckpointError; ModelRefused where torch is not installed.
    """
    try:
        from cipherlens.model.embedder import Embedder  # torch: seconds, and only where a model is
        from cipherlens.model.inference import use_one_core
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise ModelRefused(
            f"this server cannot run models: {package} is not installed "
            "(install cipherlens with the extra [model])"
        ) from error
    use_one_core()  # the teams of threads are for the threads of the queue
    return Embedder(source, device)


def tried_embedder(source: Path | bytes, device: str) -> "Embedder":
    """Return the embedder of a checkpoint that has run once here, so that it will run again.

    Raises CheckpointError; ModelRefused where torch is not installed.
    """
    embedder = load_embedder(source, device)
    _try(embedder)
    return embedder


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
