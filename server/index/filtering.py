"""Searches about some of the rows: a snapshot in which the others count as masked.

Whatever searches a snapshot leaves out what is masked in it, so a filter is nothing else to it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.rowlog import Snapshot, bitmap_selector

_REMEMBERED_BYTES = 16 * 2**20
_FEWEST_REMEMBERED = 8


class RowFilter(Protocol):
    """Which rows a search is about; those that are equal keep the same rows of one index.

    What it says of a row of a snapshot never changes.
    """

    def mask(self, count: int) -> NDArray[np.bool_]:
        """Return which of the first rows it keeps, (count,) bool, the caller's to change."""
        ...

    def most(self, count: int) -> int:
        """Return how many of the first rows it keeps at most, without looking at each."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Kept:
    """The live rows that a filter keeps, of a log that had so many rows, so many of them masked.

    A log only grows, in rows and in masks: with the same numbers it is the same.
    """

    rows: int
    dead: int
    alive: NDArray[np.bool_]
    count: int

    @property
    def share(self) -> float:
        """The part of the live rows that is kept."""
        return self.count / max(1, self.rows - self.dead)

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """Where the kept rows are, ascending; only asked for where they are few."""
        return np.flatnonzero(self.alive)

    @cached_property
    def _selector(self) -> Any:
        return bitmap_selector(self.alive)

    def among(self, rows: NDArray[Any]) -> Snapshot:
        """Return the rows with all masked that are not kept."""
        dead = len(rows) - self.count
        return Snapshot(rows, self.alive, dead, self._selector, share=self.share)


class Selections:
    """What filters keep of a log; remembered, as what is asked once is asked again.

    Any thread may ask: two that note something at the same time lose what is made again.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._known: dict[RowFilter, Kept] = {}

    def of(self, snapshot: Snapshot, rows: RowFilter) -> Kept:
        """Return what a filter keeps of a snapshot."""
        kept = self._known_for(snapshot, rows)
        return self._noted(snapshot, rows) if kept is None else kept

    def most(self, snapshot: Snapshot, rows: RowFilter) -> int:
        """Return how many rows a filter keeps at most: just as many where it is remembered."""
        kept = self._known_for(snapshot, rows)
        return rows.most(len(snapshot.rows)) if kept is None else kept.count

    def _known_for(self, snapshot: Snapshot, rows: RowFilter) -> Kept | None:
        kept = self._known.get(rows)
        if kept is None or (kept.rows, kept.dead) != (len(snapshot.rows), snapshot.dead):
            return None
        return kept

    def _noted(self, snapshot: Snapshot, rows: RowFilter) -> Kept:
        alive = rows.mask(len(snapshot.rows))
        if snapshot.alive is not None:
            alive &= snapshot.alive
        kept = Kept(len(alive), snapshot.dead, alive, int(np.count_nonzero(alive)))
        if len(self._known) >= max(_FEWEST_REMEMBERED, _REMEMBERED_BYTES // max(1, len(alive))):
            self._known.clear()
        self._known[rows] = kept
        return kept
