"""What training inverted lists has in common, whatever lies in them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.calibration import (
    Sample,
    Scan,
    samples_of,
    smallest_nprobe,
    split,
)
from cipherlens.server.index.clustering import Clustering, new_clustering
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.threads import use_one_thread

Centroids = Callable[[NDArray[Any], NDArray[np.int64], int, int], NDArray[Any]]


def train_clustering(
    snapshot: Snapshot,
    settings: IvfSettings,
    seed: int,
    centroids: Centroids,
    scan: Scan,
    elsewhere: Any = None,
) -> tuple[Clustering, Sample, tuple[int, ...]]:
    """Return a list for every row, rows that were kept out of it, and how many lists to probe.

    That is as `Lists.nprobes` has it. The same rows and seed give the same lists.

    Args:
        centroids: trains so many of rows at positions, with a seed.
        scan: finds true neighbours.
        elsewhere: an index in which `centroids` leaves what it has trained; it finds the list of
            each row.

    Raises:
        ValueError: fewer than two rows are live.
    """
    use_one_thread()
    if snapshot.live < 2:
        raise ValueError(f"training needs at least 2 live rows, got {snapshot.live}")
    held_out, others = split(snapshot, settings, seed)
    trained = centroids(snapshot.rows, others, settings.nlist(snapshot.live), seed)
    clustering = new_clustering(trained, snapshot.live).extended(snapshot.rows, elsewhere)
    samples = samples_of(snapshot, held_out, scan, settings)
    nprobes = [smallest_nprobe(each, clustering, settings.target_recall) for each in samples]
    return clustering, samples[0], tuple(nprobes)
