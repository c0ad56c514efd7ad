"""Leaving out masked rows where the search itself cannot: fetch more, then drop them.

FAISS's GPU indexes take no selector, and break ties as they like. So more rows than wanted are
fetched; where these do not settle the answer, the caller asks exactly.
"""

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.index.rowlog import Snapshot


def fetch_count(snapshot: Snapshot, k: int, limit: int) -> int:
    """Return how many rows to fetch for k live ones: room for every dead row and for ties.

    Rounded up to a power of two, which costs a GPU nothing: it selects in such steps anyway.
    """
    wanted = k + snapshot.dead + 1
    return min(1 << (wanted - 1).bit_length(), len(snapshot.rows), limit)


def keep_live(
    fetched: SearchResult, snapshot: Snapshot, k: int
) -> tuple[SearchResult, NDArray[np.bool_]]:
    """Return the first k live rows of each query, and which queries may lack some.

    fetched: (q, f), best first, with any f; -1 where nothing was found.
    """
    kept = fetched.positions >= 0
    if snapshot.alive is not None:
        kept &= snapshot.alive[fetched.positions]
    order = np.argsort(~kept, axis=1, kind="stable")[:, :k]
    is_row = np.take_along_axis(kept, order, axis=1)
    positions = np.full((len(order), k), -1, np.int64)
    scores = np.zeros((len(order), k), fetched.scores.dtype)
    width = order.shape[1]
    positions[:, :width] = np.where(
        is_row, np.take_along_axis(fetched.positions, order, axis=1), -1
    )
    scores[:, :width] = np.take_along_axis(fetched.scores, order, axis=1)
    lacking = is_row.sum(axis=1) < min(k, snapshot.live)
    return SearchResult(positions, scores), lacking


def in_served_order(fetched: SearchResult) -> SearchResult:
    """Return Hamming results ordered by (distance, position)."""
    order = np.lexsort((fetched.positions, fetched.scores), axis=1)
    return SearchResult(
        np.take_along_axis(fetched.positions, order, axis=1),
        np.take_along_axis(fetched.scores, order, axis=1),
    )


def cut_by_ties(fetched: SearchResult, kept: SearchResult, rows: int) -> NDArray[np.bool_]:
    """Return for which queries the choice at the k-th place is not settled, (q,) bool.

    All rows nearer than the last fetched one were fetched; of those as far as it some may be
    missing. So the answer is settled when its last row is nearer, or when every row was fetched.
    """
    if fetched.positions.shape[1] >= rows:
        return np.zeros(len(fetched.positions), bool)
    unsettled: NDArray[np.bool_] = kept.scores[:, -1] >= fetched.scores[:, -1]
    return unsettled
