"""Search over unit vectors by cosine similarity."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import IndexChoice
from cipherlens.server.config import IvfSettings
from cipherlens.server.index.device import Device
from cipherlens.server.index.filtering import RowFilter
from cipherlens.server.index.flat import pick_cosine, scan_cosine
from cipherlens.server.index.gpu import MirroredRows, cosine_rows, gpu_space
from cipherlens.server.index.gpu_lists import GpuListsTrainer
from cipherlens.server.index.graph import GraphTrainer
from cipherlens.server.index.logged import LoggedIndex
from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.trained import Trainer
from cipherlens.server.index.vector_training import VectorListsTrainer

_DEFAULTS = SearchParameters()
_DEFAULT_SETTINGS = IvfSettings()
_UNIT_TOLERANCE = 1e-3


class CosineIndex(LoggedIndex):
    """Unit vectors of one dimension; a VectorIndex that ranks by inner product."""

    def __init__(
        self,
        dimension: int,
        device: Device,
        settings: IvfSettings = _DEFAULT_SETTINGS,
        choice: IndexChoice = IndexChoice.AUTO,
    ) -> None:
        """Make an empty index.

        Raises:
            ValueError: dimension is below 1.
        """
        if dimension < 1:
            raise ValueError(f"dimension must be at least 1, got {dimension}")
        super().__init__(
            dimension,
            np.dtype("<f4"),
            device,
            scan=scan_cosine,
            pick=pick_cosine,
            mirror=_mirror(dimension, device),
            trainer=_trainer(choice, device, settings),
            metric="cosine",
            dimension=dimension,
        )
        self.dimension = dimension

    def append(
        self,
        rows: NDArray[np.float32],
        sequences: NDArray[np.int64] | None = None,  # noqa: ARG002 - the rows are here
    ) -> None:
        """Add unit vectors, (n, dimension) float32.

        Raises:
            TypeError: rows are not float32.
            ValueError: another shape, or a row that is not finite or not of length 1 (by more
                than 0.001); the text names the row.
        """
        self._check_vectors(rows, "rows")
        squared = np.einsum("ij,ij->i", rows, rows)
        unit = np.abs(squared - 1) <= 2 * _UNIT_TOLERANCE  # False for NaN
        if not unit.all():
            row = int(np.flatnonzero(~unit)[0])
            raise ValueError(
                f"row {row} is not a unit vector: its squared length is {squared[row]}"
            )
        self._log.append(rows)

    def search(
        self,
        queries: NDArray[np.float32],
        k: int,
        parameters: SearchParameters = _DEFAULTS,
        rows: RowFilter | None = None,
    ) -> SearchResult:
        """Return the k live vectors most similar to each query, in no promised order among equals.

        Exact until the index is trained, and whenever parameters.exact is set. Then a query gets
        the best of what is probed, and is answered exactly when that holds fewer than k rows
        while more are live. Similarities are exact either way.

        Args:
            queries: (q, dimension) float32 unit vectors.
            k: hits wanted.
            parameters: how to search.
            rows: keeps the rows that may be hits; None keeps all.

        Returns:
            (q, k) positions and float32 similarities; beside a position of -1 any value.
        """
        self._check_vectors(queries, "queries")
        found = self._ranked(np.ascontiguousarray(queries), k, parameters, rows)
        # Rounding takes a unit vector's product with itself a little beyond 1.
        np.maximum(np.minimum(found.scores, 1, out=found.scores), -1, out=found.scores)
        return found

    def _check_vectors(self, vectors: NDArray[Any], name: str) -> None:
        if vectors.dtype != np.float32:
            raise TypeError(f"{name} must be float32, got {vectors.dtype}")
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(f"{name} must have shape (n, {self.dimension}), got {vectors.shape}")


def _mirror(dimension: int, device: Device) -> MirroredRows | None:
    return cosine_rows(dimension, gpu_space(device.ordinal)) if device.kind == "cuda" else None


def _trainer(choice: IndexChoice, device: Device, settings: IvfSettings) -> Trainer | None:
    if choice is IndexChoice.FLAT:
        return None
    if device.kind == "cuda":  # where there are no graphs: a folder may have come from elsewhere
        return GpuListsTrainer(settings, gpu_space(device.ordinal))
    if choice is IndexChoice.HNSW:
        return GraphTrainer(settings)
    return VectorListsTrainer(settings)
