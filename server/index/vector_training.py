"""Training of inverted lists of unit vectors."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.calibration import Sample, measured_recall, sure_recall
from cipherlens.server.index.clustering import Clustering, restored_clustering, vector_centroids
from cipherlens.server.index.flat import scan_cosine
from cipherlens.server.index.lists import restored_nprobes
from cipherlens.server.index.protocol import SearchParameters
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.segments import filled
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.training import train_clustering
from cipherlens.server.index.vector_lists import Coding, VectorLists

_HALF_PRECISION = Coding(size_bytes=2)
_RANGE_ROWS = 65536
_DEFAULTS = SearchParameters()
_WORTH_TWICE_THE_MEMORY = 0.001  # of the recall
# Rows that come later may lie a little further from their centroid; beyond the range they are cut.
_WIDER = 1.1


class VectorListsTrainer:
    """Builds lists on the CPU; see Trainer."""

    def __init__(self, settings: IvfSettings) -> None:
        self._settings = settings
        self.minimum_rows = settings.minimum_rows
        self.growth = settings.growth

    def train(self, snapshot: Snapshot, seed: int) -> VectorLists:
        """Return lists over all rows, with an nprobe that surely reaches the target recall.

        The same rows and seed give the same lists. Where no nprobe reaches the target, as between
        rows without structure, all lists are probed.
        """
        clustering, sample, nprobes = train_clustering(
            snapshot, self._settings, seed, vector_centroids, scan_cosine
        )
        in_bytes = self._lists(snapshot, clustering, byte_coding(snapshot, clustering), nprobes)
        recalls = self._measured(in_bytes, snapshot, sample)
        if sure_recall(recalls) >= self._settings.target_recall:
            return replace(in_bytes, recall=float(recalls.mean()))
        halves = self._lists(snapshot, clustering, _HALF_PRECISION, nprobes)
        better = self._measured(halves, snapshot, sample)
        if better.mean() > recalls.mean() + _WORTH_TWICE_THE_MEMORY:
            return replace(halves, recall=float(better.mean()))
        return replace(in_bytes, recall=float(recalls.mean()))

    def _lists(
        self,
        snapshot: Snapshot,
        clustering: Clustering,
        coding: Coding,
        nprobes: tuple[int, ...],
    ) -> VectorLists:
        segment = filled(coding.lists(clustering), snapshot, clustering.lists, 0)
        return VectorLists(
            clustering=clustering, coding=coding, segments=(segment,), nprobes=nprobes, recall=0.0
        )

    def _measured(
        self, lists: VectorLists, snapshot: Snapshot, sample: Sample
    ) -> NDArray[np.float64]:
        return measured_recall(
            sample,
            lambda queries, k: lists.search(snapshot, queries, k, _DEFAULTS),
            self._settings.recall_at,
        )

    def restored(self, state: IndexState, snapshot: Snapshot) -> VectorLists | None:
        """Return the lists in a state, filled with the rows. Raises UnfitStateError."""
        if state.facts.get("trained") != "vector lists":
            return None
        rows = snapshot.rows
        clustering = restored_clustering(state, rows.dtype, rows.shape[1])
        coding = Coding(
            size_bytes=state.fact("number_bytes", int),
            lowest=state.fact("lowest", float),
            width=state.fact("width", float),
        )
        nprobes, recall = restored_nprobes(state), state.fact("recall", float)
        return replace(self._lists(snapshot, clustering, coding, nprobes), recall=recall)


def byte_coding(snapshot: Snapshot, clustering: Clustering) -> Coding:
    """Return a coding in bytes that spans what lies between rows and their centroids."""
    step = max(1, clustering.covered // _RANGE_ROWS)
    lists = clustering.lists[::step]
    between = snapshot.rows[: clustering.covered : step] - clustering.centroids[lists]
    reach = _WIDER * float(np.abs(between).max())
    return Coding(size_bytes=1, lowest=-reach, width=2 * reach)
