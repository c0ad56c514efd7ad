"""Qdrant Edge, Qdrant's engine in process, from PyPI `qdrant-edge-py`: vectors alone."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import qdrant_edge as edge

from benchmarks.peers.in_process import InProcess
from benchmarks.peers.peer import VECTORS, K, Rows

REQUIREMENTS = ("qdrant-edge-py>=0.5",)
PEER = "QdrantEdge"
TITLE = "Qdrant Edge"
CLIENT = "in process"

_AT_ONCE = 1000
_M, _EF_CONSTRUCT = 16, 100


class QdrantEdge(InProcess):
    """A shard of points by dot product of unit vectors."""

    INDEXES: ClassVar = {VECTORS: {"hnsw": (20, 40, 80, 160), "exact": (0,)}}

    def setup(self, folder: Path) -> dict[str, Any]:
        """Choose the folder."""
        self._folder = folder / "shard"
        self._folder.mkdir()
        return {"qdrant-edge-py": metadata.version("qdrant-edge-py")}

    def fill(self, kind: str, rows: Rows) -> None:  # noqa: ARG002
        """Write points; none is indexed yet."""
        config = edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(
                size=rows.shape[1],
                distance=edge.Distance.Dot,
                hnsw_config=edge.HnswIndexConfig(
                    m=_M, ef_construct=_EF_CONSTRUCT, full_scan_threshold=10
                ),
            ),
            optimizers=edge.EdgeOptimizersConfig(default_segment_number=1, indexing_threshold=10),
        )
        self._shard = edge.EdgeShard.create(str(self._folder), config)
        for first in range(0, len(rows), _AT_ONCE):
            points = [
                edge.Point(first + number, row.tolist())
                for number, row in enumerate(rows[first : first + _AT_ONCE])
            ]
            self._shard.update(edge.UpdateOperation.upsert_points(points))

    def build(self, kind: str, index: str) -> str:  # noqa: ARG002
        """Let it optimise itself, which builds the graph."""
        while self._shard.optimize():
            pass
        self._exact = index == "exact"
        return f"m = {_M}, ef_construct = {_EF_CONSTRUCT}, exact {self._exact}"

    def tune(self, knob: int) -> None:
        """Set hnsw_ef."""
        self._parameters = edge.SearchParams(hnsw_ef=knob or None, exact=self._exact)

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        return [each.id for each in self._shard.query(self._asked(query))]

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return them for many queries by one call."""
        asked = edge.QueryBatchRequest([self._asked(each) for each in queries])
        return [[each.id for each in found] for found in self._shard.query_batch(asked)]

    def close(self) -> None:
        """Close the shard."""
        self._shard.close()

    def _asked(self, query: Rows) -> Any:
        return edge.QueryRequest(
            K, query=edge.Query.Nearest(query.tolist()), params=self._parameters
        )
