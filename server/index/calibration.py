"""How far a search has to look so that, in all likelihood, it finds what was asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.clustering import Clustering
from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.index.rowlog import Snapshot

_SURE = 2.33  # standard errors: one-sided 99 %
_EQUAL = 1e-6  # similarities nearer to each other than rounding are the same
_FETCHED = 4  # times as many as wanted, so that ties at the last place are seen
_DEPTHS = (1, 2, 4, 8, 16, 32)
"""Times as many neighbours as are wanted: as far as a filter makes a search look that keeps one of
so many rows."""

Scan = Callable[[NDArray[Any], NDArray[Any], int, Any], SearchResult]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Stored rows that serve as queries, and all their true neighbours.

    held_out: (q,) positions; training leaves them out.
    positions: (q, n), -1 beside neighbours; a row is no neighbour of its own. Those as far as the
        last wanted one are all in, as each of them is as good.
    worst: (q,) the largest distance, or least similarity, of a wanted neighbour.
    wanted: (q,) how many there are to find, at least 1.
    """

    queries: NDArray[Any]
    held_out: NDArray[np.int64]
    positions: NDArray[np.int64]
    worst: NDArray[Any]
    wanted: NDArray[np.int64]


def split(
    snapshot: Snapshot, settings: IvfSettings, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the live positions to hold out, at most half of them, and the others, shuffled."""
    live = len(snapshot.rows) if snapshot.alive is None else np.flatnonzero(snapshot.alive)
    shuffled = np.random.default_rng(seed).permutation(live)
    held_out = min(settings.calibration_queries, len(shuffled) // 2)
    return np.sort(shuffled[:held_out]), shuffled[held_out:]


def sample_of(
    snapshot: Snapshot, held_out: NDArray[np.int64], scan: Scan, settings: IvfSettings
) -> Sample:
    """Return the rows held out and their true neighbours among the live rows."""
    fetched = scan(
        snapshot.rows,
        snapshot.rows[held_out],
        _FETCHED * settings.recall_at + 1,
        snapshot.selector,
    )
    return _sample(snapshot, held_out, fetched, settings.recall_at)


def samples_of(
    snapshot: Snapshot, held_out: NDArray[np.int64], scan: Scan, settings: IvfSettings
) -> list[Sample]:
    """Return what `sample_of` does, and then for twice, four times ... as many neighbours."""
    counts = [depth * settings.recall_at for depth in _DEPTHS]
    widths = [max(_FETCHED * settings.recall_at, count) + 1 for count in counts]
    fetched = scan(snapshot.rows, snapshot.rows[held_out], widths[-1], snapshot.selector)
    return [
        _sample(snapshot, held_out, SearchResult(*(each[:, :width] for each in fetched)), count)
        for count, width in zip(counts, widths, strict=True)
    ]


def _sample(
    snapshot: Snapshot, held_out: NDArray[np.int64], fetched: SearchResult, count: int
) -> Sample:
    """Return the rows held out with `count` of the neighbours that were found for each."""
    others = (fetched.positions >= 0) & (fetched.positions != held_out[:, None])
    last = np.argsort(~others, axis=1, kind="stable")[:, :count]
    wanted = np.minimum(others.sum(axis=1), count)
    at_last = np.take_along_axis(last, wanted[:, None] - 1, axis=1)
    worst = np.take_along_axis(fetched.scores, at_last, axis=1)[:, 0]
    counted = others & _as_good(fetched.scores, worst)
    return Sample(
        queries=snapshot.rows[held_out],
        held_out=held_out,
        positions=np.where(counted, fetched.positions, -1),
        worst=worst,
        wanted=wanted,
    )


def recall_by_nprobe(sample: Sample, clustering: Clustering) -> NDArray[np.float64]:
    """Return each query's recall at every nprobe, (q, nlist); column 0 is nprobe 1.

    A neighbour is found exactly when its list is among the nprobe nearest to the query, so the
    rank of that list gives the recall at every nprobe without a search through lists.
    """
    _, nearest = clustering.coarse.search(sample.queries, clustering.nlist)
    rank = np.argsort(nearest, axis=1)  # nearest[q] is a permutation: this inverts it
    query, place = np.nonzero(sample.positions >= 0)
    found_at = rank[query, clustering.lists[sample.positions[query, place]]]
    newly = np.zeros(rank.shape, np.int64)
    np.add.at(newly, (query, found_at), 1)
    found = np.minimum(np.cumsum(newly, axis=1), sample.wanted[:, None])
    recalls: NDArray[np.float64] = found / sample.wanted[:, None]
    return recalls


def smallest_nprobe(sample: Sample, clustering: Clustering, target_recall: float) -> int:
    """Return the smallest nprobe that surely has the recall, or all lists where none has."""
    enough = sure_recall(recall_by_nprobe(sample, clustering)) >= target_recall
    return int(np.argmax(enough)) + 1 if enough.any() else clustering.nlist


def measured_recall(
    sample: Sample, search: Callable[[NDArray[Any], int], SearchResult], recall_at: int
) -> NDArray[np.float64]:
    """Return each query's recall in a real search, (q,); one that finds itself counts nothing."""
    found = search(sample.queries, recall_at + 1)
    good = (found.positions >= 0) & (found.positions != sample.held_out[:, None])
    good &= _as_good(found.scores, sample.worst)
    recalls: NDArray[np.float64] = np.minimum(good.sum(axis=1), sample.wanted) / sample.wanted
    return recalls


def sure_recall(recalls: NDArray[np.float64]) -> Any:
    """Return what the mean over all queries like these exceeds with 99 % confidence.

    recalls: (q, ...), one row a query; the bound is of the mean over the first axis.
    """
    error = recalls.std(axis=0) / np.sqrt(len(recalls))
    return recalls.mean(axis=0) - _SURE * error


def _as_good(scores: NDArray[Any], worst: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which scores are no worse than each query's worst wanted one, (q, n)."""
    if scores.dtype == np.int32:
        return scores <= worst[:, None]
    return scores >= worst[:, None] - _EQUAL
