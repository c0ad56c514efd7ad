"""Searches among the rows that a filter keeps: through what was trained, or one by one.

Few rows are compared sooner than anything is looked up. Where many are kept, lists and graph leave
out the others and look further, by as much as the kept ones lie apart.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.calibration import Scan
from cipherlens.server.index.filtering import RowFilter, Selections
from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.through import is_used, through
from cipherlens.server.index.trained import Trained

Pick = Callable[[NDArray[Any], NDArray[Any], NDArray[np.int64], int], SearchResult]
"""Compares queries with the rows at positions."""


class Among:
    """Answers such searches of one log."""

    def __init__(self, scan: Scan, pick: Pick, *, through_lists: bool) -> None:
        """Take how rows are compared; `through_lists` is False where what is trained cannot filter.

        That is on a GPU: there the CPU compares what is kept.
        """
        self._scan = scan
        self._pick = pick
        self._through_lists = through_lists
        self._selections = Selections()

    def search(
        self,
        rows: RowFilter,
        snapshot: Snapshot,
        trained: Trained | None,
        queries: NDArray[Any],
        k: int,
        parameters: SearchParameters,
    ) -> SearchResult:
        """Return the k best kept rows of each query, then -1."""
        kept = self._selections.of(snapshot, rows)
        useful = self._useful(trained, snapshot, kept.count, parameters)
        if useful is not None:
            among = kept.among(snapshot.rows)
            return through(useful, among, queries, k, parameters, self._scan)
        return self._pick(snapshot.rows, queries, kept.positions, k)

    def count(self, rows: RowFilter, snapshot: Snapshot) -> int:
        """Return how many live rows a filter keeps."""
        return self._selections.of(snapshot, rows).count

    def reads_bytes(
        self,
        rows: RowFilter,
        snapshot: Snapshot,
        trained: Trained | None,
        parameters: SearchParameters,
    ) -> int:
        """Return how many bytes one query reads at most, and what tells which rows are kept."""
        kept = min(self._selections.most(snapshot, rows), snapshot.live)
        useful = self._useful(trained, snapshot, kept, parameters)
        if useful is None:
            return len(snapshot.rows) + kept * _row_bytes(snapshot)
        return len(snapshot.rows) + useful.reads_bytes(parameters, _share(snapshot, kept))

    def _useful(
        self, trained: Trained | None, snapshot: Snapshot, kept: int, parameters: SearchParameters
    ) -> Trained | None:
        """Return what is trained if going through it is quicker than to compare all kept rows."""
        if trained is None or not self._through_lists or not is_used(trained, parameters):
            return None
        share = _share(snapshot, kept)
        if share < trained.smallest_share and parameters.nprobe is None:
            return None
        worth = trained.worth_bytes(parameters, share)
        return trained if kept * _row_bytes(snapshot) > worth else None


def _share(snapshot: Snapshot, kept: int) -> float:
    return kept / max(1, snapshot.live)


def _row_bytes(snapshot: Snapshot) -> int:
    return int(snapshot.rows.shape[1]) * snapshot.rows.itemsize
