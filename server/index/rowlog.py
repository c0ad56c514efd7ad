"""The rows of an index: appended under a lock, read without one."""

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.untyped import faiss

_FIRST_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a search works on: nothing in it changes while somebody holds it.

    rows: (n, width), C-contiguous.
    alive: (n,) bool, or None while nothing is masked.
    dead: number of masked rows.
    selector: the live rows as FAISS takes them, or None while nothing is masked.
    share: the part of the live rows that a filter keeps, above which all else counts as masked; 1.0
        without one.
    """

    rows: NDArray[Any]
    alive: NDArray[np.bool_] | None
    dead: int
    selector: Any
    share: float = 1.0

    @property
    def live(self) -> int:
        """The number of rows not masked."""
        return len(self.rows) - self.dead

    @property
    def dead_fraction(self) -> float:
        """The masked part of the rows, 0.0 where there are none."""
        return self.dead / len(self.rows) if len(self.rows) else 0.0

    def live_from(self, first: int, stop: int | None = None) -> NDArray[np.int64]:
        """Return the positions of the live rows from one on, before another if given, ascending."""
        positions = np.arange(first, len(self.rows) if stop is None else stop)
        return positions if self.alive is None else positions[self.alive[first:stop]]

    def selector_from(self, first: int) -> Any:
        """Return the selector of rows[first:], numbered from 0, or None when all are live."""
        if self.alive is None:
            return None
        tail = self.alive[first:]
        return None if tail.all() else bitmap_selector(tail)


class OverRows(ABC):
    """What an index says of its rows."""

    @property
    @abstractmethod
    def _rows_now(self) -> Snapshot:
        """The rows as they are at this moment."""

    def __len__(self) -> int:
        """Return the number of rows appended, masked ones included."""
        return len(self._rows_now.rows)

    @property
    def live_count(self) -> int:
        """The number of rows not masked."""
        return self._rows_now.live

    @property
    def dead_fraction(self) -> float:
        """The masked part of the appended rows, 0.0 for an empty index."""
        return self._rows_now.dead_fraction


class RowLog:
    """An append-only array of rows, and which of them are masked.

    Readers take the current snapshot and need no lock. That is sound because published memory is
    never written again: an append writes behind the end of every published snapshot and then
    replaces the reference, which is one atomic store; a full buffer is copied into a larger one,
    and the old one lives as long as a snapshot points into it; a mask copies the array of live
    flags before it changes it. So no reader can starve a writer, or the reverse.
    """

    def __init__(self, width: int, dtype: "np.dtype[Any] | type[np.generic]") -> None:
        self._lock = threading.Lock()  # held by writers; guards the three fields below
        self._buffer: NDArray[Any] = np.empty((_FIRST_CAPACITY, width), dtype)
        self._alive: NDArray[np.bool_] | None = None  # as long as the buffer; True behind the end
        self._selector: Any = None
        self.snapshot = Snapshot(self._buffer[:0], None, 0, None)

    @property
    def size_bytes(self) -> int:
        """What the buffer takes, the room behind the last row included."""
        return self._buffer.nbytes

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows at the end: (n, width), of any memory layout; they are copied."""
        if len(rows) == 0:
            return
        with self._lock:
            start = len(self.snapshot.rows)
            self._reserve(start, start + len(rows))
            self._buffer[start : start + len(rows)] = rows
            self._publish(start + len(rows), self.snapshot.dead)

    def restore(self, snapshot: Snapshot) -> None:
        """Hold these rows in place of none, where they are.

        They may lie in memory that cannot be written: the first append copies them into room with
        space behind it.
        """
        with self._lock:
            self._buffer, self._alive = snapshot.rows, snapshot.alive
            self._selector = snapshot.selector
            self.snapshot = snapshot

    def mask(self, positions: NDArray[np.int64]) -> None:
        """Mark rows as dead; those that are dead already stay so.

        Raises:
            ValueError: a position outside of the appended rows; then nothing is marked.
        """
        positions = np.asarray(positions, np.int64).reshape(-1)
        if positions.size == 0:
            return
        with self._lock:
            length = len(self.snapshot.rows)
            if positions.min() < 0 or positions.max() >= length:
                raise ValueError(f"positions to mask must lie in 0..{length - 1}")
            alive = np.ones(len(self._buffer), bool) if self._alive is None else self._alive.copy()
            alive[positions] = False
            self._alive, self._selector = alive, bitmap_selector(alive)
            self._publish(length, length - int(np.count_nonzero(alive[:length])))

    def _reserve(self, used: int, needed: int) -> None:
        """Make room for needed rows, doubling so that an append costs amortised constant time."""
        capacity = len(self._buffer)
        if needed <= capacity:
            return
        grown = np.empty((max(needed, 2 * capacity), self._buffer.shape[1]), self._buffer.dtype)
        grown[:used] = self._buffer[:used]
        self._buffer = grown
        if self._alive is not None:
            alive = np.ones(len(grown), bool)
            alive[:used] = self._alive[:used]
            self._alive, self._selector = alive, bitmap_selector(alive)

    def _publish(self, length: int, dead: int) -> None:
        alive = None if self._alive is None else self._alive[:length]
        self.snapshot = Snapshot(self._buffer[:length], alive, dead, self._selector)


def snapshot_of(rows: NDArray[Any], alive: NDArray[np.bool_] | None) -> Snapshot:
    """Return a snapshot of these rows; alive is None when all are."""
    if alive is None:
        return Snapshot(rows, None, 0, None)
    return Snapshot(rows, alive, int(np.count_nonzero(~alive)), bitmap_selector(alive))


def bitmap_selector(alive: NDArray[np.bool_]) -> Any:
    """Return a FAISS selector of the True positions; it keeps its own bitmap."""
    return faiss.IDSelectorBitmap(np.packbits(alive, bitorder="little"))
