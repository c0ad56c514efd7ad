"""An index over a row log: scanned at first, searched through what is trained once there is any."""

import threading
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.among import Among, Pick
from cipherlens.server.index.calibration import Scan
from cipherlens.server.index.device import Device
from cipherlens.server.index.filtering import RowFilter
from cipherlens.server.index.gpu import MirroredRows
from cipherlens.server.index.protocol import IndexDescription, SearchParameters, SearchResult
from cipherlens.server.index.rowlog import OverRows, RowLog, Snapshot, snapshot_of
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.threads import use_one_thread
from cipherlens.server.index.through import is_used, through
from cipherlens.server.index.trained import Trained, Trainer

_DEFAULTS = SearchParameters()


class LoggedIndex(OverRows):
    """What a VectorIndex is, whatever its metric and whatever is trained.

    What is trained is never changed, only replaced by one of more rows; those behind it are
    scanned. The rows are held once, for scans, training and the last comparison of candidates.

    row_type: the type of the numbers in a row.
    device: where searches are answered.
    """

    def __init__(
        self,
        width: int,
        row_type: "np.dtype[Any]",
        device: Device,
        *,
        scan: Scan,
        pick: Pick,
        mirror: MirroredRows | None,
        trainer: Trainer | None,
        **facts: str | int,
    ) -> None:
        """Make an empty index.

        Args:
            width: numbers in a row as it is stored.
            row_type: see above.
            device: see above.
            scan: compares queries with every row.
            pick: compares them with some.
            mirror: does the same on a GPU.
            trainer: builds what makes searches faster; None for an index that always scans.
            facts: what a state must say to be of such an index; "metric" among them.
        """
        self.row_type = row_type
        self.device = device
        self._log = RowLog(width, row_type)
        self._scan = scan
        self._among = Among(scan, pick, through_lists=mirror is None)
        self._mirror = mirror
        self._trainer = trainer
        self._facts = facts
        self._training = threading.Lock()  # held while _trained is made; searches read it as it is
        self._trained: Trained | None = None

    lacks_rows = False  # they are all here

    def mask(self, positions: NDArray[np.int64]) -> None:
        """Hide the rows at positions from every search that starts later, for good."""
        self._log.mask(positions)

    def _ranked(
        self,
        queries: NDArray[Any],
        k: int,
        parameters: SearchParameters,
        rows: RowFilter | None,
    ) -> SearchResult:
        """Return the answer to checked queries, as wide as rows are stored."""
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        use_one_thread()
        # In this order: the log only grows, so a later snapshot has all rows that are covered.
        trained = self._trained
        snapshot = self._log.snapshot
        if rows is not None:
            return self._among.search(rows, snapshot, trained, queries, k, parameters)
        if trained is not None and is_used(trained, parameters):
            return through(trained, snapshot, queries, k, parameters, self._scan)
        if self._mirror is not None:
            return self._mirror.search(self._log, queries, k)
        return self._scan(snapshot.rows, queries, k, snapshot.selector)

    def count(self, rows: RowFilter) -> int:
        """Return how many live rows a filter keeps."""
        return self._among.count(rows, self._log.snapshot)

    def reads_bytes(
        self, parameters: SearchParameters = _DEFAULTS, rows: RowFilter | None = None
    ) -> int:
        """Return how many bytes of rows one query reads, about."""
        trained, snapshot = self._trained, self._log.snapshot
        if rows is not None:
            return self._among.reads_bytes(rows, snapshot, trained, parameters)
        if trained is None or not is_used(trained, parameters):
            return snapshot.rows.nbytes
        return trained.reads_bytes(parameters) + snapshot.rows[trained.covered :].nbytes

    @property
    def wants_training(self) -> bool:
        """Whether training would pay now: none yet, far fewer rows in it, or rows behind it."""
        trained, snapshot = self._trained, self._log.snapshot
        if self._trainer is None or snapshot.live < self._trainer.minimum_rows:
            return False
        if trained is None or self._outgrown(trained, snapshot):
            return True
        return trained.pays and len(snapshot.rows) - trained.covered > trained.longest_tail

    def train(self, seed: int) -> None:
        """Build aside what makes searches faster, or put new rows into it, and search through it.

        Does nothing where searches always scan, and with fewer than two live rows.
        """
        with self._training:
            trained, snapshot = self._trained, self._log.snapshot
            if self._trainer is None or snapshot.live < 2:
                return
            use_one_thread()
            if trained is None or self._outgrown(trained, snapshot):
                self._trained = self._trainer.train(snapshot, seed)
            elif trained.covered < len(snapshot.rows):
                self._trained = trained.extended(snapshot)

    def _outgrown(self, trained: Trained, snapshot: Snapshot) -> bool:
        return self._trainer is not None and (
            snapshot.live >= self._trainer.growth * trained.trained_on
        )

    def state(self) -> IndexState:
        """Return the rows as they are stored, which of them are masked, and what was trained."""
        trained = self._trained  # before the rows: they then are all that it covers
        snapshot = self._log.snapshot
        arrays: dict[str, NDArray[Any]] = {"rows": snapshot.rows}
        if snapshot.alive is not None:
            arrays["alive"] = snapshot.alive
        if trained is None:
            return IndexState(facts=self._facts, arrays=arrays)
        more = trained.state()
        return IndexState(facts={**self._facts, **more.facts}, arrays={**arrays, **more.arrays})

    def restore(self, state: IndexState) -> None:
        """Take the state of another such index; what was trained otherwise is left out.

        Raises:
            UnfitStateError: see VectorIndex.
        """
        state.check(**self._facts)
        width = self._log.snapshot.rows.shape[1]
        rows = state.array("rows", self.row_type, (None, width))
        alive = None
        if "alive" in state.arrays:
            alive = state.array("alive", np.bool_, (len(rows),))
        snapshot = snapshot_of(rows, alive)
        trained = None if self._trainer is None else self._trainer.restored(state, snapshot)
        self._log.restore(snapshot)
        self._trained = trained

    @property
    def _rows_now(self) -> Snapshot:
        return self._log.snapshot

    def describe(self) -> IndexDescription:
        """Return the index as it stands."""
        trained, snapshot = self._trained, self._log.snapshot
        if trained is None or not trained.pays:
            return self._description(snapshot, "flat", self._log.size_bytes)
        figures = trained.figures()
        size_bytes = self._log.size_bytes + figures.size_bytes
        return replace(
            self._description(snapshot, trained.kind, size_bytes),
            nlist=figures.nlist,
            nprobe=figures.nprobe,
            covered=trained.covered,
            recall=figures.recall,
        )

    def _description(self, snapshot: Snapshot, kind: str, size_bytes: int) -> IndexDescription:
        return IndexDescription(
            kind=f"{self._facts['metric']}-{kind}",
            device=str(self.device),
            rows=len(snapshot.rows),
            live=snapshot.live,
            memory_bytes=size_bytes,
        )
