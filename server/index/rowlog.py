"""The rows of an index: appended under a lock, read without one."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.state import IndexState
from cipherlens.server.index.untyped import faiss

_FIRST_CAPACITY = 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a search works on: nothing in it changes while somebody holds it.

    rows: (n, width), C-contiguous.
    alive: (n,) bool, or None while nothing is masked.
    dead: number of masked rows.
    selector: the live rows as FAISS takes them, or None while nothing is masked.
    """

    rows: NDArray[Any]
    alive: NDArray[np.bool_] | None
    dead: int
    selector: Any

    @property
    def live(self) -> int:
        """The number of rows not masked."""
        return len(self.rows) - self.dead

    @property
    def dead_fraction(self) -> float:
        """The masked part of the rows, 0.0 where there are none."""
        return self.dead / len(self.rows) if len(self.rows) else 0.0

    def selector_from(self, first: int) -> Any:
        """Return the selector of rows[first:], numbered from 0, or None when all are live."""
        if self.alive is None:
            return None
        tail = self.alive[first:]
        return None if tail.all() else bitmap_selector(tail)


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

    def restore(self, rows: NDArray[Any], alive: NDArray[np.bool_] | None) -> None:
        """Hold these rows in place of none, where they are; alive is None when all are.

        They may lie in memory that cannot be written: the first append copies them into room with
        space behind it.
        """
        with self._lock:
            self._buffer, self._alive = rows, alive
            self._selector = None if alive is None else bitmap_selector(alive)
            self._publish(len(rows), 0 if alive is None else int(np.count_nonzero(~alive)))

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


class LoggedIndex:
    """What an index over a row log has in common with every other, whatever its metric.

    row_type: the type of the numbers in a row.
    """

    def __init__(self, width: int, row_type: "np.dtype[Any]") -> None:
        self.row_type = row_type
        self._log = RowLog(width, row_type)

    def mask(self, positions: NDArray[np.int64]) -> None:
        """Hide the rows at positions from every search that starts later, for good."""
        self._log.mask(positions)

    def _logged_state(self, **facts: str | int) -> IndexState:
        """Return the rows and masks of now, as `_logged_rows` takes them."""
        snapshot = self._log.snapshot
        arrays: dict[str, NDArray[Any]] = {"rows": snapshot.rows}
        if snapshot.alive is not None:
            arrays["alive"] = snapshot.alive
        return IndexState(facts=facts, arrays=arrays)

    def _logged_rows(self, state: IndexState) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """Return what the log would take. Raises UnfitStateError."""
        rows = state.array("rows", self.row_type, (None, self._log.snapshot.rows.shape[1]))
        if "alive" not in state.arrays:
            return rows, None
        return rows, state.array("alive", np.bool_, (len(rows),))

    def __len__(self) -> int:
        """Return the number of rows appended, masked ones included."""
        return len(self._log.snapshot.rows)

    @property
    def live_count(self) -> int:
        """The number of rows not masked."""
        return self._log.snapshot.live

    @property
    def dead_fraction(self) -> float:
        """The masked part of the appended rows, 0.0 for an empty index."""
        return self._log.snapshot.dead_fraction


def bitmap_selector(alive: NDArray[np.bool_]) -> Any:
    """Return a FAISS selector of the True positions; it keeps its own bitmap."""
    return faiss.IDSelectorBitmap(np.packbits(alive, bitorder="little"))
