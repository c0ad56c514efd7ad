"""Training an IVF index aside: lists, assignments, and how many lists a search has to probe."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.clustering import Clustering
from cipherlens.server.index.flat import scan_cosine
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.threads import use_one_thread
from cipherlens.server.index.untyped import faiss

_KMEANS_ROWS_PER_LIST = 128  # sampled and copied: 0.4 GB for a million rows of 768


@dataclass(frozen=True, kw_only=True)
class TrainedIvf:
    """Lists over the first rows of a log, on the CPU; never changed once built.

    index: faiss.IndexIVFFlat by inner product, ids are positions; rows masked when it was built
        are left out.
    nprobe: the smallest number of lists that reached the target recall in calibration.
    recall: the mean recall measured at that nprobe.
    """

    index: Any
    clustering: Clustering
    nprobe: int
    recall: float


@dataclass(frozen=True, kw_only=True)
class IvfPlan:
    """All that building the lists needs, taken at one moment.

    previous: a clustering whose centroids are good enough to keep, or None to train new ones.
    """

    snapshot: Snapshot
    settings: IvfSettings
    previous: Clustering | None


def train_ivf(plan: IvfPlan, seed: int) -> TrainedIvf:
    """Return lists over the plan's rows, with a calibrated nprobe.

    Slow (`python -m benchmarks index-time` says how slow), on the calling thread alone, and without
    any lock: searches and appends go on meanwhile. The same plan and seed give the same lists.

    Raises:
        ValueError: the plan has fewer than two live rows.
    """
    use_one_thread()
    if plan.snapshot.live < 2:
        raise ValueError(f"training needs at least 2 live rows, got {plan.snapshot.live}")
    shuffled = np.random.default_rng(seed).permutation(_live_positions(plan.snapshot))
    held_out = np.sort(shuffled[: min(plan.settings.calibration_queries, len(shuffled) // 2)])
    clustering = _cluster(plan, shuffled[len(held_out) :], seed)
    nprobe, recall = _calibrate(plan, clustering, held_out)
    index = filled_lists(plan.snapshot, clustering)
    return TrainedIvf(index=index, clustering=clustering, nprobe=nprobe, recall=recall)


def _cluster(plan: IvfPlan, positions: NDArray[np.int64], seed: int) -> Clustering:
    """Return a list for every row; rows listed before keep their list, and all the centroids."""
    rows, previous = plan.snapshot.rows, plan.previous
    if previous is None:
        centroids = _train_centroids(plan, positions, seed)
        _, nearest = centroids.search(rows, 1)
        return Clustering(
            centroids=centroids, lists=nearest[:, 0].copy(), trained_on=plan.snapshot.live
        )
    _, nearest = previous.centroids.search(rows[previous.covered :], 1)
    return replace(previous, lists=np.concatenate([previous.lists, nearest[:, 0]]))


def _live_positions(snapshot: Snapshot) -> NDArray[np.int64]:
    if snapshot.alive is None:
        return np.arange(len(snapshot.rows))
    return np.flatnonzero(snapshot.alive)


def _train_centroids(plan: IvfPlan, positions: NDArray[np.int64], seed: int) -> Any:
    """Return a flat index of spherical k-means centroids of the rows at positions."""
    dimension = plan.snapshot.rows.shape[1]
    nlist = max(1, round(plan.settings.lists_per_root * math.sqrt(plan.snapshot.live)))
    nlist = min(nlist, len(positions))
    sample = np.sort(positions[: nlist * _KMEANS_ROWS_PER_LIST])
    kmeans = faiss.Kmeans(
        dimension,
        nlist,
        niter=10,
        seed=seed % 2**31,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_KMEANS_ROWS_PER_LIST,
    )
    kmeans.train(plan.snapshot.rows[sample])
    centroids = faiss.IndexFlatIP(dimension)
    centroids.add(kmeans.centroids)
    return centroids


def filled_lists(snapshot: Snapshot, clustering: Clustering) -> Any:
    """Return an IVF index of the live rows among those that have a list, under their positions."""
    centroids, chosen = clustering.centroids, clustering.lists
    index = faiss.IndexIVFFlat(centroids, centroids.d, centroids.ntotal, faiss.METRIC_INNER_PRODUCT)
    # FAISS counts a row whose list is -1 but stores it nowhere, so ids stay equal to positions.
    if snapshot.alive is not None:
        chosen = np.where(snapshot.alive[: clustering.covered], chosen, -1)
    index.add_core(len(chosen), faiss.swig_ptr(snapshot.rows), None, faiss.swig_ptr(chosen))
    return index


def _calibrate(
    plan: IvfPlan, clustering: Clustering, held_out: NDArray[np.int64]
) -> tuple[int, float]:
    """Return the smallest nprobe with the target recall, and the recall it has.

    The queries are stored rows that this training left out (centroids kept from an earlier one
    may have seen some of them). None counts as its own hit: it would always be found, in the
    list that is probed first, and flatter the figure. A true neighbour is found exactly when its
    list is among the nprobe lists nearest to the query, so the rank of that list gives the recall
    at every nprobe without a single IVF search.
    """
    snapshot, wanted = plan.snapshot, plan.settings.recall_at
    nlist = clustering.centroids.ntotal
    queries = snapshot.rows[held_out]
    neighbours = scan_cosine(snapshot.rows, queries, wanted + 1, snapshot.selector).positions
    counted = (neighbours >= 0) & (neighbours != held_out[:, None])
    _, nearest = clustering.centroids.search(queries, nlist)
    rank = np.argsort(nearest, axis=1)  # nearest[q] is a permutation: this inverts it
    ranks = np.take_along_axis(rank, clustering.lists[neighbours], axis=1)[counted]
    recalls = np.cumsum(np.bincount(ranks, minlength=nlist)) / len(ranks)
    nprobe = int(np.argmax(recalls >= plan.settings.target_recall)) + 1
    return nprobe, float(recalls[nprobe - 1])
