"""An index whose rows are in an engine: here are keys, and the rows that it does not have yet.

Nothing that is written waits for the engine. New rows are compared in this process until `train`
has brought them over, on the thread of the background; what is deleted is left out of answers here,
and removed there later.
"""

import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.errors import InvalidField, VectorsUnavailable
from cipherlens.server.index import (
    IndexDescription,
    IndexState,
    RowFilter,
    SearchParameters,
    SearchResult,
)
from cipherlens.server.index.filtering import Selections
from cipherlens.server.index.flat import nothing_found
from cipherlens.server.index.merging import best_of
from cipherlens.server.index.rowlog import RowLog, Snapshot, snapshot_of
from cipherlens.server.vectors.keys import NO_KEYS, are_in, keys_of, sequence_of
from cipherlens.server.vectors.link import Link
from cipherlens.server.vectors.metric import metric_of
from cipherlens.server.vectors.ranking import Eligible, RowsMissingError, ranked
from cipherlens.server.vectors.store import Reach, Shape, VectorStore
from cipherlens.server.vectors.tail import Tail, TailRows

_DEFAULTS = SearchParameters()
# So many new rows are compared here in less time than a request to an engine takes.
_LONGEST_TAIL = 512
_MOST_REMOVALS = 256
# Beyond it an engine that is too slow is waited for; one that is gone gets the rows from the
# database when it is back.
_MOST_TAIL_BYTES = 256 * 2**20
_PUT_BYTES = 8 * 2**20
_NEVER_QUICK = 2**62


class _View(NamedTuple):
    """What a search works on: keys, (n, 1) int64, and the rows that only this process has."""

    log: Snapshot
    tail: TailRows

    @property
    def keys(self) -> NDArray[np.int64]:
        keys: NDArray[np.int64] = self.log.rows[:, 0]
        return keys

    def live_keys(self) -> NDArray[np.int64]:
        return self.keys if self.log.alive is None else self.keys[self.log.alive]


class RemoteIndex:
    """A VectorIndex over a table of an engine, which it alone writes.

    row_type: the type of the numbers in a row.
    """

    def __init__(self, store: VectorStore, link: Link, shape: Shape) -> None:
        """Take the table; it is looked at when the first rows come."""
        self._store_kind = store.kind
        self._table = store.table(shape)
        self._link = link
        self._metric = metric_of(shape.kind, shape.length)
        self.row_type = self._metric.row_type
        self._facts: dict[str, str | int] = {
            "metric": self._metric.name,
            "length": shape.length,
            "store": store.kind,
        }
        self._selections = Selections()
        self._training = threading.Lock()  # held by the one that changes the table
        self._lock = threading.Lock()  # held by writers; guards all that follows
        self._log = RowLog(1, np.int64)
        self._tail = Tail(self._metric)
        self._there: NDArray[np.int64] | None = None  # keys that the table had, some not claimed
        self._doomed: list[NDArray[np.int64]] = []  # keys to be removed from the table
        # How often the engine had been lost when it was known to have all that it should.
        self._sure_at = -1
        self._lacks_rows = False
        self._view = _View(self._log.snapshot, self._tail.rows)

    def append(self, rows: NDArray[Any], sequences: NDArray[np.int64] | None = None) -> None:
        """Add rows at the end; those that the engine has already are not kept here.

        Raises:
            TypeError, ValueError: rows of another type or shape; sequences that do not ascend.
        """
        self._metric.check(rows)
        if sequences is None or len(sequences) != len(rows):
            raise ValueError("sequences: an index in an engine needs one for each row")
        if not len(rows):
            return
        keys = keys_of(sequences, rows)
        there = self._look() if self._there is None else self._there
        with self._lock:
            known = self._view.keys
            if (np.diff(sequences, prepend=sequence_of(known[-1:])) <= 0).any():
                raise ValueError("sequences must ascend")
            new = np.flatnonzero(~are_in(there, keys))
            self._tail.append(rows[new], len(known) + new)
            self._log.append(keys[:, None])
            self._publish()
        if self._tail.size_bytes > _MOST_TAIL_BYTES:
            self._shorten()

    def mask(self, positions: NDArray[np.int64]) -> None:
        """Hide the rows at positions from every search that starts later, for good."""
        with self._lock:
            self._log.mask(positions)
            self._doomed.append(self._log.snapshot.rows[positions, 0])
            self._publish()

    def search(
        self,
        queries: NDArray[Any],
        k: int,
        parameters: SearchParameters = _DEFAULTS,
        rows: RowFilter | None = None,
    ) -> SearchResult:
        """Return the k best live rows of each query, of those that a filter keeps.

        Raises:
            VectorsUnavailable: the engine does not answer, or has lost rows and is filled again.
            InvalidField: an exact search where the engine has none.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self._metric.check(queries)
        if parameters.exact and not self._table.is_exact:
            raise InvalidField("parameters.exact", "a graph in this engine has no exact search")
        try:
            return self._ranked(queries, k, parameters, rows)
        except RowsMissingError:
            pass  # or some were removed since it was looked what there is
        try:
            return self._ranked(queries, k, parameters, rows)
        except RowsMissingError:
            self._sure_at = -1  # the background looks at all of it
            raise VectorsUnavailable("the engine of the vectors has lost rows") from None

    def _ranked(
        self,
        queries: NDArray[Any],
        k: int,
        parameters: SearchParameters,
        rows: RowFilter | None,
    ) -> SearchResult:
        self._check_whole()
        view = self._view
        kept = None if rows is None else self._selections.of(view.log, rows)
        alive = view.log.alive if kept is None else kept.alive
        places = view.tail.alive(alive)
        beyond = (view.log.live if kept is None else kept.count) - len(places)
        found = [nothing_found(len(queries), k, self._metric.score_type)]
        if len(places):
            found.append(view.tail.search(self._metric, queries, k, places))
        if beyond:
            eligible = _eligible(view, alive, beyond)
            reach = Reach(parameters.nprobe, parameters.exact)
            with self._link.asking():
                found.append(ranked(self._table, eligible, queries, k, reach))
        best = best_of(found, k)
        if self._metric.score_type is np.float32:
            np.clip(best.scores, -1, 1, out=best.scores)
        return best

    def count(self, rows: RowFilter) -> int:
        """Return how many live rows a filter keeps."""
        return self._selections.of(self._view.log, rows).count

    def reads_bytes(
        self,
        parameters: SearchParameters = _DEFAULTS,  # noqa: ARG002
        rows: RowFilter | None = None,  # noqa: ARG002
    ) -> int:
        """Return more than anybody takes for quick: the engine is waited for."""
        return _NEVER_QUICK

    @property
    def lacks_rows(self) -> bool:
        """Whether rows are lost that only the database has, and the engine could take them."""
        return self._lacks_rows and self._link.is_up

    @property
    def wants_training(self) -> bool:
        """Whether there is enough to bring over to the engine, which answers."""
        if not self._link.is_up or self._lacks_rows:
            return False
        there = self._there
        return (
            (self._sure_at != self._link.losses and len(self) > 0)
            or (there is not None and len(there) > 0)
            or len(self._view.tail) > _LONGEST_TAIL
            or sum(map(len, self._doomed)) > _MOST_REMOVALS
            or self._table.wants_building(self._beyond)
        )

    def train(self, seed: int) -> None:  # noqa: ARG002
        """Bring new rows over, remove dead ones, and have the engine build its index.

        Raises VectorsUnavailable.
        """
        with self._training, self._link.asking():
            self._make_sure()
            if self._lacks_rows:
                return
            self._put_tail()
            self._remove_dead()
            if self._table.wants_building(self._beyond):
                self._table.build(self._beyond)

    def state(self) -> IndexState:
        """Return the keys as the rows, which are masked, and the rows that only this has."""
        with self._lock:
            view = self._view
        in_tail = np.zeros(len(view.keys), bool)
        in_tail[view.tail.positions] = True
        arrays = {"rows": view.log.rows, "in_tail": in_tail, "tail": view.tail.rows}
        if view.log.alive is not None:
            arrays["alive"] = view.log.alive
        return IndexState(facts=self._facts, arrays=arrays)

    def restore(self, state: IndexState) -> None:
        """Take the state of another such index. What the engine lacks of it is found later.

        Raises:
            UnfitStateError: see VectorIndex.
        """
        state.check(**self._facts)
        keys = state.array("rows", np.int64, (None, 1))
        in_tail = state.array("in_tail", np.bool_, (len(keys),))
        positions = np.flatnonzero(in_tail)
        shape = (len(positions), self._metric.padded_width)
        rows = state.array("tail", self.row_type, shape)
        alive = None
        if "alive" in state.arrays:
            alive = state.array("alive", np.bool_, (len(keys),))
        there = self._look()
        with self._lock:
            self._log.restore(snapshot_of(keys, alive))
            self._tail.append_padded(rows, positions)
            self._publish()
            pushed = keys[~in_tail if alive is None else alive & ~in_tail, 0]
            self._lacks_rows = self._sure_at >= 0 and not are_in(there, pushed).all()

    def __len__(self) -> int:
        """Return the number of rows appended, masked ones included."""
        return len(self._view.keys)

    @property
    def live_count(self) -> int:
        """The number of rows not masked."""
        return self._view.log.live

    @property
    def dead_fraction(self) -> float:
        """The masked part of the appended rows, 0.0 for an empty index."""
        return self._view.log.dead_fraction

    def describe(self) -> IndexDescription:
        """Return the index as it stands; memory is that of this process."""
        view, figures = self._view, self._table.figures()
        return IndexDescription(
            kind=f"{self._metric.name}-{figures.method}",
            device=self._store_kind,
            rows=len(view.keys),
            live=view.log.live,
            memory_bytes=self._log.size_bytes + self._tail.size_bytes,
            nlist=figures.nlist,
            nprobe=figures.nprobe,
            covered=len(view.keys) - len(view.tail),
            recall=figures.recall or None,
        )

    @property
    def _beyond(self) -> int:
        """How many live rows the engine has."""
        view = self._view
        return view.log.live - len(view.tail)

    def _publish(self) -> None:
        self._view = _View(self._log.snapshot, self._tail.rows)

    def _check_whole(self) -> None:
        self._link.check()
        if self._lacks_rows or (self._sure_at != self._link.losses and len(self) > 0):
            raise VectorsUnavailable("the engine of the vectors is filled from the database")

    def _look(self) -> NDArray[np.int64]:
        """Return the keys that the table has; none, and unsure, where the engine is lost."""
        losses = self._link.losses
        try:
            with self._link.asking():
                self._there = self._table.keys()
        except VectorsUnavailable:
            self._there = NO_KEYS
        else:
            self._sure_at = losses
        return self._there

    def _shorten(self) -> None:
        """Bring the tail over now, or let go of it."""
        try:
            with self._training, self._link.asking():
                self._put_tail()
        except VectorsUnavailable:
            with self._lock:
                self._tail, self._lacks_rows = Tail(self._metric), True
                self._publish()

    def _make_sure(self) -> None:
        """Find what the engine has too much, or, after it was lost, whether it lacks anything."""
        if self._sure_at != self._link.losses:
            losses = self._link.losses
            self._there = self._table.keys()
            with self._lock:
                view = self._view
                alive = view.log.alive
                pushed = np.ones(len(view.keys), bool) if alive is None else alive.copy()
                pushed[view.tail.positions] = False
                self._lacks_rows = not are_in(self._there, view.keys[pushed]).all()
            self._sure_at = losses
        with self._lock:
            if self._there is not None and len(self._there):
                self._doomed.append(self._there[~are_in(self._view.keys, self._there)])
            self._there = NO_KEYS

    def _put_tail(self) -> None:
        with self._lock:
            view = self._view
        step = max(1, _PUT_BYTES // max(1, view.tail.rows[:1].nbytes))
        for first in range(0, len(view.tail), step):
            part = TailRows(
                view.tail.rows[first : first + step], view.tail.positions[first : first + step]
            )
            alive = part.alive(self._view.log.alive)
            if len(alive):
                keys = view.keys[part.positions[alive]]
                self._table.put(keys, part.rows[alive, : self._metric.width])
        with self._lock:
            self._tail = self._tail.without_first(len(view.tail))
            self._publish()

    def _remove_dead(self) -> None:
        with self._lock:
            doomed, self._doomed = self._doomed, []
            live = self._view.live_keys()
        keys = _joined(doomed)
        keys = keys[~are_in(live, keys)]  # one that is written again lives
        try:
            for first in range(0, len(keys), self._table.most_keys):
                self._table.remove(keys[first : first + self._table.most_keys])
        except VectorsUnavailable:
            with self._lock:
                self._doomed.extend(doomed)
            raise


def _eligible(view: _View, alive: NDArray[np.bool_] | None, count: int) -> Eligible:
    mask = alive
    if len(view.tail):
        mask = np.ones(len(view.keys), bool) if alive is None else alive.copy()
        mask[view.tail.positions] = False
    return Eligible(
        keys=view.keys,
        mask=mask,
        count=count,
        others=len(view.keys) - len(view.tail) - count,
    )


def _joined(keys: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.unique(np.concatenate([NO_KEYS, *keys]))
