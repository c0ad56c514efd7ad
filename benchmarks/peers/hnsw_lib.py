"""hnswlib, in process: vectors alone."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import hnswlib

from benchmarks.peers.in_process import InProcess
from benchmarks.peers.peer import VECTORS, K, Rows

REQUIREMENTS = ("hnswlib>=0.8",)
PEER = "HnswLib"
TITLE = "hnswlib"
CLIENT = "in process, one thread for a search"

_M, _EF_CONSTRUCTION = 16, 200


class HnswLib(InProcess):
    """A graph of unit vectors by inner product."""

    INDEXES: ClassVar = {VECTORS: {"hnsw": (20, 40, 80, 160)}}

    def setup(self, folder: Path) -> dict[str, Any]:  # noqa: ARG002
        """Return the version."""
        return {"hnswlib": metadata.version("hnswlib")}

    def fill(self, kind: str, rows: Rows) -> None:  # noqa: ARG002
        """Keep the rows for the index."""
        self._rows = rows

    def build(self, kind: str, index: str) -> str:  # noqa: ARG002
        """Build the graph with all cores."""
        self._index = hnswlib.Index(space="ip", dim=self._rows.shape[1])
        self._index.init_index(len(self._rows), M=_M, ef_construction=_EF_CONSTRUCTION)
        self._index.add_items(self._rows)
        return f"M = {_M}, ef_construction = {_EF_CONSTRUCTION}"

    def tune(self, knob: int) -> None:
        """Set ef."""
        self._index.set_ef(knob)

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        return self.batch(query[None])[0]

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return the nearest rows of many queries by one call."""
        found: list[list[int]] = self._index.knn_query(queries, K, num_threads=1)[0].tolist()
        return found
