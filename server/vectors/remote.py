"""An index whose rows are in an engine: here are keys, and the rows that it does not have yet.

Nothing that is written waits for the engine. New rows are compared in this process until `train`
has brought them over, on the thread of the background; what is deleted is left out of answers here,
and removed there later.
"""

import threading
from typing import Any

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
from cipherlens.server.index.rowlog import OverRows, Snapshot
from cipherlens.server.vectors.calibrating import SAMPLE
from cipherlens.server.vectors.keys import keys_of
from cipherlens.server.vectors.link import Link
from cipherlens.server.vectors.metric import metric_of
from cipherlens.server.vectors.ranking import RowsMissingError, ranked
from cipherlens.server.vectors.rows import RemoteRows
from cipherlens.server.vectors.store import Reach, Shape, VectorStore

_DEFAULTS = SearchParameters()
# So many new rows are compared here in less time than a request to an engine takes.
_LONGEST_TAIL = 512
_MOST_REMOVALS = 256
# Beyond it an engine that is too slow is waited for; one that is gone gets the rows from the
# database when it is back.
_MOST_TAIL_BYTES = 256 * 2**20
# Of one request, which has to be answered before anybody takes the engine for lost.
_PUT_BYTES, _PUT_ROWS = 8 * 2**20, 8192
_NEVER_QUICK = 2**62


class RemoteIndex(OverRows):
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
        self._rows = RemoteRows(self._metric)
        self._changing = threading.Lock()  # held by the one that changes the table
        self._has_looked = False
        # How often the engine had been lost when it was known to have all that it should.
        self._sure_at = -1
        self._lacks_rows = False

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
        if not self._has_looked:
            self._look()
        self._rows.append(keys_of(sequences, rows), rows)
        if self._rows.tail_bytes > _MOST_TAIL_BYTES:
            self._shorten()

    def mask(self, positions: NDArray[np.int64]) -> None:
        """Hide the rows at positions from every search that starts later, for good."""
        self._rows.mask(positions)

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
        view = self._rows.view
        kept = None if rows is None else self._selections.of(view.log, rows)
        alive = view.log.alive if kept is None else kept.alive
        places = view.tail.alive(alive)
        beyond = (view.log.live if kept is None else kept.count) - len(places)
        found = [nothing_found(len(queries), k, self._metric.score_type)]
        if len(places):
            found.append(view.tail.search(self._metric, queries, k, places))
        if beyond:
            eligible = view.eligible(alive, beyond)
            reach = Reach(parameters.nprobe, parameters.exact)
            with self._link.asking():
                found.append(ranked(self._table, eligible, queries, k, reach))
        best = best_of(found, k)
        if self._metric.score_type is np.float32:
            np.clip(best.scores, -1, 1, out=best.scores)
        return best

    def count(self, rows: RowFilter) -> int:
        """Return how many live rows a filter keeps."""
        return self._selections.of(self._rows.view.log, rows).count

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
        view = self._rows.view
        return (
            not self._is_sure
            or len(view.tail) > _LONGEST_TAIL
            or self._rows.removals > _MOST_REMOVALS
            or self._table.wants_building(view.brought)
        )

    def train(self, seed: int) -> None:
        """Bring new rows over, remove dead ones, and have the engine build its index.

        Raises VectorsUnavailable.
        """
        with self._changing, self._link.asking():
            if not self._is_sure:
                self._make_sure()
            if self._lacks_rows:
                return
            self._bring_over()
            self._rows.doom_unclaimed()
            self._remove_dead()
            view = self._rows.view
            if self._table.wants_building(view.brought):
                keys = np.random.default_rng(seed).permutation(view.brought_keys)
                self._table.build(view.brought, keys[:SAMPLE])

    def state(self) -> IndexState:
        """Return the keys as the rows, which are masked, and the rows that only this has."""
        return IndexState(facts=self._facts, arrays=self._rows.state())

    def restore(self, state: IndexState) -> None:
        """Take the state of another such index; `lacks_rows` says if the engine lost some of it.

        Raises:
            UnfitStateError: see VectorIndex.
        """
        state.check(**self._facts)
        self._rows.restore(state)
        there = self._look()
        self._lacks_rows = there is not None and self._rows.lacks(there)

    @property
    def _rows_now(self) -> Snapshot:
        return self._rows.view.log

    def describe(self) -> IndexDescription:
        """Return the index as it stands; memory is that of this process."""
        view, figures = self._rows.view, self._table.figures()
        return IndexDescription(
            kind=f"{self._metric.name}-{figures.method}",
            device=self._store_kind,
            rows=len(view.keys),
            live=view.log.live,
            memory_bytes=self._rows.memory_bytes,
            nlist=figures.nlist,
            nprobe=figures.width if figures.nlist else 0,
            covered=len(view.keys) - len(view.tail),
            recall=figures.recall or None,
        )

    @property
    def _is_sure(self) -> bool:
        """Whether the engine is known to have what it should; of no rows there is no doubt."""
        return self._sure_at == self._link.losses or not len(self)

    def _check_whole(self) -> None:
        self._link.check()
        if self._lacks_rows or not self._is_sure:
            raise VectorsUnavailable("the engine of the vectors is filled from the database")

    def _look(self) -> NDArray[np.int64] | None:
        """Return the keys that the table has, and note them; None where the engine is lost."""
        self._has_looked = True
        losses = self._link.losses
        try:
            with self._link.asking():
                there = self._table.keys()
        except VectorsUnavailable:
            return None  # the background makes sure later
        self._rows.found(there)
        self._sure_at = losses
        return there

    def _make_sure(self) -> None:
        """Find what the engine has too much, and whether it lacks anything, after it was lost."""
        losses = self._link.losses
        there = self._table.keys()
        self._rows.found(there)
        self._lacks_rows = self._rows.lacks(there)
        self._sure_at = losses

    def _shorten(self) -> None:
        """Bring new rows over now, or let go of them."""
        with self._changing:
            try:
                with self._link.asking():
                    self._bring_over()
            except VectorsUnavailable:
                self._lacks_rows = True
                self._rows.brought(len(self._rows.view.tail))

    def _bring_over(self) -> None:
        view = self._rows.view
        step = max(1, min(_PUT_ROWS, _PUT_BYTES // max(1, view.tail.rows[:1].nbytes)))
        for first in range(0, len(view.tail), step):
            part = view.tail.part(first, first + step)
            alive = part.alive(self._rows.view.log.alive)
            if len(alive):
                keys = view.keys[part.positions[alive]]
                self._table.put(keys, part.rows[alive, : self._metric.width])
        self._rows.brought(len(view.tail))

    def _remove_dead(self) -> None:
        keys, step = self._rows.take_doomed(), self._table.most_keys
        try:
            for first in range(0, len(keys), step):
                self._table.remove(keys[first : first + step])
        except VectorsUnavailable:
            self._rows.doom(keys)
            raise
