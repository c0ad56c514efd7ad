"""The truth: collections, items, generations and models in one database.

What differs from one database to another is a `dialect.Dialect`; `open_database` chooses one.
Outside this package there are transactions and records, never connections or SQL.
"""

from cipherlens.server.storage.batch import ItemBatch
from cipherlens.server.storage.database import Database, Transaction
from cipherlens.server.storage.index_files import IndexFiles, Kept
from cipherlens.server.storage.model_files import ModelStore, Upload
from cipherlens.server.storage.opening import address_of, open_database

__all__ = [
    "Database",
    "IndexFiles",
    "ItemBatch",
    "Kept",
    "ModelStore",
    "Transaction",
    "Upload",
    "address_of",
    "open_database",
]
