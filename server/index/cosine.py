"""Search over unit vectors by cosine similarity: exact at first, through lists once trained."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.clustering import Clustering, restored_clustering
from cipherlens.server.index.device import Device
from cipherlens.server.index.flat import scan_cosine
from cipherlens.server.index.gpu import MirroredRows, cosine_rows, gpu_space, lists_on_gpu
from cipherlens.server.index.ivf import IvfPlan, TrainedIvf, filled_lists, train_ivf
from cipherlens.server.index.lists import CpuLists, Lists, ServedLists, search_lists
from cipherlens.server.index.protocol import IndexDescription, SearchParameters, SearchResult
from cipherlens.server.index.rowlog import LoggedIndex, Snapshot
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.threads import use_one_thread

_DEFAULTS = SearchParameters()
_DEFAULT_SETTINGS = IvfSettings()
_UNIT_TOLERANCE = 1e-3
_ID_BYTES = 8  # beside each row in a list
_SMALL_TAIL_ROWS = 1024  # scanned sooner than lists are built again


class CosineIndex(LoggedIndex):
    """Unit vectors of one dimension; a VectorIndex that ranks by inner product.

    The rows are held once, in a buffer that exact search, training and the rows appended since
    the last training share. Lists hold a second copy (30 MB for 10,000 x 768), as FAISS scans a
    list as one piece of memory. Trained lists are never changed: rows behind them are scanned
    exactly and merged, until wants_training asks to put them into lists too.
    """

    def __init__(
        self, dimension: int, device: Device, settings: IvfSettings = _DEFAULT_SETTINGS
    ) -> None:
        """Make an empty index.

        Raises:
            ValueError: dimension is below 1.
        """
        if dimension < 1:
            raise ValueError(f"dimension must be at least 1, got {dimension}")
        super().__init__(dimension, np.dtype("<f4"))
        self.dimension = dimension
        self.device = device
        self.settings = settings
        self._mirror: MirroredRows | None = None
        if device.kind == "cuda":
            self._mirror = cosine_rows(dimension, gpu_space(device.ordinal))
        self._adopting = threading.Lock()  # held while _served is replaced
        self._served: ServedLists | None = None

    def append(self, rows: NDArray[np.float32]) -> None:
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
        self, queries: NDArray[np.float32], k: int, parameters: SearchParameters = _DEFAULTS
    ) -> SearchResult:
        """Return the k live vectors most similar to each query, in no promised order among equals.

        Exact until lists are adopted, and whenever parameters.exact is set. Through lists a query
        gets the best of the probed ones, and is answered exactly when those hold fewer than k
        rows while more are live.

        Args:
            queries: (q, dimension) float32 unit vectors.

        Returns:
            (q, k) positions and float32 similarities; beside a position of -1 any value.
        """
        self._check_vectors(queries, "queries")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        use_one_thread()
        queries = np.ascontiguousarray(queries)
        # In this order: the log only grows, so a later snapshot covers all that the lists cover.
        served = self._served
        snapshot = self._log.snapshot
        if served is not None and not parameters.exact:
            found = search_lists(served, snapshot, queries, k, parameters.nprobe)
        elif self._mirror is not None:
            found = self._mirror.search(self._log, queries, k)
        else:
            found = scan_cosine(snapshot.rows, queries, k, snapshot.selector)
        # Rounding takes a unit vector's product with itself a little beyond 1.
        np.clip(found.scores, -1, 1, out=found.scores)
        return found

    def reads_bytes(self, parameters: SearchParameters = _DEFAULTS) -> int:
        """Return how many bytes of rows one query reads, about."""
        served, rows = self._served, len(self)
        if served is not None and not parameters.exact:
            share = min(1.0, (parameters.nprobe or served.nprobe) / served.lists.nlist)
            covered = served.clustering.covered
            rows = int(share * covered) + rows - covered
        return rows * 4 * self.dimension

    @property
    def wants_training(self) -> bool:
        """Whether lists would pay now: none yet, far fewer rows in training, or a long tail."""
        snapshot, served = self._log.snapshot, self._served
        if snapshot.live < self.settings.minimum_rows:
            return False
        if served is None:
            return True
        return self._outgrown(served.clustering, snapshot) or self._long_tail(
            served.clustering, snapshot
        )

    def train(self, seed: int) -> None:
        """Build lists aside and search through them from then on."""
        self.adopt(train_ivf(self.training_snapshot(), seed))

    def training_snapshot(self) -> IvfPlan:
        """Return what train_ivf needs; cheap, copies no rows."""
        served = self._served
        snapshot = self._log.snapshot
        keep = served is not None and not self._outgrown(served.clustering, snapshot)
        return IvfPlan(
            snapshot=snapshot,
            settings=self.settings,
            previous=served.clustering if served is not None and keep else None,
        )

    def adopt(self, trained: TrainedIvf) -> None:
        """Search through these lists from now on; rows appended since are scanned beside them.

        Lists that cover fewer rows than those in use are dropped.

        Raises:
            ValueError: they cannot come from this index.
        """
        covered = trained.clustering.covered
        if trained.index.d != self.dimension or covered > len(self):
            raise ValueError(
                f"lists over {covered} rows of dimension {trained.index.d} are not from "
                f"this index of {len(self)} rows of dimension {self.dimension}"
            )
        served = ServedLists(
            lists=self._placed(trained.index),
            clustering=trained.clustering,
            nprobe=trained.nprobe,
            recall=trained.recall,
        )
        with self._adopting:
            if self._served is None or covered >= self._served.clustering.covered:
                self._served = served

    def state(self) -> IndexState:
        """Return the vectors, which of them are masked, and centroids and lists if there are."""
        served = self._served  # before the rows: they then cover all that the lists cover
        logged = self._logged_state(metric="cosine", dimension=self.dimension)
        if served is None:
            return logged
        clustering = served.clustering
        trained = {"nprobe": served.nprobe, "recall": served.recall}
        return IndexState(
            facts={**logged.facts, "trained_on": clustering.trained_on, **trained},
            arrays={**logged.arrays, **clustering.arrays()},
        )

    def restore(self, state: IndexState) -> None:
        """Take the state of another index of this dimension; lists are filled, not trained.

        Raises:
            UnfitStateError: see VectorIndex.
        """
        state.check(metric="cosine", dimension=self.dimension)
        rows, alive = self._logged_rows(state)
        if "lists" not in state.arrays:
            self._log.restore(rows, alive)
            return
        clustering = restored_clustering(state, self.dimension)
        nprobe, recall = state.fact("nprobe", int), state.fact("recall", float)
        self._log.restore(rows, alive)
        index = filled_lists(self._log.snapshot, clustering)
        self.adopt(TrainedIvf(index=index, clustering=clustering, nprobe=nprobe, recall=recall))

    def _placed(self, index: Any) -> Lists:
        """Return the lists where this index lives."""
        if self.device.kind == "cuda":
            return lists_on_gpu(index, gpu_space(self.device.ordinal))
        return CpuLists(index)

    def _outgrown(self, clustering: Clustering, snapshot: Snapshot) -> bool:
        return snapshot.live >= self.settings.growth * clustering.trained_on

    def _long_tail(self, clustering: Clustering, snapshot: Snapshot) -> bool:
        tail = len(snapshot.rows) - clustering.covered
        return tail > max(_SMALL_TAIL_ROWS, self.settings.tail_fraction * clustering.covered)

    def _check_vectors(self, vectors: NDArray[Any], name: str) -> None:
        if vectors.dtype != np.float32:
            raise TypeError(f"{name} must be float32, got {vectors.dtype}")
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise ValueError(f"{name} must have shape (n, {self.dimension}), got {vectors.shape}")

    def describe(self) -> IndexDescription:
        """Return the index as it stands."""
        served, snapshot = self._served, self._log.snapshot
        if served is None:
            return IndexDescription(
                kind="cosine-flat",
                device=str(self.device),
                rows=len(snapshot.rows),
                live=snapshot.live,
                memory_bytes=self._log.size_bytes,
            )
        covered = served.clustering.covered
        return IndexDescription(
            kind="cosine-ivf",
            device=str(self.device),
            rows=len(snapshot.rows),
            live=snapshot.live,
            memory_bytes=self._log.size_bytes + covered * (4 * self.dimension + _ID_BYTES),
            nlist=served.lists.nlist,
            nprobe=served.nprobe,
            covered=covered,
            recall=served.recall,
        )
