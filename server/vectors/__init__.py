"""Vectors and codes in an engine beside the server; the database stays the truth."""

from cipherlens.server.vectors.opening import open_store, open_vectors
from cipherlens.server.vectors.tables import VectorTables, table_prefix

__all__ = ["VectorTables", "open_store", "open_vectors", "table_prefix"]
