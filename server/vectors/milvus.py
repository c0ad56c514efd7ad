"""Vectors in Milvus: for collections beyond one machine's memory."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from pymilvus import DataType, MilvusClient, MilvusException

from cipherlens.base import IndexChoice, Kind, code_size_bytes
from cipherlens.server.config import IvfSettings, VectorsUrl
from cipherlens.server.errors import VectorsUnavailable
from cipherlens.server.vectors.calibrating import calibrated, widths
from cipherlens.server.vectors.keys import NO_KEYS
from cipherlens.server.vectors.store import Found, Reach, Shape, TableFigures

_PATIENCE_S = 10.0
_LOADING_S = 120.0  # of a table, and of what is written to rest
_MOST_K = 16_384
_QUERIES = 32  # of one request: more of them could take longer than anybody is patient
_NLIST = 1024  # of a segment of up to 1 GB; Milvus takes fewer for a small one
_FEWEST_PROBED = 32
_PAUSE_S = 0.5
_EF = 128
_MOST_EF = 32_768
_GRAPH = {"M": 16, "efConstruction": 200}
_UNFLUSHED_PART = 0.1


class MilvusStore:
    """Milvus collections in one of its databases."""

    kind = "milvus"

    def __init__(self, url: VectorsUrl, ivf: IvfSettings) -> None:
        """Connect later, with the first question."""
        # Its words go to our log, once; the client's own have a traceback each.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        self.place = f"Milvus at {url}"
        self.ivf = ivf
        self._url = url
        self._client: Any = None

    def check(self) -> str:
        """Return its version."""
        with self.asking() as client:
            return str(client.get_server_version(timeout=_PATIENCE_S))

    def table(self, shape: Shape) -> "MilvusTable":
        """Return a table."""
        return MilvusTable(self, shape)

    def names(self, prefix: str) -> list[str]:
        """Return the names of all tables that begin so."""
        with self.asking() as client:
            found = client.list_collections(timeout=_PATIENCE_S)
        return [name for name in found if name.startswith(prefix)]

    def drop(self, name: str) -> None:
        """Remove a table."""
        with self.asking() as client:
            client.drop_collection(name, timeout=_PATIENCE_S)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()

    @contextmanager
    def asking(self) -> Iterator[Any]:
        """Lend the client. Raises VectorsUnavailable for whatever Milvus refuses."""
        try:
            if self._client is None:
                self._client = MilvusClient(
                    uri=self._url.http(),
                    token=self._url.token(),
                    db_name=self._url.database(),
                    timeout=_PATIENCE_S,
                )
            yield self._client
        except (MilvusException, grpc.RpcError) as error:  # the latter where it has no time left
            told = "the engine of the vectors is not available"
            detail = error.message if isinstance(error, MilvusException) else error.code().name
            raise VectorsUnavailable(told, str(detail)) from error


class MilvusTable:
    """A Milvus collection of keys and rows."""

    most_k = _MOST_K
    most_keys = 4096

    def __init__(self, store: MilvusStore, shape: Shape) -> None:
        """Ask nothing yet."""
        self._store = store
        self._ivf = store.ivf
        self._name = shape.name
        self._is_code = shape.kind is Kind.CODE
        self._width = 8 * code_size_bytes(shape.length) if self._is_code else shape.length
        self._figures = _figures_of(shape.choice)
        self.is_exact = self._figures.method != "hnsw"
        self._is_made = False
        self._unflushed = 0
        self._is_measured = not self._figures.nlist

    def keys(self) -> NDArray[np.int64]:
        """Return the keys of all rows, ascending."""
        self._is_made = False
        with self._store.asking() as client:
            if not client.has_collection(self._name, timeout=_PATIENCE_S):
                return NO_KEYS
            client.load_collection(self._name, timeout=_LOADING_S)
            return np.sort(np.concatenate([NO_KEYS, *self._pages(client)]))

    def put(self, keys: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Add rows, or write them again."""
        self._make()
        values = [
            {"key": key, "row": row}
            for key, row in zip(keys.tolist(), self._values(rows), strict=True)
        ]
        with self._store.asking() as client:
            client.upsert(self._name, values, timeout=_PATIENCE_S)
        self._unflushed += len(keys)

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Remove rows."""
        self._make()
        with self._store.asking() as client:
            client.delete(self._name, filter=_named(keys), timeout=_PATIENCE_S)

    def search(self, queries: NDArray[Any], k: int, reach: Reach) -> Found:
        """Return the k best rows of each query."""
        return self._found(queries, k, self._parameters(k, reach), "")

    def among(self, queries: NDArray[Any], k: int, keys: NDArray[np.int64]) -> Found:
        """Return the k best of the rows with these keys."""
        widest = self._parameters(_MOST_K, Reach(exact=True))
        return self._found(queries, k, widest, _named(keys))

    def wants_building(self, rows: int) -> bool:
        """Return whether much was written that should be indexed, or how is not yet measured."""
        enough = rows >= self._ivf.minimum_rows
        unflushed = max(self._ivf.minimum_rows, _UNFLUSHED_PART * rows)
        return self._unflushed >= unflushed or (enough and not self._is_measured)

    def build(self, rows: int, sample: NDArray[np.int64]) -> None:  # noqa: ARG002
        """Have what was written indexed: until then Milvus compares all of it.

        Then the lists to probe are measured.
        """
        with self._store.asking() as client:
            client.flush(self._name, timeout=_LOADING_S)
            self._wait_for_index(client)
            self._unflushed = 0
            if self._figures.nlist:
                found = client.query(
                    self._name, filter=_named(sample), output_fields=["row"], timeout=_PATIENCE_S
                )
                self._measure(self._array([each["row"] for each in found]))

    def figures(self) -> TableFigures:
        """Return the index that Milvus was asked for."""
        return self._figures

    def _wait_for_index(self, client: Any) -> None:
        """Return when nothing waits for its index; Milvus tells nobody, and has to be asked."""
        ends_at = time.monotonic() + _LOADING_S
        while client.describe_index(self._name, "row", timeout=_PATIENCE_S)["pending_index_rows"]:
            if time.monotonic() > ends_at:
                return  # it compares the rest
            time.sleep(_PAUSE_S)
        client.refresh_load(self._name, timeout=_LOADING_S)

    def _measure(self, queries: NDArray[Any]) -> None:
        k, target = self._ivf.recall_at, self._ivf.target_recall
        # Not from 1 on: segments without an index yet make a search look better than it will be.
        reaches = [Reach(nprobe) for nprobe in widths(_FEWEST_PROBED, _NLIST)]
        reach, recall = calibrated(self, queries, k, reaches, target)
        self._figures = TableFigures("ivf", _NLIST, reach.nprobe or _NLIST, recall)
        self._is_measured = True

    def _make(self) -> None:
        if self._is_made:
            return
        with self._store.asking() as client:
            if not client.has_collection(self._name, timeout=_PATIENCE_S):
                self._create(client)
        self._is_made = True

    def _create(self, client: Any) -> None:
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", DataType.INT64, is_primary=True)
        row_type = DataType.BINARY_VECTOR if self._is_code else DataType.FLOAT_VECTOR
        schema.add_field("row", row_type, dim=self._width)
        indexes = client.prepare_index_params()
        indexes.add_index(
            "row",
            index_type=("BIN_" if self._is_code else "") + _NAMES[self._figures.method],
            metric_type="HAMMING" if self._is_code else "IP",  # of unit vectors: the cosine
            params=_OPTIONS[self._figures.method],
        )
        client.create_collection(
            self._name,
            schema=schema,
            index_params=indexes,
            # A search sees what this client has written, and waits for nobody else.
            consistency_level="Session",
            timeout=_LOADING_S,
        )

    def _pages(self, client: Any) -> Iterator[NDArray[np.int64]]:
        """Yield all keys: where a range has more of them than an answer, its two halves."""
        ranges = [(0, 2**63 - 1)]
        while ranges:
            first, last = ranges.pop()
            answer = client.query(
                self._name,
                filter=f"key >= {first} and key <= {last}",
                output_fields=["key"],
                limit=_MOST_K,
                consistency_level="Strong",
                timeout=_LOADING_S,
            )
            found = np.array([each["key"] for each in answer], np.int64)
            if len(found) < _MOST_K:
                yield found
            else:
                middle = int(np.median(found))
                ranges += [(first, middle), (middle + 1, last)]

    def _parameters(self, k: int, reach: Reach) -> dict[str, int]:
        method, nlist, width, _ = self._figures
        if method == "ivf":
            probed = reach.nprobe or math.ceil(reach.depth * width)
            return {"nprobe": nlist if reach.exact else min(nlist, probed)}
        if method == "hnsw":
            return {"ef": min(_MOST_EF, max(math.ceil(reach.depth * _EF), k))}
        return {}

    def _found(
        self, queries: NDArray[Any], k: int, parameters: dict[str, int], named: str
    ) -> Found:
        values = self._values(queries)
        answers: list[Any] = []
        with self._store.asking() as client:
            for first in range(0, len(values), _QUERIES):
                answers += client.search(
                    self._name,
                    data=values[first : first + _QUERIES],
                    filter=named,
                    limit=k,
                    search_params={"params": parameters},
                    timeout=_PATIENCE_S,
                )
        keys = np.full((len(queries), k), -1, np.int64)
        scores = np.zeros((len(queries), k), np.int32 if self._is_code else np.float32)
        for number, hits in enumerate(answers):
            keys[number, : len(hits)] = [each["id"] for each in hits]
            scores[number, : len(hits)] = [each["distance"] for each in hits]
        return Found(keys, scores)

    def _array(self, rows: "list[Any]") -> NDArray[Any]:
        """Return rows as Milvus sends them as an array."""
        if self._is_code:
            return np.array([np.frombuffer(row[0], np.uint8) for row in rows])
        return np.array(rows, np.float32)

    def _values(self, rows: NDArray[Any]) -> "list[Any]":
        return [row.tobytes() for row in rows] if self._is_code else list(rows)


_NAMES = {"flat": "FLAT", "ivf": "IVF_FLAT", "hnsw": "HNSW"}
_OPTIONS: dict[str, dict[str, int]] = {"flat": {}, "ivf": {"nlist": _NLIST}, "hnsw": _GRAPH}


def _figures_of(choice: IndexChoice) -> TableFigures:
    if choice is IndexChoice.FLAT:
        return TableFigures("flat")
    if choice is IndexChoice.HNSW:
        return TableFigures("hnsw")
    return TableFigures("ivf", _NLIST, _FEWEST_PROBED)


def _named(keys: NDArray[np.int64]) -> str:
    return f"key in {keys.tolist()}"
