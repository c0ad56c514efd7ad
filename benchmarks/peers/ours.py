"""CipherLens itself, as any other: a server in a process of its own, and its own client."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import grpc
import numpy as np

from benchmarks.harness.processor_time import cpu_s
from benchmarks.harness.server import running
from benchmarks.harness.stored import store_codes, store_vectors, wait_for_lists
from benchmarks.peers.peer import CODES, VECTORS, K, Load, Rows
from cipherlens.client import Client, SearchOptions
from cipherlens.v1 import representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb

REQUIREMENTS = ()
PEER = "Ours"
TITLE = "CipherLens"
CLIENT = "cipherlens.client.Client"

_SEARCH = "/cipherlens.v1.RetrievalService/Search"


class Ours:
    """A collection with the index that it has by default."""

    INDEXES: ClassVar = {CODES: {"default": (0,)}, VECTORS: {"default": (0, 1, 2, 4, 8)}}

    def setup(self, folder: Path) -> dict[str, Any]:
        """Start the server."""
        self._stack = ExitStack()
        self._server = self._stack.enter_context(running(folder / "data"))
        self._client = self._stack.enter_context(Client(self._server.address))
        return {"cipherlens": self._client.server_info().version}

    def fill(self, kind: str, rows: Rows) -> None:
        """Store the rows, and wait until nothing of them is left to do."""
        self._kind = kind
        if kind == CODES:
            store_codes(self._client, kind, rows, 48)
        else:
            store_vectors(self._client, kind, rows)
            wait_for_lists(self._client, kind)
        self._wait_until_idle()

    def build(self, kind: str, index: str) -> str:  # noqa: ARG002
        """Say what it has built by itself."""
        found = self._client.get_collection(kind).index
        return f"{found.kind}, {found.nlist} lists, {found.nprobe} probed by default"

    def tune(self, knob: int) -> None:
        """Set nprobe, 0 for the default."""
        self._nprobe = knob or None

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        return self.batch(query[None])[0]

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return them for many queries by one call."""
        options = SearchOptions(nprobe=self._nprobe)
        search = self._client.search_codes if self._kind == CODES else self._client.search_vectors
        return [
            [int(hit.item_id.rpartition("-")[2]) for hit in hits]
            for hits in search(self._kind, queries, K, options=options)
        ]

    def load(self, queries: Rows, clients: int, folder: Path) -> Load | None:  # noqa: ARG002
        """Return a request for each query, and the length of its answer."""
        with grpc.insecure_channel(self._server.address) as channel:
            send: Callable[..., bytes] = channel.unary_unary(_SEARCH)
            requests = [self._request(each).SerializeToString() for each in queries]
            sizes = [len(send(each)) for each in requests]
        bodies = []
        for number, (request, size) in enumerate(zip(requests, sizes, strict=True)):
            path = folder / f"ours-{number}.body"
            path.write_bytes(b"\0" + len(request).to_bytes(4, "big") + request)
            bodies.append([str(path), size])
        url = f"http://{self._server.address}"
        return {"url": url, "path": _SEARCH, "grpc": True, "bodies": bodies}

    def pids(self) -> list[int]:
        """Return the server."""
        return [self._server.pid]

    def _wait_until_idle(self) -> None:
        """Return once the server has hardly used a processor for a second: lists are trained."""
        used = cpu_s(self._server.pid)
        while True:
            time.sleep(1)
            before, used = used, cpu_s(self._server.pid)
            if used - before < 0.1:
                return

    def close(self) -> None:
        """Stop the server."""
        self._stack.close()

    def _request(self, query: Rows) -> pb.SearchRequest:
        parameters = pb.SearchParameters(nprobe=self._nprobe)
        if query.dtype == np.uint8:
            codes = representation_pb2.Codes(bits=48, data=query.tobytes())
            return pb.SearchRequest(collection=CODES, k=K, codes=codes, parameters=parameters)
        vectors = representation_pb2.Vectors(dimension=len(query), data=query.tobytes())
        return pb.SearchRequest(collection=VECTORS, k=K, vectors=vectors, parameters=parameters)
