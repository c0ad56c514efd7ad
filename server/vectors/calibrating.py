"""How many lists a search of a table has to probe, measured on rows of its own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.vectors.store import Found, Reach, VectorTable

_TOLERANCE = 1e-5  # of similarities that two orders of adding make


def calibrated(
    table: VectorTable, queries: NDArray[Any], k: int, nlist: int, target: float
) -> tuple[int, float]:
    """Return the lists to probe, a power of two or all, and the recall that they reach.

    queries: rows of the table; each finds itself, which does not count. Lists of codes are made
        from them: for codes that are none of them twice as many are probed.
    """
    truth = table.search(queries, k + 1, Reach(exact=True))
    nprobe = 1
    while nprobe < nlist:
        recall = _recall(table.search(queries, k + 1, Reach(nprobe)), truth)
        if recall >= target:
            return (min(nlist, 2 * nprobe) if _are_codes(truth) else nprobe), recall
        nprobe *= 2
    return nlist, 1.0


def _recall(found: Found, truth: Found) -> float:
    """Return the part of the hits, but for the first, that are as good as the true ones."""
    worst = truth.scores[:, -1:]
    if _are_codes(truth):
        good = found.scores[:, 1:] <= worst
    else:
        good = found.scores[:, 1:] >= worst - _TOLERANCE
    return float((good & (found.keys[:, 1:] >= 0)).mean())


def _are_codes(found: Found) -> bool:
    return found.scores.dtype == np.int32
