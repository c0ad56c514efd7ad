"""A graph of near neighbours over unit vectors (HNSW), quantised, ranked exactly in the end."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.config import IvfSettings
from cipherlens.server.index.calibration import (
    Sample,
    measured_recall,
    sample_of,
    split,
    sure_recall,
)
from cipherlens.server.index.errors import UnfitStateError
from cipherlens.server.index.flat import candidate_count, rank_chosen, scan_cosine, with_tail
from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.rowlog import Snapshot, snapshot_of
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.threads import use_one_thread
from cipherlens.server.index.trained import Figures
from cipherlens.server.index.untyped import faiss

_NEIGHBOURS = 32  # of a node; twice as many on the ground level
_EFS = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
# Rows that join the candidates. To put them into a graph copies it first: it may be in use.
_LONGEST_TAIL = 256
_RANGE_ROWS = 65536
_WIDER = 0.1  # of the range that the rows span now, for those that come later
_DEFAULTS = SearchParameters()
_SLOWNESS = 2  # of a byte of a node, which lies anywhere


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A graph over the first rows of a log; see Trained.

    index: faiss.IndexHNSWSQ, a byte a number.
    nodes: (nodes,) int64, the position of each; rows masked when they would have come in are none.
    ef: candidates that a search keeps at a time; 0 where none reaches the target recall.
    """

    index: Any
    nodes: NDArray[np.int64]
    covered: int
    trained_on: int
    ef: int
    recall: float
    kind = "hnsw"
    smallest_share = 1 / 32
    longest_tail = _LONGEST_TAIL

    @property
    def pays(self) -> bool:
        """Whether any ef finds what was promised."""
        return self.ef > 0

    def reach(self, snapshot: Snapshot) -> int:
        """Return the rows in the graph, and a short tail behind them."""
        rows = len(snapshot.rows)
        return rows if rows - self.covered <= _LONGEST_TAIL else self.covered

    def search(
        self,
        snapshot: Snapshot,
        queries: NDArray[np.float32],
        k: int,
        parameters: SearchParameters,  # noqa: ARG002 nothing in it is about a graph
    ) -> SearchResult:
        """Return the best candidates that the graph leads to, by their true similarity."""
        found = self._candidates(queries, candidate_count(k), snapshot.share)
        if snapshot.alive is not None:
            found = np.where(snapshot.alive[found], found, -1)  # [-1] is not looked at below
        chosen = with_tail([found], snapshot, self.covered, self.reach(snapshot))
        return rank_chosen(snapshot.rows, queries, chosen, k)

    def _candidates(
        self, queries: NDArray[np.float32], count: int, share: float
    ) -> NDArray[np.int64]:
        """Return the positions of the nodes that look best, (q, more than count), then -1.

        share: the part of the rows that a filter keeps; of the candidates it keeps about as much.
        """
        count = min(int(count / share), len(self.nodes))
        how = faiss.SearchParametersHNSW(efSearch=max(int(self.ef / share), count))
        _, found = self.index.search(queries, count, params=how)
        return np.where(found < 0, -1, self.nodes[found])

    def extended(self, snapshot: Snapshot) -> "Graph":
        """Return a copy with the new rows in it."""
        new = snapshot.live_from(self.covered)
        index = faiss.clone_index(self.index)
        index.add(snapshot.rows[new])
        nodes = np.append(self.nodes, new)
        return replace(self, index=index, nodes=nodes, covered=len(snapshot.rows))

    def reads_bytes(self, parameters: SearchParameters, share: float = 1.0) -> int:  # noqa: ARG002
        """Return how many bytes of nodes a query reads, about: the neighbours of ef nodes."""
        met = 2 * _NEIGHBOURS * self.ef / max(share, self.smallest_share)
        return min(len(self.nodes), int(met)) * int(self.index.d)

    def worth_bytes(self, parameters: SearchParameters, share: float) -> int:
        """Return how many bytes of rows, about, are compared one by one in the same time."""
        return _SLOWNESS * self.reads_bytes(parameters, share)

    def figures(self) -> Figures:
        """Return its recall and size."""
        links = 4 * 2 * _NEIGHBOURS + 8
        size = len(self.nodes) * (int(self.index.d) + links + self.nodes.itemsize)
        return Figures(0, 0, self.recall, size)

    def state(self) -> IndexState:
        """Return the graph as FAISS writes it, and the positions of its nodes."""
        return IndexState(
            facts={
                "trained": "graph",
                "trained_on": self.trained_on,
                "covered": self.covered,
                "ef": self.ef,
                "recall": self.recall,
            },
            arrays={"graph": faiss.serialize_index(self.index), "nodes": self.nodes},
        )


class GraphTrainer:
    """Builds graphs on the CPU; see Trainer."""

    def __init__(self, settings: IvfSettings) -> None:
        self._settings = settings
        self.minimum_rows = settings.minimum_rows
        self.growth = settings.growth

    def train(self, snapshot: Snapshot, seed: int) -> Graph:
        """Return a graph of all live rows, with an ef that surely reaches the target recall.

        Queries are rows that are not in the graph yet: one that is would lead to itself. The same
        rows and seed give the same graph. Raises ValueError for fewer than two live rows.
        """
        use_one_thread()
        if snapshot.live < 2:
            raise ValueError(f"training needs at least 2 live rows, got {snapshot.live}")
        held_out, others = split(snapshot, self._settings, seed)
        index = _empty_graph(snapshot)
        index.add(snapshot.rows[others])
        graph = Graph(
            index=index,
            nodes=others,
            covered=len(snapshot.rows),
            trained_on=snapshot.live,
            ef=0,
            recall=0.0,
        )
        calibrated = self._calibrated(graph, snapshot, held_out)
        index.add(snapshot.rows[held_out])
        return replace(calibrated, nodes=np.append(others, held_out))

    def _calibrated(self, graph: Graph, snapshot: Snapshot, held_out: NDArray[np.int64]) -> Graph:
        alive = np.zeros(len(snapshot.rows), bool)
        alive[graph.nodes] = True
        among = snapshot_of(snapshot.rows, alive)
        sample = sample_of(among, held_out, scan_cosine, self._settings)
        for ef in _EFS:
            tried = replace(graph, ef=ef)
            recalls = self._recalls(tried, among, sample)
            if sure_recall(recalls) >= self._settings.target_recall:
                return replace(tried, recall=float(recalls.mean()))
        return graph

    def _recalls(self, graph: Graph, among: Snapshot, sample: Sample) -> NDArray[np.float64]:
        return measured_recall(
            sample,
            lambda queries, k: graph.search(among, queries, k, _DEFAULTS),
            self._settings.recall_at,
        )

    def restored(self, state: IndexState, snapshot: Snapshot) -> Graph | None:
        """Return the graph in a state. Raises UnfitStateError."""
        if state.facts.get("trained") != "graph":
            return None
        index = faiss.deserialize_index(state.array("graph", np.uint8, (None,)))
        nodes = state.array("nodes", np.int64, (index.ntotal,))
        covered, rows = state.fact("covered", int), len(snapshot.rows)
        if index.d != snapshot.rows.shape[1] or not nodes.max(initial=-1) < covered <= rows:
            raise UnfitStateError(
                f"graph must be over at most {rows} rows of {snapshot.rows.shape[1]} numbers, "
                f"got {covered} of {index.d}"
            )
        return Graph(
            index=index,
            nodes=nodes,
            covered=covered,
            trained_on=state.fact("trained_on", int),
            ef=state.fact("ef", int),
            recall=state.fact("recall", float),
        )


def _empty_graph(snapshot: Snapshot) -> Any:
    rows = snapshot.rows
    index = faiss.IndexHNSWSQ(
        rows.shape[1],
        faiss.ScalarQuantizer.QT_8bit_uniform,
        _NEIGHBOURS,
        faiss.METRIC_INNER_PRODUCT,
    )
    faiss.downcast_index(index.storage).sq.rangestat_arg = _WIDER
    index.train(rows[:: max(1, len(rows) // _RANGE_ROWS)])
    return index
