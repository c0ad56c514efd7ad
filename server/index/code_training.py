"""Training of inverted lists of binary codes."""

from dataclasses import replace

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.calibration import measured_recall
from cipherlens.server.index.clustering import Clustering, code_centroids, restored_clustering
from cipherlens.server.index.code_lists import CodeLists, empty_lists
from cipherlens.server.index.flat import scan_hamming
from cipherlens.server.index.lists import restored_nprobes
from cipherlens.server.index.protocol import SearchParameters
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.segments import filled
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.training import train_clustering

_DEFAULTS = SearchParameters()


class CodeListsTrainer:
    """Builds lists of codes; see Trainer."""

    def __init__(self, settings: IvfSettings, minimum_rows: int) -> None:
        """Take what the settings say of recall; minimum_rows says from when lists pay."""
        self._settings = settings
        self.minimum_rows = minimum_rows
        self.growth = settings.growth

    def train(self, snapshot: Snapshot, seed: int) -> CodeLists:
        """Return lists over all codes, with an nprobe that surely reaches the target recall.

        The same codes and seed give the same lists. Raises ValueError for fewer than two live ones.
        """
        clustering, sample, nprobes = train_clustering(
            snapshot, self._settings, seed, code_centroids, scan_hamming
        )
        lists = _filled(snapshot, clustering, nprobes)
        recalls = measured_recall(
            sample,
            lambda queries, k: lists.search(snapshot, queries, k, _DEFAULTS),
            self._settings.recall_at,
        )
        return replace(lists, recall=float(recalls.mean()))

    def restored(self, state: IndexState, snapshot: Snapshot) -> CodeLists | None:
        """Return the lists in a state, filled with the codes. Raises UnfitStateError."""
        if state.facts.get("trained") != "code lists":
            return None
        rows = snapshot.rows
        clustering = restored_clustering(state, rows.dtype, rows.shape[1])
        nprobes, recall = restored_nprobes(state), state.fact("recall", float)
        return replace(_filled(snapshot, clustering, nprobes), recall=recall)


def _filled(snapshot: Snapshot, clustering: Clustering, nprobes: tuple[int, ...]) -> CodeLists:
    segment = filled(empty_lists(clustering), snapshot, clustering.lists, 0)
    return CodeLists(clustering=clustering, segments=(segment,), nprobes=nprobes, recall=0.0)
