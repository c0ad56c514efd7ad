"""A table of keys and rows in PostgreSQL: vector(n), or bit(n) for codes."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import Bit
from psycopg import sql

from cipherlens.base import IndexChoice, Kind, code_size_bytes
from cipherlens.server.config import IvfSettings
from cipherlens.server.vectors.calibrating import calibrated
from cipherlens.server.vectors.keys import NO_KEYS
from cipherlens.server.vectors.pgvector_index import BuiltIndex
from cipherlens.server.vectors.store import Found, Reach, Shape, TableFigures

SCHEMA = "cipherlens_vectors"

_MOST_INDEXED = 2000  # numbers of a vector that pgvector's indexes take, and a page holds
# A binary copy has a header, and of each row the number of fields, and of each field its size.
_COPY_HEADER_BYTES, _COPY_END_BYTES = 19, 2
_NOTE = "SELECT obj_description(to_regclass(%s), 'pg_class')"
_INDEXES = """
SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = to_regclass(%s) AND NOT indisprimary
"""
Asking = Callable[[], "AbstractContextManager[psycopg.Connection[Any]]"]
_COPIED = np.dtype([("fields", ">i2"), ("size", ">i4"), ("key", ">i8")])


class PgvectorTable:
    """A table of keys and rows: vector(n), or bit(n) for codes."""

    most_k = 100_000
    most_keys = 65_536
    is_exact = True

    def __init__(self, asking: Asking, ivf: IvfSettings, shape: Shape) -> None:
        """Ask nothing yet; `asking` lends a connection."""
        self._asking = asking
        self._ivf = ivf
        self._name = shape.name
        self._choice = shape.choice
        self._is_code = shape.kind is Kind.CODE
        width = 8 * code_size_bytes(shape.length) if self._is_code else shape.length
        self._type = "bit" if self._is_code else "vector"
        self._column = f"{self._type}({width})"
        self._fits_page = self._is_code or width <= _MOST_INDEXED
        self._operator = sql.SQL("<~>" if self._is_code else "<#>")
        self._built: BuiltIndex | None = None  # None until somebody has looked
        self._is_made = False

    def keys(self) -> NDArray[np.int64]:
        """Return the keys of all rows, ascending."""
        self._is_made, self._built = False, None
        with self._asking() as connection:
            found = connection.execute("SELECT to_regclass(%s)", [f"{SCHEMA}.{self._name}"])
            if found.fetchone() == (None,):
                return NO_KEYS
            statement = self._of("COPY (SELECT key FROM {}) TO STDOUT (FORMAT BINARY)")
            with connection.cursor().copy(statement) as copy:
                data = b"".join(copy)
        self._built = self._noted()
        rows = np.frombuffer(data[_COPY_HEADER_BYTES:-_COPY_END_BYTES], _COPIED)
        return np.sort(rows["key"].astype(np.int64))

    def put(self, keys: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Add rows, or write them again, in one transaction."""
        self._make()
        statement = self._of("COPY {} (key, row) FROM STDIN (FORMAT BINARY)")
        with self._asking() as connection, connection.transaction():
            connection.execute(self._of("DELETE FROM {} WHERE key = ANY(%s)"), [keys.tolist()])
            with connection.cursor().copy(statement) as copy:
                copy.set_types(["int8", self._type])
                for key, row in zip(keys.tolist(), self._values(rows), strict=True):
                    copy.write_row((key, row))

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Remove rows."""
        self._make()
        with self._asking() as connection:
            connection.execute(self._of("DELETE FROM {} WHERE key = ANY(%s)"), [keys.tolist()])

    def search(self, queries: NDArray[Any], k: int, reach: Reach) -> Found:
        """Return the k best rows of each query: by the index if there is one."""
        if reach.exact:
            return self._found(queries, k, self._compared(""))
        statement = self._of("SELECT key, row {o} %b FROM {} ORDER BY row {o} %b LIMIT ")
        built = self._built or BuiltIndex("flat")
        return self._found(queries, k, statement, built.settings(k, reach))

    def among(self, queries: NDArray[Any], k: int, keys: NDArray[np.int64]) -> Found:
        """Return the k best of the rows with these keys."""
        statement = self._compared("WHERE key = ANY(%b)")
        return self._found(queries, k, statement, among=[keys.tolist()])

    def wants_building(self, rows: int) -> bool:
        """Return whether there are enough rows for an index, or far more than it was made for."""
        if self._choice is IndexChoice.FLAT or not self._fits_page or rows < self._ivf.minimum_rows:
            return False
        built = self._built
        if built is None or built.method == "flat":
            return True
        return rows >= self._ivf.growth * built.rows

    def build(self, rows: int, sample: NDArray[np.int64]) -> None:
        """Make the index in the place of the one that is there, and measure it.

        A graph takes new rows in as well as its first ones: it is only measured again.
        """
        self._make()
        self._built = self._noted()
        if not self.wants_building(rows):
            return
        if self._built.method == "hnsw":
            self._built = self._built._replace(rows=rows)
        else:
            self._built = self._index(BuiltIndex.planned(self._choice, self._ivf, rows))
        self._calibrate(self._built, sample)

    def _index(self, built: BuiltIndex) -> BuiltIndex:
        """Make an index in the place of all that are there, and return it."""
        with self._asking() as connection, connection.transaction():
            old = connection.execute(_INDEXES, [f"{SCHEMA}.{self._name}"]).fetchall()
            using = built.using(is_code=self._is_code)
            connection.execute(self._of(f"CREATE INDEX ON {{}} USING {using}"))
            for (each,) in old:
                connection.execute(stated("DROP INDEX {}", each))
            connection.execute(self._of("COMMENT ON TABLE {} IS {}", sql.Literal(built.note())))
            connection.execute(self._of("ANALYZE {}"))
        return built

    def figures(self) -> TableFigures:
        """Return the index as it was last built."""
        built = self._built or BuiltIndex("flat")
        return TableFigures(built.method, built.nlist, built.width, built.recall)

    def _noted(self) -> BuiltIndex:
        with self._asking() as connection:
            row = connection.execute(_NOTE, [f"{SCHEMA}.{self._name}"]).fetchone()
        return BuiltIndex.of_note(row[0] if row else None)

    def _calibrate(self, built: BuiltIndex, sample: NDArray[np.int64]) -> None:
        """Measure how far a search has to look, and note it."""
        plain = sql.SQL("text" if self._is_code else "real[]")
        statement = self._of("SELECT row::{plain} FROM {} WHERE key = ANY(%s)", plain=plain)
        with self._asking() as connection:
            found = connection.execute(statement, [sample.tolist()]).fetchall()
        queries, k = self._array([row for (row,) in found]), self._ivf.recall_at
        reach, recall = calibrated(self, queries, k, built.reaches(), self._ivf.target_recall)
        self._built = built.measured(reach, recall)
        note = sql.Literal(self._built.note())
        with self._asking() as connection:
            connection.execute(self._of("COMMENT ON TABLE {} IS {}", note))

    def _make(self) -> None:
        if self._is_made:
            return
        columns = f"(key bigint PRIMARY KEY, row {self._column} NOT NULL)"
        with self._asking() as connection, connection.transaction():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(self._of(f"CREATE TABLE IF NOT EXISTS {{}} {columns}"))
            if self._fits_page:  # or each row of a scan is a journey to another table
                connection.execute(self._of("ALTER TABLE {} ALTER row SET STORAGE PLAIN"))
        self._is_made = True

    def _compared(self, where: LiteralString) -> sql.Composed:
        """Return a statement that compares every row: no index has the sum."""
        return self._of(
            "SELECT key, row {o} %b FROM {} {where} ORDER BY (row {o} %b) + 0, key LIMIT ",
            where=sql.SQL(where),
        )

    def _found(
        self,
        queries: NDArray[Any],
        k: int,
        statement: sql.Composed,
        settings: dict[str, int] | None = None,
        among: Sequence[Any] = (),
    ) -> Found:
        limited = statement + sql.Literal(k)
        with (
            self._asking() as connection,
            connection.transaction(),
            connection.pipeline(),
        ):
            for name, value in (settings or {}).items():
                connection.execute("SELECT set_config(%s, %s, true)", [name, str(value)])
            cursors = [
                connection.execute(limited, [value, *among, value], prepare=True)
                for value in self._values(queries)
            ]
            answers = [each.fetchall() for each in cursors]
        return self._as_found(answers, k)

    def _as_found(self, answers: "list[list[tuple[int, float]]]", k: int) -> Found:
        keys = np.full((len(answers), k), -1, np.int64)
        scores = np.zeros((len(answers), k), np.int32 if self._is_code else np.float32)
        for number, answer in enumerate(answers):
            if answer:
                found, distances = zip(*answer, strict=True)
                keys[number, : len(answer)] = found
                # Of inner products pgvector makes negative ones: the smallest are the best.
                signed = np.array(distances) * (1 if self._is_code else -1)
                scores[number, : len(answer)] = signed
        return Found(keys, scores)

    def _values(self, rows: NDArray[Any]) -> "list[Any]":
        """Return rows as psycopg sends them: unused bits of a code are zero, and add nothing."""
        if self._is_code:
            return [Bit(row.tobytes()) for row in rows]
        return list(rows)

    def _array(self, rows: "list[Any]") -> NDArray[Any]:
        """Return rows, lists of numbers or texts of bits, as an array."""
        if self._is_code:
            return np.packbits([[bit == "1" for bit in row] for row in rows], axis=1)
        return np.array(rows, np.float32)

    def _of(self, statement: str, *more: sql.Composable, **parts: sql.SQL) -> sql.Composed:
        return stated(statement, self._name, *more, o=self._operator, **parts)


def stated(statement: str, name: str, *more: sql.Composable, **parts: sql.SQL) -> sql.Composed:
    """Return a statement about a table or index of ours; of its text nothing is from outside."""
    text: Any = statement
    return sql.SQL(text).format(sql.Identifier(SCHEMA, name), *more, **parts)
