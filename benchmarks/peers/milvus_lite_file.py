"""Milvus Lite, from PyPI `milvus-lite`, through pymilvus: vectors alone, as it has no codes."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

from pymilvus import MilvusClient

from benchmarks.peers.in_process import InProcess
from benchmarks.peers.peer import VECTORS, K, Rows

REQUIREMENTS = ("milvus-lite>=3", "pymilvus>=3")
PEER = "MilvusLite"
TITLE = "Milvus Lite"
CLIENT = "pymilvus to a process of its own that it starts over a socket file"

_AT_ONCE = 1000


class MilvusLite(InProcess):
    """A collection in a file."""

    INDEXES: ClassVar = {VECTORS: {"ivf": (1, 2, 4, 8), "hnsw": (20, 40, 80), "flat": (0,)}}

    def setup(self, folder: Path) -> dict[str, Any]:
        """Open the file."""
        self._client = MilvusClient(str(folder / "milvus.db"))
        return {name: metadata.version(name) for name in ("milvus-lite", "pymilvus")}

    def fill(self, kind: str, rows: Rows) -> None:  # noqa: ARG002
        """Make the collection, insert the rows and flush them: what is in memory is scanned."""
        self._count = len(rows)
        self._client.create_collection(
            "items", dimension=rows.shape[1], metric_type="COSINE", auto_id=False
        )
        for first in range(0, len(rows), _AT_ONCE):
            part = rows[first : first + _AT_ONCE]
            data = [{"id": first + n, "vector": row.tolist()} for n, row in enumerate(part)]
            self._client.insert("items", data)
        self._client.flush("items")

    def build(self, kind: str, index: str) -> str:  # noqa: ARG002
        """Drop the index that is there, make this one and load it."""
        self._knob_name, options = {
            "ivf": ("nprobe", {"nlist": round(self._count**0.5)}),
            "hnsw": ("ef", {"M": 16, "efConstruction": 200}),
            "flat": ("", {}),
        }[index]
        kind_of = {"ivf": "IVF_FLAT", "hnsw": "HNSW", "flat": "FLAT"}[index]
        self._client.release_collection("items")
        for name in self._client.list_indexes("items"):
            self._client.drop_index("items", name)
        parameters = self._client.prepare_index_params()
        parameters.add_index("vector", index_type=kind_of, metric_type="COSINE", params=options)
        self._client.create_index("items", parameters)
        self._client.load_collection("items")
        return f"{kind_of} {options}"

    def tune(self, knob: int) -> None:
        """Set nprobe or ef."""
        self._parameters = {"params": {self._knob_name: knob} if self._knob_name else {}}

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        return self.batch(query[None])[0]

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return them for many queries by one call."""
        found = self._client.search(
            "items", queries.tolist(), limit=K, search_params=self._parameters
        )
        return [[hit["id"] for hit in hits] for hits in found]

    def close(self) -> None:
        """Close the file."""
        self._client.close()
