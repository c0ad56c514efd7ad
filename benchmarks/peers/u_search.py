"""USearch, in process."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from usearch.index import Index, MetricKind, ScalarKind

from benchmarks.peers.in_process import InProcess
from benchmarks.peers.peer import CODES, VECTORS, K, Rows

REQUIREMENTS = ("usearch>=2.16",)
PEER = "USearch"
TITLE = "USearch"
CLIENT = "in process, one thread for a search"


class USearch(InProcess):
    """A graph of codes or vectors, with the library's own defaults."""

    INDEXES: ClassVar = {
        kind: {"hnsw": (20, 40, 80, 160), "exact": (0,)} for kind in (CODES, VECTORS)
    }

    def setup(self, folder: Path) -> dict[str, Any]:  # noqa: ARG002
        """Return the version."""
        return {"usearch": metadata.version("usearch")}

    def fill(self, kind: str, rows: Rows) -> None:  # noqa: ARG002
        """Keep the rows for the index."""
        self._rows = rows

    def build(self, kind: str, index: str) -> str:
        """Build the graph with all cores; an exact search scans what it holds."""
        if kind == CODES:
            self._index = Index(ndim=48, metric=MetricKind.Hamming, dtype=ScalarKind.B1)
        else:
            self._index = Index(
                ndim=self._rows.shape[1], metric=MetricKind.IP, dtype=ScalarKind.F32
            )
        self._index.add(np.arange(len(self._rows)), self._rows)
        self._exact = index == "exact"
        return f"connectivity {self._index.connectivity}, exact {self._exact}"

    def tune(self, knob: int) -> None:
        """Set how many candidates a search expands."""
        if knob:
            self._index.expansion_search = knob

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        found: list[int] = self._index.search(query, K, threads=1, exact=self._exact).keys.tolist()
        return found

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return the nearest rows of many queries by one call."""
        matches = self._index.search(queries, K, threads=1, exact=self._exact)
        found: list[list[int]] = matches.keys.tolist()
        return found
