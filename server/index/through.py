"""A search through what was trained, made whole by scans: of what lies behind it, and of all."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.calibration import Scan
from cipherlens.server.index.merging import best_of
from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.trained import Trained


def is_used(trained: Trained, parameters: SearchParameters) -> bool:
    """Return whether a search goes through what was trained."""
    return not parameters.exact and (trained.pays or parameters.nprobe is not None)


def through(
    trained: Trained,
    snapshot: Snapshot,
    queries: NDArray[Any],
    k: int,
    parameters: SearchParameters,
    scan: Scan,
) -> SearchResult:
    """Return the best of what the trained finds and of the rows behind it, for each query.

    A query for which it finds too few live rows is answered exactly, so that a small nprobe costs
    recall but never hits.
    """
    found = trained.search(snapshot, queries, k, parameters)
    reach = trained.reach(snapshot)
    if reach < len(snapshot.rows):
        tail = scan(snapshot.rows[reach:], queries, k, snapshot.selector_from(reach))
        np.add(tail.positions, reach, out=tail.positions, where=tail.positions >= 0)
        found = best_of([found, tail], k)
    needed = min(k, snapshot.live)
    if needed == 0:
        return found
    short = found.positions[:, needed - 1] < 0
    if short.any():
        exact = scan(snapshot.rows, queries[short], k, snapshot.selector)
        found.positions[short], found.scores[short] = exact
    return found
