"""Rows that the engine does not have yet, with their positions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.index.rowlog import RowLog
from cipherlens.server.vectors.metric import Metric


@dataclass(frozen=True, slots=True)
class TailRows:
    """The rows of a moment, which never change.

    rows: (n, padded width).
    positions: (n,) int64, ascending.
    """

    rows: NDArray[Any]
    positions: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, first: int, stop: int) -> "TailRows":
        """Return those from a place on and before another."""
        return TailRows(self.rows[first:stop], self.positions[first:stop])

    def alive(self, alive: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Return which of the rows live, as places among them; alive has all positions."""
        if alive is None:
            return np.arange(len(self))
        return np.flatnonzero(alive[self.positions])

    def search(
        self, metric: Metric, queries: NDArray[Any], k: int, places: NDArray[np.int64]
    ) -> SearchResult:
        """Return the k best of the rows at places for each query, by their positions, then -1."""
        found = metric.pick(self.rows, metric.padded(queries), places, k)
        none = found.positions < 0
        positions = self.positions[np.where(none, 0, found.positions)]
        return SearchResult(np.where(none, -1, positions), found.scores)


class Tail:
    """Such rows, to which others are appended. Its owner sees to it that one thread does so."""

    def __init__(self, metric: Metric) -> None:
        """Hold no rows."""
        self._metric = metric
        self._rows = RowLog(metric.padded_width, metric.row_type)
        self._positions = RowLog(1, np.int64)

    @property
    def rows(self) -> TailRows:
        """What there is at this moment."""
        return TailRows(self._rows.snapshot.rows, self._positions.snapshot.rows[:, 0])

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return self._rows.size_bytes + self._positions.size_bytes

    def append(self, rows: NDArray[Any], positions: NDArray[np.int64]) -> None:
        """Add rows as they come, behind those that are there."""
        self.append_padded(self._metric.padded(rows), positions)

    def append_padded(self, rows: NDArray[Any], positions: NDArray[np.int64]) -> None:
        """Add rows as they lie here."""
        self._rows.append(rows)
        self._positions.append(positions[:, None])

    def without_first(self, count: int) -> "Tail":
        """Return another one without the first rows."""
        rest, rows = Tail(self._metric), self.rows
        rest.append_padded(rows.rows[count:], rows.positions[count:])
        return rest
