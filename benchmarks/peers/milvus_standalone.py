"""Milvus 2.3.5 standalone, from PyPI `milvus`, through pymilvus of its time; load by h2load."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from milvus import MilvusServer
from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, connections

from benchmarks.peers.peer import CODES, VECTORS, K, Load, Rows

REQUIREMENTS = ("milvus==2.3.5", "pymilvus>=2.3,<2.4", "setuptools<81", "marshmallow<4")
PEER = "Milvus"
TITLE = "Milvus 2.3.5"
CLIENT = "pymilvus, consistency Bounded"

_AT_ONCE = 2000
_INDEXES: dict[str, dict[str, tuple[str, str]]] = {
    CODES: {"flat": ("BIN_FLAT", ""), "ivf": ("BIN_IVF_FLAT", "nprobe")},
    VECTORS: {"flat": ("FLAT", ""), "ivf": ("IVF_FLAT", "nprobe"), "hnsw": ("HNSW", "ef")},
}


class Milvus:
    """A collection in a server of its own."""

    INDEXES: ClassVar = {
        CODES: {"flat": (0,), "ivf": (4, 16)},
        VECTORS: {"ivf": (1, 2, 4, 8), "hnsw": (20, 40, 80), "flat": (0,)},
    }

    def setup(self, folder: Path) -> dict[str, Any]:
        """Start the server."""
        self._server = MilvusServer()
        self._server.set_base_dir(str(folder / "milvus"))
        self._server.start()
        connections.connect(host="127.0.0.1", port=self._server.listen_port)
        return {name: metadata.version(name) for name in ("milvus", "pymilvus")}

    def fill(self, kind: str, rows: Rows) -> None:
        """Make the collection, insert the rows and flush them."""
        self._kind, self._count = kind, len(rows)
        if kind == CODES:
            field = FieldSchema("row", DataType.BINARY_VECTOR, dim=48)
        else:
            field = FieldSchema("row", DataType.FLOAT_VECTOR, dim=rows.shape[1])
        fields = [FieldSchema("id", DataType.INT64, is_primary=True), field]
        self._collection = Collection(
            f"items_{kind}", CollectionSchema(fields), consistency_level="Bounded"
        )
        for first in range(0, len(rows), _AT_ONCE):
            part = rows[first : first + _AT_ONCE]
            self._collection.insert([list(range(first, first + len(part))), _values(part)])
        self._collection.flush()

    def build(self, kind: str, index: str) -> str:
        """Drop the index that is there, make this one and load it."""
        name, self._knob_name = _INDEXES[kind][index]
        options = {
            "ivf": {"nlist": round(self._count**0.5)},
            "hnsw": {"M": 16, "efConstruction": 200},
        }.get(index, {})
        self._collection.release()
        self._collection.drop_index()
        self._metric = "HAMMING" if kind == CODES else "COSINE"
        self._collection.create_index(
            "row", {"index_type": name, "metric_type": self._metric, "params": options}
        )
        self._collection.load()
        return f"{name} {options}"

    def tune(self, knob: int) -> None:
        """Set nprobe or ef."""
        options = {self._knob_name: knob} if self._knob_name else {}
        self._parameters = {"metric_type": self._metric, "params": options}

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        return self.batch(query[None])[0]

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return them for many queries by one call."""
        found = self._collection.search(_values(queries), "row", self._parameters, limit=K)
        return [list(hits.ids) for hits in found]

    def load(self, queries: Rows, clients: int, folder: Path) -> Load | None:  # noqa: ARG002
        """Return the very requests that the client sends, caught on their way."""
        stub = self._collection._get_connection()._stub
        caught: list[tuple[bytes, int]] = []
        send = stub.Search

        def keep(request: Any, *rest: Any, **named: Any) -> Any:
            answer = send(request, *rest, **named)
            caught.append((request.SerializeToString(), answer.ByteSize()))
            return answer

        stub.Search = keep
        try:
            for each in queries:
                self.search(each)
        finally:
            stub.Search = send
        return {
            "url": f"http://127.0.0.1:{self._server.listen_port}",
            "path": "/milvus.proto.milvus.MilvusService/Search",
            "grpc": True,
            "bodies": [
                [str(_written(folder, number, message)), size]
                for number, (message, size) in enumerate(caught)
            ],
        }

    def pids(self) -> list[int]:
        """Return the server."""
        return [self._server.server_proc.pid]

    def close(self) -> None:
        """Stop the server."""
        connections.disconnect("default")
        self._server.stop()


def _values(rows: Rows) -> Any:
    return [row.tobytes() for row in rows] if rows.dtype == np.uint8 else rows.tolist()


def _written(folder: Path, number: int, message: bytes) -> Path:
    path = folder / f"milvus-{number}.body"
    path.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    return path
