"""The floor of writing: bare SQLite with the tables and rows of a server's database."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = tuple[Any, ...]

# What every connection of the server sets, too.
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
_TABLES = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
_ITEMS = "SELECT * FROM items WHERE sequence > ? AND sequence <= ? ORDER BY sequence"
_REPRESENTATIONS = (
    "SELECT representations.* FROM items JOIN representations USING (item_id) "
    "WHERE items.sequence > ? AND items.sequence <= ? ORDER BY items.sequence"
)
_ADVANCE = "UPDATE collections SET sequence = ?, checksum = ?"


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of one transaction, and the collection's sequence after it."""

    items: list[Row]
    representations: list[Row]
    sequence: int


def batches_of(database: Path, after: int, until: int, size: int) -> list[Batch]:
    """Return what a server has written to its one collection between two sequences, in batches."""
    connection = sqlite3.connect(database)
    items = connection.execute(_ITEMS, (after, until)).fetchall()
    representations = connection.execute(_REPRESENTATIONS, (after, until)).fetchall()
    connection.close()
    return [
        Batch(
            items[start : start + size], representations[start : start + size], after + start + size
        )
        for start in range(0, len(items), size)
    ]


class BareDatabase:
    """A database with the tables of another, written to by nothing but its driver."""

    def __init__(self, path: Path, model: Path) -> None:
        """Make the tables of the model, with its collection and generation."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        known = sqlite3.connect(model)
        for (statement,) in known.execute(_TABLES):
            self._connection.execute(statement)
        for table in ("collections", "generations"):
            self._insert(table, known.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608
        known.close()

    def write(self, batches: Sequence[Batch]) -> None:
        """Write each batch in a transaction of its own, each on disk before the next begins."""
        for batch in batches:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(_ADVANCE, (batch.sequence, bytes(16)))
            self._insert("items", batch.items)
            self._insert("representations", batch.representations)
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        places = ", ".join("?" * len(rows[0]))
        self._connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608
