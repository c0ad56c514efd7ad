"""The truth: collections, items, generations and models in one database.

What differs from one database to another is a `dialect.Dialect`; `open_database` chooses one.
Outside this package there are transactions and records, never connections or SQL.
"""

from pathlib import Path

from cipherlens.server.storage.batch import ItemBatch
from cipherlens.server.storage.database import Database, Transaction
from cipherlens.server.storage.index_files import IndexFiles, Kept
from cipherlens.server.storage.model_files import ModelStore, Upload
from cipherlens.server.storage.sqlite import SqliteDialect, file_sizes

__all__ = [
    "Database",
    "IndexFiles",
    "ItemBatch",
    "Kept",
    "ModelStore",
    "Transaction",
    "Upload",
    "file_sizes",
    "open_database",
]


def open_database(data_dir: Path) -> Database:
    """Return the database of a data folder, both made if absent. Raises StartupError."""
    return Database(SqliteDialect(data_dir))
