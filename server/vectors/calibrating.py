"""How far a search of a table has to look, measured with rows of its own."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.calibration import sure_recall
from cipherlens.server.vectors.store import Found, Reach, VectorTable

SAMPLE = 128
"""Rows to measure with. An exact search among a million takes an engine a quarter of a second."""

_TOLERANCE = 1e-5  # of similarities that two orders of adding make


def calibrated(
    table: VectorTable, queries: NDArray[Any], k: int, reaches: Sequence[Reach], target: float
) -> tuple[Reach, float]:
    """Return the first reach whose recall surely is the target, and its recall; or else the last.

    queries: rows of the table; each finds itself, which does not count. Lists of codes are made
        from them: for codes that are none of them the second one after it is taken, twice as far.
    """
    truth = table.search(queries, k + 1, Reach(exact=True))
    recall, last = 0.0, len(reaches) - 1
    for number, reach in enumerate(reaches):
        recalls = _recalls(table.search(queries, k + 1, reach), truth)
        recall = float(recalls.mean())
        if sure_recall(recalls) >= target:
            last = min(last, number + 2) if _are_codes(truth) else number
            break
    return reaches[last], recall


def widths(first: int, most: int) -> Iterator[int]:
    """Yield first, and then numbers a third to a half larger each, and most."""
    step = first
    while step < most:
        yield step
        if step + step // 2 < min(2 * step, most):
            yield step + step // 2
        step *= 2
    yield most


def _recalls(found: Found, truth: Found) -> NDArray[np.float64]:
    """Return which part of each query's hits, but for the first, is as good as the true ones."""
    worst = truth.scores[:, -1:]
    if _are_codes(truth):
        good = found.scores[:, 1:] <= worst
    else:
        good = found.scores[:, 1:] >= worst - _TOLERANCE
    recalls: NDArray[np.float64] = (good & (found.keys[:, 1:] >= 0)).mean(axis=1)
    return recalls


def _are_codes(found: Found) -> bool:
    return found.scores.dtype == np.int32
