"""CyborgDB's service, an encrypted vector database, through its own client: vectors alone."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import cyborgdb
import numpy as np

from benchmarks.peers.peer import VECTORS, K, Load, Rows

REQUIREMENTS = ("cyborgdb-service>=0.18", "cyborgdb>=0.18")
PEER = "Cyborg"
TITLE = "CyborgDB"
CLIENT = "its REST client"

_STARTING_LIMIT_S = 60


class Cyborg:
    """An index under a key of 32 bytes, in a service of its own."""

    INDEXES: ClassVar = {VECTORS: {"ivf": (1, 4, 16)}}

    def setup(self, folder: Path) -> dict[str, Any]:
        """Start the service on a free port, over files."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self._port = taken.getsockname()[1]
        with (folder / "service.log").open("w") as log:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).with_name("cyborgdb-service"))],
                env={
                    **os.environ,
                    "CYBORGDB_DISK_PATH": str(folder / "data"),
                    "PORT": str(self._port),
                },
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        self._client = cyborgdb.Client(f"http://127.0.0.1:{self._port}")
        self._wait()
        return {name: metadata.version(name) for name in ("cyborgdb-service", "cyborgdb")}

    def fill(self, kind: str, rows: Rows) -> None:
        """Make an index and put the rows into it."""
        self._name, self._count = f"{kind}-{len(rows)}", len(rows)
        self._key = os.urandom(32)
        self._index = self._client.create_index(
            self._name, self._key, dimension=rows.shape[1], metric="cosine"
        )
        self._index.upsert([str(number) for number in range(len(rows))], rows)

    def build(self, kind: str, index: str) -> str:  # noqa: ARG002
        """Train it."""
        lists = round(self._count**0.5)
        self._index.train(n_lists=lists)
        while self._index.is_training():
            time.sleep(0.2)
        return f"n_lists = {lists}"

    def tune(self, knob: int) -> None:
        """Set n_probes."""
        self._knob = knob

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows."""
        found = self._index.query(query_vectors=query, top_k=K, n_probes=self._knob, include=[])
        return [int(each["id"]) for each in found]

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return them for many queries by one call."""
        found = self._index.query(query_vectors=queries, top_k=K, n_probes=self._knob, include=[])
        return [[int(each["id"]) for each in hits] for hits in found]

    def load(self, queries: Rows, clients: int, folder: Path) -> Load | None:  # noqa: ARG002
        """Return bodies of JSON; their answers have no length that is known beforehand."""
        bodies = []
        for number, query in enumerate(np.asarray(queries, np.float64)):
            path = folder / f"cyborg-{number}.json"
            body = {
                "index_name": self._name,
                "index_key": self._key.hex(),
                "query_vectors": query.tolist(),
                "top_k": K,
                "n_probes": self._knob,
                "include": [],
            }
            path.write_text(json.dumps(body))
            bodies.append([str(path), 0])
        url = f"http://127.0.0.1:{self._port}"
        return {"url": url, "path": "/v1/vectors/query", "grpc": False, "bodies": bodies}

    def pids(self) -> list[int]:
        """Return the service."""
        return [self._process.pid]

    def close(self) -> None:
        """Stop the service."""
        self._process.terminate()
        self._process.wait(20)

    def _wait(self) -> None:
        deadline = time.monotonic() + _STARTING_LIMIT_S
        while True:
            try:
                self._client.get_health()
            except Exception:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.2)
            else:
                return
