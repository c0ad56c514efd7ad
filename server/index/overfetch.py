"""Leaving out masked rows where the search itself cannot: fetch more, then drop them.

FAISS's GPU indexes take no selector. So more rows than wanted are fetched; where too few of them
are live, the caller asks exactly.
"""

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.index.rowlog import Snapshot


def fetch_count(snapshot: Snapshot, k: int, limit: int) -> int:
    """Return how many rows to fetch for k live ones: room for every dead row.

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
