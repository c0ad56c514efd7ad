"""LanceDB, in process over files."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import HnswFlat, IvfFlat

from benchmarks.peers.in_process import InProcess
from benchmarks.peers.peer import CODES, VECTORS, K, Rows

REQUIREMENTS = ("lancedb>=0.20",)
PEER = "Lance"
TITLE = "LanceDB"
CLIENT = "in process, its synchronous API"

_METRIC = {CODES: "hamming", VECTORS: "cosine"}


class Lance(InProcess):
    """A table with a column of vectors or of packed codes."""

    INDEXES: ClassVar = {
        CODES: {"exact": (0,), "ivf": (1, 4, 16)},
        VECTORS: {"exact": (0,), "ivf": (1, 2, 4, 8), "ivf of graphs": (20, 40, 80)},
    }

    def setup(self, folder: Path) -> dict[str, Any]:
        """Make an empty database."""
        self._database = lancedb.connect(folder / "lance")
        return {"lancedb": metadata.version("lancedb"), "batches": "one query after another"}

    def fill(self, kind: str, rows: Rows) -> None:
        """Write a table."""
        self._kind, self._count = kind, len(rows)
        value = pa.uint8() if kind == CODES else pa.float32()
        column = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel(), value), rows.shape[1])
        table = pa.table({"id": pa.array(np.arange(len(rows))), "vector": column})
        self._table = self._database.create_table("items", table, mode="overwrite")

    def build(self, kind: str, index: str) -> str:
        """Build an index in place of the one that is there."""
        self._index = index
        for each in self._table.list_indices():
            self._table.drop_index(each.name)
        if index == "exact":
            return "a scan of the table"
        lists = round(self._count**0.5)
        if index == "ivf":
            config: Any = IvfFlat(distance_type=_METRIC[kind], num_partitions=lists)
        else:
            config = HnswFlat(distance_type=_METRIC[kind], num_partitions=1)
        self._table.create_index("vector", config=config)
        return str(config)

    def tune(self, knob: int) -> None:
        """Set nprobes, or ef within the graph."""
        self._knob = knob

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        asked = self._table.search(query, vector_column_name="vector")
        asked = asked.distance_type(_METRIC[self._kind]).select(["id", "_distance"]).limit(K)
        if self._index == "ivf":
            asked = asked.nprobes(self._knob)
        elif self._index != "exact":
            asked = asked.ef(self._knob)
        found: list[int] = asked.to_arrow()["id"].to_pylist()
        return found

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return them for one query after another."""
        return [self.search(each) for each in queries]
