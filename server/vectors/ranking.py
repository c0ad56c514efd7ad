"""A ranking of the rows that may be hits, from an engine that also knows others.

An engine is not told which rows are deleted at this moment, nor of tags. So it is asked for more
hits than are wanted, and for more again until enough of them may be hits; where those that may are
few, they are named.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.flat import nothing_found
from cipherlens.server.index.merging import best_of
from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.vectors.keys import positions_of
from cipherlens.server.vectors.store import Found, Reach, VectorTable

# Naming so many keys costs an engine some tens of milliseconds at most. To look for as few among
# all others costs as much, and finds less.
_FEW = 4096
_MARGIN = 1.25
_SOME_MORE = 8
_GROWTH = 4


class RowsMissingError(Exception):
    """The engine has fewer rows than it was given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Eligible:
    """The rows that may be hits.

    keys: (n,) int64, ascending: of all positions.
    mask: (n,) bool, which of them may; None for all.
    count: how many may.
    others: how many rows, about, the engine has beside them.
    """

    keys: NDArray[np.int64]
    mask: NDArray[np.bool_] | None
    count: int
    others: int

    def named(self) -> NDArray[np.int64]:
        """Return the keys of those that may be hits."""
        return self.keys if self.mask is None else self.keys[self.mask]

    def best(self, found: Found, k: int) -> SearchResult:
        """Return the first k rows of a ranking that may be hits, then -1."""
        positions = positions_of(self.keys, found.keys)
        if self.mask is not None:
            positions = np.where(self.mask[positions], positions, -1)
        order = np.argsort(positions < 0, axis=1, kind="stable")[:, :k]
        return SearchResult(
            np.take_along_axis(positions, order, axis=1),
            np.take_along_axis(found.scores, order, axis=1),
        )


def ranked(
    table: VectorTable, rows: Eligible, queries: NDArray[Any], k: int, reach: Reach
) -> SearchResult:
    """Return min(k, rows.count) positions for each query, best first.

    Raises VectorsUnavailable; RowsMissingError.
    """
    wanted = min(k, rows.count)
    if not wanted:
        return nothing_found(len(queries), 0, np.float32)
    if rows.count <= _FEW:
        return _named(table, rows, queries, wanted)
    engine_rows = rows.count + rows.others
    ask = wanted
    if engine_rows > rows.count:
        ask = math.ceil(_MARGIN * wanted * engine_rows / rows.count) + _SOME_MORE
        # What is kept lies as much deeper, in lists that a search of all has no need to look into.
        reach = reach._replace(depth=engine_rows / rows.count)
    return _asked(table, rows, queries, wanted, min(ask, engine_rows), reach)


def _asked(
    table: VectorTable,
    rows: Eligible,
    queries: NDArray[Any],
    wanted: int,
    ask: int,
    reach: Reach,
) -> SearchResult:
    """Ask for so many, and for more where a query then lacks hits."""
    if ask > table.most_k:
        return _named(table, rows, queries, wanted)
    found = table.search(queries, ask, reach)
    best = rows.best(found, wanted)
    short = best.positions[:, -1] < 0
    if short.any():
        ended = bool((found.keys[short, -1] < 0).any())
        ask, reach = _further(table, ask, reach, ended=ended)
        rest = _asked(table, rows, queries[short], wanted, ask, reach)
        best.positions[short], best.scores[short] = rest
    return best


def _further(table: VectorTable, ask: int, reach: Reach, *, ended: bool) -> tuple[int, Reach]:
    """Return what to ask for next; `ended`: the engine had no other row, as far as it looked."""
    if not ended:
        return ask * _GROWTH, reach
    if reach.exact:
        raise RowsMissingError
    if table.is_exact:
        return ask, Reach(exact=True)
    return table.most_k + 1, reach  # they are named


def _named(table: VectorTable, rows: Eligible, queries: NDArray[Any], wanted: int) -> SearchResult:
    """Compare with all that may be hits, by their names."""
    named = rows.named()
    parts = np.array_split(named, math.ceil(len(named) / table.most_keys))
    found = best_of(
        [rows.best(table.among(queries, min(wanted, len(each)), each), wanted) for each in parts],
        wanted,
    )
    if (found.positions[:, -1] < 0).any():
        raise RowsMissingError
    return found
