"""Which engine has the vectors, if any."""

from cipherlens.server.config import DatabaseUrl, OwnDatabase, ServerConfig, VectorsUrl
from cipherlens.server.errors import StartupError
from cipherlens.server.vectors.store import VectorStore
from cipherlens.server.vectors.tables import VectorTables


def open_vectors(config: ServerConfig, database: DatabaseUrl | None) -> VectorTables | None:
    """Return the tables in the engine that the configuration names, None if it names none.

    database: that of the rows. Raises StartupError.
    """
    if config.vectors is None:
        return None
    if config.follow:
        raise StartupError("vectors: servers that follow have their indexes in memory; see follow")
    store = open_store(config, database)
    try:
        return VectorTables(store, config.data_dir)
    except BaseException:
        store.close()
        raise


def open_store(config: ServerConfig, database: DatabaseUrl | None) -> VectorStore:
    """Return the engine that the configuration names; nothing is asked of it. Raises StartupError.

    database: that of the rows.
    """
    url = database if isinstance(config.vectors, OwnDatabase) else config.vectors
    assert isinstance(url, DatabaseUrl)  # as the configuration has checked
    if isinstance(url, VectorsUrl) and url.is_milvus:
        try:
            from cipherlens.server.vectors.milvus import MilvusStore
        except ImportError as error:
            raise StartupError(
                "vectors: Milvus needs pymilvus: pip install 'cipherlens[milvus]'"
            ) from error
        return MilvusStore(url, config.ivf)
    try:
        from cipherlens.server.vectors.pgvector import PgvectorStore
    except ImportError as error:
        raise StartupError(
            "vectors: pgvector needs its client: pip install 'cipherlens[pgvector]'"
        ) from error
    return PgvectorStore(url, config.ivf)
