"""One ranking of several."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.protocol import SearchResult


def best_of(found: Sequence[SearchResult], k: int) -> SearchResult:
    """Return the k best rows of all results for each query; places without a row come last.

    found: of the same queries, each row in one of them at most; int32 scores are distances, others
        similarities.
    """
    if len(found) == 1:
        return SearchResult(found[0].positions[:, :k], found[0].scores[:, :k])
    positions = np.concatenate([each.positions for each in found], axis=1)
    scores = np.concatenate([each.scores for each in found], axis=1)
    order = np.argsort(_farness(positions, scores), axis=1, kind="stable")[:, :k]
    return SearchResult(
        np.take_along_axis(positions, order, axis=1), np.take_along_axis(scores, order, axis=1)
    )


def _farness(positions: NDArray[np.int64], scores: NDArray[Any]) -> NDArray[Any]:
    if scores.dtype == np.int32:
        return np.where(positions < 0, np.iinfo(np.int32).max, scores)
    return np.where(positions < 0, np.inf, -scores)
