"""The rows of an index in an engine: keys of all, and those that the engine does not have yet."""

import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index import IndexState
from cipherlens.server.index.rowlog import RowLog, Snapshot, snapshot_of
from cipherlens.server.vectors.keys import NO_KEYS, are_in, sequence_of
from cipherlens.server.vectors.metric import Metric
from cipherlens.server.vectors.ranking import Eligible
from cipherlens.server.vectors.tail import Tail, TailRows


class View(NamedTuple):
    """The rows of a moment: keys, (n, 1) int64, and the rows that only this process has."""

    log: Snapshot
    tail: TailRows

    @property
    def keys(self) -> NDArray[np.int64]:
        """The keys of all positions, (n,) int64, ascending."""
        keys: NDArray[np.int64] = self.log.rows[:, 0]
        return keys

    @property
    def live_keys(self) -> NDArray[np.int64]:
        """The keys of the rows that are not masked."""
        return self.keys if self.log.alive is None else self.keys[self.log.alive]

    @property
    def brought(self) -> int:
        """How many live rows the engine has."""
        return self.log.live - len(self.tail)

    @property
    def brought_keys(self) -> NDArray[np.int64]:
        """The keys of the live rows that the engine has."""
        return self.eligible(self.log.alive, self.brought).named()

    def eligible(self, alive: NDArray[np.bool_] | None, count: int) -> Eligible:
        """Return those of the rows that live that the engine has, so many of them.

        alive: (n,) bool; None for all.
        """
        mask = alive
        if len(self.tail):
            mask = np.ones(len(self.keys), bool) if alive is None else alive.copy()
            mask[self.tail.positions] = False
        others = len(self.keys) - len(self.tail) - count
        return Eligible(keys=self.keys, mask=mask, count=count, others=others)


class RemoteRows:
    """Such rows, which any thread may change; `view` is taken without a lock."""

    def __init__(self, metric: Metric) -> None:
        """Hold no rows."""
        self._metric = metric
        self._lock = threading.Lock()  # held by writers; guards all that follows
        self._log = RowLog(1, np.int64)
        self._tail = Tail(metric)
        self._unclaimed = NO_KEYS  # that the table had; those of rows that came since among them
        self._doomed: list[NDArray[np.int64]] = []  # keys to be removed from the table
        self.view = View(self._log.snapshot, self._tail.rows)

    @property
    def memory_bytes(self) -> int:
        """What keys and new rows take."""
        return self._log.size_bytes + self._tail.size_bytes

    @property
    def tail_bytes(self) -> int:
        """What new rows take."""
        return self._tail.size_bytes

    @property
    def removals(self) -> int:
        """How many keys may have to be removed from the table."""
        return len(self._unclaimed) + sum(map(len, self._doomed))

    def found(self, there: NDArray[np.int64]) -> None:
        """Note the keys that the table has: rows that come with one of them are there already."""
        with self._lock:
            self._unclaimed = there

    def append(self, keys: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Add rows, one for each key. Raises ValueError if sequences do not ascend."""
        with self._lock:
            known = self.view.keys
            sequences = sequence_of(keys)
            if (np.diff(sequences, prepend=sequence_of(known[-1:])) <= 0).any():
                raise ValueError("sequences must ascend")
            new = np.flatnonzero(~are_in(self._unclaimed, keys))
            self._tail.append(rows[new], len(known) + new)
            self._log.append(keys[:, None])
            self._publish()

    def mask(self, positions: NDArray[np.int64]) -> None:
        """Hide rows for good."""
        with self._lock:
            self._log.mask(positions)
            self._doomed.append(self._log.snapshot.rows[positions, 0])
            self._publish()

    def lacks(self, there: NDArray[np.int64]) -> bool:
        """Return whether the table, with these keys, lacks rows that are not here either."""
        return not are_in(there, self.view.brought_keys).all()

    def doom_unclaimed(self) -> None:
        """Have removed from the table what it has of no row."""
        with self._lock:
            self._doomed.append(self._unclaimed[~are_in(self.view.keys, self._unclaimed)])
            self._unclaimed = NO_KEYS

    def take_doomed(self) -> NDArray[np.int64]:
        """Return the keys to be removed, and expect that they are; those of live rows stay."""
        with self._lock:
            keys, self._doomed = np.unique(np.concatenate([NO_KEYS, *self._doomed])), []
            return keys[~are_in(self.view.live_keys, keys)]

    def doom(self, keys: NDArray[np.int64]) -> None:
        """Have keys removed later."""
        with self._lock:
            self._doomed.append(keys)

    def brought(self, count: int) -> None:
        """Let go of the first new rows, which the engine has now."""
        with self._lock:
            self._tail = self._tail.without_first(count)
            self._publish()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of a state: keys as the rows, masks, and the new rows."""
        view = self.view
        in_tail = np.zeros(len(view.keys), bool)
        in_tail[view.tail.positions] = True
        arrays = {"rows": view.log.rows, "in_tail": in_tail, "tail": view.tail.rows}
        return arrays if view.log.alive is None else {**arrays, "alive": view.log.alive}

    def restore(self, state: IndexState) -> None:
        """Hold the rows of a state in place of none. Raises UnfitStateError."""
        keys = state.array("rows", np.int64, (None, 1))
        in_tail = state.array("in_tail", np.bool_, (len(keys),))
        positions = np.flatnonzero(in_tail)
        shape = (len(positions), self._metric.padded_width)
        rows = state.array("tail", self._metric.row_type, shape)
        alive = None
        if "alive" in state.arrays:
            alive = state.array("alive", np.bool_, (len(keys),))
        with self._lock:
            self._log.restore(snapshot_of(keys, alive))
            self._tail.append_padded(rows, positions)
            self._publish()

    def _publish(self) -> None:
        self.view = View(self._log.snapshot, self._tail.rows)
