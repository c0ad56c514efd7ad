"""FAISS itself, from PyPI `faiss-cpu`, in process."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np

from benchmarks.peers.in_process import InProcess
from benchmarks.peers.peer import CODES, VECTORS, K, Rows

REQUIREMENTS = ("faiss-cpu>=1.11",)
PEER = "RawFaiss"
TITLE = "raw FAISS"
CLIENT = "in process, one thread for a search"

_STORED_BYTES = 8


class RawFaiss(InProcess):
    """Indexes of FAISS; codes are padded to 64 bits, where it is fast."""

    INDEXES: ClassVar = {
        CODES: {"flat": (0,)},
        VECTORS: {"flat": (0,), "ivf": (1, 2, 4, 8), "hnsw": (20, 40, 80, 160)},
    }

    def setup(self, folder: Path) -> dict[str, Any]:  # noqa: ARG002
        """Return the version."""
        return {"faiss-cpu": metadata.version("faiss-cpu")}

    def fill(self, kind: str, rows: Rows) -> None:  # noqa: ARG002
        """Keep the rows for the indexes."""
        self._rows = _padded(rows)

    def build(self, kind: str, index: str) -> str:
        """Train and fill an index."""
        faiss.omp_set_num_threads(1)
        dimension = self._rows.shape[1]
        if kind == CODES:
            self._index: Any = faiss.IndexBinaryFlat(8 * dimension)
        elif index == "hnsw":
            self._index = faiss.IndexHNSWFlat(dimension, 16, faiss.METRIC_INNER_PRODUCT)
        elif index == "ivf":
            lists = round(len(self._rows) ** 0.5)
            self._quantizer = faiss.IndexFlatIP(dimension)
            self._index = faiss.IndexIVFFlat(
                self._quantizer, dimension, lists, faiss.METRIC_INNER_PRODUCT
            )
            self._index.train(self._rows)
        else:
            self._index = faiss.IndexFlatIP(dimension)
        self._index.add(self._rows)
        return type(self._index).__name__

    def tune(self, knob: int) -> None:
        """Set nprobe or efSearch."""
        if hasattr(self._index, "nprobe"):
            self._index.nprobe = knob
        elif hasattr(self._index, "hnsw"):
            self._index.hnsw.efSearch = knob

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        return self.batch(query[None])[0]

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return the nearest rows of many queries by one call."""
        faiss.omp_set_num_threads(1)  # it binds the calling thread alone
        found: list[list[int]] = self._index.search(_padded(queries), K)[1].tolist()
        return found


def _padded(rows: Rows) -> Rows:
    if rows.dtype != np.uint8:
        return rows
    wide = np.zeros((len(rows), _STORED_BYTES), np.uint8)
    wide[:, : rows.shape[1]] = rows
    return wide
